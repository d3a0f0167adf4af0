"""CloudFormation acts for the caller of a stack operation, or as the role that the caller has handed to the stack."""

import importlib
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from local_cloud import authorization
from local_cloud.ministack.access import AccessControl
from local_cloud.wire import ServiceError

_SERVICE = "cloudformation.amazonaws.com"
_TAKING_A_ROLE = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet")


class StackRoles:
    """Gives stacks their roles; ministack itself ignores RoleARN.

    A stack keeps its role for its later operations (CloudFormation user guide, "CloudFormation service role").
    """

    def __init__(self, access: AccessControl) -> None:
        self._access = access
        self._package: Any = importlib.import_module("ministack.services.cloudformation")
        self._helpers: Any = importlib.import_module("ministack.services.cloudformation.helpers")
        actions = self._package._ACTION_HANDLERS
        for name in _TAKING_A_ROLE:
            actions[name] = self._taking_a_role(actions[name])
        for module_name in ("stacks", "handlers", "changesets"):
            module: Any = importlib.import_module(f"ministack.services.cloudformation.{module_name}")
            for operation in ("_deploy_stack_async", "_delete_stack_async", "_continue_update_rollback_async"):
                if hasattr(module, operation):
                    setattr(module, operation, self._acting(getattr(module, operation)))

    def _taking_a_role(self, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def handle(params: Any) -> Any:
            role_arn = self._helpers._p(params, "RoleARN")
            stack_name = self._helpers._p(params, "StackName")
            if role_arn:
                try:
                    authorization.authorize([authorization.pass_role(role_arn, _SERVICE)])
                except ServiceError as error:
                    return self._helpers._error("AccessDenied", error.message, 403)
                if (refusal := self._refusal(role_arn)) is not None:
                    return self._helpers._error("ValidationError", refusal)
                self._give(stack_name, role_arn)
            answer = handler(params)
            if role_arn and answer[0] == 200:
                self._give(stack_name, role_arn)
            return answer

        return handle

    def _refusal(self, role_arn: str) -> str | None:
        try:
            self._access.assume_role(role_arn, "check", _SERVICE)
        except ServiceError:
            return f"Role {role_arn} is invalid or cannot be assumed"
        return None

    def _give(self, stack_name: str, role_arn: str) -> None:
        name = stack_name.split("/")[1] if stack_name.startswith("arn:") else stack_name
        stack = self._package._stacks.get(name)
        if stack is not None:
            stack["RoleARN"] = role_arn

    def _acting(self, operation: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def act(stack_name: str, *arguments: Any, **keywords: Any) -> Any:
            role_arn = (self._package._stacks.get(stack_name) or {}).get("RoleARN")
            with authorization.acting_as(self._principal(role_arn)) if role_arn else nullcontext():
                return await operation(stack_name, *arguments, **keywords)

        return act

    def _principal(self, role_arn: str) -> authorization.Principal:
        try:
            return self._access.role_principal(role_arn, "AWSCloudFormation", _SERVICE)
        except ServiceError as error:
            return _LostRole(role_arn, error)


@dataclass(frozen=True)
class _LostRole:
    """A stack's role that cannot be assumed any more: each of its resources fails with the reason."""

    arn: str
    reason: ServiceError

    def authorize(self, check: authorization.Check) -> None:
        raise self.reason
