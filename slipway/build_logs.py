"""Read CloudWatch log streams: the last lines, and what is new since the last look."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from slipway.errors import PipelineError

WITH_LOG = ("CodeBuild", "CloudFormation")
"""Providers whose actions `slipway logs` can print something of."""

_FAILED_MARK = "slipway: FAILED "
_TAIL = 200


@dataclass(frozen=True)
class LogPlace:
    """A log stream."""

    group: str
    stream: str


class LogFollower:
    """Gives the lines of a log stream once each.

    Args:
        client: boto3's `logs` client.
        place: the stream; it need not exist yet.
        tail: begin with the last so many lines; None begins with the first line.
    """

    def __init__(self, client: Any, place: LogPlace, tail: int | None = None) -> None:
        self._client = client
        self._place = place
        self._tail = tail
        self._token: str | None = None

    def new_lines(self) -> list[str]:
        """The lines since the last call; empty when there are none, or no such stream yet."""
        return [message for _, message in self.new_events()]

    def new_events(self) -> list[tuple[int, str]]:
        """As `new_lines`, each with its time in milliseconds since 1970."""
        events: list[tuple[int, str]] = []
        while True:
            answer = self._ask()
            if answer is None:
                return events
            events += [(event["timestamp"], event["message"].rstrip("\n")) for event in answer["events"]]
            if answer["nextForwardToken"] == self._token:
                return events
            self._token = answer["nextForwardToken"]

    def _ask(self) -> dict[str, Any] | None:
        request: dict[str, Any] = {"logGroupName": self._place.group, "logStreamName": self._place.stream}
        if self._token is not None:
            request |= {"nextToken": self._token, "startFromHead": True}
        elif self._tail is not None:
            request |= {"startFromHead": False, "limit": self._tail}
        else:
            request |= {"startFromHead": True}
        try:
            answer: dict[str, Any] = self._client.get_log_events(**request)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return answer


def build_log(codebuild: Any, build_id: str) -> LogPlace | None:
    """The log stream of a build; None before it has one."""
    builds = codebuild.batch_get_builds(ids=[build_id])["builds"]
    logs = builds[0].get("logs", {}) if builds else {}
    if not logs.get("groupName") or not logs.get("streamName"):
        return None
    return LogPlace(logs["groupName"], logs["streamName"])


def endpoint_logs(logs: Any, endpoint: str, newest: int = 4) -> list[LogPlace]:
    """The log streams of an endpoint's containers that were written to last.

    Raises:
        PipelineError: the endpoint has not written anything.
    """
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=newest)[
            "logStreams"
        ]
    except logs.exceptions.ResourceNotFoundException as error:
        raise PipelineError(f"there is no log group {group}: the endpoint has not run", "slipway status") from error
    return [LogPlace(group, stream["logStreamName"]) for stream in streams]


def failure_line(lines: Iterable[str]) -> str | None:
    """The reason in the last `slipway: FAILED ...` line of a step's log; None when there is none."""
    reasons = [line.partition(_FAILED_MARK)[2].strip() for line in lines if _FAILED_MARK in line]
    return reasons[-1] if reasons else None


def last_words(lines: Iterable[str]) -> str | None:
    """The last line that a build's commands wrote; None when they wrote nothing."""
    said = [line.strip() for line in without_container_lines(lines) if line.strip()]
    return said[-1] if said else None


def end_of_log(logs: Any, place: LogPlace) -> list[str]:
    """The last lines of a log stream."""
    return LogFollower(logs, place, tail=_TAIL).new_lines()


def without_container_lines(lines: Iterable[str]) -> Iterator[str]:
    """A build's output without CodeBuild's own remarks."""
    return (line for line in lines if not line.startswith("[Container] "))
