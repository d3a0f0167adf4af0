"""May SageMaker act as a role? It must exist and trust the service, as on AWS."""

from local_cloud.cloud import Cloud
from local_cloud.sagemaker.errors import invalid
from local_cloud.wire import ServiceError


def check_role(cloud: Cloud, role_arn: str) -> None:
    """Refuse a role that SageMaker cannot assume.

    Raises:
        ServiceError: it belongs to another account, does not exist, or does not trust sagemaker.amazonaws.com.
    """
    if role_arn.split(":")[4] != cloud.account_id:
        raise invalid("RoleArn: Cross-account pass role is not allowed.")
    try:
        cloud.check_assumable(role_arn)
    except ServiceError as error:
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role."
        ) from error
