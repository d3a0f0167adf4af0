"""Calls at a steady rate on an endpoint, each of which is remembered."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_CALLERS = 32


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        at: seconds of the monotonic clock at which it was due.
        seconds: from then to its answer.
        answer: the body; None when the call failed.
        variant: that answered; None when the call failed.
    """

    at: float
    seconds: float
    answer: str | None
    variant: str | None = None
    error: str | None = None


@dataclass
class SteadyLoad:
    """Open-model load: calls start when they are due, whether the earlier ones have been answered or not.

    Args:
        runtime: a client of sagemaker-runtime, which threads may share.
        per_second: number of calls.
    """

    runtime: Any
    endpoint: str
    per_second: float
    body: bytes = b"1"
    calls: list[Call] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[list[Call]]:
        """Call until the block is left, and wait for the last answers."""
        ended = threading.Event()
        with ThreadPoolExecutor(_CALLERS) as callers:
            clock = threading.Thread(target=self._start_calls, args=(callers, ended))
            clock.start()
            try:
                yield self.calls
            finally:
                ended.set()
                clock.join()

    def _start_calls(self, callers: ThreadPoolExecutor, ended: threading.Event) -> None:
        began, number = time.monotonic(), 0
        while not ended.is_set():
            due = began + number / self.per_second
            ended.wait(max(due - time.monotonic(), 0))
            callers.submit(self._call, due)
            number += 1

    def _call(self, due: float) -> None:
        try:
            answer = self.runtime.invoke_endpoint(EndpointName=self.endpoint, Body=self.body, ContentType="text/csv")
            body, variant, error = answer["Body"].read().decode(), answer["InvokedProductionVariant"], None
        except (ClientError, BotoCoreError) as failure:
            body, variant, error = None, None, str(failure)
        self.calls.append(Call(due, time.monotonic() - due, body, variant, error))


def failed(calls: list[Call]) -> list[Call]:
    """Those that got no answer, or an error."""
    return [call for call in calls if call.error is not None]
