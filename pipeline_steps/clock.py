"""Time as the waiting code sees it, so that tests wait without sleeping."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

LONGEST_INTERVAL_SECONDS = 15.0
SHORTEST_INTERVAL_SECONDS = 0.5
_SHARE_OF_TIME_WAITED = 1 / 20


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Clock:
    """Seconds that only go forward, a way to let them pass, and the day in UTC."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    today: Callable[[], date] = _today


SYSTEM_CLOCK = Clock()


def poll_interval(waited_seconds: float) -> float:
    """Seconds until the next look at something that has been waited for that long.

    A twentieth of the time waited: looking late costs 5 % at most, and a long job is not asked about all the time.
    """
    return min(LONGEST_INTERVAL_SECONDS, max(SHORTEST_INTERVAL_SECONDS, waited_seconds * _SHARE_OF_TIME_WAITED))
