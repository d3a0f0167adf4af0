"""What goes wrong with images; every message says what to do next.

ImageError
├── InvalidReferenceError     a name that is no image reference
├── DockerfileError      a Dockerfile that cannot be built here, with all of its faults
├── BuildError          a step that did not succeed; carries the exit code of its command
├── RegistryError        the registry refused a push or a pull
├── PullDeniedError      a role may not make one of the calls of a pull
└── ImageNotFound        no such image, or its files are not on this machine
"""

from collections.abc import Sequence


class ImageError(Exception):
    """Root of the errors of this package."""


class InvalidReferenceError(ImageError):
    """The text is not `[registry/]repository[:tag][@digest]`."""


class DockerfileError(ImageError):
    """A Dockerfile that cannot be built here."""

    def __init__(self, dockerfile: str, faults: Sequence[str]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n".join([f"{dockerfile} cannot be built ({count}):", *(f"  {fault}" for fault in faults)]))
        self.faults = tuple(faults)


class BuildError(ImageError):
    """A build step ended with an error; what it printed is in the build's output."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RegistryError(ImageError):
    """The registry refused."""


class PullDeniedError(ImageError):
    """A role lacks a permission that a pull takes.

    Attributes:
        action: the missing one, such as `ecr:BatchGetImage`.
    """

    def __init__(self, message: str, action: str) -> None:
        super().__init__(message)
        self.action = action


class ImageNotFound(ImageError):  # noqa: N818  # as ECR and SageMaker say it
    """No image of that name can be started here."""
