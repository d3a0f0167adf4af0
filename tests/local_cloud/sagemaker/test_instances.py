"""An instance's health: what the API's shortest time-out (a minute) is too long for."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from local_cloud_sagemaker import alive

from local_cloud.processes import Processes
from local_cloud.sagemaker import instances
from local_cloud.sagemaker.containers import Command
from local_cloud.sagemaker.instances import ContainerTimeoutError, Instance, UnhealthyError

SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep({ping_seconds})
        self.send_response({ping_status}); self.send_header("content-length", "0"); self.end_headers()
    def do_POST(self):
        time.sleep(30)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class OneMachine:
    """Stands for the cloud as far as an instance needs it."""

    def __init__(self) -> None:
        self.processes = Processes()
        self.client = MagicMock()

    def background(self, work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()


@pytest.fixture
def machine() -> Iterator[OneMachine]:
    machine = OneMachine()
    yield machine
    machine.processes.close(0)


def make_instance(machine: OneMachine, tmp_path: Path, health_timeout_seconds: float = 1.0, **how: Any) -> Instance:
    program = SERVER.format(**{"ping_seconds": 0, "ping_status": 200} | how)

    def command(port: int) -> Command:
        return Command([sys.executable, "-c", program, str(port)], {}, tmp_path)

    return Instance(machine, command, MagicMock(), "instance", health_timeout_seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [{"ping_seconds": 60}, {"ping_status": 503}], ids=["hangs", "stays unavailable"])
def test_a_container_that_does_not_become_healthy_in_time_is_given_up(
    machine: OneMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, int]
) -> None:
    monkeypatch.setattr(instances, "PING_SECONDS", 0.2)
    instance = make_instance(machine, tmp_path, **how)
    start = time.monotonic()
    with pytest.raises(UnhealthyError, match="did not answer /ping with 200 within 1 seconds"):
        instance.start()
    assert 1 <= time.monotonic() - start < 5
    assert not instance.ready
    assert not machine.processes._running


def test_an_invocation_that_takes_too_long_is_given_up(
    machine: OneMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "ANSWER_SECONDS", 0.3)
    instance = make_instance(machine, tmp_path, health_timeout_seconds=10)
    instance.start()
    with pytest.raises(ContainerTimeoutError):
        instance.invoke(b"x", {})
    instance.stop()


def test_a_stopped_instance_stays_stopped(machine: OneMachine, tmp_path: Path) -> None:
    instance = make_instance(machine, tmp_path, health_timeout_seconds=10)
    instance.start()
    (pid,) = machine.processes._running
    instance.stop()
    assert not alive(pid)
    assert not machine.processes._running
