"""Follow an execution until it ends or waits for a person: stages, actions and the running build's log."""

import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from botocore.exceptions import ClientError
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from slipway.build_logs import WITH_LOG, LogFollower, build_log, without_container_lines
from slipway.errors import PipelineError
from slipway.executions import IN_PROGRESS, NOT_STARTED, Action, Approval, Execution, ExecutionSummary, now
from slipway.failures import explained
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.rendering import duration, execution_view
from slipway.target import Target

LogLine = tuple[str, str]
"""The action's path, and a line of its log."""

PUSH_SECONDS = 30.0
_DECISION_SECONDS = 30.0
_FIRST_LINES = 50
_LIVE_LOG_LINES = 14


class View(Protocol):
    """Where an execution is shown while it runs; it is entered for each time that something is followed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, execution: Execution, lines: Sequence[LogLine]) -> None:
        """Called at every look; `lines` are those since the last one."""


class LiveView:
    """On a terminal: the table, and the end of the log below it, redrawn in place."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._log: deque[LogLine] = deque(maxlen=_LIVE_LOG_LINES)
        self._live: Live
        self._execution: Execution | None = None

    def __enter__(self) -> Self:
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._execution is not None:  # the log has done its service
            self._live.update(execution_view(self._execution, self._name, now()), refresh=True)
        self._live.stop()

    def show(self, execution: Execution, lines: Sequence[LogLine]) -> None:
        self._execution = execution
        self._log.extend(lines)
        room = max(self._console.height - len(execution.actions) - 8, 3)
        width = self._console.width
        shown = [Text(f"{path.partition('/')[2]}  {line}", "dim") for path, line in list(self._log)[-room:]]
        for text in shown:
            text.truncate(width, overflow="ellipsis")
        view = execution_view(execution, self._name, now())
        self._live.update(Group(view, *shown) if execution.running_actions else view, refresh=True)


