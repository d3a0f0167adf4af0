"""AWS as a table of recorded answers: requests and answers are held to botocore's own service models."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.loaders import create_loader
from botocore.validate import ParamValidator

from slipway.target import Target

ACCOUNT = "000000000000"
REGION = "us-east-1"
_LOADER = create_loader(None)  # keeps the service models, which take long to read


@dataclass(frozen=True)
class Refusal:
    """An error answer."""

    code: str
    message: str = "refused"
    more: Mapping[str, Any] = field(default_factory=dict)


Answer = Mapping[str, Any] | Refusal | Callable[[dict[str, Any]], "Mapping[str, Any] | Refusal"]


class AnsweringAws:
    """Answers the operations it knows; any other call fails the test.

    Args:
        answers: by operation, such as `GetPipelineState`; a list is given out one by one, its last one for good.
    """

    def __init__(self, answers: Mapping[str, Answer | list[Answer]]) -> None:
        self._answers = {name: list(a) if isinstance(a, list) else [a] for name, a in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        core = botocore.session.Session()
        core.register_component("data_loader", _LOADER)
        self._session = boto3.Session("testing", "testing", region_name=REGION, botocore_session=core)
        self._session.events.register("provide-client-params", self._note)
        self._session.events.register("before-call", self._answer)

    def target(self) -> Target:
        return Target("local", ACCOUNT, REGION, None, None, None, dict(os.environ), 0.0, self._session)

    def client(self, service: str) -> Any:
        return self.target().client(service)

    def called(self, operation: str) -> list[dict[str, Any]]:
        """The requests of an operation."""
        return [request for name, request in self.calls if name == operation]

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.name, params))

    def _answer(self, model: Any, **_: Any) -> tuple[SimpleNamespace, dict[str, Any]]:
        if model.name not in self._answers:
            raise AssertionError(f"no answer is recorded for {model.name}")
        waiting = self._answers[model.name]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if callable(answer):
            answer = answer(self.calls[-1][1])
        if isinstance(answer, Refusal):
            error = {"Error": {"Code": answer.code, "Message": answer.message}, **answer.more}
            return SimpleNamespace(status_code=400), {**error, "ResponseMetadata": {"HTTPStatusCode": 400}}
        if model.output_shape is not None:
            report = ParamValidator().validate(dict(answer), model.output_shape)
            assert not report.has_errors(), f"the recorded answer of {model.name} is none: {report.generate_report()}"
        return SimpleNamespace(status_code=200), dict(answer)
