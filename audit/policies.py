"""Each grant against AWS's service authorization reference."""

import re
from collections.abc import Iterator, Mapping

from audit import arns, reference
from audit.faults import Fault
from audit.grants import AuditedRole, Grant, Trust, short


def is_wild(text: str) -> bool:
    """Whether an action or a resource is a pattern."""
    return "*" in text or "?" in text


def faults(role: AuditedRole, types: Mapping[str, str]) -> Iterator[Fault]:
    """What a role is granted that AWS does not know or does not check, or that is wider than it must be.

    Args:
        role: of any variants.
        types: CloudFormation's types of the resources that grants refer to, by name.
    """
    for trusted in sorted(role.trusted):
        if not trusted.principal.endswith(".amazonaws.com") and not _is_one_session_of_ours(trusted):
            move = "let one AWS service assume it, or a role of the same stack under one session name"
            yield Fault(str(role.id), f"{trusted} may assume it", move)
    for grant in sorted(role.grants):
        for what, move in _faults(role, grant, types):
            yield Fault(str(role.id), what, move)


def _is_one_session_of_ours(trusted: Trust) -> bool:
    """Whether it is a role by its whole ARN, which has to name its session as the trust says."""
    is_own_role = re.fullmatch(r"AWS <\w+\.Arn>", trusted.principal) is not None
    return is_own_role and trusted.condition.startswith("sts:RoleSessionName StringEquals ")


def _faults(role: AuditedRole, grant: Grant, types: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if is_wild(grant.action):
        yield f"{grant.action} is a wildcard", "list the actions that are used"
        return
    action = reference.action(grant.action)
    if action is None:
        yield f"AWS has no action {grant.action}", "correct its spelling, or remove it"
        return
    if grant.resource == "*" and action.arns:
        yield f"{grant.action} on all resources", f"name one of its resource types: {', '.join(action.arns)}"
    elif grant.resource != "*" and not _matching(grant, action, types):
        taken = ", ".join(action.arns) or "no resource, only *"
        yield (
            f"{grant.action} is never checked against {short(grant.resource)}",
            f"remove it there; AWS checks it against {taken}",
        )
    for key in grant.condition_keys:
        if not action.takes_condition(key):
            yield f"{grant.action} has no condition key {key}", "remove the condition, or split the statement"
    if is_wild(grant.resource) and role.wildcard_reason(grant) is None:
        yield f"{short(grant.resource)} has no reason for its wildcard", "say why: allow(..., wildcard=...)"


def open_part(grant: Grant, types: Mapping[str, str]) -> str:
    """What the resource of a grant leaves wholly open, as `arns.open_part` names it."""
    action = reference.action(grant.action)
    formats = _matching(grant, action, types) if action else []
    return arns.open_part(arns.arn(grant.resource, types), formats)


def _matching(grant: Grant, action: reference.Action, types: Mapping[str, str]) -> list[str]:
    pattern = arns.arn(grant.resource, types)
    formats = [arn_format for of_type in action.arns.values() for arn_format in of_type]
    return [arn_format for arn_format in formats if arns.can_match(pattern, arn_format)]
