"""The section `endpoints` of slipway.yaml: what serves, and what is asked of it."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from settings.rules import InstanceType, Section, refuse

# SageMaker developer guide, "Prerequisites for auto scaling": burstable instances are not scaled.
_BURSTABLE = re.compile(r"ml\.t[0-9]")


class Endpoint(Section):
    """The instances behind one endpoint."""

    instance_type: InstanceType
    instance_count: int = Field(ge=1, description="number of instances; with autoscaling, the smallest")
    max_instance_count: int | None = Field(
        default=None, ge=1, description="more than instance_count: autoscaling between the two; left out: none"
    )
    invocations_per_instance: int = Field(
        default=1000, ge=1, le=10_000_000, description="calls a minute on each instance that autoscaling aims at"
    )
    capture_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="share of the calls recorded in the data bucket under captures/, with their answers; 0: none",
    )

    @property
    def autoscaled_to(self) -> int | None:
        """The largest number of instances, where their number follows the calls."""
        return None if self.max_instance_count == self.instance_count else self.max_instance_count

    @model_validator(mode="after")
    def _can_be_scaled(self) -> Self:
        most = self.max_instance_count
        if most is not None and most < self.instance_count:
            told = f"must not be less than instance_count, which is {self.instance_count}, got {most}"
            raise refuse((("max_instance_count",), told))
        if self.autoscaled_to and _BURSTABLE.match(self.instance_type):
            told = f"must be that of instance_count: SageMaker does not scale burstable instances, {self.instance_type}"
            raise refuse((("max_instance_count",), told))
        return self


class Serverless(Section):
    """What a serverless endpoint may take (SageMaker API reference, ProductionVariantServerlessConfig)."""

    memory_mib: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        description="memory of each environment in MiB; processors come in proportion"
    )
    max_concurrency: int = Field(
        ge=1, le=200, description="calls that may be under way at once, each in an environment of its own"
    )


class ServerlessEndpoint(Section):
    """An endpoint without instances: there are as many environments as calls under way, and none when nobody calls."""

    serverless: Serverless = Field(description="in place of instances; docs/release.md says what it does without")

    @property
    def autoscaled_to(self) -> None:
        """Nothing: there are no instances."""

    @property
    def capture_percent(self) -> int:
        """SageMaker records no calls of serverless endpoints."""
        return 0


def _kind(value: Any) -> str:
    has_serverless = "serverless" in value if isinstance(value, dict) else isinstance(value, ServerlessEndpoint)
    return "serverless" if has_serverless else "instances"


AnyEndpoint = Endpoint | ServerlessEndpoint
EitherEndpoint = Annotated[
    Annotated[Endpoint, Tag("instances")] | Annotated[ServerlessEndpoint, Tag("serverless")], Discriminator(_kind)
]


class Objectives(Section):
    """What the verification asks of an endpoint under load."""

    requests_per_second: int = Field(default=20, ge=1, le=1000, description="calls that arrive, each with one record")
    p99_ms: int = Field(
        default=500, ge=1, le=60_000, description="99 of 100 answers come within it, seen by a client in the network"
    )
    error_percent: float = Field(default=0, ge=0, le=100, description="share of the calls that may fail")
    seconds: int = Field(
        default=30, ge=1, le=1800, description="of load at the full rate, after a ramp of a third of it"
    )


class Endpoints(Section):
    """One endpoint for each environment, and what is asked of both."""

    staging: EitherEndpoint = Field(description="the endpoint on which a model is proven")
    production: EitherEndpoint = Field(description="the endpoint that clients call")
    objectives: Objectives = Field(default=Objectives(), description="what the verification asks of an endpoint")

    def of_environments(self) -> dict[str, AnyEndpoint]:
        """The endpoints by the names of their environments."""
        return {"staging": self.staging, "production": self.production}
