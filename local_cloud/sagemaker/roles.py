"""May SageMaker act as a role? It must exist and trust the service, as on AWS."""

import json
from typing import Any
from urllib.parse import unquote

from local_cloud.cloud import Cloud
from local_cloud.sagemaker.errors import invalid

_SERVICE = "sagemaker.amazonaws.com"


def check_role(cloud: Cloud, role_arn: str) -> None:
    """Refuse a role that SageMaker cannot assume.

    Raises:
        ServiceError: it belongs to another account, does not exist, or does not trust sagemaker.amazonaws.com.
    """
    if role_arn.split(":")[4] != cloud.account_id:
        raise invalid("RoleArn: Cross-account pass role is not allowed.")
    iam = cloud.client("iam")
    try:
        role = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
    except iam.exceptions.NoSuchEntityException as error:
        raise _not_assumable(role_arn) from error
    if role["Arn"] != role_arn or not _trusts_sagemaker(role["AssumeRolePolicyDocument"]):
        raise _not_assumable(role_arn)


def _not_assumable(role_arn: str) -> Exception:
    return invalid(
        f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
        f"'{_SERVICE}' to assume the role."
    )


def _trusts_sagemaker(policy: Any) -> bool:
    document = json.loads(unquote(policy)) if isinstance(policy, str) else policy
    return any(
        statement["Effect"] == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_as_list(statement.get("Action")))
        and _SERVICE in _services(statement.get("Principal"))
        for statement in _as_list(document.get("Statement"))
    )


def _services(principal: Any) -> list[str]:
    if isinstance(principal, dict):
        return _as_list(principal.get("Service"))
    return [_SERVICE] if principal == "*" else []


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
