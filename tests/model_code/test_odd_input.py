"""Numbers at the ends of what can be sent: the model answers with what its task allows, or the server refuses.

Keep it with a model of your own: it knows nothing of the example's but its records.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code import model
from model_code.predictions import checked_predictions
from model_code.records import as_documents, declared_columns
from model_code.serve import Application
from model_code.task import declared_task
from tests.model_code.server_requests import csv_line, post

COLUMNS = declared_columns(model.COLUMNS)
TASK = declared_task(model)
NUMBERS = {
    float: [0.0, -0.0, -1.0, 5e-324, 1e-40, 3.5e38, -3.5e38, 1.7e308, -1.7e308],
    int: [0, -1, 2**31, 2**63 - 1, -(2**63)],
    bool: [True, False],
    str: ["?", "\U0001f6eb" * 1000, "'; --", "nan"],
    datetime: [datetime.min, datetime.max, datetime(1970, 1, 1), datetime(2012, 2, 29, 23, 59, 59, 999999)],
}
# What the server lets nobody send, but a data set can have.
INFINITE = [float("nan"), float("inf"), float("-inf")]


@pytest.fixture(scope="module")
def document(records: pl.DataFrame) -> dict[str, Any]:
    """A good record."""
    return as_documents(records[:1], COLUMNS)[0]


@pytest.fixture(scope="module")
def application(model_dir: Path) -> Application:
    return Application(model.load(model_dir), COLUMNS, TASK, ready=lambda: True)


def cases() -> list[Any]:
    return [
        pytest.param(column.name, value, id=f"{column.name}-{str(value)[:20]}")
        for column in COLUMNS
        for value in NUMBERS[column.kind] + ([None] if column.optional else [])
    ]


@pytest.mark.parametrize(("name", "value"), cases())
def test_a_value_at_the_end_of_its_range_is_answered(
    application: Application, document: dict[str, Any], name: str, value: Any
) -> None:
    odd = {**document, name: value.isoformat() if isinstance(value, datetime) else value}
    status, answer = post(application, json.dumps(odd).encode())
    assert (status, len(json.loads(answer)["predictions"])) == (200, 1)  # checked_predictions has seen it
    assert post(application, csv_line(odd, COLUMNS), "text/csv")[0] == 200


@pytest.mark.parametrize("value", INFINITE)
def test_what_is_not_finite_does_not_break_the_model(records: pl.DataFrame, model_dir: Path, value: float) -> None:
    numbers = [column.name for column in COLUMNS if column.kind is float]
    odd = records.select(list(model.COLUMNS)).with_columns(pl.lit(value).alias(name) for name in numbers)
    checked_predictions(model.load(model_dir).predict(odd), odd.height, TASK)


def test_zeros_everywhere_divide_nothing(model_dir: Path, records: pl.DataFrame) -> None:
    zeros = {float: 0.0, int: 0, bool: False}
    odd = records.select(list(model.COLUMNS)).with_columns(
        pl.lit(zeros[column.kind]).alias(column.name) for column in COLUMNS if column.kind in zeros
    )
    checked_predictions(model.load(model_dir).predict(odd), odd.height, TASK)


def test_nothing_where_nothing_may_be_is_answered(application: Application, document: dict[str, Any]) -> None:
    nothing = {**document, **{column.name: None for column in COLUMNS if column.optional}}
    assert post(application, json.dumps(nothing).encode())[0] == 200


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", '"1"', "[]", "true", "9" * 400])
def test_what_is_no_finite_number_is_refused_in_json(
    application: Application, document: dict[str, Any], text: str
) -> None:
    for column in COLUMNS:
        if column.kind in (float, int):
            body = json.dumps({**document, column.name: "HERE"}).replace('"HERE"', text)
            assert post(application, body.encode())[0] == 400, column.name


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e400", "-1e400", "one", "0x10", "1_000", "9" * 400])
def test_what_is_no_finite_number_is_refused_in_csv(
    application: Application, document: dict[str, Any], text: str
) -> None:
    for column in COLUMNS:
        if column.kind in (float, int):
            assert post(application, csv_line({**document, column.name: text}, COLUMNS), "text/csv")[0] == 400, (
                column.name
            )


def test_the_model_answers_as_before_afterwards(model_dir: Path, records: pl.DataFrame) -> None:
    loaded = model.load(model_dir)
    before = loaded.predict(records)
    for value in INFINITE:
        numbers = [column.name for column in COLUMNS if column.kind is float]
        loaded.predict(records.with_columns(pl.lit(value).alias(name) for name in numbers))
    np.testing.assert_array_equal(loaded.predict(records), before)
