"""What people and events do to executions: start, stop, retry, approve, open and close transitions."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local_cloud.codepipeline import events
from local_cloud.codepipeline.engine import Engine
from local_cloud.codepipeline.records import (
    FAILED,
    IN_PROGRESS,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Approval,
    ClosedTransition,
    Declaration,
    Execution,
    now,
)
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.scheduling import following_stage, latest_in_stage
from local_cloud.wire import ServiceError

_MOST_EXECUTIONS = 50  # in progress at once, of a pipeline in mode QUEUED or PARALLEL


@dataclass(frozen=True)
class StartRequest:
    """How an execution is to start."""

    trigger_type: str
    trigger_detail: str
    variables: Mapping[str, str] = field(default_factory=dict)
    source_revisions: Mapping[str, str] = field(default_factory=dict)
    """Source action name -> commit id."""
    client_request_token: str | None = None


class Control:
    """The changes that can be asked for. Each raises ServiceError with the code of the operation's model."""

    def __init__(self, repository: Repository, engine: Engine) -> None:
        self._repository = repository
        self._engine = engine

    def start(self, name: str, request: StartRequest) -> str:
        """Start an execution; the id of the one that was started with the same clientRequestToken, if there is one."""
        with self._repository.lock:
            record, declaration = self._repository.pipeline(name), self._repository.declaration(name)
            executions = self._repository.executions(name)
            token = request.client_request_token
            for earlier in executions:
                if token is not None and earlier.client_request_token == token:
                    return earlier.id
            mode = declaration.get("executionMode", "SUPERSEDED")
            _require_room(mode, executions)
            time = now()
            execution = Execution(
                id=str(uuid.uuid4()), pipeline=name, version=record.version, number=len(executions) + 1, mode=mode,
                trigger_type=request.trigger_type, trigger_detail=request.trigger_detail, started_at=time,
                updated_at=time, gate=declaration["stages"][0]["name"],
                variables=_variables(declaration, request.variables),
                source_revisions=_source_revisions(declaration, request.source_revisions), client_request_token=token,
            )  # fmt: skip
            self._engine.save(execution, events.pipeline_event(execution, record.arn))
            self._engine.advance(name)
            return execution.id

    def stop(self, name: str, execution_id: str, reason: str | None, abandon: bool) -> None:
        """Stop an execution: after its actions in progress, or at once."""
        with self._repository.lock:
            self._repository.pipeline(name)
            execution = self._repository.find_execution(name, execution_id)
            if execution is None or not execution.active:
                state = "does not exist" if execution is None else f"has ended: {execution.status}"
                message = f"The pipeline execution {execution_id} of {name} cannot be stopped: it {state}"
                raise ServiceError("PipelineExecutionNotStoppableException", message)
            if execution.status == STOPPING and execution.abandoned == abandon:
                message = f"The pipeline execution {execution_id} of {name} is being stopped already"
                raise ServiceError("DuplicatedStopRequestException", message)
            execution.status, execution.abandoned = STOPPING, abandon
            execution.stop_reason = reason
            execution.status_summary = reason
            stage = execution.current_stage()
            changes = [events.pipeline_event(execution, self._engine.arn(execution))]
            if stage is not None:
                stage.status = STOPPING
                changes.append(events.stage_event(execution, stage, self._engine.arn(execution)))
            self._engine.save(execution, *changes)
            if abandon:
                self._engine.abandon_actions(execution)
            self._engine.advance(name)

    def retry(self, name: str, stage_name: str, execution_id: str, mode: str) -> None:
        """Run a failed or stopped stage again: its failed actions, or all of them."""
        with self._repository.lock:
            execution = self._retryable(name, stage_name, execution_id)
            stage = execution.stages[stage_name]
            kept = {a.action: a.id for a in execution.counting() if a.stage == stage_name and a.status == SUCCEEDED}
            stage.counting = kept if mode == "FAILED_ACTIONS" else {}
            stage.status = execution.status = IN_PROGRESS
            stage.retries += 1
            execution.status_summary = execution.stop_reason = None
            execution.abandoned = False
            arn = self._engine.arn(execution)
            self._engine.save(
                execution,
                events.pipeline_event(execution, arn, resumed=True),
                events.stage_event(execution, stage, arn, resumed=True),
            )
            self._engine.advance(name)

    def _retryable(self, name: str, stage_name: str, execution_id: str) -> Execution:
        declaration = self._stage(name, stage_name)
        latest = latest_in_stage(self._repository.executions(name), stage_name)
        execution = self._repository.find_execution(name, execution_id)
        if execution is None or (execution.mode != "PARALLEL" and execution is not latest):
            message = f"Unable to retry. {execution_id} is not the latest execution of stage {stage_name}"
            raise ServiceError("NotLatestPipelineExecutionException", message)
        stage = execution.stages.get(stage_name)
        if stage is None or stage.status not in (FAILED, STOPPED) or execution.active:
            state = "has not run" if stage is None else stage.status
            message = f"Unable to retry. Stage {stage_name} has not failed in execution {execution_id} (it is: {state})"
            raise ServiceError("StageNotRetryableException", message)
        started_with = self._repository.declaration(name, execution.version)
        if declaration not in started_with["stages"]:
            message = f"Unable to retry. The structure of stage {stage_name} has changed since the execution started"
            raise ServiceError("StageNotRetryableException", message)
        return execution

    def approve(self, name: str, stage_name: str, action_name: str, token: str, approval: Approval) -> None:
        """Give an approver's answer to a waiting approval action."""
        with self._repository.lock:
            stage = self._stage(name, stage_name)
            if action_name not in [action["name"] for action in stage["actions"]]:
                message = f"Stage {stage_name} of pipeline {name} has no action {action_name}"
                raise ServiceError("ActionNotFoundException", message)
            for execution in self._repository.executions(name):
                for action in execution.actions:
                    if (action.stage, action.action, action.token) != (stage_name, action_name, token):
                        continue
                    if action.status != IN_PROGRESS or action.approval is not None:
                        message = f"The approval {stage_name}/{action_name} with token {token} is completed already"
                        raise ServiceError("ApprovalAlreadyCompletedException", message)
                    action.approval = approval
                    self._engine.save(execution)
                    self._engine.wake(action)
                    return
            message = f"The token {token} is not that of an approval of {stage_name}/{action_name}"
            raise ServiceError("InvalidApprovalTokenException", message)

    def close_transition(self, name: str, stage_name: str, direction: str, transition: ClosedTransition) -> None:
        """Let no execution into a stage (Inbound) or on from it (Outbound)."""
        with self._repository.lock:
            stage = self._entered(name, stage_name, direction)
            record = self._repository.pipeline(name)
            if stage is not None:
                record.closed[stage] = transition
                self._repository.save_pipeline(record)

    def open_transition(self, name: str, stage_name: str, direction: str) -> None:
        """Let executions into a stage (Inbound) or on from it (Outbound) again."""
        with self._repository.lock:
            stage = self._entered(name, stage_name, direction)
            record = self._repository.pipeline(name)
            if stage is not None and record.closed.pop(stage, None) is not None:
                self._repository.save_pipeline(record)
                self._engine.advance(name)

    def _entered(self, name: str, stage_name: str, direction: str) -> str | None:
        self._stage(name, stage_name)
        if direction == "Inbound":
            return stage_name
        return following_stage(self._repository.declaration(name), stage_name)

    def _stage(self, name: str, stage_name: str) -> Declaration:
        for stage in self._repository.declaration(name)["stages"]:
            if stage["name"] == stage_name:
                found: Declaration = stage
                return found
        raise ServiceError("StageNotFoundException", f"Pipeline {name} has no stage {stage_name}")


