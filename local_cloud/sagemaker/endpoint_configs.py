"""The endpoint config operations of the SageMaker API."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import invalid, not_served
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.models import Models
from local_cloud.sagemaker.serverless_configs import check_serverless
from local_cloud.sagemaker.tags import Tags
from local_cloud.store import Table

_FREQUENCIES_SECONDS = (10, 30, 60, 120, 180, 240, 300)
_LISTING = Listing("EndpointConfigs", "EndpointConfigName", "EndpointConfigArn", newest_first=True)


class EndpointConfigs:
    """CreateEndpointConfig and what can be done with an endpoint config."""

    def __init__(self, arns: Arns, table: Table, models: Models, tags: Tags) -> None:
        self._arns = arns
        self._table = table
        self._models = models
        self._tags = tags
        self._lock = threading.Lock()

    def create_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        arn = self._arns.of("endpoint-config", name)
        request = request | {
            member: [{"InitialVariantWeight": 1.0, **variant} for variant in request.get(member, [])]
            for member in ("ProductionVariants", "ShadowProductionVariants")
        }
        self._check_variants(request["ProductionVariants"], request["ShadowProductionVariants"])
        check_serverless(request, self._models.existing)
        _check_capture(request.get("DataCaptureConfig"))
        _check_frequency(request.get("MetricsConfig", {}))
        with self._lock:
            if self._table.get(key_of(name)) is not None:
                raise invalid(f'Cannot create already existing endpoint configuration "{arn}".')
            self._table.put(key_of(name), request | {"EndpointConfigArn": arn, "CreationTime": datetime.now(UTC)})
        self._tags.set(arn, request.get("Tags", []))
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        config = self.existing(request["EndpointConfigName"])
        return config | {"ShadowProductionVariants": config.get("ShadowProductionVariants") or None}

    def list_endpoint_configs(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((config for _, config in self._table.items()), request)

    def delete_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        config = self.existing(request["EndpointConfigName"])
        self._table.delete(key_of(request["EndpointConfigName"]))
        self._tags.forget(config["EndpointConfigArn"])
        return {}

    def existing(self, name: str) -> dict[str, Any]:
        """
        Raises:
            ServiceError: there is no such endpoint config.
        """
        config = self._table.get(key_of(name))
        if config is None:
            raise invalid(f'Could not find endpoint configuration "{self._arns.of("endpoint-config", name)}".')
        return config

    def volume_key_of(self, name: str) -> str | None:
        """The KMS key of an endpoint config's volumes; None when it has none, or does not exist."""
        return (self._table.get(key_of(name)) or {}).get("KmsKeyId")

    def _check_variants(self, production: list[Mapping[str, Any]], shadows: list[Mapping[str, Any]]) -> None:
        if shadows and (len(production), len(shadows)) != (1, 1):
            raise invalid(
                "An endpoint with a shadow variant has one variant in ProductionVariants and one in "
                f"ShadowProductionVariants, got {len(production)} and {len(shadows)}."
            )
        names = [variant["VariantName"] for variant in (*production, *shadows)]
        if len(set(names)) < len(names):
            raise invalid(f"Production variant names must be unique, got {', '.join(names)}.")
        if all(variant["InitialVariantWeight"] == 0 for variant in production):
            raise invalid("At least one production variant must have an InitialVariantWeight above 0.")
        for variant in (*production, *shadows):
            of_instances = () if "ServerlessConfig" in variant else ("InstanceType", "InitialInstanceCount")
            for member in ("ModelName", *of_instances):
                if member not in variant:
                    raise invalid(f"{member} must be set for production variant {variant['VariantName']}.")
            self._models.existing(variant["ModelName"])


def _check_capture(config: Mapping[str, Any] | None) -> None:
    if config is not None and not config["DestinationS3Uri"].startswith("s3://"):
        raise not_served(f"DataCaptureConfig.DestinationS3Uri other than s3://BUCKET/PREFIX: "
                         f"{config['DestinationS3Uri']}")  # fmt: skip


def _check_frequency(config: Mapping[str, Any]) -> None:
    frequency = config.get("MetricPublishFrequencyInSeconds", _FREQUENCIES_SECONDS[0])
    if frequency not in _FREQUENCIES_SECONDS:
        allowed = ", ".join(map(str, _FREQUENCIES_SECONDS))
        raise invalid(f"MetricPublishFrequencyInSeconds must be one of {allowed}, got {frequency}.")
