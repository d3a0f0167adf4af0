from datetime import datetime
from typing import Any

import pytest

from model_code.latency import MEASURED, UNMEASURED, measure, one_by_one, percentile
from model_code.records import declared_columns


class Clock:
    """Goes on by what a prediction takes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_calls_are_not_counted_and_of_the_others_the_ranks_are() -> None:
    clock, asked = Clock(), []

    def predict(request: Any) -> None:
        asked.append(request)
        number = len(asked) - UNMEASURED
        clock.now += 100 if number <= 0 else number / 1000  # 1 ms, 2 ms, ... 300 ms

    measured = measure(predict, ["a", "b"], clock)
    assert measured == {"prediction_p50_ms": pytest.approx(150), "prediction_p99_ms": pytest.approx(297)}
    assert len(asked) == UNMEASURED + MEASURED
    assert asked[:3] == ["a", "b", "a"]


@pytest.mark.parametrize(("count", "percent", "value"), [(100, 99, 99), (100, 50, 50), (1, 99, 1), (101, 99, 100)])
def test_a_percentile_is_a_value_that_was_measured(count: int, percent: int, value: float) -> None:
    shuffled = sorted(range(1, count + 1), key=lambda number: number * 7919 % 103)
    assert percentile(shuffled, percent) == value


def test_a_request_is_what_the_server_hands_to_predict() -> None:
    columns = declared_columns({"at": datetime, "name": str, "count": int, "share": float | None})
    documents = [{"at": "2013-03-18T17:45:00", "name": "a", "count": 1, "share": None}]
    assert one_by_one(documents, columns) == [
        {"at": [datetime(2013, 3, 18, 17, 45)], "name": ["a"], "count": [1], "share": [None]}
    ]
