"""Serves the model as SageMaker asks for it: GET /ping and POST /invocations, in one process for each CPU.

A process loads the model before it listens, and /ping says 200 only when all processes have loaded it. Before any of
them starts, the model's files are compared with the digest of what was trained.
"""

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import orjson
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from numpy.typing import NDArray

from model_code import model
from model_code.artifact import check_model
from model_code.errors import ModelError, RequestError
from model_code.log import say
from model_code.paths import Paths
from model_code.predictions import checked_predictions
from model_code.records import Column, declared_columns
from model_code.request_body import LARGEST_BODY_BYTES, read_csv, read_json
from model_code.task import Task, declared_task

CSV, JSON = "text/csv", "application/json"

_DISCARDED_BLOCKS = 10
_GRACE_SECONDS = 25  # SageMaker kills the container 30 s after SIGTERM
_READERS = {CSV: read_csv, JSON: read_json}

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Predictor(Protocol):
    """What load in model.py returns."""

    def predict(self, records: Any) -> Any:
        """What the task of model.py demands for each record."""
        ...


class Application:
    """The WSGI callable.

    Args:
        predictor: the loaded model.
        columns: what a record holds.
        task: what the model answers.
        ready: whether the server may be sent requests.
    """

    def __init__(self, predictor: Predictor, columns: Sequence[Column], task: Task, ready: Callable[[], bool]) -> None:
        self._predictor = predictor
        self._columns = columns
        self._task = task
        self._ready = ready

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """Answer one request."""
        headers: list[tuple[str, str]] = []
        try:
            status, content_type, body = self._answer(environ)
        except RequestError as error:
            status, content_type, body = error.status, JSON, _error_document(str(error), **error.details)
            if status == HTTPStatus.METHOD_NOT_ALLOWED:
                headers.append(("Allow", str(error.details["allowed"])))
        except Exception as error:  # one request must not end the server
            traceback.print_exc()
            message = f"the model failed: {type(error).__name__}, its traceback is in the endpoint's log"
            status, content_type, body = HTTPStatus.INTERNAL_SERVER_ERROR, JSON, _error_document(message)
        headers += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[HTTPStatus, str, bytes]:
        path = environ["PATH_INFO"]
        if path == "/ping":
            _require_method(environ, "GET")
            return HTTPStatus.OK if self._ready() else HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b""
        if path != "/invocations":
            raise RequestError(f"there is no {path}", HTTPStatus.NOT_FOUND, value=path, allowed="/ping, /invocations")
        _require_method(environ, "POST")
        content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if content_type not in _READERS:
            raise RequestError(
                f"the content type must be {CSV} or {JSON}, got {content_type or 'none'}",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, value=content_type, allowed=f"{CSV}, {JSON}",
            )  # fmt: skip
        predictions = self._predict(_READERS[content_type](_read_body(environ), self._columns))
        return HTTPStatus.OK, content_type, _WRITERS[content_type](predictions)

    def _predict(self, records: dict[str, list[Any]]) -> NDArray[Any]:
        count = len(records[self._columns[0].name])
        return checked_predictions(self._predictor.predict(records), count, self._task)


def _require_method(environ: dict[str, Any], allowed: str) -> None:
    method = environ["REQUEST_METHOD"]
    if method != allowed:
        message = f"{environ['PATH_INFO']} takes {allowed}, got {method}"
        raise RequestError(message, HTTPStatus.METHOD_NOT_ALLOWED, value=method, allowed=allowed)


def _read_body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    body: bytes = stream.read(LARGEST_BODY_BYTES + 1)
    if len(body) > LARGEST_BODY_BYTES:
        _discard(stream)
        message = f"the body may have {LARGEST_BODY_BYTES:,} bytes, it has more: send fewer records at once"
        raise RequestError(message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, allowed=LARGEST_BODY_BYTES)
    if not body:
        raise RequestError("the body must hold at least one record, it is empty")
    return body


def _discard(stream: Any) -> None:
    """Read the rest of a body that is too large: a client reads the answer only when all is sent."""
    for _ in range(_DISCARDED_BLOCKS):
        if not stream.read(LARGEST_BODY_BYTES):
            return


