"""What an endpoint runs: its config, models and images as they were when it was deployed.

An endpoint keeps this plan in its document, so that it can be started again after the config or the model is deleted.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from local_cloud.images import Image, ImageNotFound, ImageStore
from local_cloud.sagemaker.errors import invalid
from local_cloud.sagemaker.models import Models, artifact_of
from local_cloud.sagemaker.serverless import START_SECONDS

PORT_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"

_DEFAULT_HEALTH_TIMEOUT_SECONDS = 480


@dataclass(frozen=True)
class VariantPlan:
    """One production or shadow variant.

    Attributes:
        artifact_uri: where its model artifact is; None for a model without one.
        artifact_is_prefix: the artifact is the files below a prefix, not a .tar.gz.
        isolated: its containers have no network, thus no credentials.
        serverless: its ServerlessConfig, and then it has no instances; None for a variant with instances.
    """

    name: str
    weight: float
    instance_count: int
    image: str
    resolved_image: str
    resolved_at: datetime
    environment: dict[str, str]
    artifact_uri: str | None
    artifact_is_prefix: bool
    role_arn: str
    isolated: bool
    health_timeout_seconds: float
    serverless: dict[str, int] | None = None

    def summary(self) -> dict[str, Any]:
        """The variant as DescribeEndpoint tells it."""
        return {
            "VariantName": self.name,
            "DeployedImages": [{
                "SpecifiedImage": self.image, "ResolvedImage": self.resolved_image, "ResolutionTime": self.resolved_at,
            }],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "CurrentInstanceCount": self.instance_count,
            "DesiredInstanceCount": self.instance_count,
            "CurrentServerlessConfig": self.serverless,
        }  # fmt: skip

    def launch(self) -> str:
        """What is done first of all to deploy it."""
        if self.serverless is not None:
            return "Starting a container to see that it is healthy."
        return f"Launching {self.instance_count} instance(s)."


@dataclass(frozen=True)
class Deployment:
    """An endpoint config, resolved.

    Attributes:
        shadows: variants that get copies of the calls.
        capture: the DataCaptureConfig; None for none.
    """

    config_name: str
    variants: tuple[VariantPlan, ...]
    shadows: tuple[VariantPlan, ...] = ()
    capture: dict[str, Any] | None = None

    @property
    def serverless(self) -> bool:
        return any(plan.serverless is not None for plan in self.variants)

    def to_document(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        variants, shadows = (
            tuple(VariantPlan(**variant) for variant in document.get(member, ())) for member in ("variants", "shadows")
        )
        return cls(document["config_name"], variants, shadows, document.get("capture"))

    def with_variant(self, name: str, **changes: Any) -> "Deployment":
        """The same with a variant changed."""
        variants, shadows = (
            tuple(dataclasses.replace(plan, **changes) if plan.name == name else plan for plan in plans)
            for plans in (self.variants, self.shadows)
        )
        return dataclasses.replace(self, variants=variants, shadows=shadows)

    def summaries(self) -> list[dict[str, Any]]:
        return [plan.summary() for plan in self.variants]

    def pending(self) -> list[dict[str, Any]]:
        """The variants as DescribeEndpoint tells them while their instances are launched."""
        creating = {"Status": "Creating", "StartTime": datetime.now(UTC)}
        return [
            plan.summary() | {"CurrentInstanceCount": 0, "VariantStatus": [
                creating | {"StatusMessage": plan.launch()},
            ]}
            for plan in self.variants
        ]  # fmt: skip


def plan_deployment(config: Mapping[str, Any], models: Models, images: ImageStore) -> Deployment:
    """Resolve an endpoint config.

    Raises:
        ServiceError: a model or an image is gone, or an image cannot be served here.
    """
    variants, shadows = (
        tuple(_plan_variant(variant, models, images) for variant in config.get(member, ()))
        for member in ("ProductionVariants", "ShadowProductionVariants")
    )
    return Deployment(config["EndpointConfigName"], variants, shadows, config.get("DataCaptureConfig"))


def _plan_variant(variant: Mapping[str, Any], models: Models, images: ImageStore) -> VariantPlan:
    model = models.existing(variant["ModelName"])
    served = model["Served"]
    try:
        image = images.resolve(served["Image"])
    except ImageNotFound as error:
        raise invalid(f"Requested image {served['Image']} not found. {error}") from error
    _check_port_label(image, served["Image"])
    artifact_uri, is_prefix = artifact_of(served)
    serverless = variant.get("ServerlessConfig")
    default_seconds = START_SECONDS if serverless else _DEFAULT_HEALTH_TIMEOUT_SECONDS
    return VariantPlan(
        name=variant["VariantName"],
        weight=variant["InitialVariantWeight"],
        instance_count=0 if serverless else variant["InitialInstanceCount"],
        image=served["Image"],
        resolved_image=f"{_repository(served['Image'])}@{image.digest}",
        resolved_at=datetime.now(UTC),
        environment=served.get("Environment", {}),
        artifact_uri=artifact_uri,
        artifact_is_prefix=is_prefix,
        role_arn=model["ExecutionRoleArn"],
        isolated=model.get("EnableNetworkIsolation", False),
        health_timeout_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", default_seconds),
        serverless=serverless,
    )


def _check_port_label(image: Image, uri: str) -> None:
    if image.labels.get(PORT_LABEL) != "true":
        raise invalid(
            f"Image {uri} has no label {PORT_LABEL}=true. All containers of the local cloud share one machine, so each "
            f"gets its port in SAGEMAKER_BIND_TO_PORT: listen there, and add `LABEL {PORT_LABEL}=true` to the "
            "Dockerfile."
        )


def _repository(image_uri: str) -> str:
    without_digest = image_uri.partition("@")[0]
    head, slash, last = without_digest.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
