"""What an execution of the pipeline looks like: frozen views, made from CodePipeline's answers by pure functions.

    Execution
    └── Stage            in the pipeline's order, those that have not started included
        └── Action       its latest attempt
    Approval             the decision that an execution waits for

The answers of ListActionExecutions belong to one execution, those of GetPipelineState to the pipeline; of the latter
only the approval's token and the queue in front of a stage are used.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

NOT_STARTED = "NotStarted"
IN_PROGRESS = "InProgress"
WAITING = "WaitingForApproval"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})


@dataclass(frozen=True)
class Action:
    """The latest attempt of an action in one execution.

    Attributes:
        status: CodePipeline's, or NotStarted, or WaitingForApproval.
        started: None when it has not started.
        ended: None as long as it runs.
        summary: one line on what it did; empty when there is nothing to say.
        reason: why it failed; None when it did not, or when nobody knows.
        external_id: the build, the stack or the commit that it stands for.
        configuration: as resolved for this execution.
    """

    stage: str
    name: str
    provider: str
    status: str
    started: datetime | None = None
    ended: datetime | None = None
    summary: str = ""
    reason: str | None = None
    external_id: str | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Stage and action, such as `Staging/Verify`."""
        return f"{self.stage}/{self.name}"

    def duration(self, now: datetime) -> timedelta | None:
        """How long it took, or has been running; None when it has not started."""
        return None if self.started is None else (self.ended or now) - self.started


@dataclass(frozen=True)
class Stage:
    """A stage of an execution."""

    name: str
    status: str
    actions: tuple[Action, ...]

    @property
    def started(self) -> datetime | None:
        return min((action.started for action in self.actions if action.started), default=None)

    @property
    def ended(self) -> datetime | None:
        """When its last action ended; None as long as one runs or has not started."""
        ends = [action.ended for action in self.actions]
        return None if None in ends else max((end for end in ends if end), default=None)


@dataclass(frozen=True)
class Approval:
    """A manual approval that waits for its decision.

    Attributes:
        token: what PutApprovalResult wants to see.
        text: what the approver is told, with the numbers in it.
        link: a page to read before deciding, or None.
    """

    execution_id: str
    stage: str
    action: str
    token: str
    text: str
    link: str | None
    since: datetime | None


@dataclass(frozen=True)
class Execution:
    """An execution of the pipeline.

    Attributes:
        commit: the id of the commit, or None before Source has read it.
        queued_before: the stage that it waits to enter because an older execution is in it.
        held_by: the older execution, when it waits for an approval in that stage.
    """

    id: str
    status: str
    started: datetime | None
    updated: datetime | None
    trigger: str
    commit: str | None
    message: str
    stages: tuple[Stage, ...]
    approval: Approval | None = None
    queued_before: str | None = None
    held_by: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(action for stage in self.stages for action in stage.actions)

    @property
    def failed_actions(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.status == FAILED)

    @property
    def model_package_version(self) -> str | None:
        """The version that the execution registered; None before it has, and when the gate refused the model."""
        versions = (action.variables.get("MODEL_PACKAGE_VERSION") for action in self.actions)
        return next((version for version in versions if version), None)

    @property
    def running_actions(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.status == IN_PROGRESS)


@dataclass(frozen=True)
class ExecutionSummary:
    """An execution as ListPipelineExecutions tells of it."""

    id: str
    status: str
    started: datetime | None
    updated: datetime | None
    trigger: str
    commit: str | None
    message: str


def read_summary(summary: Mapping[str, Any]) -> ExecutionSummary:
    """From a PipelineExecutionSummary."""
    revision: Mapping[str, Any] = next(iter(summary.get("sourceRevisions", [])), {})
    trigger = summary.get("trigger", {})
    return ExecutionSummary(
        id=summary["pipelineExecutionId"],
        status=summary.get("status", IN_PROGRESS),
        started=summary.get("startTime"),
        updated=summary.get("lastUpdateTime"),
        trigger=trigger.get("triggerType", ""),
        commit=revision.get("revisionId"),
        message=_commit_message(revision.get("revisionSummary", "")),
    )


