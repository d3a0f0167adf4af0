"""Load at a set rate: calls arrive when they are due, whether or not the endpoint has answered those before.

The latency of a call is counted from the moment at which it was due. So a server that is slow, or stands still for a
while, pays for all the calls that had to wait for it; a client that waits for each answer before it sends the next
request would leave just those calls out.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline_steps.clock import Clock
from pipeline_steps.documents import LoadFindings
from pipeline_steps.errors import AwsError
from settings import Objectives

SHORTEST_ANSWER_SECONDS = 10.0
MOST_CONNECTIONS = 256
_RAMP_SHARE = 1 / 3
_ROOM = 2  # connections for answers twice as slow as the objective allows

Call = Callable[[int], bool]
"""Makes the call of a number; whether it was answered well."""


@dataclass(frozen=True)
class _Arrival:
    number: int
    due_seconds: float


@dataclass(frozen=True)
class _Outcome:
    is_good: bool
    due_seconds: float
    ended_seconds: float

    @property
    def milliseconds(self) -> float:
        return (self.ended_seconds - self.due_seconds) * 1000


def answer_seconds(objectives: Objectives) -> float:
    """How long a call waits for its answer: twice what the objective allows, and at least ten seconds."""
    return max(SHORTEST_ANSWER_SECONDS, 2 * objectives.p99_ms / 1000)


def connections(objectives: Objectives) -> int:
    """How many calls may be under way at once; with more of them the objective would be broken anyway."""
    under_way = objectives.requests_per_second * objectives.p99_ms / 1000 * _ROOM
    return min(MOST_CONNECTIONS, max(4, math.ceil(under_way)))


def measure_load(call: Call, objectives: Objectives, clock: Clock) -> LoadFindings:
    """Let calls arrive, ever more often for a third of the time and then at the full rate, of which the numbers are."""
    ramp = objectives.seconds * _RAMP_SHARE
    rate, seconds = objectives.requests_per_second, float(objectives.seconds)
    outcomes = _Generator(call, clock, rate, ramp, seconds, answer_seconds(objectives)).run(connections(objectives))
    measured = [one for one in outcomes if one.due_seconds >= ramp]
    good = [one for one in measured if one.is_good]
    milliseconds = [one.milliseconds for one in measured]
    lasted = max(seconds, max((one.ended_seconds for one in good), default=0.0) - ramp)
    return LoadFindings(
        requests_per_second=rate,
        seconds=objectives.seconds,
        requests=len(measured),
        answered_per_second=len(good) / lasted,
        p50_ms=percentile(milliseconds, 50),
        p95_ms=percentile(milliseconds, 95),
        p99_ms=percentile(milliseconds, 99),
        error_percent=100 * (1 - len(good) / len(measured)),
        allowed_p99_ms=objectives.p99_ms,
        allowed_error_percent=objectives.error_percent,
    )


def broken_objectives(found: LoadFindings, objectives: Objectives) -> list[str]:
    """The objectives that were not met, each with the figure that broke it."""
    broken = []
    if found.p99_ms > objectives.p99_ms:
        broken.append(f"p99 is {found.p99_ms:,.0f} ms, endpoints.objectives.p99_ms allows {objectives.p99_ms:,}")
    if found.error_percent > objectives.error_percent:
        broken.append(
            f"{found.error_percent:.3g} % of {found.requests} calls failed, endpoints.objectives.error_percent allows "
            f"{objectives.error_percent:g}"
        )
    return broken


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that `percent` % of the values do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


def arrivals(rate: int, ramp_seconds: float, seconds: float) -> Iterator[float]:
    """When calls are due: at a rate that grows evenly from nothing for the ramp's time, then at the full rate."""
    in_ramp = math.floor(rate * ramp_seconds / 2)
    # After t seconds of the ramp rate * t**2 / (2 * ramp) calls have arrived.
    yield from (math.sqrt(2 * ramp_seconds * number / rate) for number in range(in_ramp))
    yield from (ramp_seconds + number / rate for number in range(math.ceil(rate * seconds)))


class _Generator:
    """Takes the calls in their order, each by the next connection that is free."""

    def __init__(
        self, call: Call, clock: Clock, rate: int, ramp_seconds: float, seconds: float, answer_seconds: float
    ) -> None:
        self._call, self._clock = call, clock
        self._due = [_Arrival(number, due) for number, due in enumerate(arrivals(rate, ramp_seconds, seconds))]
        self._next = iter(self._due)
        self._lock = threading.Lock()
        self._outcomes: list[_Outcome] = []
        self._bugs: list[Exception] = []
        self._started = clock.monotonic()
        self._last_start = ramp_seconds + seconds + answer_seconds

    def run(self, connections: int) -> list[_Outcome]:
        """Make all calls; one that no connection was free for until long after it was due has failed."""
        # As daemons, so that a step that is stopped does not wait for their answers.
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(connections)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self._bugs:
            raise self._bugs[0]
        left = [_Outcome(False, one.due_seconds, self._now()) for one in self._next]
        return self._outcomes + left

    def _work(self) -> None:
        try:
            self._make_calls()
        except Exception as bug:  # in a thread, where nobody would hear of it
            self._bugs.append(bug)

    def _make_calls(self) -> None:
        while self._now() < self._last_start and (arrival := self._take()) is not None:
            self._clock.sleep(max(0.0, arrival.due_seconds - self._now()))
            try:
                is_good = self._call(arrival.number)
            except AwsError:
                is_good = False
            self._outcomes.append(_Outcome(is_good, arrival.due_seconds, self._now()))

    def _take(self) -> _Arrival | None:
        with self._lock:
            return next(self._next, None)

    def _now(self) -> float:
        return self._clock.monotonic() - self._started
