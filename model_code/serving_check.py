"""Starts the server as SageMaker does and measures how it starts, what memory it takes and how it recovers.

It listens on the loopback alone, so it can be started in a job whose container can call nobody.
"""

import http.client
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from model_code.artifact import DIGEST_VARIABLE
from model_code.errors import ModelError

METRICS = (
    "serving_start_seconds",
    "serving_recovery_seconds",
    "serving_rest_mib",
    "serving_memory_mib",
    "serving_processes",
)
START_SECONDS = 480
"""SageMaker gives a container 8 minutes until /ping answers (developer guide, "How your container should respond to
health check requests")."""

_ANSWER_SECONDS = 60  # SageMaker's limit
_REQUESTS_OF_EACH_CONNECTION = 200
_PAUSE_SECONDS = 0.01
_PROC = Path("/proc")

Start = Callable[[], "Server"]


class Server:
    """`python -m model_code serve` of a base directory's model, in a session of its own."""

    def __init__(self, base: Path, environment: Mapping[str, str], digest: str) -> None:
        self.port = _free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "model_code", "serve"],
            env={
                **environment,
                "SAGEMAKER_BASE_DIR": str(base),
                "SAGEMAKER_BIND_TO_PORT": str(self.port),
                "SLIPWAY_BIND_ADDRESS": "127.0.0.1",
                DIGEST_VARIABLE: digest,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until /ping says 200.

        Raises:
            ModelError: the server ended before, or SageMaker would not have waited so long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._answers("GET", "/ping"):
            if self._process.poll() is not None:
                raise ModelError(f"the server of this model ended before it was ready: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise ModelError(f"the server of this model was not ready within {START_SECONDS} s")
            time.sleep(_PAUSE_SECONDS)

    def wait_until_it_predicts(self, body: bytes) -> None:
        """Wait until a request gets a good answer.

        Raises:
            ModelError: it got none within a minute.
        """
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not self._answers("POST", "/invocations", body):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise ModelError(
                    f"after one of its processes was killed the server gave no good answer: {self._last_lines()}"
                )
            time.sleep(_PAUSE_SECONDS)

    def predict_all(self, bodies: Sequence[bytes]) -> None:
        """Send requests over one connection, whatever the answers are."""
        with closing(self._connection()) as connection, suppress(OSError, http.client.HTTPException):
            for body in bodies:
                _ask(connection, "POST", "/invocations", body)

    def memory_mib(self) -> float:
        """What all its processes take, memory that they share counted once; NaN where the system does not say."""
        try:
            return sum(map(_proportional_kib, self._processes())) / 1024
        except OSError:
            return math.nan

    def kill_a_worker(self) -> bool:
        """Kill one of the processes that answer requests; False where the system does not tell which they are."""
        workers = self._processes()[1:]
        if workers:
            os.kill(workers[0], signal.SIGKILL)
        return bool(workers)

    def stop(self) -> None:
        """End it and all its processes, none of which has anything left to do."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _processes(self) -> list[int]:
        """The server and, in the order of their start, the processes that it has started."""
        own = self._process.pid
        return [own, *sorted(child for child, parent in _parents() if parent == own)]

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)

    def _answers(self, method: str, path: str, body: bytes | None = None) -> bool:
        with closing(self._connection()) as connection, suppress(OSError, http.client.HTTPException):
            return _ask(connection, method, path, body) == 200
        return False

    def _last_lines(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", errors="replace").split("\n")
        return " / ".join([line.strip() for line in lines if line.strip()][-3:]) or "it said nothing"


def measure(
    base: Path, records: Sequence[Mapping[str, Any]], digest: str, environment: Mapping[str, str]
) -> dict[str, float]:
    """The metrics of the server of a base directory's model.

    Args:
        base: with the unpacked model in `model`, as SageMaker's /opt/ml.
        records: to be sent, one by one and together.
        digest: of the model's files.
        environment: of the server, as the container has it.

    Raises:
        ModelError: the server does not start or does not recover.
    """
    bodies = [orjson.dumps({"instances": [record]}) for record in records]
    bodies.append(orjson.dumps({"instances": list(records)}))
    processes = int(environment.get("SAGEMAKER_MODEL_SERVER_WORKERS", os.cpu_count() or 1))
    started = time.monotonic()
    with _stopped_at_the_end(Server(base, environment, digest)) as server:
        server.wait_until_ready()
        start_seconds = time.monotonic() - started
        rest = server.memory_mib()
        under_load = _memory_under_load(server, bodies, connections=2 * processes)
        killed = time.monotonic()
        recovery_seconds = math.nan
        if server.kill_a_worker():
            server.wait_until_it_predicts(bodies[0])
            recovery_seconds = time.monotonic() - killed
    measured = (start_seconds, recovery_seconds, rest, max(rest, under_load), float(processes))
    return dict(zip(METRICS, measured, strict=True))


@contextmanager
def _stopped_at_the_end(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


def _memory_under_load(server: Server, bodies: Sequence[bytes], connections: int) -> float:
    """The most that it takes while several clients call it at once."""
    many = [bodies[number % len(bodies)] for number in range(_REQUESTS_OF_EACH_CONNECTION)] + [bodies[-1]]
    clients = [threading.Thread(target=server.predict_all, args=(many,), daemon=True) for _ in range(connections)]
    for client in clients:
        client.start()
    most = server.memory_mib()
    while any(client.is_alive() for client in clients):
        most = max(most, server.memory_mib())
        time.sleep(_PAUSE_SECONDS)
    return max(most, server.memory_mib())


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> int:
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _parents() -> Iterator[tuple[int, int]]:
    """Each process with its parent; nothing where there is no /proc."""
    for file in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # "12 (any name) S 1 ...": the name can hold blanks and brackets
            yield int(file.parent.name), int(file.read_text().rpartition(")")[2].split()[1])


def _proportional_kib(process: int) -> int:
    """Memory of a process, with a share of what it has in common with others (PSS)."""
    lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
