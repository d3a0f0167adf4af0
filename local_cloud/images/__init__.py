"""The container without an image engine: an image is an installed environment and files, a container is a process.

`docker build` makes the two, each once for its content; `docker push` gives them a digest in the cloud's registry.
"""

from local_cloud.images.command import command_directory
from local_cloud.images.errors import ImageError, ImageNotFound
from local_cloud.images.image import Image, ImageStore

__all__ = ["Image", "ImageError", "ImageNotFound", "ImageStore", "command_directory"]
