"""One request that no client should send, and what may become of it."""

from dataclasses import dataclass

from pipeline_steps.verification.requests import Request


@dataclass(frozen=True)
class HostileCase:
    """A hostile request.

    Attributes:
        names: fields of which the refusal must name one; empty where there is none to name.
        may_answer: whether the contract allows an answer.
        is_oversized: whether SageMaker itself refuses it, before the container has seen it.
    """

    request: Request
    names: frozenset[str] = frozenset()
    may_answer: bool = False
    is_oversized: bool = False
