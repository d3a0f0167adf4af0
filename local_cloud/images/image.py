"""An image that containers can be started from, found through the cloud's registry."""

import json
import posixpath
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.images.errors import ImageNotFound, InvalidReferenceError, PullDeniedError
from local_cloud.images.layers import digest_of
from local_cloud.images.local_images import LocalImages, layers_of
from local_cloud.images.manifest import blobs_of, image_id_of
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

    def pull(self, image_uri: str, role_arn: str) -> Image:
        """Find an image as whoever pulls it: log in to the registry, then as `resolve` does with a role."""
        with _refusals(image_uri):
            self._cloud.client("ecr", role_arn).get_authorization_token()
        return self.resolve(image_uri, role_arn)

    def resolve(self, image_uri: str, role_arn: str | None = None) -> Image:
        """Find an image by its URI, with a digest or a tag.

        Args:
            image_uri: of the image.
            role_arn: ask with this role's permissions for all that a pull asks for, manifest and layers; without it,
                ask for the manifest as the cloud itself.

        Raises:
            ImageNotFound: the URI is none, the registry has no such image, or its files are gone.
            PullDeniedError: the role lacks a permission.
        """
        reference = self._reference(image_uri)
        ecr = self._cloud.client("ecr", role_arn)
        manifest = _manifest(ecr, reference)
        image_id = image_id_of(manifest, image_uri)
        if role_arn is not None:
            _ask_for_blobs(ecr, reference, manifest)
        try:
            configuration = self._images.configuration(image_id)
        except ImageNotFound as error:
            raise _gone(image_uri) from error
        image = self._image(digest_of(manifest.encode()), configuration)
        if not (image.venv / "bin" / "python").exists():  # the interpreter it was made on was removed
            raise _gone(image_uri)
        return image

    def _reference(self, image_uri: str) -> Reference:
        try:
            reference = Reference.parse(image_uri)
            account, region = reference.ecr()
        except InvalidReferenceError as error:
            raise ImageNotFound(str(error)) from error
        if (account, region) != (self._cloud.account_id, self._cloud.region):
            raise ImageNotFound(
                f"{reference} is in account {account} and region {region}; the local cloud has the images of account "
                f"{self._cloud.account_id} in {self._cloud.region}"
            )
        return reference

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


def _manifest(ecr: Any, reference: Reference) -> str:
    key = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
    with _refusals(str(reference)):
        images = ecr.batch_get_image(repositoryName=reference.repository, imageIds=[key])["images"]
    if not images:
        wanted = f"digest {reference.digest}" if reference.digest else f"tag {reference.tag}"
        raise ImageNotFound(f"{reference} is not in the registry: {wanted} was never pushed, or deleted")
    return str(images[0]["imageManifest"])


def _ask_for_blobs(ecr: Any, reference: Reference, manifest: str) -> None:
    """The registry's calls for an image's layers and configuration; their content is on this machine already."""
    digests = blobs_of(manifest)
    with _refusals(str(reference)):
        ecr.batch_check_layer_availability(repositoryName=reference.repository, layerDigests=digests)
        for digest in digests:
            ecr.get_download_url_for_layer(repositoryName=reference.repository, layerDigest=digest)


@contextmanager
def _refusals(image_uri: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in ("AccessDenied", "AccessDeniedException"):
            raise PullDeniedError(message, f"ecr:{error.operation_name}") from error
        raise ImageNotFound(f"{image_uri}: {message}") from error


def _gone(image_uri: str) -> ImageNotFound:
    return ImageNotFound(
        f"{image_uri} is in the registry, but its files are not on this machine any more: build and push it again "
        "(a pipeline execution for its commit does, once the image is deleted from the repository)"
    )