def _error_document(message: str, **details: object) -> bytes:
    return orjson.dumps({"error": {"message": message, **details}})


def _as_csv(predictions: NDArray[Any]) -> bytes:
    """A line for each record: its number, or its probabilities in the order of the classes."""
    rows = predictions.reshape(len(predictions), -1).tolist()
    return "".join(f"{','.join(map(str, row))}\n" for row in rows).encode()


def _as_json(predictions: NDArray[Any]) -> bytes:
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


_WRITERS: dict[str, Callable[[NDArray[Any]], bytes]] = {CSV: _as_csv, JSON: _as_json}


def run(paths: Paths, address: str, port: int, workers: int, expected_digest: str | None) -> None:
    """Serve until SIGTERM.

    Args:
        address: to listen on; SageMaker needs 0.0.0.0 in a container.
        port: 8080, unless SageMaker says another.
        workers: number of processes.
        expected_digest: of the model that is to be served; None for any.

    Raises:
        ModelError: there is another model, which nothing has read yet; or model.py has no such task.
    """
    task = declared_task(model)
    check_model(paths.model, expected_digest)
    columns = declared_columns(model.COLUMNS)
    start = _Start(workers)
    server = Granian(
        target="model_code.serve",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=1,
        log_level=LogLevels.warning,
        workers_kill_timeout=_GRACE_SECONDS,
        # A process that is killed, for its memory for instance, is started again while the others serve on.
        respawn_failed_workers=True,
    )
    _end_forked_processes_at_once()
    say(f"serving on {address}:{port} with {workers} processes")
    try:
        server.serve(target_loader=partial(_load, paths.model, columns, task, start), wrap_loader=False)
    except SystemExit:  # it saw the process end before it was told to end itself
        if not start.has_failed:
            raise
    if start.has_failed:
        raise ModelError(f"the model in {paths.model} cannot be loaded: the lines above say why")


def _end_forked_processes_at_once() -> None:
    """Let SIGTERM end a process that has not loaded its model yet.

    It would inherit the server's handler, and a stop would wait for it; what arrives before it has its own is kept.
    """
    mask, sigterm = signal.pthread_sigmask, {signal.SIGTERM}

    def in_child() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        mask(signal.SIG_UNBLOCK, sigterm)

    os.register_at_fork(
        before=partial(mask, signal.SIG_BLOCK, sigterm),
        after_in_parent=partial(mask, signal.SIG_UNBLOCK, sigterm),
        after_in_child=in_child,
    )


class _Tally:
    """A number that the server and its processes share: the bytes of a file.

    The counters of multiprocessing need semaphores, thus /dev/shm, which AWS Lambda has not; whether a serverless
    endpoint has one is not documented.
    """

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp()  # open as long as the server runs
        Path(name).unlink()

    def add_one(self) -> None:
        os.write(self._file, b".")  # processes that were forked share the place in the file, too

    def count(self) -> int:
        return os.fstat(self._file).st_size


class _Start:
    """What the server's processes tell each other of their start."""

    def __init__(self, workers: int) -> None:
        self._failed, self._loaded = _Tally(), _Tally()
        self._workers = workers
        self._server = os.getpid()

    @property
    def has_failed(self) -> bool:
        return self._failed.count() > 0

    def note_loaded(self) -> None:
        self._loaded.add_one()

    def all_have_loaded(self) -> bool:
        return self._loaded.count() >= self._workers

    def give_up(self) -> None:
        """End the server: a process that cannot load the model would be started again without end."""
        self._failed.add_one()
        os.kill(self._server, signal.SIGTERM)


def _load(model_dir: Path, columns: tuple[Column, ...], task: Task, start: _Start) -> Application:
    """Load the model into one process; a model that cannot be loaded ends the server."""
    try:
        predictor = model.load(model_dir)
    except Exception as error:
        traceback.print_exc()
        reason = f"the model in {model_dir} cannot be loaded: {type(error).__name__}: {error}"
        print(reason, file=sys.stderr, flush=True)  # before the server ends this process, too
        start.give_up()
        sys.exit(1)
    start.note_loaded()
    return Application(predictor, columns, task, ready=start.all_have_loaded)
