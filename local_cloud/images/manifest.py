"""Image manifests (Docker's schema, version 2): what a registry keeps of an image."""

import json
from dataclasses import dataclass

from local_cloud.images.errors import ImageNotFound
from local_cloud.images.layers import canonical, digest_of
from local_cloud.images.local_images import LocalImages, layers_of

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIGURATION_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.slipway.layer.v1+json"  # the layer's description; its content stays on this machine


@dataclass(frozen=True)
class Manifest:
    """An image as a registry holds it.

    Attributes:
        content: the manifest's bytes; their digest is the image's digest.
        blobs: what the manifest names, to be uploaded before it: layer descriptions, then the configuration.
    """

    content: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.content)


def make_manifest(images: LocalImages, image_id: str) -> Manifest:
    """The manifest of an image of this machine.

    Raises:
        ImageNotFound: the image, or one of its layers, is not on this machine.
    """
    configuration = images.configuration(image_id)
    layers = [images.layers.descriptor(digest) for digest in layers_of(configuration)]
    content = canonical({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": _descriptor(configuration, _CONFIGURATION_TYPE),
        "layers": [_descriptor(layer, _LAYER_TYPE) for layer in layers],
    })  # fmt: skip
    return Manifest(content, (*layers, configuration))


def image_id_of(manifest: str, image_uri: str) -> str:
    """The id of the image that a manifest describes: the digest of its configuration.

    Raises:
        ImageNotFound: the manifest is of another kind, such as an index of several platforms.
    """
    try:
        return str(json.loads(manifest)["config"]["digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise ImageNotFound(
            f"{image_uri} has a manifest that was not made by the docker command of the local cloud: build and push "
            "the image in the local cloud's CodeBuild"
        ) from error


def blobs_of(manifest: str) -> list[str]:
    """The digests of what an image's manifest names: its layers and its configuration."""
    document = json.loads(manifest)
    return [blob["digest"] for blob in (*document["layers"], document["config"])]


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}
