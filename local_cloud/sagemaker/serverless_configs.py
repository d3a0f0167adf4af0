"""What CreateEndpointConfig refuses of a serverless variant: what the guide's "Serverless Inference" excludes.

But for network isolation the guide does not quote the errors: their words are ours.
"""

from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.sagemaker.errors import invalid

MEMORY_SIZES_MB = (1024, 2048, 3072, 4096, 5120, 6144)

_OF_INSTANCES = (
    "InstanceType", "InitialInstanceCount", "VolumeSizeInGB", "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds", "RoutingConfig", "InferenceAmiVersion",
)  # fmt: skip


def check_serverless(request: Mapping[str, Any], model_of: Callable[[str], Mapping[str, Any]]) -> None:
    """
    Args:
        request: of CreateEndpointConfig.
        model_of: a model's document, by its name.

    Raises:
        ServiceError: a variant has a ServerlessConfig, and something of the request does not go with it.
    """
    variants = request["ProductionVariants"]
    if not any("ServerlessConfig" in variant for variant in variants):
        return
    if len(variants) > 1:
        names = ", ".join(variant["VariantName"] for variant in variants)
        raise invalid(f"A serverless endpoint has one variant in ProductionVariants, got {len(variants)}: {names}.")
    for member in ("ShadowProductionVariants", "DataCaptureConfig"):
        if request.get(member):
            raise invalid(f"{member} is not supported for serverless endpoint: leave it out, or use instances.")
    (variant,) = variants
    _check_variant(variant)
    _check_model(model_of(variant["ModelName"]))


def _check_variant(variant: Mapping[str, Any]) -> None:
    name, memory_mb = variant["VariantName"], variant["ServerlessConfig"]["MemorySizeInMB"]
    beside = [member for member in _OF_INSTANCES if member in variant]
    if beside:
        raise invalid(
            f"Production variant {name} has ServerlessConfig and {', '.join(beside)}: a serverless variant has no "
            "instances. Set one or the other."
        )
    if memory_mb not in MEMORY_SIZES_MB:
        allowed = ", ".join(map(str, MEMORY_SIZES_MB))
        raise invalid(f"MemorySizeInMB of production variant {name} must be one of {allowed}, got {memory_mb}.")


def _check_model(model: Mapping[str, Any]) -> None:
    name = model["ModelName"]
    if model.get("EnableNetworkIsolation"):
        raise invalid(
            f"The network isolation is not supported for serverless endpoint. Model {name} has EnableNetworkIsolation; "
            "create a model without it."
        )
    if model.get("VpcConfig"):
        raise invalid(
            f"The VPC configuration is not supported for serverless endpoint. Model {name} has VpcConfig; create a "
            "model without it."
        )
