"""Time as the waiting code sees it, so that tests wait without sleeping."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_INTERVAL_SECONDS = 15.0
SHORTEST_INTERVAL_SECONDS = 0.5
_SHARE_OF_TIME_WAITED = 1 / 20


@dataclass(frozen=True)
class Clock:
    """Seconds that only go forward, and a way to let them pass."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


def poll_interval(waited_seconds: float) -> float:
    """Seconds until the next look at something that has been waited for that long.

    A twentieth of the time waited: looking late costs 5 % at most, and a long job is not asked about all the time.
    """
    return min(LONGEST_INTERVAL_SECONDS, max(SHORTEST_INTERVAL_SECONDS, waited_seconds * _SHARE_OF_TIME_WAITED))
