"""Load at a set rate: a slow server cannot hide how long its callers wait."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline_steps.clock import Clock
from pipeline_steps.documents import LoadFindings
from pipeline_steps.errors import AwsError, NoAnswerError
from pipeline_steps.verification import load
from pipeline_steps.verification.load import arrivals, broken_objectives, connections, measure_load, percentile
from settings import Objectives
from tests.pipeline_steps.doubles import ManualTime

Serve = Callable[[int], float]


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """As time is a number here, calls follow one another."""
    monkeypatch.setattr(load, "connections", lambda _objectives: 1)


def objectives(**values: Any) -> Objectives:
    return Objectives(**{"requests_per_second": 10, "p99_ms": 500, "error_percent": 0, "seconds": 6, **values})


def measured(time: ManualTime, seconds_of: Serve, asked: Objectives | None = None) -> LoadFindings:
    """Load on a server that takes so many seconds for each call."""

    def call(number: int) -> bool:
        time.now += seconds_of(number)
        return True

    return measure_load(call, asked or objectives(), time.clock)


def test_a_fast_server_is_measured_as_it_is(time: ManualTime) -> None:
    found = measured(time, lambda _number: 0.02)

    assert (found.requests, found.error_percent) == (60, 0)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((20, 20, 20))
    assert found.answered_per_second == pytest.approx(10)
    assert broken_objectives(found, objectives()) == []


def test_a_server_that_is_slower_than_calls_arrive_cannot_hide_it(time: ManualTime) -> None:
    """A call takes 0.2 s, so a client that waits would see 200 ms; but ten arrive in a second, and it serves five."""
    found = measured(time, lambda _number: 0.2)

    assert found.p50_ms > 3_000
    assert found.p99_ms > 6_000
    assert found.answered_per_second < 6
    assert broken_objectives(found, objectives()) == [
        f"p99 is {found.p99_ms:,.0f} ms, endpoints.objectives.p99_ms allows 500"
    ]


def test_a_server_that_stands_still_once_makes_all_those_wait_who_came_meanwhile(time: ManualTime) -> None:
    """Of 60 calls one takes 2 s; a client that waits would see one slow call in 60, and a median of the others."""
    found = measured(time, lambda number: 2.0 if number == 30 else 0.01)

    assert found.p50_ms < 50
    assert found.p95_ms > 1_500
    assert found.p99_ms == pytest.approx(2_000)


def test_calls_are_counted_as_errors_whatever_way_they_fail(time: ManualTime) -> None:
    def call(number: int) -> bool:
        if number % 3 == 0:
            raise NoAnswerError("none in time") if number % 2 else AwsError("503")
        return number % 3 == 1

    found = measure_load(call, objectives(error_percent=50), time.clock)

    assert found.error_percent == pytest.approx(200 / 3)
    assert found.answered_per_second == pytest.approx(20 / 6)
    assert broken_objectives(found, objectives(error_percent=50)) == [
        "66.7 % of 60 calls failed, endpoints.objectives.error_percent allows 50"
    ]
    assert broken_objectives(found, objectives(error_percent=67)) == []


def test_a_server_that_hangs_fails_the_calls_that_were_never_sent(time: ManualTime) -> None:
    def call(number: int) -> bool:
        time.now += 10
        raise NoAnswerError("none in time")

    found = measure_load(call, objectives(), time.clock)

    assert found.error_percent == 100
    assert found.requests == 60
    assert time.now < 40


def test_a_fault_of_the_step_itself_is_not_a_call_that_failed(time: ManualTime) -> None:
    def call(number: int) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure_load(call, objectives(), time.clock)


def test_the_objectives_themselves_are_kept(time: ManualTime) -> None:
    found = measured(time, lambda _number: 0.02)
    on_the_edge = found.model_copy(update={"p99_ms": 500.0, "error_percent": 0.0})

    assert broken_objectives(on_the_edge, objectives()) == []
    assert len(broken_objectives(on_the_edge.model_copy(update={"p99_ms": 500.1}), objectives())) == 1
    assert len(broken_objectives(on_the_edge.model_copy(update={"error_percent": 0.01}), objectives())) == 1


def test_calls_arrive_ever_more_often_and_then_at_the_rate() -> None:
    due = list(arrivals(10, 2, 6))

    assert len(due) == 10 + 60
    assert due[0] == 0
    assert due[10] == 2
    gaps = [after - before for before, after in itertools.pairwise(due)]
    assert gaps[:9] == sorted(gaps[:9], reverse=True)
    assert gaps[10:] == pytest.approx([0.1] * 59)


def test_the_ramp_is_left_out_of_the_numbers(time: ManualTime) -> None:
    found = measured(time, lambda number: 0.0 if number >= 10 else 0.1)

    assert (found.requests, found.p99_ms) == (60, 0)


@pytest.mark.parametrize(
    ("rate", "p99_ms", "expected"), [(20, 500, 20), (1, 100, 4), (1000, 60_000, 256), (100, 1000, 200)]
)
def test_there_are_connections_for_answers_twice_as_slow_as_allowed(rate: int, p99_ms: int, expected: int) -> None:
    assert connections(objectives(requests_per_second=rate, p99_ms=p99_ms)) == expected


@pytest.mark.parametrize(("p99_ms", "seconds"), [(500, 10), (5_000, 10), (30_000, 60)])
def test_an_answer_is_waited_for_beyond_the_objective(p99_ms: int, seconds: float) -> None:
    assert load.answer_seconds(objectives(p99_ms=p99_ms)) == seconds


def test_calls_do_not_wait_for_one_another_as_long_as_a_connection_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four callers meet at a barrier inside the server: with fewer than four under way nobody would ever come out."""
    monkeypatch.setattr(load, "connections", lambda _objectives: 4)
    meeting = threading.Barrier(4, timeout=20)

    def call(number: int) -> bool:
        meeting.wait()
        return True

    no_waiting = Clock(monotonic=lambda: 0.0, sleep=lambda _seconds: None)
    found = measure_load(call, objectives(requests_per_second=8, seconds=3), no_waiting)

    assert (found.requests, found.error_percent) == (24, 0)


@pytest.mark.parametrize(
    ("count", "percent", "value"), [(50, 50, 25), (50, 99, 50), (100, 99, 99), (100, 50, 50), (1, 50, 1), (2, 50, 1)]
)
def test_a_percentile_is_a_value_that_was_measured(count: int, percent: int, value: float) -> None:
    shuffled = sorted(range(1, count + 1), key=lambda number: number * 7919 % 101)

    assert percentile(shuffled, percent) == value
