"""How long a model takes to predict one record, as the server asks it."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from model_code.records import Column
from model_code.request_body import read_json

UNMEASURED, MEASURED = 20, 300


def one_by_one(documents: Sequence[dict[str, Any]], columns: Sequence[Column]) -> list[dict[str, list[Any]]]:
    """Requests of one record each, as the server hands them to predict: through its own reader."""
    return [read_json(orjson.dumps(document), columns) for document in documents]


def measure(
    predict: Callable[[Any], Any],
    requests: Sequence[Any],
    seconds: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median and 99th percentile of 300 calls, in milliseconds. The first 20 are not counted: caches fill up."""
    durations = []
    for number in range(UNMEASURED + MEASURED):
        request = requests[number % len(requests)]
        started = seconds()
        predict(request)
        durations.append((seconds() - started) * 1000)
    measured = durations[UNMEASURED:]
    return {f"prediction_p{percent}_ms": percentile(measured, percent) for percent in (50, 99)}


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank: the smallest value that `percent` % of the values do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
