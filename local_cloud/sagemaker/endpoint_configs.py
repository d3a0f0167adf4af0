"""The endpoint config operations of the SageMaker API."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import invalid
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.models import Models
from local_cloud.sagemaker.tags import Tags
from local_cloud.store import Table

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
        self._check_variants(request["ProductionVariants"])
        with self._lock:
            if self._table.get(key_of(name)) is not None:
                raise invalid(f'Cannot create already existing endpoint configuration "{arn}".')
            variants = [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]]
            self._table.put(key_of(name), request | {
                "EndpointConfigArn": arn, "ProductionVariants": variants, "CreationTime": datetime.now(UTC),
            })  # fmt: skip
        self._tags.set(arn, request.get("Tags", []))
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.existing(request["EndpointConfigName"])

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

    def _check_variants(self, variants: list[Mapping[str, Any]]) -> None:
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise invalid(f"Production variant names must be unique, got {', '.join(names)}.")
        if all(variant.get("InitialVariantWeight", 1.0) == 0 for variant in variants):
            raise invalid("At least one production variant must have an InitialVariantWeight above 0.")
        for variant in variants:
            for member in ("ModelName", "InstanceType", "InitialInstanceCount"):
                if member not in variant:
                    raise invalid(f"{member} must be set for production variant {variant['VariantName']}.")
            self._models.existing(variant["ModelName"])
