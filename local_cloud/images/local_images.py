"""The images of this machine and their tags, as a docker daemon holds them.

images/<id>.json        image configuration; its digest is the image's id
tags/<hash of name>     {"name", "image_id", "pushed"}
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local_cloud.images.errors import ImageNotFound
from local_cloud.images.layers import LayerStore, digest_of, write_whole
from local_cloud.images.reference import Reference


@dataclass(frozen=True)
class Tag:
    """A name of an image on this machine; `pushed`: it is in its registry too."""

    name: str
    image_id: str
    pushed: bool


class LocalImages:
    """The images below one folder."""

    def __init__(self, directory: Path) -> None:
        self.layers = LayerStore(directory)
        self._images = directory / "images"
        self._tags = directory / "tags"

    def add(self, configuration: bytes) -> str:
        """Keep an image whose layers are there.

        Returns:
            Its id.
        """
        image_id = digest_of(configuration)
        self._images.mkdir(parents=True, exist_ok=True)
        write_whole(self._image_path(image_id), configuration)
        return image_id

    def configuration(self, image_id: str) -> bytes:
        """The image's configuration, the bytes that its id is the digest of.

        Raises:
            ImageNotFound: it, or one of its layers, is not on this machine.
        """
        path = self._image_path(image_id)
        if not path.exists() or not all(self.layers.path(layer).exists() for layer in layers_of(path.read_bytes())):
            raise ImageNotFound(f"no image {image_id} on this machine")
        return path.read_bytes()

    def tag(self, reference: Reference, image_id: str, *, pushed: bool = False) -> None:
        """Give the image a name; an image that had it loses it."""
        self._tags.mkdir(parents=True, exist_ok=True)
        tag = Tag(str(reference), image_id, pushed)
        write_whole(self._tag_path(tag.name), json.dumps(asdict(tag)).encode())

    def find(self, reference: Reference) -> Tag:
        """The tag of that name.

        Raises:
            ImageNotFound: there is none.
        """
        path = self._tag_path(str(reference))
        if not path.exists():
            raise ImageNotFound(f"No such image: {reference}")
        return Tag(**json.loads(path.read_bytes()))

    def tags(self) -> Iterator[Tag]:
        """All tags, by name."""
        paths = self._tags.glob("[0-9a-f]*") if self._tags.exists() else []
        yield from sorted((Tag(**json.loads(path.read_bytes())) for path in paths), key=lambda tag: tag.name)

    def _image_path(self, image_id: str) -> Path:
        return self._images / f"{image_id.removeprefix('sha256:')}.json"

    def _tag_path(self, name: str) -> Path:
        return self._tags / hashlib.sha256(name.encode()).hexdigest()


def layers_of(configuration: bytes) -> list[str]:
    """The digests of an image's layers: its Python environment, then its files."""
    document: dict[str, Any] = json.loads(configuration)
    layers: list[str] = document["rootfs"]["diff_ids"]
    return layers
