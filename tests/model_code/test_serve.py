"""The WSGI callable in this process; test_container.py has the server with a real model."""

import io
import json
from typing import Any

import numpy as np
import pytest

from model_code.records import declared_columns
from model_code.request_body import LARGEST_BODY_BYTES
from model_code.serve import Application
from model_code.task import Task
from tests.model_code.server_requests import post

COLUMNS = declared_columns({"x": float})
REGRESSION = Task("regression")


class Doubler:
    """Predicts twice the x, or does what a test asks for."""

    def predict(self, records: Any) -> Any:
        return np.array(records["x"], dtype=np.float32)[::-1][::-1] * 2


class Answer:
    def __init__(self, application: Application, method: str, path: str, body: bytes, content_type: str | None) -> None:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
        if content_type is not None:
            environ["CONTENT_TYPE"] = content_type
        self.body = b"".join(application(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status = int(status.split()[0])
        self.headers = dict(headers)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


def ask(
    body: bytes = b"",
    content_type: str | None = "application/json",
    *,
    method: str = "POST",
    path: str = "/invocations",
    predictor: Any = None,
    task: Task = REGRESSION,
    ready: bool = True,
) -> Answer:
    application = Application(predictor or Doubler(), COLUMNS, task, ready=lambda: ready)
    return Answer(application, method, path, body, content_type)


def test_ping_says_200_with_an_empty_body_when_the_model_is_loaded() -> None:
    answer = ask(method="GET", path="/ping")
    assert (answer.status, answer.body) == (200, b"")


def test_ping_says_503_until_all_processes_have_loaded_the_model() -> None:
    assert ask(method="GET", path="/ping", ready=False).status == 503


def test_json_is_answered_with_json() -> None:
    answer = ask(b'{"instances": [{"x": 1.25}, {"x": 2}]}')
    assert (answer.status, answer.body) == (200, b'{"predictions":[2.5,4.0]}')
    assert answer.headers == {"Content-Type": "application/json", "Content-Length": "25"}


def test_csv_is_answered_with_a_line_for_each_record() -> None:
    answer = ask(b"1.25\n2\n", "text/csv")
    assert (answer.status, answer.body) == (200, b"2.5\n4.0\n")
    assert answer.headers["Content-Type"] == "text/csv"


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "TEXT/CSV"])
def test_parameters_and_case_of_a_content_type_do_not_matter(content_type: str) -> None:
    assert ask(b"1.25\n", content_type).body == b"2.5\n"


def test_bad_input_is_answered_with_the_place_the_value_and_what_is_allowed() -> None:
    answer = ask(b'{"instances": [{"x": 1}, {"x": "one"}]}')
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.error == {
        "message": "record 2: x must be a finite number, got one",
        "record": 2, "field": "x", "value": "one", "allowed": "a finite number",
    }  # fmt: skip


@pytest.mark.parametrize("content_type", [None, "", "application/x-unknown", "text/plain"])
def test_another_content_type_is_refused(content_type: str | None) -> None:
    answer = ask(b"1\n", content_type)
    assert answer.status == 415
    assert answer.error["allowed"] == "text/csv, application/json"


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", "/invocations", "POST"), ("POST", "/ping", "GET")])
def test_another_method_is_refused(method: str, path: str, allowed: str) -> None:
    answer = ask(method=method, path=path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.error["message"] == f"{path} takes {allowed}, got {method}"


def test_another_path_is_told_with_those_that_are_there() -> None:
    answer = ask(method="GET", path="/predict")
    assert (answer.status, answer.error["allowed"]) == (404, "/ping, /invocations")


@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
def test_an_empty_body_is_refused(content_type: str) -> None:
    answer = ask(b"", content_type)
    assert (answer.status, answer.error["message"]) == (400, "the body must hold at least one record, it is empty")


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_refused() -> None:
    body = b'{"x": 1' + b" " * (LARGEST_BODY_BYTES - 8) + b"}"
    assert ask(body).body == b'{"predictions":[2.0]}'
    answer = ask(body + b" ")
    assert (answer.status, answer.error["allowed"]) == (413, 6_291_456)


def test_a_crash_in_the_model_is_a_500_with_a_short_message_and_its_traceback_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        def predict(self, records: Any) -> Any:
            raise ZeroDivisionError("secret of the inside")

    answer = ask(b'{"x": 1}', predictor=Broken())
    assert answer.status == 500
    assert answer.error == {"message": "the model failed: ZeroDivisionError, its traceback is in the endpoint's log"}
    assert "secret of the inside" in capsys.readouterr().err


@pytest.mark.parametrize(
    "predictions",
    [[1.0, 2.0], [[1.0]], [float("nan")], [float("inf")], ["1"], None],
    ids=["too many", "two dimensions", "NaN", "infinite", "text", "nothing"],
)
def test_predictions_that_are_not_one_finite_number_a_record_are_a_500(predictions: Any) -> None:
    class Odd:
        def predict(self, records: Any) -> Any:
            return predictions

    answer = ask(b'{"x": 1}', predictor=Odd())
    assert (answer.status, answer.error["message"][:30]) == (500, "the model failed: ModelError, ")


class Answering:
    """Predicts what a test says."""

    def __init__(self, predictions: Any) -> None:
        self.predictions = predictions

    def predict(self, records: Any) -> Any:
        return self.predictions


THREE = Task("multiclass", ("low", "middle", "high"))
TWO_RECORDS = b'{"instances": [{"x": 1}, {"x": 2}]}'


def test_probabilities_of_classes_are_lists_in_json_and_lines_of_values_in_csv() -> None:
    application = Application(Answering([[0.25, 0.25, 0.5], [1, 0, 0]]), COLUMNS, THREE, ready=lambda: True)
    assert post(application, TWO_RECORDS) == (200, b'{"predictions":[[0.25,0.25,0.5],[1.0,0.0,0.0]]}')
    assert post(application, b"1\n2\n", "text/csv") == (200, b"0.25,0.25,0.5\n1.0,0.0,0.0\n")


@pytest.mark.parametrize(
    ("task", "predictions", "fault"),
    [
        (Task("binary"), [0.5, 1.5], "must return probabilities from 0 to 1 (TASK is binary), got 1.5"),
        (Task("binary"), [[0.5, 0.5], [0.5, 0.5]], "must return one number for each of 2 records"),
        (THREE, [0.5, 0.5], "must return 3 probabilities for each of 2 records"),
        (THREE, [[1, 0, 0], [0.5, 0.25, 0]], "must sum to 1 within 1e-06 (TASK is multiclass), got"),
    ],
)
def test_probabilities_that_are_none_are_a_500_with_the_reason_in_the_log(
    task: Task, predictions: Any, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(TWO_RECORDS, predictor=Answering(predictions), task=task)
    assert (answer.status, answer.error["message"][:30]) == (500, "the model failed: ModelError, ")
    assert fault in capsys.readouterr().err
