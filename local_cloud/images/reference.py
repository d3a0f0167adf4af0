"""An image's name: registry, repository, tag and digest."""

import re
from dataclasses import dataclass

from local_cloud.images.errors import InvalidReferenceError

# The grammar of https://github.com/distribution/reference
_REFERENCE = re.compile(
    r"(?:(?P<registry>[A-Za-z0-9.-]+\.[A-Za-z0-9.-]+(?::\d+)?|localhost(?::\d+)?|[A-Za-z0-9.-]+:\d+)/)?"
    r"(?P<repository>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_ECR_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Reference:
    """A parsed image name; `registry` is empty when the name has none."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read a name; one with neither tag nor digest means the tag `latest`, as everywhere.

        Raises:
            InvalidReferenceError: it is none.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise InvalidReferenceError(
                f'invalid reference format: "{text}" must be [registry/]repository[:tag][@sha256:digest], in lower case'
            )
        tag = match["tag"] if match["tag"] or match["digest"] else "latest"
        return cls(match["registry"] or "", match["repository"], tag, match["digest"])

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    def ecr(self) -> tuple[str, str]:
        """Account and region of the ECR registry.

        Raises:
            InvalidReferenceError: the registry is not an ECR registry.
        """
        match = _ECR_REGISTRY.fullmatch(self.registry)
        if match is None:
            raise InvalidReferenceError(
                f"{self} is not in an ECR registry: the local cloud holds images of "
                "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY only"
            )
        return match["account"], match["region"]
