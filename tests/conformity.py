"""Holds every answer of an added service to botocore's model of it: members, types, limits, the codes of errors."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

ADDED = ("codecommit", "codebuild", "codepipeline", "sagemaker")
GENERAL_CODES = frozenset({
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignatureException", "InvalidSignatureException",
    "MissingAuthenticationTokenException", "SerializationException", "UnknownOperationException",
    "UnrecognizedClientException", "ValidationException",
})  # fmt: skip
"""What AWS's services answer beside the errors of an operation's own model."""

_LEFT_OUT = {"DescribeTrainingJob.ModelArtifacts"}
"""Required by the model; SageMaker tells it of jobs that have uploaded some."""
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "blob": (str,), "boolean": (bool,), "integer": (int,), "long": (int,), "float": (int, float),
    "double": (int, float), "timestamp": (int, float),
}  # fmt: skip


class NonconformityError(AssertionError):
    """An answer that a client of AWS would not expect."""


def watch(client: Any) -> None:
    """Let every call of a boto3 client of an added service fail that is answered against its model."""
    if client.meta.service_model.service_name in ADDED:
        client.meta.events.register("before-parse", _check)


def unwatch(client: Any) -> None:
    """Let a client's calls be answered anyhow."""
    client.meta.events.unregister("before-parse", _check)


def _check(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    document = json.loads(response_dict["body"] or b"{}")
    if response_dict["status_code"] < 300:
        found = [*faults(operation_model.output_shape, document, operation_model.name)]
    else:
        listed = {shape.name for shape in operation_model.error_shapes}
        code = document.get("__type")
        found = [] if code in listed | GENERAL_CODES else [f"{operation_model.name}: the model has no error {code}"]
    if found:
        raise NonconformityError("; ".join(found))


def faults(shape: Shape | None, value: Any, path: str) -> Iterator[str]:
    """Where an answer's JSON is not of its shape."""
    if shape is None:
        yield from [f"{path} answers nothing by its model, got {value}"] if value else []
    elif isinstance(shape, StructureShape):
        yield from _faults_of_structure(shape, value, path)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value if isinstance(value, list) else [_Wrong(value)]):
            yield from faults(shape.member, item, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items() if isinstance(value, dict) else [("", _Wrong(value))]:
            yield from faults(shape.key, key, f"{path} key")
            yield from faults(shape.value, item, f"{path}.{key}")
    else:
        yield from _faults_of_scalar(shape, value, path)


class _Wrong:
    """Stands for what is no list or map: it is of no type that a shape has."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)


def _faults_of_structure(shape: StructureShape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} must be a structure, got {value!r}"
        return
    for name in shape.required_members:
        if name not in value and f"{path}.{name}" not in _LEFT_OUT:
            yield f"{path}.{name} is missing"
    for name, item in value.items():
        if name in shape.members:
            yield from faults(shape.members[name], item, f"{path}.{name}")
        else:
            yield f"{path}.{name} is not of the model"


def _faults_of_scalar(shape: Shape, value: Any, path: str) -> Iterator[str]:
    is_boolean = isinstance(value, bool)
    if not isinstance(value, _TYPES[shape.type_name]) or is_boolean != (shape.type_name == "boolean"):
        yield f"{path} must be a {shape.type_name}, got {value!r}"
        return
    if shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[attr-defined]
            yield f"{path} must be one of {shape.enum}, got {value!r}"  # type: ignore[attr-defined]
        pattern = shape.metadata.get("pattern", r"\p{}")
        if r"\p{" not in pattern and not re.fullmatch(pattern, value, re.DOTALL):  # \p{...} is Java's alone
            yield f"{path} must match {pattern}, got {value!r}"
    if shape.type_name == "blob":
        value = base64.b64decode(value)
    size = len(value) if isinstance(value, str | bytes) else value
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"{path} must be from {low} to {high}, is {size}: {str(value)[:100]!r}"
