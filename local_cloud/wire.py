"""AWS's JSON protocol for the added services: requests checked and answers shaped by botocore's own service models."""

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

logger = logging.getLogger(__name__)

Answer = tuple[int, dict[str, str], bytes]


class ServiceError(Exception):
    """An error answer in AWS's form."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@lru_cache
def service_model(service_name: str) -> ServiceModel:
    """botocore's model of a service, as `boto3.client(service_name)` uses it."""
    return botocore.session.get_session().get_service_model(service_name)


class JsonService:
    """One AWS service with the JSON protocol (X-Amz-Target).

    An operation CreateTrainingJob is answered by the method `create_training_job(request) -> answer` of `operations`,
    both with the names of the service's model, times as datetimes and blobs as bytes. A ServiceError is answered as
    AWS answers it. Methods run on worker threads.
    """

    def __init__(self, service_name: str, operations: object, validation_code: str = "ValidationException") -> None:
        self.name = service_name
        self.model = service_model(service_name)
        self.target_prefix: str = self.model.metadata["targetPrefix"]
        self._operations = operations
        self._validation_code = validation_code
        self._version: str = self.model.metadata.get("jsonVersion", "1.1")

    def served_operations(self) -> list[str]:
        """The names of the operations that are served, out of `model.operation_names`."""
        return [name for name in self.model.operation_names if hasattr(self._operations, xform_name(name))]

    async def handle(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; never raises."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        return await asyncio.to_thread(self._respond, operation, body)

    def _respond(self, operation: str, body: bytes) -> Answer:
        try:
            return self._answer(200, self.call(operation, body))
        except ServiceError as error:
            return self._answer(error.status, {"__type": error.code, "message": error.message}, error.code)
        except Exception as error:
            logger.exception("%s %s failed", self.name, operation)
            message = f"The local cloud failed in {self.name} {operation}: {error!r}; its log has the details."
            return self._answer(500, {"__type": "InternalFailure", "message": message}, "InternalFailure")

    def call(self, operation: str, body: bytes) -> dict[str, Any]:
        """Run an operation on its JSON request.

        Raises:
            ServiceError: the operation is unknown or not served, the request is malformed, or the operation refuses it.
        """
        method = self._method(operation)
        model = self.model.operation_model(operation)
        request = self._request(model, body)
        answer = method(request) or {}
        return {} if model.output_shape is None else _to_wire(model.output_shape, answer)

    def _method(self, operation: str) -> Any:
        if operation not in self.model.operation_names:
            raise ServiceError("UnknownOperationException", f"{self.name} has no operation {operation!r}")
        method = getattr(self._operations, xform_name(operation), None)
        if method is None:
            served = ", ".join(self.served_operations())
            message = f"The local cloud does not serve {self.name} {operation}; it serves: {served}"
            raise ServiceError("UnknownOperationException", message)
        return method

    def _request(self, model: OperationModel, body: bytes) -> dict[str, Any]:
        try:
            raw = json.loads(body or b"{}")
        except ValueError as error:
            raise ServiceError("SerializationException", f"The request is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise ServiceError("SerializationException", "The request must be a JSON object")
        if model.input_shape is None:
            return {}
        faults: list[str] = []
        request = _from_wire(model.input_shape, raw, "", faults)
        if faults:
            count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected"
            raise ServiceError(self._validation_code, f"{count}: {'; '.join(faults)}")
        assert isinstance(request, dict)
        return request

    def _answer(self, status: int, document: dict[str, Any], error_code: str | None = None) -> Answer:
        headers = {"Content-Type": f"application/x-amz-json-{self._version}"}
        if error_code is not None:
            headers["x-amzn-errortype"] = error_code
        return status, headers, json.dumps(document).encode()


def _to_wire(shape: Shape, value: Any) -> Any:
    """The answer as JSON values; members that the shape does not have, and absent ones, are left out."""
    if isinstance(shape, StructureShape):
        return {
            name: _to_wire(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_to_wire(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _to_wire(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _from_wire(shape: Shape, value: Any, path: str, faults: list[str]) -> Any:
    """The request as Python values; what breaks a constraint of the model is added to `faults` in AWS's words."""
    if isinstance(shape, StructureShape):
        return _structure(shape, value, path, faults)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return _wrong_type(value, "list", path, faults)
        _check_bounds(shape, len(value), "length", value, path, faults)
        return [_from_wire(shape.member, item, f"{path}.{n}.member", faults) for n, item in enumerate(value, 1)]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            return _wrong_type(value, "map", path, faults)
        _check_bounds(shape, len(value), "length", value, path, faults)
        return {key: _from_wire(shape.value, item, f"{path}.{key}", faults) for key, item in value.items()}
    return _scalar(shape, value, path, faults)


def _structure(shape: StructureShape, value: Any, path: str, faults: list[str]) -> Any:
    if not isinstance(value, dict):
        return _wrong_type(value, "structure", path, faults)
    faults.extend(
        _fault(None, _join(path, name), "Member must not be null")
        for name in shape.required_members
        if value.get(name) is None
    )
    return {
        name: _from_wire(member, value[name], _join(path, name), faults)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


_SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "long": (int,),
    "float": (int, float), "double": (int, float), "timestamp": (int, float), "blob": (str,),
}  # fmt: skip


def _scalar(shape: Shape, value: Any, path: str, faults: list[str]) -> Any:
    kind = shape.type_name
    fits = isinstance(value, _SCALAR_TYPES.get(kind, (object,)))
    if not fits or (isinstance(value, bool) and kind != "boolean"):
        return _wrong_type(value, kind, path, faults)
    if kind == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    if kind == "blob":
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            return _wrong_type(value, "base64 text", path, faults)
    if kind == "string":
        _check_string(shape, value, path, faults)
    elif kind != "boolean":
        _check_bounds(shape, value, "value", value, path, faults)
    return value


def _check_string(shape: Shape, value: str, path: str, faults: list[str]) -> None:
    _check_bounds(shape, len(value), "length", value, path, faults)
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        faults.append(_fault(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := _compile(pattern)) and not compiled.fullmatch(value):
        faults.append(_fault(value, path, f"Member must satisfy regular expression pattern: {pattern}"))


@lru_cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:  # the models hold Java's regular expressions; the few that Python cannot read are not checked
        return None


def _check_bounds(shape: Shape, size: float, noun: str, value: Any, path: str, faults: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        faults.append(_fault(value, path, f"Member must have {noun} greater than or equal to {low}"))
    if high is not None and size > high:
        faults.append(_fault(value, path, f"Member must have {noun} less than or equal to {high}"))


def _wrong_type(value: Any, wanted: str, path: str, faults: list[str]) -> None:
    faults.append(_fault(value, path or "the request", f"Member must be a {wanted}"))


def _fault(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{str(value)[:200]}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member
