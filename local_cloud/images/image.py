"""An image that containers can be started from, found through the cloud's registry."""

import json
import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.images.errors import ImageNotFound, InvalidReferenceError
from local_cloud.images.layers import digest_of
from local_cloud.images.local_images import LocalImages, layers_of
from local_cloud.images.manifest import image_id_of
from local_cloud.images.pip_install import inside
from local_cloud.images.reference import Reference

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud

_PYTHON_OF_BASE_IMAGE = "/usr/local/bin"


@dataclass(frozen=True)
class Image:
    """An image on this machine.

    Attributes:
        digest: of its manifest, as in `repository@digest`.
        root: its file system: what its Dockerfile copied and the folders it made. Containers share it, so nothing
            keeps them from writing there; they are given /opt/ml elsewhere.
        venv: its Python environment.
        environment: its ENV values, as written; PATH is that of a Python image.
        entrypoint: its ENTRYPOINT.
        command: its CMD, the arguments of a container that is given none.
        workdir: its WORKDIR, below `root`.
        labels: its LABELs.
    """

    digest: str
    root: Path
    venv: Path
    environment: dict[str, str]
    entrypoint: list[str]
    command: list[str]
    workdir: Path
    labels: dict[str, str]

    def process(self, arguments: list[str]) -> tuple[list[str], dict[str, str], Path]:
        """What `docker run IMAGE arguments...` would execute.

        To replace the entry point as `ContainerEntrypoint` does, use `dataclasses.replace(image, entrypoint=[...])`.

        Returns:
            The command line (its program an absolute path when the image or this machine has it), the environment
            variables to add (PATH and VIRTUAL_ENV among them), and the working folder.
        """
        environment = {name: self._here(value) for name, value in self.environment.items()}
        environment["VIRTUAL_ENV"] = str(self.venv)
        line = [*self.entrypoint, *(arguments or self.command)]
        if line:
            program = self._here(line[0])
            line[0] = shutil.which(program, path=environment["PATH"]) or program
        return line, environment, self.workdir

    def _here(self, value: str) -> str:
        """A value of the image with its paths, one or several joined by colons, as they are on this machine."""
        return ":".join(self._place(part) if part.startswith("/") else part for part in value.split(":"))

    def _place(self, path: str) -> str:
        """Where a path of the image is: in its environment, in its files, or, when it is in neither, as it stands."""
        folder, name = posixpath.split(path)
        if path == _PYTHON_OF_BASE_IMAGE:
            return str(self.venv / "bin")
        if folder == _PYTHON_OF_BASE_IMAGE:
            return str(self.venv / "bin" / name)
        own = inside(self.root, path)
        return str(own) if path.strip("/") and own.exists() else path


class ImageStore:
    """The images of a cloud: its registry says what they are, this machine holds their files."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._images = LocalImages(image_directory(cloud.state_dir))

    def resolve(self, image_uri: str) -> Image:
        """Find an image by its URI, with a digest or a tag.

        Raises:
            ImageNotFound: the URI is none, the registry has no such image, or its files are gone.
        """
        try:
            reference = Reference.parse(image_uri)
            manifest = self._manifest(reference)
        except InvalidReferenceError as error:
            raise ImageNotFound(str(error)) from error
        image_id = image_id_of(manifest, image_uri)
        try:
            configuration = self._images.configuration(image_id)
        except ImageNotFound as error:
            raise _gone(image_uri) from error
        image = self._image(digest_of(manifest.encode()), configuration)
        if not (image.venv / "bin" / "python").exists():  # the interpreter it was made on was removed
            raise _gone(image_uri)
        return image

    def _manifest(self, reference: Reference) -> str:
        account, region = reference.ecr()
        if (account, region) != (self._cloud.account_id, self._cloud.region):
            raise ImageNotFound(
                f"{reference} is in account {account} and region {region}; the local cloud has the images of account "
                f"{self._cloud.account_id} in {self._cloud.region}"
            )
        image_key = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
        try:
            answer: dict[str, Any] = self._cloud.client("ecr").batch_get_image(
                repositoryName=reference.repository, imageIds=[image_key]
            )
        except ClientError as error:
            raise ImageNotFound(f"{reference}: {error.response['Error']['Message']}") from error
        if not answer["images"]:
            wanted = f"digest {reference.digest}" if reference.digest else f"tag {reference.tag}"
            raise ImageNotFound(f"{reference} is not in the registry: {wanted} was never pushed, or deleted")
        return str(answer["images"][0]["imageManifest"])

    def _image(self, digest: str, configuration: bytes) -> Image:
        settings = json.loads(configuration)["config"]
        environment_layer, files_layer = (self._images.layers.path(layer) for layer in layers_of(configuration))
        root = files_layer / "root"
        return Image(
            digest=digest, root=root, venv=environment_layer / "venv",
            environment=dict(pair.split("=", 1) for pair in settings["Env"]),
            entrypoint=settings["Entrypoint"], command=settings["Cmd"],
            workdir=inside(root, settings["WorkingDir"]), labels=settings["Labels"],
        )  # fmt: skip


def image_directory(state_dir: Path) -> Path:
    """Where a local cloud keeps its images."""
    return state_dir / "images"


def _gone(image_uri: str) -> ImageNotFound:
    return ImageNotFound(
        f"{image_uri} is in the registry, but its files are not on this machine any more: build and push it again "
        "(a pipeline execution for its commit does, once the image is deleted from the repository)"
    )
