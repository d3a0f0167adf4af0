"""InvokeEndpoint of the sagemaker-runtime API: requests to `/endpoints/NAME/invocations`, passed on to containers."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from local_cloud.authorization import authorize
from local_cloud.ministack import Receive, Scope, Send
from local_cloud.sagemaker.authorization import invoke_endpoint
from local_cloud.sagemaker.data_capture import Exchange
from local_cloud.sagemaker.endpoints import Endpoints
from local_cloud.sagemaker.instances import ContainerAnswer, ContainerGoneError, ContainerTimeoutError, Instance
from local_cloud.sagemaker.serverless import (
    MAXIMUM_PAYLOAD_BYTES,
    AnswerTooLargeError,
    ColdStartError,
    Environment,
    ThrottledError,
)
from local_cloud.sagemaker.shadows import ShadowCalls
from local_cloud.sagemaker.traffic import Lease, Traffic
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

PREFIX = "/endpoints/"
MAXIMUM_BODY_BYTES = 6_291_456

_MAXIMUM_HEADER_CHARACTERS = 1024
_THREADS = 256
_CONTAINER = "primary"
_CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
_INFERENCE_ID = "x-amzn-sagemaker-inference-id"
_MAXIMUM_INFERENCE_ID_CHARACTERS = 64
_PASSED_ON = ("content-type", "accept", _CUSTOM_ATTRIBUTES)
_NOT_SERVED = (
    "x-amzn-sagemaker-target-model", "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component", "x-amzn-sagemaker-session-id",
)  # fmt: skip
_TIMED_OUT = (
    f"Your invocation timed out while waiting for a response from container {_CONTAINER}. Review the latency metrics "
    "for each container in Amazon CloudWatch, resolve the issue, and try again."
)
_EXITED = "An error occurred while handling request as the model process exited."


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _InvocationError(Exception):
    """An error answer of the sagemaker-runtime API; a code of None leaves the HTTP status to speak."""

    def __init__(self, status: int, code: str | None, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = {"Message": message, **(details or {})}


@dataclass(frozen=True)
class _Request:
    """What a variant is asked.

    Attributes:
        headers: those that are passed on to the container.
        received: when, by the clock of perf_counter.
    """

    body: bytes
    headers: Mapping[str, str]
    inference_id: str | None
    time: datetime
    received: float


class _Call:
    """One call of a container, and how long it took.

    Attributes:
        status: the container's; 0 without an answer.
        setup_seconds: how long its container took to start; None when it ran before.
        model_seconds: None when no container was called.
    """

    def __init__(self, received: float) -> None:
        self.status = 0
        self.setup_seconds: float | None = None
        self.model_seconds: float | None = None
        self._received = received

    def make(self, instance: Instance | Environment, body: bytes, headers: Mapping[str, str]) -> ContainerAnswer:
        """
        Raises:
            ContainerGoneError, ContainerTimeoutError: there is no answer.
            ColdStartError, AnswerTooLargeError: likewise, of an environment.
        """
        started = time.perf_counter()
        if isinstance(instance, Environment) and instance.cold:
            instance.start()
            begun, started = started, time.perf_counter()
            self.setup_seconds = started - begun
        try:
            answer = instance.invoke(body, headers)
        finally:
            self.model_seconds = time.perf_counter() - started
        self.status = answer.status
        return answer

    def overhead_seconds(self) -> float:
        return time.perf_counter() - self._received - (self.model_seconds or 0.0)


class Runtime:
    """The ASGI application below /endpoints/."""

    def __init__(self, endpoints: Endpoints, region: str, account_id: str) -> None:
        self._endpoints = endpoints
        self._region = region
        self._account_id = account_id
        # containers may take a minute: a pool of their own, so that they hold nobody else up
        self._threads = ThreadPoolExecutor(_THREADS, "invoke-endpoint")
        self._shadow_calls = ShadowCalls()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = time.perf_counter()
        try:
            name = _endpoint_name(scope)
            self._authorize(name)
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
            body = await _read_body(receive)
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._threads, self._invoke, name, headers, body, received)
        except _InvocationError as error:
            answer = _error_answer(error)
        except ConnectionAbortedError:
            return
        except Exception as error:
            logger.exception("InvokeEndpoint %s failed inside the local cloud", scope["path"])
            answer = _error_answer(_InvocationError(500, "InternalFailure", f"The local cloud failed: {error!r}"))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _authorize(self, name: str) -> None:
        try:
            authorize([invoke_endpoint(name, self._region, self._account_id)])
        except ServiceError as error:
            raise _InvocationError(403, error.code, error.message) from error

    def _invoke(self, name: str, headers: Mapping[str, str], body: bytes, received: float) -> _Answer:
        _check_headers(headers)
        passed_on = {key: headers[key] for key in _PASSED_ON if key in headers}
        request = _Request(body, passed_on, headers.get(_INFERENCE_ID), datetime.now(UTC), received)
        traffic = self._traffic(name)
        if traffic.fleet.serverless and len(body) > MAXIMUM_PAYLOAD_BYTES:
            raise _InvocationError(400, "ValidationError", f"Request {uuid.uuid4()} has oversize body.")
        with self._take(traffic, name, headers.get(_TARGET_VARIANT)) as lease:
            self._copy(traffic.take_shadow(lease), request)
            try:
                answer = self._ask(lease, request)
            except ContainerTimeoutError as error:
                raise self._model_error(name, 0, _TIMED_OUT) from error
            except ContainerGoneError as error:
                raise self._model_error(name, 0, _EXITED) from error
            except AnswerTooLargeError as error:
                raise self._model_error(name, 0, str(error)) from error
            except ColdStartError as error:
                logger.warning("a container of endpoint %s could not be started: %s", name, error)
                raise _no_instance() from error
        if answer.status >= 300:
            raise self._model_error(name, answer.status, answer.body.decode(errors="replace"))
        return _Answer(200, _answer_headers(answer, lease.variant), answer.body)

    def _ask(self, lease: Lease, request: _Request) -> ContainerAnswer:
        """Call a variant, which counts for its metrics and may be captured.

        Raises:
            ContainerGoneError, ContainerTimeoutError, ColdStartError, AnswerTooLargeError: there is no answer.
            _InvocationError: no instance is ready.
        """
        call = _Call(request.received)
        try:
            if lease.instance is None or lease.fleet is None:
                raise _no_instance()
            answer = call.make(lease.instance, request.body, request.headers)
        finally:
            self._record(lease, call)
        if answer.status < 300:  # that AWS captures nothing of the others is a guess
            exchange = Exchange(
                request.time, request.body, request.headers.get("content-type"), answer.body,
                answer.headers.get("content-type"), request.inference_id,
            )  # fmt: skip
            role_arn = lease.fleet.named(lease.variant).role_arn
            self._endpoints.capture.capture(lease.endpoint_name, lease.variant, role_arn, lease.fleet.capture, exchange)
        return answer

    def _record(self, lease: Lease, call: _Call) -> None:
        metrics, instance = self._endpoints.metrics, lease.instance
        measured = (lease.endpoint_name, lease.variant, call.status, call.model_seconds, call.overhead_seconds())
        if isinstance(instance, Environment):
            metrics.record_serverless(
                *measured, setup_seconds=call.setup_seconds, utilization=instance.utilization,
                config_name=lease.config_name,
            )  # fmt: skip
        else:
            metrics.record(*measured, instances=lease.instances, config_name=lease.config_name)

    def _copy(self, shadow: Lease | None, request: _Request) -> None:
        """Send a copy to a shadow variant; nothing is waited for, and its answer goes nowhere but to the capture."""

        def ask(lease: Lease) -> None:
            with lease, suppress(ContainerTimeoutError, ContainerGoneError, _InvocationError):
                self._ask(lease, request)

        if shadow is not None and not self._shadow_calls.make(partial(ask, shadow)):
            with shadow:
                self._record(shadow, _Call(request.received))

    def _traffic(self, name: str) -> Traffic:
        traffic = self._endpoints.serving(name)
        if traffic is None:
            if self._endpoints.status(name) == "SystemUpdating":
                raise _no_instance()
            raise _InvocationError(400, "ValidationError", f"Endpoint {name} of account {self._account_id} not found.")
        return traffic

    def _take(self, traffic: Traffic, name: str, target_variant: str | None) -> Lease:
        try:
            return traffic.take(target_variant)
        except KeyError as error:
            message = f"Variant {target_variant} of endpoint {name} of account {self._account_id} not found."
            raise _InvocationError(400, "ValidationError", message) from error
        except ThrottledError as error:
            self._endpoints.metrics.record_throttled(traffic.endpoint_name, error.variant)
            raise _InvocationError(400, "ThrottlingException", str(error)) from error

    def _model_error(self, name: str, status: int, message: str) -> _InvocationError:
        side = "client" if 400 <= status < 500 else "server"
        group = f"/aws/sagemaker/Endpoints/{name}"
        return _InvocationError(
            424, "ModelError",
            f'Received {side} error ({status}) from {_CONTAINER} with message "{message}". See '
            f"https://{self._region}.console.aws.amazon.com/cloudwatch/home?region={self._region}#logEventViewer:"
            f"group={group} in account {self._account_id} for more information.",
            {
                "OriginalStatusCode": status,
                "OriginalMessage": message,
                "LogStreamArn": f"arn:aws:logs:{self._region}:{self._account_id}:log-group:{group}",
            },
        )  # fmt: skip


def _endpoint_name(scope: Scope) -> str:
    name, _, action = scope["path"][len(PREFIX) :].partition("/")
    if scope["method"] != "POST" or action != "invocations":
        message = f"The local cloud serves POST {PREFIX}NAME/invocations there, not {scope['method']} {scope['path']}."
        raise _InvocationError(404, "UnknownOperationException", message)
    return str(name)


async def _read_body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAXIMUM_BODY_BYTES:
            raise _InvocationError(413, None, f"HTTP content length exceeded {MAXIMUM_BODY_BYTES} bytes.")
        if not message.get("more_body"):
            return b"".join(parts)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name in _NOT_SERVED:
        if name in headers:
            raise _InvocationError(400, "ValidationError", f"The local cloud does not serve the header {name}.")
    for name in _PASSED_ON:
        value = headers.get(name, "")
        if len(value) > _MAXIMUM_HEADER_CHARACTERS or not value.isascii():
            message = f"The header {name} must have at most {_MAXIMUM_HEADER_CHARACTERS} US-ASCII characters."
            raise _InvocationError(400, "ValidationError", message)
    if len(headers.get(_INFERENCE_ID, "")) > _MAXIMUM_INFERENCE_ID_CHARACTERS:
        message = f"The header {_INFERENCE_ID} must have at most {_MAXIMUM_INFERENCE_ID_CHARACTERS} characters."
        raise _InvocationError(400, "ValidationError", message)


def _answer_headers(answer: ContainerAnswer, variant: str) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": answer.headers.get("content-type"),
        _CUSTOM_ATTRIBUTES: answer.headers.get(_CUSTOM_ATTRIBUTES),
        "x-amzn-invoked-production-variant": variant,
        "content-length": str(len(answer.body)),
    }
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]


def _no_instance() -> _InvocationError:
    message = "A transient exception occurred while retrieving variant instances. Please try again later."
    return _InvocationError(503, "ServiceUnavailable", message)


def _error_answer(error: _InvocationError) -> _Answer:
    body = json.dumps(error.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.code is not None:
        headers.append((b"x-amzn-errortype", error.code.encode()))
    return _Answer(error.status, headers, body)
