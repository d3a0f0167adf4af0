"""Who acts, and what IAM is asked before they may: access control as the added services see it.

The platform sets the principal of a request or of a stack's operation; rules say what an operation needs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Check:
    """One question to IAM: may the acting principal do this?

    Attributes:
        action: such as `sagemaker:CreateTrainingJob`.
        resource: an ARN; `*` where AWS checks the action against no resource.
        context: the request's condition keys, such as `{"iam:PassedToService": "sagemaker.amazonaws.com"}`.
    """

    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


Rules = Mapping[str, Callable[[dict[str, Any]], Iterable[Check]]]
"""What each operation of a service needs, from its request as the service's model reads it."""


class Principal(Protocol):
    """Whoever makes a request."""

    @property
    def arn(self) -> str:
        """Such as `arn:aws:iam::000000000000:user/developer`."""

    def authorize(self, check: Check) -> None:
        """Raise a ServiceError with AWS's words when IAM does not allow it."""


_principal: ContextVar[Principal] = ContextVar("principal")


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """What runs inside, in this thread or task, is done by that principal."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)


def caller_arn() -> str:
    """The ARN of who acts, such as `arn:aws:sts::000000000000:assumed-role/ROLE/SESSION`."""
    return _principal.get().arn


def authorize(checks: Iterable[Check]) -> None:
    """Hold the acting principal to its policies.

    Raises:
        ServiceError: the first check that IAM refuses, as AWS words it.
        LookupError: nobody acts; a request cannot get here without a principal.
    """
    principal = _principal.get()
    for check in checks:
        principal.authorize(check)


def pass_role(role_arn: str, service: str, resource: str = "") -> Check:
    """Handing a role to an AWS service, such as `sagemaker.amazonaws.com`, for a resource if one is known."""
    context: dict[str, str | list[str]] = {"iam:PassedToService": service}
    if resource:
        context["iam:AssociatedResourceArn"] = resource
    return Check("iam:PassRole", role_arn, context)