def read_execution(
    declaration: Mapping[str, Any],
    summary: ExecutionSummary,
    details: Sequence[Mapping[str, Any]],
    state: Mapping[str, Any],
) -> Execution:
    """One execution, whole.

    Args:
        declaration: `pipeline` of GetPipeline; the stages and actions that there are.
        summary: of this execution.
        details: `actionExecutionDetails` of ListActionExecutions, of this execution only, in any order.
        state: the answer of GetPipelineState.
    """
    latest = _latest_attempts(details)
    approval = read_approval(state, summary.id, latest)
    comments = _approvers_comments(state, summary.id)
    queued_before = _queued_before(state, summary.id)
    waiting = {stage["stageName"]: _entered_by(stage) for stage, _ in _waiting_actions(state)}
    stages = tuple(_read_stage(stage, latest, approval, comments, summary.status) for stage in declaration["stages"])
    return Execution(
        id=summary.id,
        status=summary.status,
        started=summary.started,
        updated=summary.updated,
        trigger=summary.trigger,
        commit=summary.commit,
        message=summary.message,
        stages=stages,
        approval=approval,
        queued_before=queued_before,
        held_by=waiting.get(queued_before) if queued_before else None,
    )


def read_approval(
    state: Mapping[str, Any], execution_id: str, latest: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Approval | None:
    """The approval that an execution waits for, or None."""
    for stage, action in _waiting_actions(state):
        if _entered_by(stage) != execution_id:
            continue
        configuration = _configuration(latest.get((stage["stageName"], action["actionName"]), {}))
        return Approval(
            execution_id=execution_id,
            stage=stage["stageName"],
            action=action["actionName"],
            token=action["latestExecution"]["token"],
            text=configuration.get("CustomData", "").strip(),
            link=configuration.get("ExternalEntityLink"),
            since=action["latestExecution"].get("lastStatusChange"),
        )
    return None


def waiting_execution_ids(state: Mapping[str, Any]) -> list[str]:
    """The executions of which an approval waits."""
    return [_entered_by(stage) for stage, _ in _waiting_actions(state)]


def with_reasons(execution: Execution, reasons: Mapping[str, str]) -> Execution:
    """The same execution with the reasons of its failed actions, by `Action.path`."""
    stages = tuple(
        replace(
            stage,
            actions=tuple(replace(action, reason=reasons.get(action.path, action.reason)) for action in stage.actions),
        )
        for stage in execution.stages
    )
    return replace(execution, stages=stages)


def summarize(details: Mapping[str, Any]) -> str:
    """One line on what an action did, from the variables that it exported, or CodePipeline's own summary."""
    output = details.get("output", {})
    variables = output.get("outputVariables", {})
    for name, text in _TOLD_BY_VARIABLE.items():
        if variables.get(name):
            return _first_line(text.format(_shortened(name, variables[name])))
    return _first_line(output.get("executionResult", {}).get("externalExecutionSummary", ""))


_TOLD_BY_VARIABLE = {
    "SUMMARY": "{}",
    "MODEL_PACKAGE_VERSION": "model package version {}",
    "TRAINING_JOB_NAME": "{}",
    "DATA_VERSION": "data version {}",
    "IMAGE_URI": "image {}",
    "CommitMessage": "{}",
}


def _shortened(name: str, value: str) -> str:
    if name == "IMAGE_URI":
        return value.rpartition("@")[2][:19]
    return value[:12] if name == "DATA_VERSION" else value


def stage_ends(execution: Execution, start: datetime) -> list[tuple[str, timedelta]]:
    """How long each stage took, the passage to it included, so that the parts add up to the whole.

    Args:
        execution: one that has ended or waits; stages that have not ended are left out.
        start: when the clock started, usually the push.
    """
    shares = []
    for stage in execution.stages:
        if stage.ended is None:
            break
        shares.append((stage.name, max(stage.ended - start, timedelta())))
        start = max(stage.ended, start)
    return shares


def now() -> datetime:
    """The present, with a time zone as boto3's datetimes have."""
    return datetime.now(UTC)


def _read_stage(
    declared: Mapping[str, Any],
    latest: Mapping[tuple[str, str], Mapping[str, Any]],
    approval: Approval | None,
    comments: Mapping[tuple[str, str], str],
    execution_status: str,
) -> Stage:
    name = declared["name"]
    waiting = approval.action if approval is not None and approval.stage == name else None
    ordered = sorted(declared["actions"], key=lambda action: action.get("runOrder", 1))
    places = [(action, (name, action["name"])) for action in ordered]
    actions = tuple(
        _read_action(name, action, latest.get(place), action["name"] == waiting, comments.get(place))
        for action, place in places
    )
    return Stage(name, _stage_status(actions, execution_status), actions)


def _read_action(
    stage: str, declared: Mapping[str, Any], details: Mapping[str, Any] | None, waiting: bool, comment: str | None
) -> Action:
    provider = declared["actionTypeId"]["provider"]
    if details is None:
        return Action(stage, declared["name"], provider, NOT_STARTED)
    status = WAITING if waiting else details["status"]
    result = details.get("output", {}).get("executionResult", {})
    reason = comment or result.get("errorDetails", {}).get("message")
    return Action(
        stage=stage,
        name=declared["name"],
        provider=provider,
        status=status,
        started=details.get("startTime"),
        ended=None if status in (IN_PROGRESS, WAITING) else details.get("lastUpdateTime"),
        summary=comment or summarize(details),
        reason=reason if status == FAILED else None,
        external_id=result.get("externalExecutionId"),
        configuration=_configuration(details),
        variables=details.get("output", {}).get("outputVariables", {}),
    )


def _stage_status(actions: Sequence[Action], execution_status: str) -> str:
    statuses = {action.status for action in actions}
    for decisive in (FAILED, WAITING, IN_PROGRESS, "Abandoned"):
        if decisive in statuses:
            return decisive
    if statuses == {SUCCEEDED}:
        return SUCCEEDED
    if statuses == {NOT_STARTED}:
        return NOT_STARTED
    return execution_status  # between two actions


def _latest_attempts(details: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    by_start = sorted(details, key=lambda detail: detail.get("startTime") or datetime.min.replace(tzinfo=UTC))
    return {(detail["stageName"], detail["actionName"]): detail for detail in by_start}


def _waiting_actions(state: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [
        (stage, action)
        for stage in state.get("stageStates", [])
        for action in stage.get("actionStates", [])
        if action.get("latestExecution", {}).get("status") == IN_PROGRESS and action["latestExecution"].get("token")
    ]


def _approvers_comments(state: Mapping[str, Any], execution_id: str) -> dict[tuple[str, str], str]:
    """What approvers wrote in the stages that this execution was the last to enter."""
    return {
        (stage["stageName"], action["actionName"]): _first_line(action["latestExecution"]["summary"])
        for stage in state.get("stageStates", [])
        if _entered_by(stage) == execution_id
        for action in stage.get("actionStates", [])
        if action.get("latestExecution", {}).get("lastUpdatedBy") and action["latestExecution"].get("summary")
    }


def _entered_by(stage_state: Mapping[str, Any]) -> str:
    """The execution that was the last to enter a stage; empty when none was."""
    return str(stage_state.get("latestExecution", {}).get("pipelineExecutionId", ""))


def _queued_before(state: Mapping[str, Any], execution_id: str) -> str | None:
    for stage in state.get("stageStates", []):
        inbound = stage.get("inboundExecutions") or [stage.get("inboundExecution") or {}]
        if execution_id in {execution.get("pipelineExecutionId") for execution in inbound}:
            return str(stage["stageName"])
    return None


def _configuration(details: Mapping[str, Any]) -> dict[str, str]:
    given = details.get("input", {})
    return {**given.get("configuration", {}), **given.get("resolvedConfiguration", {})}


def _commit_message(revision_summary: str) -> str:
    """A connection's revision summary is JSON around the commit's message, CodeCommit's is the message itself."""
    if revision_summary.startswith("{"):
        with contextlib.suppress(ValueError):
            revision_summary = json.loads(revision_summary).get("CommitMessage", revision_summary)
    return _first_line(revision_summary)


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
