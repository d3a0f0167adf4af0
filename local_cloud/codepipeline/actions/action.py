"""What an action provider is and is given: the seam between the engine and the providers."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.cloud import Cloud
from local_cloud.codepipeline.records import Approval, Artifact, Revision, now
from local_cloud.wire import ServiceError

_POLL_SHARE = 0.02  # of the time that has passed: so much longer, at most, does polling make an action
_SHORTEST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 2.0


class ActionFailedError(Exception):
    """The action has failed; `code` and `message` become its error details.

    Codes are CodePipeline's: JobFailed, ConfigurationError, PermissionError, RevisionUnavailable.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ActionEndedError(Exception):
    """The engine has ended the action from outside: stop what it has started and leave."""


@dataclass(frozen=True)
class Outcome:
    """What a successful action leaves behind."""

    summary: str | None = None
    output_variables: Mapping[str, str] = field(default_factory=dict)
    revision: Revision | None = None


@dataclass(frozen=True)
class ActionRun:
    """One run of an action, as its provider sees it.

    After a restart of the server a run that was in progress is given to its provider again, with
    `external_execution_id` as last reported.
    """

    cloud: Cloud
    pipeline: str
    stage: str
    name: str
    id: str
    configuration: Mapping[str, str]
    role_arn: str
    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    encryption_key: str | None
    """The KMS key of the artifact store."""
    commit_id: str | None
    """The commit that a source action must deliver; None takes the branch's newest."""
    commit_ids: Mapping[str, str]
    """Artifact name -> commit, of the artifacts that source actions have delivered."""
    token: str | None
    external_execution_id: str | None
    resumed: bool
    deadline: datetime | None
    approval: Callable[[], Approval | None]
    report: Callable[..., None]
    """Store what is known of the run; takes fields of ActionExecution by name."""
    wake: threading.Event
    """Set when the action is ended from outside and when it is approved or rejected."""
    ended: Callable[[], bool]

    def client(self, service: str) -> Any:
        """A boto3 client with the action's role.

        Raises:
            ActionFailedError: CodePipeline cannot assume the role.
        """
        try:
            return self.cloud.client(service, self.role_arn)
        except ServiceError as error:
            message = f"AWS CodePipeline is not authorized to perform AssumeRole on role {self.role_arn}"
            raise ActionFailedError("PermissionError", message) from error

    def pause(self, seconds: float) -> None:
        """Wait that long, or less when something happens to the action.

        Raises:
            ActionEndedError: the action was abandoned, or its pipeline is gone.
            ActionFailedError: its time is over.
        """
        if self.deadline is not None:
            seconds = min(seconds, (self.deadline - now()).total_seconds())
        self.wake.wait(max(0.0, seconds))
        self.wake.clear()
        if self.ended():
            raise ActionEndedError
        if self.deadline is not None and now() >= self.deadline:
            raise ActionFailedError("JobFailed", f"The action {self.name} has timed out.")

    def poll(self, read: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """Read again and again until `read` gives an answer; what takes long is asked for less often.

        Raises:
            ActionEndedError, ActionFailedError: see `pause`.
        """
        begin = time.monotonic()
        while (answer := read()) is None:
            seconds = _POLL_SHARE * (time.monotonic() - begin)
            self.pause(min(max(seconds, _SHORTEST_POLL_SECONDS), _LONGEST_POLL_SECONDS))
        return answer


class Perform(Protocol):
    """Performs an action to its end; blocks as long as that takes."""

    def __call__(self, run: ActionRun) -> Outcome:
        """
        Raises:
            ActionFailedError, ActionEndedError, botocore's errors.
        """


@dataclass(frozen=True)
class Place:
    """Where console links lead."""

    region: str
    account_id: str

    def console(self, service: str, path: str) -> str:
        return f"https://{self.region}.console.aws.amazon.com/{service}/{path}"


@dataclass(frozen=True)
class ActionType:
    """A provider: which actions it takes and how it performs them."""

    provider: str
    categories: tuple[str, ...]
    required: frozenset[str]
    optional: frozenset[str]
    inputs: range
    """Allowed numbers of input artifacts."""
    outputs: range
    perform: Perform
    faults: Callable[[Mapping[str, str]], list[str]] = lambda configuration: []
    """What else is wrong with a configuration; it may hold unresolved variables."""
    entity_url: Callable[[Mapping[str, str], Place], str | None] = lambda configuration, place: None
    """The console page of what the action works on."""


def as_failure(error: ClientError | BotoCoreError) -> ActionFailedError:
    """An AWS error that a provider does not handle itself, as the action's failure."""
    if not isinstance(error, ClientError):
        return ActionFailedError("JobFailed", str(error))
    code = error.response["Error"].get("Code", "")
    kind = "PermissionError" if "AccessDenied" in code or "Unauthorized" in code else "ConfigurationError"
    return ActionFailedError(kind, str(error))
