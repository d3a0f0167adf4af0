"""AWS's JSON protocol for the added services: requests checked and answers shaped by botocore's own service models."""

import asyncio
import base64
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from local_cloud import authorization
from local_cloud.authorization import Rules
from local_cloud.validation import Fault, MalformedRequestError, is_set, read_request

logger = logging.getLogger(__name__)

Answer = tuple[int, dict[str, str], bytes]
Members = Mapping[str, Sequence[str]]
"""Members of requests, by operation."""


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
    both with the names of the service's model, times as datetimes and blobs as bytes, once the acting principal may do
    what the operation's rule asks. A ServiceError is answered as AWS answers it. Methods run on worker threads.
    """

    def __init__(
        self, service_name: str, operations: object, rules: Rules, validation_code: str = "ValidationException", *,
        also_required: Members | None = None, not_served: Members | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            service_name: as in `boto3.client`.
            operations: the object whose methods answer.
            rules: what each operation asks of IAM.
            validation_code: of the refusal of a request that breaks the model's constraints.
            also_required: members that the service asks for though its model does not.
            not_served: members that would do something on AWS and do nothing here, so a request that sets one is
                refused; see `validation.is_set` for how they are written.
        """
        self.name = service_name
        self._rules = rules
        self.model = service_model(service_name)
        self.target_prefix: str = self.model.metadata["targetPrefix"]
        self._operations = operations
        self._validation_code = validation_code
        self._also_required = also_required or {}
        self.not_served = not_served or {}
        self._version: str = self.model.metadata.get("jsonVersion", "1.1")

    def served_operations(self) -> list[str]:
        """The names of the operations that are served, out of `model.operation_names`."""
        return [name for name in self.model.operation_names if hasattr(self._operations, xform_name(name))]

    async def handle(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; never raises."""
        operation = headers.get("x-amz-target", "").removeprefix(f"{self.target_prefix}.")
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
            ServiceError: the operation is unknown or not served, the request is malformed, IAM does not allow it, or
                the operation refuses it.
        """
        method = self._method(operation)
        model = self.model.operation_model(operation)
        request = self.read(operation, body)
        authorization.authorize(self._rules[operation](request))
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

    def read(self, operation: str, body: bytes) -> dict[str, Any]:
        """The request of an operation, checked.

        Raises:
            ServiceError: it is malformed, or asks for what is not served.
        """
        model = self.model.operation_model(operation)
        try:
            request, faults = read_request(model.input_shape, body)
        except MalformedRequestError as error:
            raise ServiceError("SerializationException", str(error)) from error
        missing = [name for name in self._also_required.get(operation, ()) if name not in request]
        faults += [Fault(f"{name[0].lower()}{name[1:]}", None) for name in missing]
        if faults:
            raise self._refusal(model, faults)
        unserved = [path for path in self.not_served.get(operation, ()) if is_set(request, path)]
        if unserved:
            message = f"The local cloud does not serve {', '.join(unserved)} of {operation}"
            raise ServiceError(self._validation_code, message)
        return request

    def _refusal(self, model: OperationModel, faults: list[Fault]) -> ServiceError:
        """The answer to a request that breaks constraints of the model."""
        count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected"
        return ServiceError(self._validation_code, f"{count}: {'; '.join(map(str, faults))}")

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
