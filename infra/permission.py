"""Actions that a role is allowed, and what an auditor asks about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_iam as iam


def is_pattern(resource: str) -> bool:
    """Whether a resource has a wildcard."""
    return "*" in resource or "?" in resource


@dataclass(frozen=True)
class Permission:
    """Actions allowed on resources, under conditions if any.

    Attributes:
        wildcard: why a resource has a wildcard.
        unused: of actions that are there although no run on the local cloud uses them, why.
    """

    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Any] | None
    wildcard: str | None
    unused: Mapping[str, str]

    def __post_init__(self) -> None:
        if any(map(is_pattern, self.resources)) != (self.wildcard is not None):
            raise ValueError(f"{', '.join(self.resources)}: a wildcard needs its reason, and nothing else has one")
        if unknown := self.unused.keys() - set(self.actions):
            raise ValueError(f"{', '.join(unknown)}: unused, but not among {', '.join(self.actions)}")

    def statement(self) -> iam.PolicyStatement:
        """The statement for a policy."""
        return iam.PolicyStatement(
            actions=list(self.actions), resources=list(self.resources), conditions=self.conditions
        )

    def note(self) -> dict[str, Any]:
        """The reasons, for the metadata of the role; empty if there are none."""
        reasons = {"Wildcard": self.wildcard, "Unused": dict(self.unused)}
        given = {name: reason for name, reason in reasons.items() if reason}
        return {"Action": list(self.actions), "Resource": list(self.resources), **given} if given else {}
