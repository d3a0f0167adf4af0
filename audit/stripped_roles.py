"""The roles of a deployed delivery line without their policies, and what IAM refuses them."""

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STACKS = ("flight-delays-foundation", "flight-delays-pipeline")


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource pattern of one statement."""

    role: str
    policy: str
    statement: int
    action: str
    pattern: str


@dataclass
class StrippedRoles:
    """The roles of the stacks, to which grants are given back one by one."""

    iam: Any
    policies: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    given: set[Grant] = field(default_factory=set)

    def strip(self, cloudformation: Any) -> None:
        """Take all inline policies away from the roles of the stacks."""
        for stack in _STACKS:
            for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
                if resource["ResourceType"] == "AWS::IAM::Role":
                    role = resource["PhysicalResourceId"]
                    self.labels[role] = resource["LogicalResourceId"]
                    for policy in self.iam.list_role_policies(RoleName=role)["PolicyNames"]:
                        document = self.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                        self.policies[role, policy] = document["Statement"]
                        self.iam.delete_role_policy(RoleName=role, PolicyName=policy)

    def grants(self) -> Iterator[Grant]:
        """Everything that the templates grant."""
        for (role, policy), statements in self.policies.items():
            for index, statement in enumerate(statements):
                for action in _as_list(statement["Action"]):
                    for pattern in _as_list(statement["Resource"]):
                        yield Grant(role, policy, index, action, pattern)

    def missing(self, role: str, action: str, resource: str) -> Grant | None:
        """The grant that would allow this and has not been given back yet."""
        fitting = (
            grant
            for grant in self.grants()
            if (grant.role, grant.action) == (role, action) and fnmatch.fnmatchcase(resource, grant.pattern)
        )
        return next((grant for grant in fitting if grant not in self.given), None)

    def give(self, grant: Grant) -> None:
        """Give a grant back, under its statement's condition."""
        self.given.add(grant)
        mine = sorted(given for given in self.given if (given.role, given.policy) == (grant.role, grant.policy))
        statements = []
        for one in mine:
            original = self.policies[one.role, one.policy][one.statement]
            statements.append({**original, "Action": one.action, "Resource": one.pattern})
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_role_policy(RoleName=grant.role, PolicyName=grant.policy, PolicyDocument=document)


class Refusals:
    """What IAM has refused to roles, from the local cloud's record."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[tuple[str, str, str]]:
        """Role, action and resource of each refusal since the last look."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        fresh, self._read = lines[self._read :], len(lines)
        found = [json.loads(line) for line in fresh]
        return [(one["role"], one["action"], one["resource"]) for one in found if one["role"] and not one["allowed"]]


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
