"""The SageMaker API's errors, and the failures that end up in a FailureReason."""

from local_cloud.wire import ServiceError


class JobFailedError(Exception):
    """A job ends as Failed; the text is its FailureReason."""


class DeploymentFailedError(Exception):
    """An endpoint's fleet does not come into service; the text is the endpoint's FailureReason."""


class RolledBackError(Exception):
    """An update of an endpoint is taken back; the text is the endpoint's FailureReason."""


class TransferError(Exception):
    """S3 refuses a read or write that SageMaker makes for a role; the text says which and why."""


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def in_use(message: str) -> ServiceError:
    return ServiceError("ResourceInUse", message)


def not_served(feature: str) -> ServiceError:
    """AWS has the feature, the local cloud does not; saying so beats pretending."""
    return invalid(f"The local cloud does not serve {feature}.")
