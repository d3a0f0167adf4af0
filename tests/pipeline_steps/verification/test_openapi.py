"""The description of the endpoint says what the endpoint takes and answers: no more, and no less."""

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from model_code import model, openapi
from model_code.errors import RequestError
from model_code.records import declared_columns
from model_code.request_body import read_json
from model_code.task import Task, declared_task
from tests.model_code import multiclass_model, regression_model

COLUMNS = declared_columns({"at": datetime, "name": str, "count": int | None, "share": float, "paid": bool})
RECORD = {"at": "2013-03-18T17:45", "name": "a", "count": 3, "share": 0.5, "paid": True}
THREE = Task("multiclass", ("low", "middle", "high"))


def accepts(name: str, document: Any, task: Task = THREE) -> bool:
    described = openapi.description(COLUMNS, task)
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    return bool(Draft202012Validator(schema).is_valid(document))


@pytest.mark.parametrize("module", [model, multiclass_model, regression_model], ids=["binary", "classes", "number"])
def test_it_is_openapi_and_the_same_each_time(module: Any) -> None:
    columns, task = declared_columns(module.COLUMNS), declared_task(module)
    described = openapi.description(columns, task)
    validate(described)
    assert json.loads(openapi.file_content(columns, task)) == described == openapi.description(columns, task)
    assert list(described["components"]["schemas"]["Record"]["properties"]) == list(module.COLUMNS)


def test_its_version_changes_with_the_columns_and_the_task_alone() -> None:
    def version(columns: Any, task: Task = THREE) -> str:
        told: str = openapi.description(declared_columns(columns), task)["info"]["version"]
        return told

    assert version({"a": int}) == version({"a": int})
    others = {
        version({"a": float}),
        version({"a": int | None}),
        version({"b": int}),
        version({"a": int}, Task("binary")),
    }
    assert len(others | {version({"a": int})}) == 5


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("at", ["2013-03-18T17:45", "2013-03-18", "2013-03-18 17:45:01.5", "2013-03-18T17:45Z", "soon", "", 5, None]),
        ("name", ["a", "", 5, None, True, [], "\U0001f6eb"]),
        ("count", [3, 3.0, 3.5, "3", None, True, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, {}]),
        ("share", [0.5, 1, -1e308, "0.5", None, False, []]),
        ("paid", [True, False, 0, "true", None]),
    ],
)
def test_a_value_that_the_server_reads_is_described_and_no_other(field: str, values: list[Any]) -> None:
    def is_read(record: dict[str, Any]) -> bool:
        try:
            read_json(json.dumps(record).encode(), COLUMNS)
        except RequestError:
            return False
        return True

    for value in values:
        record = {**RECORD, field: value}
        assert accepts("Record", record) == is_read(record), (field, value)
    read = {is_read({**RECORD, field: value}) for value in values}
    assert read == {True, False}


def test_a_record_may_leave_out_what_may_be_missing_and_has_nothing_else() -> None:
    without = {name: value for name, value in RECORD.items() if name != "count"}
    assert accepts("Record", without)
    assert not accepts("Record", {name: value for name, value in RECORD.items() if name != "share"})
    assert not accepts("Record", {**RECORD, "more": 1})
    assert accepts("Request", RECORD)
    assert accepts("Request", {"instances": [RECORD, without]})
    assert not accepts("Request", {"instances": []})


@pytest.mark.parametrize(
    ("task", "good", "bad"),
    [
        (Task("binary"), [0, 0.5, 1.0], [1.0000001, -0.1, "0.5", None, [0.5]]),
        (Task("regression"), [-1e9, 5], ["5", None, [5.0]]),
        (THREE, [[0.25, 0.25, 0.5]], [[0.5, 0.5], [0.2, 0.2, 0.2, 0.4], [1.5, -0.5, 0], 0.5, ["1", "0", "0"]]),
    ],
    ids=["binary", "regression", "multiclass"],
)
def test_an_answer_has_what_the_task_demands(task: Task, good: list[Any], bad: list[Any]) -> None:
    assert accepts("Predictions", {"predictions": good}, task)
    for prediction in bad:
        assert not accepts("Predictions", {"predictions": [*good, prediction]}, task), prediction
    assert not accepts("Predictions", {"predictions": []}, task)
    assert not accepts("Predictions", {"predictions": good, "more": 1}, task)


@pytest.mark.parametrize(
    ("task", "good", "bad"),
    [
        (Task("binary"), "0.25\n1e-07\n", ["", "0.25", "late\n", "nan\n", "0.25,0.5\n"]),
        (THREE, "0.25,0.25,0.5\n1.0,0.0,0.0\n", ["0.5,0.5\n", "0.25\n", "0.2,0.2,0.2,0.4\n"]),
    ],
    ids=["binary", "multiclass"],
)
def test_an_answer_in_csv_is_a_line_for_each_record(task: Task, good: str, bad: list[str]) -> None:
    content = openapi.description(COLUMNS, task)["paths"]["/invocations"]["post"]["responses"]["200"]["content"]
    validator = Draft202012Validator(content["text/csv"]["schema"])
    assert validator.is_valid(good)
    for text in bad:
        assert not validator.is_valid(text), text


def test_the_meaning_of_an_answer_is_told_with_the_names_of_the_classes() -> None:
    def meaning(task: Task) -> str:
        told: str = openapi.description(COLUMNS, task)["components"]["schemas"]["Prediction"]["description"]
        return told

    assert meaning(Task("binary", ("on time", "late"))) == "The probability of 'late'."
    assert meaning(Task("binary")) == "The probability of 1."
    assert meaning(THREE) == "Probabilities that sum to 1, in this order: low, middle, high."


def test_an_error_of_the_server_is_described() -> None:
    with pytest.raises(RequestError) as error:
        read_json(json.dumps({**RECORD, "share": "much"}).encode(), COLUMNS)
    refusal = SimpleNamespace(message=str(error.value), **error.value.details)
    assert accepts("Error", {"error": vars(refusal)})
