"""The container without an image engine: an image is an installed environment and files, a container is a process.

`docker build` makes the two, each once for its content; `docker push` gives them a digest in the cloud's registry.
"""

from local_cloud.images.command import command_directory, refusing_directory
from local_cloud.images.errors import ImageError, ImageNotFound, InvalidReferenceError, PullDeniedError
from local_cloud.images.image import Image, ImageStore
from local_cloud.images.reference import Reference

__all__ = [
    "Image",
    "ImageError",
    "ImageNotFound",
    "ImageStore",
    "InvalidReferenceError",
    "PullDeniedError",
    "Reference",
    "command_directory",
    "refusing_directory",
]
