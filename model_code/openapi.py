"""What the endpoint takes and answers, as an OpenAPI 3.1 description: made from model.py, shipped with the model.

It speaks of the container's own address, /invocations, to which SageMaker passes the body of InvokeEndpoint. SageMaker
tells its client of an error of the container as a ModelError, with OriginalStatusCode and OriginalMessage.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from model_code.records import Column
from model_code.request_body import INTEGERS, LARGEST_BODY_BYTES, MOST_RECORDS
from model_code.task import Task

FILE = "openapi.json"

_TIME = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"
_NUMBER = r"-?\d+(\.\d+)?([eE][-+]?\d+)?"
_TYPES: dict[type, dict[str, Any]] = {
    str: {"type": "string", "minLength": 1},
    int: {"type": "integer", "minimum": INTEGERS.start, "maximum": INTEGERS.stop - 1},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    # date-time would have a zone; this name is in OpenAPI's registry of formats.
    datetime: {"type": "string", "format": "date-time-local", "pattern": _TIME},
}
_MEANINGS = {
    "200": "A prediction for each record, in the order of the records.",
    "400": "The body cannot be read as records; the message names record, field and value.",
    "413": f"The body has more than {LARGEST_BODY_BYTES} bytes or {MOST_RECORDS} records.",
    "415": "The content type is another one.",
    "500": "The model failed; the endpoint's log has the reason.",
}

Schema = dict[str, Any]


def description(columns: Sequence[Column], task: Task) -> Schema:
    """The description of a model's endpoint; the same model.py gives the same one."""
    contract: Schema = {
        "paths": {"/invocations": {"post": _operation(columns, task)}, "/ping": {"get": _PING}},
        "components": {"schemas": _schemas(columns, task)},
    }
    version = hashlib.sha256(json.dumps(contract).encode()).hexdigest()[:12]
    info = {"title": "The model's endpoint", "version": version, "description": (__doc__ or "").strip()}
    return {"openapi": "3.1.0", "info": info, **contract}


def file_content(columns: Sequence[Column], task: Task) -> bytes:
    """What openapi.json holds."""
    return (json.dumps(description(columns, task), indent=2, allow_nan=False) + "\n").encode()


_PING: Schema = {
    "summary": "Whether all processes of the server have loaded the model",
    "operationId": "ping",
    "responses": {"200": {"description": "Yes."}, "503": {"description": "Not yet."}},
}


def _operation(columns: Sequence[Column], task: Task) -> Schema:
    order = ", ".join(column.name for column in columns)
    lines = f"A record a line without a header, an empty field for a missing value. The fields: {order}."
    error = {"application/json": {"schema": _reference("Error")}}
    answers = {
        "application/json": {"schema": _reference("Predictions")},
        "text/csv": {"schema": {"type": "string", "pattern": _csv_pattern(task), "description": _csv_meaning(task)}},
    }
    return {
        "summary": "Predict",
        "operationId": "predict",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _reference("Request")},
                "text/csv": {"schema": {"type": "string", "minLength": 1, "description": lines}},
            },
        },
        "responses": {
            status: {"description": meaning, "content": answers if status == "200" else error}
            for status, meaning in _MEANINGS.items()
        },
    }


def _schemas(columns: Sequence[Column], task: Task) -> Schema:
    instances = {"type": "array", "items": _reference("Record"), "minItems": 1, "maxItems": MOST_RECORDS}
    return {
        "Record": {
            "type": "object",
            "properties": {column.name: _value(column) for column in columns},
            "required": [column.name for column in columns if not column.optional],
            "additionalProperties": False,
        },
        "Records": _object(instances=instances),
        "Request": {"anyOf": [_reference("Records"), _reference("Record")]},
        "Prediction": _prediction(task),
        "Predictions": _object(predictions={"type": "array", "items": _reference("Prediction"), "minItems": 1}),
        "Error": _object(
            error={
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "record": {"type": "integer", "minimum": 1, "description": "Its number in the request, from 1."},
                    "field": {"type": "string"},
                    "value": {"description": "What was sent there, shortened."},
                    "allowed": {"type": ["string", "integer"]},
                },
                "required": ["message"],
            }
        ),
    }


def _value(column: Column) -> Schema:
    schema = {**_TYPES[column.kind], "description": column.allowed}
    return {**schema, "type": [schema["type"], "null"]} if column.optional else schema


def _prediction(task: Task) -> Schema:
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    if task.name == "regression":
        return {"type": "number", "description": "The predicted number."}
    if task.name == "binary":
        meaning = f"The probability of {task.classes[1]!r}." if task.classes else "The probability of 1."
        return {**probability, "description": meaning}
    count = len(task.classes or ())
    meaning = f"Probabilities that sum to 1, in this order: {', '.join(task.classes or ())}."
    return {"type": "array", "items": probability, "minItems": count, "maxItems": count, "description": meaning}


def _csv_pattern(task: Task) -> str:
    more = f"(,{_NUMBER}){{{len(task.classes or ()) - 1}}}" if task.name == "multiclass" else ""
    return rf"^({_NUMBER}{more}\n)+$"


def _csv_meaning(task: Task) -> str:
    return f"A line for each record. {_prediction(task)['description']}"


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
