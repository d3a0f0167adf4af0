"""One instance of an endpoint's variant: a server process, started again when it dies, called over kept connections."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from local_cloud.cloud import Cloud
from local_cloud.processes import Process
from local_cloud.sagemaker.container_logs import ContainerLog
from local_cloud.sagemaker.containers import Command, cloud_answers
from local_cloud.strays import end_strays

PING_SECONDS = 2.0
ACCEPT_SECONDS = 0.25
ANSWER_SECONDS = 60.0
GRACE_SECONDS = 30.0
"""SageMaker's limits: answer /ping, accept a connection, answer /invocations, end after SIGTERM."""

_LONGEST_PAUSE_SECONDS = 0.25
_LONGEST_RESTART_SECONDS = 10.0
_CONNECTIONS = 128


class UnhealthyError(Exception):
    """The container did not answer /ping with 200 in time, or ended before it did."""


class PingTimeoutError(UnhealthyError):
    """The container runs, and did not answer /ping with 200 in time."""


class CutOffError(Exception):
    """The cloud itself is being stopped; what happens to its containers says nothing about them."""


class ContainerGoneError(Exception):
    """The container ended, or closed the connection, before it had answered."""


class ContainerTimeoutError(Exception):
    """The container did not answer in time."""


@dataclass(frozen=True)
class ContainerAnswer:
    """What a container answers to an invocation."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Instance:
    """A server process with the serving contract.

    Args:
        command: the process for a port.
        log: where its lines go; closed when the instance is stopped.
        health_timeout_seconds: how long it may take until it answers /ping with 200.
        kept_running: it is started again when it ends.
    """

    def __init__(
        self, cloud: Cloud, command: Callable[[int], Command], log: ContainerLog, name: str,
        health_timeout_seconds: float, *, kept_running: bool = True,
    ) -> None:  # fmt: skip
        self._cloud = cloud
        self._command = command
        self._log = log
        self._name = name
        self._health_timeout_seconds = health_timeout_seconds
        self._kept_running = kept_running
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._process: Process | None = None
        self._mark = ""
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._calls = 0
        self._idle = threading.Condition()
        self.ready = False

    def start(self) -> None:
        """Start the process, wait until it is healthy, and watch over it from then on.

        Raises:
            UnhealthyError: it does not become healthy; nothing is left running.
            CutOffError: the cloud is being stopped.
        """
        self._launch()
        try:
            self._wait_until_healthy()
        except Exception:
            self.stop()
            raise
        self.ready = True
        self._cloud.background(self._watch, self._name)

    def take(self) -> bool:
        """Take the instance for one call, after which it is given back; False when it is not ready."""
        with self._idle:
            self._calls += self.ready
            return self.ready

    def give_back(self) -> None:
        with self._idle:
            self._calls -= 1
            self._idle.notify_all()

    def drain(self) -> None:
        """Wait for the answers to all calls under way; nobody may take the instance any more."""
        with self._idle:
            self._idle.wait_for(lambda: self._calls == 0, ACCEPT_SECONDS + ANSWER_SECONDS)

    def stop(self) -> None:
        """SIGTERM, 30 seconds, SIGKILL; may be called at any time, and more than once."""
        self.ready = False
        with self._lock:
            self._stopped.set()
            process, pool = self._process, self._pool
        if process is not None:
            if process.running():
                process.stop(GRACE_SECONDS)
            end_strays(self._mark)
        if pool is not None:
            pool.close()
        self._log.close()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ContainerAnswer:
        """POST /invocations.

        Raises:
            ContainerGoneError, ContainerTimeoutError: there is no answer.
        """
        assert self._pool is not None
        try:
            answer = self._pool.urlopen(
                "POST", "/invocations", body=body, headers=headers, retries=False, redirect=False, decode_content=False,
                timeout=urllib3.Timeout(connect=ACCEPT_SECONDS, read=ANSWER_SECONDS),
            )  # fmt: skip
        except ReadTimeoutError as error:
            raise ContainerTimeoutError(str(error)) from error
        except (HTTPError, OSError) as error:
            raise ContainerGoneError(str(error)) from error
        return ContainerAnswer(answer.status, answer.headers, answer.data)

    def _launch(self) -> None:
        port = _free_port()
        command = self._command(port)
        with self._lock:
            if self._stopped.is_set():
                raise UnhealthyError("it was stopped")
            try:
                self._process = self._cloud.processes.start(
                    command.words,
                    cwd=command.cwd,
                    environment=command.environment,
                    output=self._log.write,
                    name=self._name,
                    mark=command.mark,
                )
            except OSError as error:
                raise UnhealthyError(str(error)) from error
            self._mark = command.mark
            if self._pool is not None:
                self._pool.close()
            self._pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=_CONNECTIONS)

    def _wait_until_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._health_timeout_seconds
        pause = 0.01
        while not self._healthy():
            if not self._process.running():
                self._raise_ended(self._process.wait())
            if time.monotonic() > deadline:
                reason = f"it did not answer /ping with 200 within {self._health_timeout_seconds:g} seconds"
                raise self._logged(PingTimeoutError(reason))
            if self._stopped.wait(pause):
                raise UnhealthyError("it was stopped")
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _healthy(self) -> bool:
        assert self._pool is not None
        try:
            return self._pool.urlopen("GET", "/ping", timeout=PING_SECONDS, retries=False, redirect=False).status == 200
        except (HTTPError, OSError):
            return False

    def _raise_ended(self, code: int) -> None:
        if not cloud_answers(self._cloud):
            raise CutOffError
        raise self._logged(UnhealthyError(f"it ended with {_end(code)} before it answered /ping with 200"))

    def _logged(self, error: UnhealthyError) -> UnhealthyError:
        self._log.write(f"The container is not healthy: {error}.")
        return error

    def _watch(self) -> None:
        pause = 0.0
        while True:
            assert self._process is not None
            started = time.monotonic()
            code = self._process.wait()
            self.ready = False
            end_strays(self._mark)
            if self._stopped.is_set() or not cloud_answers(self._cloud):
                return
            if not self._kept_running:
                self._log.write(f"The container ended with {_end(code)}.")
                return
            lived = time.monotonic() - started
            pause = 0.0 if lived > _LONGEST_RESTART_SECONDS else min(max(0.1, pause * 2), _LONGEST_RESTART_SECONDS)
            self._log.write(f"The container ended with {_end(code)}; it is started again.")
            if self._stopped.wait(pause):
                return
            self.ready = self._restart()

    def _restart(self) -> bool:
        try:
            self._launch()
            self._wait_until_healthy()
        except (UnhealthyError, CutOffError):
            if self._process is not None and self._process.running():
                self._process.stop(GRACE_SECONDS)
            return False
        return True


def new_instance_id() -> str:
    """An instance id as EC2 makes them, for the name of the log stream."""
    return f"i-{secrets.token_hex(9)[:17]}"


def _end(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
