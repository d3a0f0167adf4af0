"""What the audit cannot accept, and what to do about it."""

from dataclasses import dataclass


class AuditError(Exception):
    """The audit cannot be made: what stands in its way, and the next move."""


@dataclass(frozen=True, order=True)
class Fault:
    """Something unexplained.

    Attributes:
        where: the role, resource or file.
        what: is wrong.
        move: the next step to take.
    """

    where: str
    what: str
    move: str
