"""What SageMaker allows of endpoints, on instances and serverless."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST_BODY_BYTES = 6_291_456
"""That any endpoint takes (API reference, InvokeEndpoint, Body)."""


@dataclass(frozen=True)
class Limits:
    """The limits of one kind of endpoint.

    Attributes:
        start_seconds: until a container must answer /ping.
        body_bytes: a body that is taken for certain.
        starts_when_called: whether a call may have to wait for a container to start.
    """

    start_seconds: int
    body_bytes: int
    starts_when_called: bool


INSTANCES = Limits(start_seconds=480, body_bytes=LARGEST_BODY_BYTES, starts_when_called=False)
"""Developer guide, "Custom Inference Code with Hosting Services"."""

SERVERLESS = Limits(start_seconds=180, body_bytes=4_000_000, starts_when_called=True)
"""Developer guide, "Invoke a serverless endpoint": 3 minutes, and 4 MB."""


def limits_of(variant: Mapping[str, Any]) -> Limits:
    """The limits of a variant, as DescribeEndpointConfig tells of it."""
    return INSTANCES if variant.get("ServerlessConfig") is None else SERVERLESS
