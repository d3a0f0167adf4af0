"""`docker push` and `docker pull`, through the API of the cloud's container registry (ECR)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.images.errors import ImageNotFound, RegistryError
from local_cloud.images.layers import digest_of
from local_cloud.images.local_images import LocalImages
from local_cloud.images.manifest import MEDIA_TYPE, blobs_of, image_id_of, make_manifest
from local_cloud.images.reference import Reference

_PART_BYTES = 10 * 1024 * 1024


def push(ecr: Any, images: LocalImages, reference: Reference, log: Callable[[str], None]) -> str:
    """Push an image of this machine under one of its names.

    ECR refuses a manifest whose layers it lacks (LayersNotFoundException), so they go first.

    Args:
        ecr: boto3 client of the registry, acting as whoever pushes.
        images: where the image is.
        reference: the name, with a tag.
        log: takes the lines of progress.

    Returns:
        The digest of the pushed manifest.

    Raises:
        ImageNotFound: there is no such image here.
        RegistryError: the registry refuses, in docker's words.
    """
    manifest = make_manifest(images, images.find(reference).image_id)
    log(f"The push refers to repository [{reference.name}]")
    with _refusals(reference):
        for blob in manifest.blobs:
            log(f"{digest_of(blob)[7:19]}: {_push_blob(ecr, reference.repository, blob)}")
        if _tagged_digest(ecr, reference) == manifest.digest:
            log(f"{reference.tag}: already there")
        else:
            ecr.put_image(
                repositoryName=reference.repository, imageManifest=manifest.content.decode(),
                imageManifestMediaType=MEDIA_TYPE, imageTag=reference.tag, imageDigest=manifest.digest,
            )  # fmt: skip
    images.tag(reference, images.find(reference).image_id, pushed=True)
    log(f"{reference.tag}: digest: {manifest.digest} size: {len(manifest.content)}")
    return manifest.digest


def pull(ecr: Any, images: LocalImages, reference: Reference) -> str:
    """Give an image of the registry, whose files are on this machine, its name here.

    Returns:
        The digest of its manifest.

    Raises:
        ImageNotFound: the registry lacks it, or its files are not here.
        RegistryError: the registry refuses.
    """
    key = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
    with _refusals(reference):
        found = ecr.batch_get_image(repositoryName=reference.repository, imageIds=[key])["images"]
    if not found:
        raise ImageNotFound(f"manifest for {reference} not found: manifest unknown: Requested image not found")
    manifest = str(found[0]["imageManifest"])
    image_id = image_id_of(manifest, str(reference))
    with _refusals(reference):
        for digest in blobs_of(manifest):
            ecr.get_download_url_for_layer(repositoryName=reference.repository, layerDigest=digest)
    images.configuration(image_id)
    images.tag(reference, image_id, pushed=True)
    return digest_of(manifest.encode())


def _tagged_digest(ecr: Any, reference: Reference) -> str | None:
    """The digest of what has the tag already: docker looks before it puts, on images as containerd stores them."""
    found = ecr.batch_get_image(repositoryName=reference.repository, imageIds=[{"imageTag": reference.tag}])["images"]
    return found[0]["imageId"]["imageDigest"] if found else None


def _push_blob(ecr: Any, repository: str, blob: bytes) -> str:
    digest = digest_of(blob)
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])["layers"]
    if any(layer["layerAvailability"] == "AVAILABLE" for layer in known):
        return "Layer already exists"
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    for first in range(0, len(blob), _PART_BYTES):
        part = blob[first : first + _PART_BYTES]
        ecr.upload_layer_part(
            repositoryName=repository, uploadId=upload_id, partFirstByte=first, partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )  # fmt: skip
    try:
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload_id, layerDigests=[digest])
    except ecr.exceptions.LayerAlreadyExistsException:
        return "Layer already exists"
    return "Pushed"


@contextmanager
def _refusals(reference: Reference) -> Iterator[None]:
    """ECR's errors in the words in which docker reports them."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        match code:
            case "RepositoryNotFoundException":
                text = f"name unknown: {message}"
            case "ImageTagAlreadyExistsException":
                text = (
                    f"tag invalid: The image tag '{reference.tag}' already exists in the '{reference.repository}' "
                    "repository and cannot be overwritten because the repository is immutable."
                )
            case "AccessDeniedException":
                text = f"denied: {message}"
            case _:
                text = f"{code}: {message}"
        raise RegistryError(text) from error
