"""What an auditor asks about a role, answered where the role stands: in its template, and to cdk-nag."""

from collections.abc import Sequence
from typing import Any, cast

import jsii
from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IValidation

from infra.permission import Permission, is_pattern


def explain(role: iam.Role, permissions: Sequence[Permission]) -> None:
    """Write the reasons of permissions into the role's metadata, and acknowledge its wildcards with them."""
    notes = [note for permission in permissions if (note := permission.note())]
    if notes:
        cast(iam.CfnRole, role.node.default_child).add_metadata("Slipway", {"Grants": notes})
    role.node.add_validation(_Wildcards(role, permissions))


@jsii.implements(IValidation)
class _Wildcards:
    """Acknowledges what cdk-nag finds in a role's wildcards (AwsSolutions-IAM5).

    A finding is named after the resource as the template has it. Only at synthesis do resources of other stacks become
    imports; the CDK validates after that.
    """

    def __init__(self, role: iam.Role, permissions: Sequence[Permission]) -> None:
        self._role, self._permissions = role, permissions

    def validate(self) -> list[str]:
        reasons: dict[str, dict[str, None]] = {}
        for permission in self._permissions:
            for resource in permission.resources:
                if permission.wildcard and is_pattern(resource):
                    found = _as_found(Stack.of(self._role).resolve(resource))
                    reasons.setdefault(found, {})[permission.wildcard] = None
        for resource, why in reasons.items():
            rule = f"AwsSolutions::AwsSolutions-IAM5[Resource::{resource}]"
            Validations.of(self._role).acknowledge(Acknowledgment(id=rule, reason="; ".join(why)))
        return []


def _as_found(value: Any) -> str:
    """A resource of a template as cdk-nag writes it."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return _as_found(name)
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_as_found, parts))
    return str(value)
