"""Which model package an endpoint serves, and whether it is ready."""

from typing import Any

from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import Clock, poll_interval
from pipeline_steps.errors import NotFoundError, UnregisteredModelError, VerificationError, WaitTimeoutError
from pipeline_steps.progress import say

_ON_THE_WAY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
_LONGEST_WAIT_SECONDS = 1800
_ATTEMPTS = 3
VARIANT = "AllTraffic"
"""The production variant that stays over all updates; beside it may be a challenger."""


def served_model_package(aws: Aws, endpoint_name: str) -> str | None:
    """The ARN of the model package that an endpoint serves; None when there is no such endpoint.

    Endpoint, endpoint config, model and package are looked up one after the other, and a deployment may delete the old
    ones meanwhile: then the look-up begins anew.

    Raises:
        UnregisteredModelError: the endpoint's model was not made from a model package.
    """
    for _ in range(_ATTEMPTS):
        try:
            endpoint = _describe_endpoint(aws, endpoint_name)
        except NotFoundError:
            return None
        try:
            return _package_behind(aws, endpoint)
        except NotFoundError as error:
            gone = error
    raise UnregisteredModelError(
        f"the endpoint {endpoint_name} serves something that no longer exists: {gone}"
    ) from gone


def variants_beside(aws: Aws, endpoint_name: str) -> tuple[str, ...]:
    """The names of an endpoint's variants beside the one that stays, shadows too; none when there is no endpoint."""
    try:
        endpoint = _describe_endpoint(aws, endpoint_name)
    except NotFoundError:
        return ()
    variants = [*endpoint.get("ProductionVariants", []), *endpoint.get("ShadowProductionVariants", [])]
    return tuple(variant["VariantName"] for variant in variants if variant["VariantName"] != VARIANT)


def is_serverless(aws: Aws, endpoint_name: str) -> bool | None:
    """Whether an endpoint has no instances; None when there is no endpoint."""
    try:
        endpoint = _describe_endpoint(aws, endpoint_name)
    except NotFoundError:
        return None
    return any(variant.get("CurrentServerlessConfig") for variant in endpoint.get("ProductionVariants", []))


def wait_until_in_service(aws: Aws, endpoint_name: str, clock: Clock) -> None:
    """Wait until an endpoint is InService.

    Raises:
        VerificationError: it does not exist or has failed.
        WaitTimeoutError: it was not ready within half an hour.
    """
    started = clock.monotonic()
    while (endpoint := _existing_endpoint(aws, endpoint_name))["EndpointStatus"] != "InService":
        status, waited = endpoint["EndpointStatus"], clock.monotonic() - started
        if status not in _ON_THE_WAY:
            reason = endpoint.get("FailureReason", "SageMaker gives no reason")
            raise VerificationError(f"the endpoint {endpoint_name} is {status}, not InService: {reason}")
        if waited > _LONGEST_WAIT_SECONDS:
            raise WaitTimeoutError(f"the endpoint {endpoint_name} was still {status} after {waited / 60:.0f} minutes")
        say(f"the endpoint {endpoint_name} is {status}")
        clock.sleep(poll_interval(waited))


def _existing_endpoint(aws: Aws, endpoint_name: str) -> dict[str, Any]:
    try:
        return _describe_endpoint(aws, endpoint_name)
    except NotFoundError as error:
        raise VerificationError(f"there is no endpoint {endpoint_name}: {error}") from error


def _describe_endpoint(aws: Aws, endpoint_name: str) -> dict[str, Any]:
    with translated(f"look at the endpoint {endpoint_name}"):
        endpoint: dict[str, Any] = aws.sagemaker.describe_endpoint(EndpointName=endpoint_name)
    return endpoint


def _package_behind(aws: Aws, endpoint: dict[str, Any]) -> str:
    name = endpoint["EndpointName"]
    if "EndpointConfigName" not in endpoint:
        raise UnregisteredModelError(f"the endpoint {name} has no endpoint config")
    with translated(f"find the model that the endpoint {name} serves"):
        config = aws.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variants = {variant["VariantName"]: variant for variant in config["ProductionVariants"]}
        model_name = variants.get(VARIANT, config["ProductionVariants"][0])["ModelName"]
        model = aws.sagemaker.describe_model(ModelName=model_name)
    container = model["PrimaryContainer"] if "PrimaryContainer" in model else model["Containers"][0]
    if "ModelPackageName" not in container:
        raise UnregisteredModelError(f"the endpoint {name} serves the model {model_name}, which is of no model package")
    arn: str = container["ModelPackageName"]
    return arn
