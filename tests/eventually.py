"""Waits in tests: for what comes in its own time."""

import time
from collections.abc import Callable
from typing import Any


def eventually(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer of `check`; fails with its last answer after `seconds`."""
    begun = time.monotonic()
    while not (answer := check()):
        if time.monotonic() > begun + seconds:
            raise AssertionError(f"not within {seconds} s: last answer {answer!r}")
        pause(begun)
    return answer


def pause(begun: float) -> None:
    """Wait before the next look, longer the longer it has taken already: every look costs the cloud something.

    Args:
        begun: when the first look was, by the monotonic clock.
    """
    time.sleep(min(max(0.02, (time.monotonic() - begun) / 10), 0.2))
