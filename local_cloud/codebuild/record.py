"""What is known of a build, stored as it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.failures import PhaseError
from local_cloud.codebuild.interruption import BuildStoppedError, BuildTimedOutError
from local_cloud.store import Table

_SILENT_PHASES = ("SUBMITTED", "QUEUED", "PROVISIONING", "FINALIZING", "COMPLETED")


class Phase:
    """The running phase; a message can be noted for its context though it succeeds."""

    def __init__(self) -> None:
        self.message = ""


class BuildRecord:
    """The stored Build document of one build."""

    def __init__(self, table: Table, build_id: str, log: ContainerLog) -> None:
        self._table = table
        self._id = build_id
        self._log = log

    def update(self, **members: Any) -> None:
        with self._table.change(self._id) as build:
            build.update(members)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Record a phase from its beginning to its end; what is raised inside is raised on, recorded as its failure."""
        self._begin(name)
        phase = Phase()
        try:
            yield phase
        except PhaseError as error:
            self._end(name, "FAILED", error.code, error.message)
            raise
        except BuildTimedOutError:
            self._end(name, "TIMED_OUT", "BUILD_TIMED_OUT", "Build has timed out. ")
            raise
        except BuildStoppedError:
            self._end(name, "STOPPED", "", "")
            raise
        except Exception as error:
            self._end(name, "FAULT", "INTERNAL_SERVICE_ERROR", f"The local cloud failed: {error!r}")
            raise
        self._end(name, "SUCCEEDED", "", phase.message)

    def complete(self, status: str) -> None:
        """The last entry: the build has ended with this status."""
        now = datetime.now(UTC)
        with self._table.change(self._id) as build:
            build["phases"].append({"phaseType": "COMPLETED", "startTime": now})
            build.update(currentPhase="COMPLETED", buildStatus=status, buildComplete=True, endTime=now)

    def _begin(self, name: str) -> None:
        with self._table.change(self._id) as build:
            build["phases"].append({"phaseType": name, "startTime": datetime.now(UTC)})
            build["currentPhase"] = name

    def _end(self, name: str, status: str, code: str, message: str) -> None:
        message = self._log.masked(message)
        with self._table.change(self._id) as build:
            close_phase(build["phases"][-1], status, code, message)
        if name not in _SILENT_PHASES:
            self._log.say(f"Phase complete: {name} State: {status}")
            self._log.say(f"Phase context status code: {code} Message: {message}")


def close_phase(phase: dict[str, Any], status: str, code: str, message: str) -> None:
    """Write the end into a BuildPhase."""
    now = datetime.now(UTC)
    phase.update(
        phaseStatus=status, endTime=now, durationInSeconds=round((now - phase["startTime"]).total_seconds()),
        contexts=[{"statusCode": code, "message": message}],
    )  # fmt: skip
