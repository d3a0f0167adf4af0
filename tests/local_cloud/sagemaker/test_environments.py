"""The containers of a serverless variant without a cloud around them: who gets which, and when they end."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, call

import pytest
from eventually import eventually
from local_cloud_sagemaker import alive

from local_cloud.processes import Processes
from local_cloud.sagemaker import instances, serverless
from local_cloud.sagemaker.containers import Command
from local_cloud.sagemaker.deployments import VariantPlan
from local_cloud.sagemaker.fleets import ServerlessVariant
from local_cloud.sagemaker.instances import ContainerGoneError, ContainerTimeoutError, Instance
from local_cloud.sagemaker.serverless import IDLE_SECONDS, Environment, Environments, ThrottledError
from local_cloud.sagemaker.traffic import Traffic

SERVER = """
import http.server, os, sys, time
if "HANG" in os.environ:
    time.sleep(60)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        if self.rfile.read(int(self.headers["content-length"])) == b"hang":
            time.sleep(60)
        self.answer(str(os.getpid()).encode())
    def answer(self, body):
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
address = "127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


class OneMachine:
    """Stands for the cloud as far as a variant without a model artifact needs it."""

    def __init__(self) -> None:
        self.processes = Processes()
        self.client = self.logs = MagicMock()

    def background(self, work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    def role_environment(self, role_arn: str, session_name: str) -> dict[str, str]:
        return {}


class Image:
    """Stands for an image with the server."""

    def process(self, arguments: list[str]) -> tuple[list[str], dict[str, str], Path]:
        return [sys.executable, "-c", SERVER], {}, Path.cwd()


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def machine() -> Iterator[OneMachine]:
    machine = OneMachine()
    yield machine
    machine.processes.close(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_instance(machine: OneMachine, folder: Path, **variables: str) -> Instance:
    """A container that has as long to become healthy as it needs, or half a second when it hangs."""

    def command(port: int) -> Command:
        environment = {"SAGEMAKER_BIND_TO_PORT": str(port), **variables}
        return Command([sys.executable, "-c", SERVER], environment, folder)

    seconds = 0.5 if variables else 20.0
    return Instance(machine, command, MagicMock(), "environment", seconds, kept_running=False)  # type: ignore[arg-type]


def make_environments(
    machine: OneMachine, folder: Path, clock: Clock | None = None, maximum: int = 2, **variables: str
) -> Environments:
    make = partial(make_instance, machine, folder, **variables)
    return Environments("A", make, maximum, machine.background, (clock or Clock()).now)


def taken(environments: Environments) -> Environment:
    environment = environments.take()
    assert environment is not None
    return environment


def warm(environments: Environments) -> tuple[Environment, int]:
    """One that is taken and has been called, and its process."""
    environment = taken(environments)
    if environment.cold:
        environment.start()
    return environment, int(environment.invoke(b"x", {}).body)


def test_the_one_used_last_is_used_next_and_one_without_a_call_for_so_long_ends(
    machine: OneMachine, tmp_path: Path, clock: Clock
) -> None:
    environments = make_environments(machine, tmp_path, clock)
    (first, first_pid), (second, second_pid) = warm(environments), warm(environments)
    first.give_back()
    clock.seconds = 1.0
    second.give_back()
    assert taken(environments) is second
    second.give_back()

    clock.seconds = IDLE_SECONDS - 0.1
    environments.end_idle()
    assert (first.ready, second.ready) == (True, True)
    clock.seconds = IDLE_SECONDS
    environments.end_idle()
    eventually(lambda: not alive(first_pid))

    assert alive(second_pid)
    assert taken(environments) is second
    clock.seconds = 10 * IDLE_SECONDS
    environments.end_idle()
    assert second.ready  # a call is under way, however long it takes


def test_more_calls_than_the_maximum_are_throttled_until_one_is_over(machine: OneMachine, tmp_path: Path) -> None:
    environments = make_environments(machine, tmp_path)
    first, second = taken(environments), taken(environments)
    assert (first.utilization, second.utilization) == (0.5, 1.0)
    with pytest.raises(ThrottledError, match="Variant A answers at most 2 calls at once"):
        environments.take()
    first.give_back()
    assert taken(environments) is not first  # it never had a container


def test_a_container_that_died_without_a_call_gets_none(machine: OneMachine, tmp_path: Path) -> None:
    environments = make_environments(machine, tmp_path)
    environment, pid = warm(environments)
    environment.give_back()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not environment.ready)
    assert taken(environments).cold
    assert not machine.processes._running


def test_a_container_that_leaves_a_call_without_an_answer_ends(
    machine: OneMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "ANSWER_SECONDS", 0.3)
    environments = make_environments(machine, tmp_path)
    environment, pid = warm(environments)
    with pytest.raises(ContainerTimeoutError):
        environment.invoke(b"hang", {})
    environment.give_back()
    eventually(lambda: not alive(pid))
    assert taken(environments).cold


def test_one_that_is_not_healthy_in_time_fails_its_call_and_makes_room(machine: OneMachine, tmp_path: Path) -> None:
    environments = make_environments(machine, tmp_path, maximum=1, HANG="1")
    environment = taken(environments)
    with pytest.raises(ContainerTimeoutError):
        environment.start()
    environment.give_back()
    assert taken(environments).cold
    assert not machine.processes._running


def test_one_that_is_stopped_while_it_starts_is_gone(machine: OneMachine, tmp_path: Path) -> None:
    environments = make_environments(machine, tmp_path, HANG="1")
    environment = taken(environments)
    with ThreadPoolExecutor(1) as caller:
        start = caller.submit(environment.start)
        eventually(lambda: machine.processes._running)
        for left in environments.close():
            left.stop()
        with pytest.raises(ContainerGoneError):
            start.result()
    assert not machine.processes._running
    assert environments.take() is None


def test_one_that_is_stopped_before_it_has_a_container_starts_none(machine: OneMachine, tmp_path: Path) -> None:
    def make() -> Instance:
        environment.stop()
        return make_instance(machine, tmp_path)

    environment = Environment(make, MagicMock())
    with pytest.raises(ContainerGoneError):
        environment.start()
    assert not machine.processes._running


def test_draining_waits_for_the_calls_under_way(machine: OneMachine, tmp_path: Path) -> None:
    environments = make_environments(machine, tmp_path)
    environment = taken(environments)
    with ThreadPoolExecutor(1) as other:
        drained = other.submit(environments.drain)
        with pytest.raises(TimeoutError):
            drained.result(0.2)
        environment.give_back()
        drained.result(5)


def test_a_variant_runs_a_container_once_ends_those_that_are_idle_and_starts_none_again(
    machine: OneMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serverless, "IDLE_SECONDS", 0.2)
    plan: dict[str, Any] = {
        "name": "A", "weight": 1.0, "instance_count": 0, "image": "i", "resolved_image": "i",
        "resolved_at": datetime.now(UTC), "environment": {}, "artifact_uri": None, "artifact_is_prefix": False,
        "role_arn": "r", "isolated": False, "health_timeout_seconds": 20.0,
        "serverless": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }  # fmt: skip
    images = MagicMock()
    images.pull.return_value = Image()
    variant = ServerlessVariant(machine, images, "endpoint", VariantPlan(**plan), tmp_path)  # type: ignore[arg-type]
    variant.start()
    assert images.pull.call_count == 1
    assert not machine.processes._running

    environment, pid = warm(variant.environments)
    environment.give_back()
    eventually(lambda: not alive(pid))

    environment, pid = warm(variant.environments)
    os.kill(pid, signal.SIGKILL)
    lines = machine.logs.return_value.write.call_args_list
    eventually(lambda: call("The container ended with signal 9.") in lines)  # and it is not started again
    variant.stop()


def test_a_variant_without_calls_has_nothing_to_tell() -> None:
    fleet: Any = SimpleNamespace(serverless=True, variants={"A": None}, shadows={})
    assert Traffic("endpoint", fleet).idle_variants() == []
