"""A record of what IAM was asked and which grant allowed it: whether a policy is wider than its use."""

import importlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Decision:
    """IAM's answer for a principal, an action and a resource.

    Attributes:
        principal: ARN of who asked.
        role: name of the role whose session it was; None for a user.
        policy, statement, pattern: what allowed it: the inline policy's name, the index of the statement in it, and the
            index of the matching pattern in the statement's resources. None when nothing of the role's own did.
    """

    principal: str
    role: str | None
    action: str
    resource: str
    allowed: bool
    policy: str | None = None
    statement: int | None = None
    pattern: int | None = None

    @classmethod
    def of(cls, evaluator: Any, iam: Any, request: Any, *, allowed: bool) -> "Decision":
        """The decision on a request of ministack's evaluator."""
        role = evaluator._role_name_from_assumed_arn(request.principal_arn) or None
        place = _matching_grant(evaluator, iam, role, request) if allowed and role else None
        policy, statement, pattern = place or (None, None, None)
        return cls(
            request.principal_arn, role, request.action, request.resource_arn, allowed, policy, statement, pattern
        )


def _matching_grant(evaluator: Any, iam: Any, role_name: str, request: Any) -> tuple[str, int, int] | None:
    role = iam._roles.get_scoped(request.principal_account, None, role_name) or {}
    for name, document in (role.get("InlinePolicies") or {}).items():
        for index, statement in enumerate(evaluator.parse_policy_document(document)):
            if evaluator._first_match(request, [statement], "Allow"):
                return name, index, _matching_pattern(evaluator, request.resource_arn, statement.resources)
    return None


def _matching_pattern(evaluator: Any, resource_arn: str, patterns: Sequence[str]) -> int:
    return next(n for n, pattern in enumerate(patterns) if evaluator.fnmatch_iam_cs(resource_arn, pattern))


class DecisionLog:
    """Appends each distinct decision to a file as a line of JSON; several servers may share the file.

    Role and action say what a line is about; stack and logical id say which resource of which template the role is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[Decision] = set()
        self._lock = threading.Lock()
        self._roles: dict[str, tuple[str, str]] = {}
        self._cloudformation: Any = importlib.import_module("ministack.services.cloudformation")

    def record(self, decision: Decision) -> None:
        """Append the decision unless it has been already."""
        with self._lock:
            if decision in self._seen:
                return
            self._seen.add(decision)
            stack, logical_id = self._origin(decision.role) if decision.role else (None, None)
            line = json.dumps({**asdict(decision), "stack": stack, "logical_id": logical_id}) + "\n"
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line.encode())  # one write, so that servers do not mix their lines
            finally:
                os.close(descriptor)

    def _origin(self, role: str) -> tuple[str | None, str | None]:
        if role not in self._roles:
            for stack in list(self._cloudformation._stacks.values()):
                for logical_id, resource in list(stack.get("_resources", {}).items()):
                    if resource.get("ResourceType") == "AWS::IAM::Role":
                        self._roles[resource["PhysicalResourceId"]] = (stack["StackName"], logical_id)
        return self._roles.get(role, (None, None))
