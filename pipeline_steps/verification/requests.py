"""Requests to the endpoint of a model, and the predictions in its answers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_steps.documents import Prediction

CSV, JSON = "text/csv", "application/json"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One request to the endpoint; `what` says in a failure's text what was sent."""

    what: str
    content_type: str
    body: bytes


def csv_request(what: str, columns: Sequence[str], records: Sequence[Record]) -> Request:
    """Records as text/csv: no header, the model's own order of columns, a missing value as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[_csv_field(record.get(column)) for column in columns] for record in records])
    return Request(what, CSV, text.getvalue().encode())


def json_request(what: str, records: Sequence[Record]) -> Request:
    """Records as application/json."""
    return Request(what, JSON, json.dumps({"instances": list(records)}).encode())


def parse_predictions(answer: str, content_type: str) -> list[Prediction]:
    """The predictions in an endpoint's answer: numbers, or a probability for each class.

    Raises:
        ValueError: these are no predictions.
    """
    if content_type == CSV:
        lines = [[float(field) for field in line.split(",")] for line in answer.split()]
        return [line[0] if len(line) == 1 else tuple(line) for line in lines]
    document = json.loads(answer)
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        raise ValueError('is not of the form {"predictions": [...]}')  # noqa: TRY004 (the text's form, not a type)
    return [
        tuple(map(float, prediction)) if isinstance(prediction, list) else float(prediction)
        for prediction in document["predictions"]
    ]


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
