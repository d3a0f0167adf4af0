"""The model says the same behind the endpoint as in the evaluation, however the records come.

Keep it with a model of your own: it knows nothing of the example's but its records.
"""

import json
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


@pytest.fixture(scope="module")
def sample(records: pl.DataFrame) -> pl.DataFrame:
    """Records from all of the data, as the evaluation hands them to the model."""
    return records.select(list(model.COLUMNS))[::15]


@pytest.fixture(scope="module")
def offline(sample: pl.DataFrame, model_dir: Path) -> list[Any]:
    predictions: list[Any] = checked_predictions(model.load(model_dir).predict(sample), sample.height, TASK).tolist()
    assert len({str(prediction) for prediction in predictions}) > 1, "all alike, they prove nothing"
    return predictions


@pytest.fixture(scope="module")
def application(model_dir: Path) -> Application:
    return Application(model.load(model_dir), COLUMNS, TASK, ready=lambda: True)


def test_all_records_at_once_in_json(application: Application, sample: pl.DataFrame, offline: list[Any]) -> None:
    status, answer = post(application, json.dumps({"instances": as_documents(sample, COLUMNS)}).encode())
    assert status == 200
    np.testing.assert_allclose(json.loads(answer)["predictions"], offline, rtol=0, atol=1e-6)


def test_all_records_at_once_in_csv(application: Application, sample: pl.DataFrame, offline: list[Any]) -> None:
    lines = b"".join(csv_line(document, COLUMNS) for document in as_documents(sample, COLUMNS))
    status, answer = post(application, lines, "text/csv")
    assert status == 200
    rows = [[float(value) for value in line.split(",")] for line in answer.decode().splitlines()]
    np.testing.assert_allclose(rows, np.reshape(offline, (len(offline), -1)), rtol=0, atol=1e-6)


def test_each_record_for_itself_in_both_forms(
    application: Application, sample: pl.DataFrame, offline: list[Any]
) -> None:
    for document, expected in zip(as_documents(sample, COLUMNS), offline, strict=True):
        as_json = post(application, json.dumps(document).encode())[1]
        as_csv = post(application, csv_line(document, COLUMNS), "text/csv")[1]
        np.testing.assert_allclose(json.loads(as_json)["predictions"][0], expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose([float(value) for value in as_csv.split(b",")], expected, rtol=0, atol=1e-6)