def _require_room(mode: str, executions: Sequence[Execution]) -> None:
    active = sum(execution.active for execution in executions)
    if mode != "SUPERSEDED" and active >= _MOST_EXECUTIONS:
        message = f"{active} executions of the pipeline are in progress, the most in mode {mode} is {_MOST_EXECUTIONS}"
        raise ServiceError("ConcurrentPipelineExecutionsLimitExceededException", message)


def _variables(declaration: Declaration, given: Mapping[str, str]) -> dict[str, str]:
    declared = {variable["name"]: variable.get("defaultValue") for variable in declaration.get("variables", [])}
    unknown = sorted(given.keys() - declared.keys())
    values = {**declared, **given}
    missing = sorted(name for name, value in values.items() if value is None)
    faults = [f"the pipeline declares no variable {name}" for name in unknown]
    faults += [f"variable {name} has no default value and was not given" for name in missing]
    if faults:
        raise ServiceError("ValidationException", f"The execution cannot start: {'; '.join(faults)}")
    return {name: value for name, value in values.items() if value is not None}


def _source_revisions(declaration: Declaration, given: Mapping[str, str]) -> dict[str, str]:
    sources = [action["name"] for action in declaration["stages"][0]["actions"]]
    unknown = sorted(given.keys() - set(sources))
    if unknown:
        message = f"No source action is named {', '.join(unknown)}; the pipeline has: {', '.join(sources)}"
        raise ServiceError("ValidationException", message)
    return dict(given)