class PlainView:
    """Where there is no terminal: a line for every change and for every line of the log."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._statuses: dict[str, str] = {}
        self._queued: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, execution: Execution, lines: Sequence[LogLine]) -> None:
        if not self._statuses:
            commit = f"  commit {execution.commit[:8]}" if execution.commit else ""
            self._say(f"{self._name}  execution {execution.id[:8]}{commit}")
        if execution.queued_before and execution.queued_before != self._queued:
            self._say(f"queued: waits to enter {execution.queued_before}")
        self._queued = execution.queued_before
        for path, message in lines:
            for line in message.splitlines():  # one message may have several, and each is the action's
                self._console.print(Text(f"  {path.partition('/')[2]} | {line}"), soft_wrap=True)
        for action in execution.actions:
            if action.status != self._statuses.get(action.path, NOT_STARTED):
                self._say(_told(action))
            self._statuses[action.path] = action.status

    def _say(self, text: str) -> None:
        self._console.print(Text(f"{now().astimezone():%H:%M:%S}  {text}"), soft_wrap=True)


def view_for(console: Console, name: str) -> View:
    """The live view on a terminal, plain lines elsewhere."""
    return LiveView(console, name) if console.is_terminal else PlainView(console, name)


class RunningLogs:
    """The new lines of the builds that run."""

    def __init__(self, target: Target) -> None:
        self._codebuild = target.client("codebuild")
        self._logs = target.client("logs")
        self._followers: dict[str, LogFollower] = {}

    def new_lines(self, execution: Execution) -> list[LogLine]:
        """What the builds have written since the last call; of one that has just ended, the rest."""
        lines: list[LogLine] = []
        for action in execution.actions:
            runs = action.status == IN_PROGRESS
            follower = self._follower(action) if runs else self._followers.pop(action.external_id or "", None)
            if follower is not None:
                lines += [(action.path, line) for line in without_container_lines(follower.new_lines())]
        return lines

    def _follower(self, action: Action) -> LogFollower | None:
        build_id = action.external_id
        if action.provider != "CodeBuild" or build_id is None:
            return None
        if build_id not in self._followers:
            place = build_log(self._codebuild, build_id)
            if place is None:
                return None
            self._followers[build_id] = LogFollower(self._logs, place, tail=_FIRST_LINES)
        return self._followers[build_id]


def follow(
    target: Target, pipeline: Pipeline, execution_id: str, view: View, *, decided: str | None = None
) -> Execution:
    """Show an execution until it ends, waits for an approval, or is held up by an older one that does.

    Args:
        view: entered by the caller.
        decided: the token of an approval that has just been decided: to see it still waiting means nothing.
    """
    logs = RunningLogs(target)
    while True:
        execution = explained(target, pipeline.read(execution_id))
        view.show(execution, logs.new_lines(execution))
        waits = execution.approval is not None and execution.approval.token != decided
        if execution.ended or waits or execution.held_by is not None:
            return execution
        time.sleep(target.poll_seconds)


def wait_until_taken(target: Target, pipeline: Pipeline, approval: Approval) -> None:
    """Wait until a decision shows: for a moment the approval still looks as if nobody had decided."""
    deadline = time.monotonic() + _DECISION_SECONDS
    while time.monotonic() < deadline:
        execution = pipeline.waiting()
        if execution is None or execution.approval is None or execution.approval.token != approval.token:
            return
        time.sleep(target.poll_seconds)


def refuse_unfinished(execution: Execution) -> None:
    """Raise PipelineError when an execution neither succeeded nor waits for an approval."""
    if execution.held_by is not None:
        raise PipelineError(
            f"execution {execution.id[:8]} waits behind {execution.held_by[:8]}, which waits for an approval",
            "slipway approve, or slipway reject --reason ...; then this again",
        )
    if execution.ended and execution.status != "Succeeded":
        reasons = "; ".join(
            f"{action.path}: {action.reason or 'no reason is known'}" for action in execution.failed_actions
        )
        raise PipelineError(
            f"execution {execution.id[:8]} {execution.status.lower()}{f' in {reasons}' if reasons else ''}",
            after_failure(execution),
        )


def after_failure(execution: Execution) -> str:
    """What to type when an execution has failed."""
    failed = next(iter(execution.failed_actions), None)
    if failed is None:
        return "slipway status"
    if failed.provider in WITH_LOG:
        return f"slipway logs {failed.path} --execution {execution.id[:8]}"
    branch = next((action.configuration["BranchName"] for action in execution.actions if _is_source(action)), None)
    return "git push slipway" if branch is None else f"git push slipway HEAD:{branch}"


def newest_execution(target: Target, pipeline: Pipeline, project: Project, seconds: float = PUSH_SECONDS) -> str:
    """The newest execution; when the branch has a commit that no execution has taken up, waits for the one that will.

    Raises:
        PipelineError: nothing was pushed, or nothing started within `seconds`.
    """
    head = branch_head(target, project)
    deadline = time.monotonic() + seconds
    while True:
        recent = pipeline.recent()
        if recent and not _expects_another(recent, head):
            return recent[0].id
        if head is None:
            raise PipelineError(
                f"the pipeline {project.name} has not run yet, and nothing is on its branch {project.branch}",
                f"git push slipway HEAD:{project.branch}",
            )
        if time.monotonic() > deadline:
            if recent:
                return recent[0].id
            raise PipelineError(
                f"commit {head[:8]} is on {project.branch}, but no execution started within {seconds:.0f} s",
                f"git push slipway HEAD:{project.branch}, with a new commit",
            )
        time.sleep(target.poll_seconds)


def branch_head(target: Target, project: Project) -> str | None:
    """The commit that the pipeline's branch points to; None when nothing was pushed to it."""
    try:
        answer = target.client("codecommit").get_branch(repositoryName=project.name, branchName=project.branch)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("BranchDoesNotExistException", "RepositoryDoesNotExistException"):
            return None
        raise
    return str(answer["branch"]["commitId"])


def _expects_another(recent: Sequence[ExecutionSummary], head: str | None) -> bool:
    """Whether no execution has the commit, or may be about to read it."""
    return head is not None and not any(
        summary.commit == head or (summary.commit is None and summary.status == IN_PROGRESS) for summary in recent
    )


def _told(action: Action) -> str:
    took = action.duration(now())
    time_text = f" after {duration(took)}" if action.ended is not None and took is not None else ""
    told = action.reason or action.summary
    return f"{action.path}: {action.status}{time_text}{f' ({told})' if told else ''}"


def _is_source(action: Action) -> bool:
    return "BranchName" in action.configuration
