"""The one kind of resource that is scaled here: the instance count of a variant of an endpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from local_cloud.wire import ServiceError

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"

_RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")


@dataclass(frozen=True)
class EndpointVariant:
    """A variant of an endpoint, as `endpoint/NAME/variant/VARIANT` names it."""

    endpoint: str
    variant: str

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """The variant that a request is about.

        Raises:
            ServiceError: it is about something else.
        """
        match = _RESOURCE_ID.fullmatch(request["ResourceId"])
        if request["ServiceNamespace"] != NAMESPACE or request["ScalableDimension"] != DIMENSION or match is None:
            raise invalid(
                "Unsupported service namespace, resource type or scalable dimension: the local cloud serves the "
                f"namespace {NAMESPACE}, the dimension {DIMENSION} and resource IDs endpoint/NAME/variant/VARIANT, "
                f"got {request['ServiceNamespace']}, {request['ScalableDimension']} and {request['ResourceId']}"
            )
        return cls(*match.groups())

    @property
    def resource_id(self) -> str:
        return f"endpoint/{self.endpoint}/variant/{self.variant}"

    def members(self) -> dict[str, str]:
        """What names the variant in requests and answers."""
        return {"ServiceNamespace": NAMESPACE, "ResourceId": self.resource_id, "ScalableDimension": DIMENSION}

    def __str__(self) -> str:
        """As AWS's messages name a scalable target."""
        return (
            f"service namespace: {NAMESPACE}, resource ID: {self.resource_id}, scalable dimension: {DIMENSION}"
        )  # fmt: skip


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def not_found(message: str) -> ServiceError:
    return ServiceError("ObjectNotFoundException", message)
