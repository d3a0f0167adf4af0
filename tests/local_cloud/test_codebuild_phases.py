"""Phase transitions, and builds that are over before they are done; without a server."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.codebuild.buildspec import OnFailure
from local_cloud.codebuild.interruption import Interruption
from local_cloud.codebuild.phases import next_phase
from local_cloud.codebuild.report_groups import ReportGroups
from local_cloud.codebuild.run import BuildRun
from local_cloud.processes import Processes
from local_cloud.store import Store, Table
from local_cloud.wire import ServiceError


@pytest.mark.parametrize(
    ("phase", "succeeded", "on_failure", "expected"),
    [
        ("DOWNLOAD_SOURCE", True, None, "INSTALL"),
        ("DOWNLOAD_SOURCE", False, None, "FINALIZING"),
        ("INSTALL", True, None, "PRE_BUILD"),
        ("INSTALL", False, None, "FINALIZING"),
        ("INSTALL", False, "CONTINUE", "PRE_BUILD"),
        ("PRE_BUILD", False, None, "FINALIZING"),
        ("PRE_BUILD", False, "CONTINUE", "BUILD"),
        ("BUILD", True, "ABORT", "POST_BUILD"),
        ("BUILD", False, None, "POST_BUILD"),
        ("BUILD", False, "CONTINUE", "POST_BUILD"),
        ("BUILD", False, "ABORT", "FINALIZING"),
        ("POST_BUILD", True, None, "UPLOAD_ARTIFACTS"),
        ("POST_BUILD", False, None, "UPLOAD_ARTIFACTS"),
        ("POST_BUILD", False, "ABORT", "FINALIZING"),
    ],
)
def test_each_phase_has_its_follower(phase: str, succeeded: bool, on_failure: OnFailure | None, expected: str) -> None:
    assert next_phase(phase, succeeded=succeeded, on_failure=on_failure) == expected


class Log:
    """A log stream that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.lines.append("closed")


class Bench:
    """A build without a server: real shell and store, and a clock that the test turns."""

    def __init__(self, directory: Path) -> None:
        self.log = Log()
        self.now = 0.0
        self.directory = directory
        self.store = Store(directory / "state.db")
        self.processes = Processes()
        self.cloud: Any = SimpleNamespace(
            state_dir=directory, store=self.store, processes=self.processes, region="us-east-1", account_id="0" * 12,
            logs=lambda group, stream, role_arn: self.log, client=lambda service, role_arn=None: None,
            role_environment=lambda role_arn, name: {}, on_behalf_of=lambda source_arn: self.cloud,
        )  # fmt: skip
        self.toolchain: Any = SimpleNamespace(
            take_python=lambda: Path("python"), return_python=lambda path: None, forget_bytecode=lambda directory: None,
            runtimes=dict, secrets=list,
            environment=lambda python, home, privileged: {"PATH": "/usr/bin:/bin", "HOME": str(home)},
        )  # fmt: skip

    @property
    def table(self) -> Table:
        return self.store.table("builds")

    def run(self, buildspec: str, seconds: float = 60.0) -> dict[str, Any]:
        build_id = f"bench:{uuid.uuid4()}"
        self.table.put(build_id, {
            "id": build_id, "arn": build_id, "projectName": "bench", "buildNumber": 1, "initiator": "test",
            "startTime": datetime.now(UTC), "phases": [], "serviceRole": "role", "encryptionKey": "key",
            "source": {"type": "NO_SOURCE", "buildspec": buildspec}, "secondarySources": [],
            "secondarySourceVersions": [], "artifacts": {"type": "NO_ARTIFACTS"}, "secondaryArtifacts": [],
            "environment": {"image": "image"},
            "logs": {"groupName": "g", "streamName": "s", "cloudWatchLogs": {"status": "ENABLED"}},
        })  # fmt: skip
        interruption = Interruption(seconds, lambda: self.now)
        BuildRun(self.cloud, self.table, build_id, self.toolchain, ReportGroups(self.cloud), interruption).run()
        build = self.table.get(build_id)
        assert build is not None
        return build

    def phases(self, build: dict[str, Any]) -> dict[str, str]:
        return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.processes.close(1.0)
    made.store.close()


def _once(path: Path, action: Callable[[], None]) -> threading.Thread:
    """Do something as soon as a file is there."""

    def wait() -> None:
        while not path.exists():
            threading.Event().wait(0.01)
        action()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_build_whose_time_is_over_is_ended_with_all_its_processes(bench: Bench, tmp_path: Path) -> None:
    started = tmp_path / "started"

    def turn_the_clock() -> None:
        bench.now = 61.0

    _once(started, turn_the_clock)
    spec = "version: 0.2\nphases:\n  build:\n    commands:\n"
    spec += f"    - touch {started}; sleep 300\n  post_build:\n    commands:\n    - echo never\n"
    build = bench.run(spec, seconds=60.0)
    assert (build["buildStatus"], build["buildComplete"]) == ("TIMED_OUT", True)
    phases = bench.phases(build)
    assert (phases["BUILD"], phases["FINALIZING"], "POST_BUILD" in phases) == ("TIMED_OUT", "SUCCEEDED", False)
    (context,) = build["phases"][-3]["contexts"]
    assert context == {"statusCode": "BUILD_TIMED_OUT", "message": "Build has timed out. "}
    assert "Running command echo never" not in "\n".join(bench.log.lines)


def test_a_role_that_cannot_be_assumed_fails_the_provisioning(bench: Bench) -> None:
    def refuse(role_arn: str, name: str) -> dict[str, str]:
        raise ServiceError("AccessDenied", "not you")

    bench.cloud.role_environment = refuse
    build = bench.run("version: 0.2\nphases:\n  build:\n    commands: [echo]\n")
    assert build["buildStatus"] == "FAILED"
    assert bench.phases(build)["PROVISIONING"] == "FAILED"
    assert "not authorized to perform: sts:AssumeRole on role" in build["phases"][0]["contexts"][0]["message"]


def test_a_fault_of_the_local_cloud_ends_the_build_and_says_so(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def break_down() -> Path:
        raise RuntimeError("no space left")

    bench.toolchain.take_python = break_down
    build = bench.run("version: 0.2\nphases:\n  build:\n    commands: [echo]\n")
    assert (build["buildStatus"], build["currentPhase"]) == ("FAULT", "COMPLETED")
    assert "no space left" in build["phases"][0]["contexts"][0]["message"]
    assert "no space left" in caplog.text
    assert bench.log.lines[-1] == "closed"


def test_a_command_that_ignores_the_signal_is_killed_after_its_grace(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_cloud.codebuild.run._STOP_GRACE_SECONDS", 0.3)
    started = tmp_path / "started"

    def turn_the_clock() -> None:
        bench.now = 61.0

    _once(started, turn_the_clock)
    stubborn = f"trap '' TERM; setsid sleep 300 & touch {started}; while true; do sleep 0.05; done"
    build = bench.run(f'version: 0.2\nphases:\n  build:\n    commands:\n    - "{stubborn}"\n')
    assert build["buildStatus"] == "TIMED_OUT"
