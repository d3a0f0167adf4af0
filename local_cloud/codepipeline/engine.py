"""Moves the executions of pipelines forward: applies what `scheduling` decides, one stored change after the other.

Everything is in the records; a thread only ever waits for one action. So a server that starts anew goes on where the
last one was killed: `resume` hands the actions in progress to their providers again, and `advance` does the rest.
"""

import uuid
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codepipeline import artifacts, events
from local_cloud.codepipeline.actions.action import ActionFailedError, Outcome
from local_cloud.codepipeline.records import (
    ABANDONED,
    FAILED,
    IN_PROGRESS,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    SUPERSEDED,
    ActionExecution,
    Declaration,
    Execution,
    StageExecution,
    now,
)
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.runner import Runner, action_declaration, new_token
from local_cloud.codepipeline.scheduling import (
    Finish,
    Start,
    following_stage,
    may_enter,
    next_step,
    superseded,
)
from local_cloud.codepipeline.variables import UnresolvedVariablesError, resolve, scope_of


class Engine:
    """Runs the executions of all pipelines."""

    def __init__(self, cloud: Cloud, repository: Repository) -> None:
        self._cloud = cloud
        self._repository = repository
        self._runner = Runner(cloud, self)

    def advance(self, pipeline: str) -> None:
        """Do everything that can be done now in the executions of a pipeline."""
        with self._repository.lock:
            executions = self._repository.executions(pipeline)
            while any(self._step(execution) for execution in executions if execution.active):
                pass

    def resume(self) -> None:
        """Go on with what was in progress when the last server died."""
        with self._repository.lock:
            for pipeline in self._repository.names():
                for execution in self._repository.executions(pipeline):
                    for action in execution.actions:
                        if execution.active and action.status == IN_PROGRESS:
                            self._runner.start(execution, action, self._structure(execution), resumed=True)
                self.advance(pipeline)

    def abandon_actions(self, execution: Execution) -> None:
        """End the actions in progress without waiting for them."""
        for action in execution.actions:
            if action.status == IN_PROGRESS:
                self._close(execution, action, ABANDONED)
                self._runner.end(action.id)

    def wake(self, action: ActionExecution) -> None:
        """Let an action look at once at its approval."""
        self._runner.wake(action.id)

    def save(self, execution: Execution, *changes: events.StateChange) -> None:
        """Store a change of an execution, and tell EventBridge."""
        execution.updated_at = now()
        self._repository.save_execution(execution)
        for change in changes:
            self._cloud.publish(events.SOURCE, change.detail_type, change.detail, [change.pipeline_arn])

    def report(self, execution: Execution, action: ActionExecution, fields: dict[str, Any]) -> None:
        """Keep what is known of an action in progress."""
        with self._repository.lock:
            news = {name: value for name, value in fields.items() if getattr(action, name) != value}
            if not news or not self._is_current(execution, action):
                return
            for name, value in news.items():
                setattr(action, name, value)
            self.save(execution)

    def finish(self, execution: Execution, action: ActionExecution, result: Outcome | ActionFailedError) -> None:
        """An action is over: store how, and go on."""
        with self._repository.lock:
            if not self._is_current(execution, action):
                return
            if isinstance(result, ActionFailedError):
                action.error_code, action.error_message = result.code, result.message
                self._close(execution, action, FAILED)
            else:
                action.summary = result.summary
                action.output_variables = dict(result.output_variables)
                action.revision = result.revision
                self._close(execution, action, SUCCEEDED)
            self.advance(execution.pipeline)

    def arn(self, execution: Execution) -> str:
        return self._repository.pipeline(execution.pipeline).arn

    def _is_current(self, execution: Execution, action: ActionExecution) -> bool:
        """Whether a run still counts: it was not abandoned, and its pipeline was not deleted."""
        stored = self._repository.find_execution(execution.pipeline, execution.id)
        return stored is execution and action.status == IN_PROGRESS

    def _structure(self, execution: Execution) -> Declaration:
        return self._repository.declaration(execution.pipeline, execution.version)

    def _close(self, execution: Execution, action: ActionExecution, status: str) -> None:
        action.status = status
        action.updated_at = now()
        self.save(execution, self._action_event(execution, action))

    def _action_event(self, execution: Execution, action: ActionExecution) -> events.StateChange:
        declaration = action_declaration(self._structure(execution), action)
        return events.action_event(execution, action, declaration, self.arn(execution), self._cloud.region)

    def _step(self, execution: Execution) -> bool:
        """Make one change in an execution; False when nothing can be done now."""
        stage = execution.current_stage()
        if stage is None:
            return self._step_at_gate(execution)
        pipeline = self._structure(execution)
        declaration = next(s for s in pipeline["stages"] if s["name"] == stage.name)
        match next_step(declaration, stage, execution):
            case Start(actions):
                self._start_actions(execution, stage, [a for a in declaration["actions"] if a["name"] in actions])
            case Finish(status):
                self._finish_stage(execution, stage, status)
            case None:
                return False
        return True

    def _step_at_gate(self, execution: Execution) -> bool:
        executions = self._repository.executions(execution.pipeline)
        if execution.status == STOPPING:
            self._end(execution, STOPPED)
            return True
        newer = superseded(execution, executions)
        if newer is not None:
            execution.status_summary = f"Superseded by {newer.id}"
            self._end(execution, SUPERSEDED)
            return True
        if not may_enter(execution, executions, self._repository.pipeline(execution.pipeline).closed):
            return False
        assert execution.gate is not None
        stage = execution.stages[execution.gate] = StageExecution(execution.gate, now())
        execution.gate = None
        self.save(execution, events.stage_event(execution, stage, self.arn(execution)))
        return True

    def _start_actions(self, execution: Execution, stage: StageExecution, declarations: list[Declaration]) -> None:
        pipeline = self._structure(execution)
        started = [self._new_action(execution, stage.name, declaration, pipeline) for declaration in declarations]
        for action in started:
            execution.actions.append(action)
            stage.counting[action.action] = action.id
        self.save(execution, *(self._action_event(execution, action) for action in started))
        for action in started:
            if action.status == IN_PROGRESS:
                self._runner.start(execution, action, pipeline)

    def _new_action(
        self, execution: Execution, stage: str, declaration: Declaration, pipeline: Declaration
    ) -> ActionExecution:
        bucket = artifacts.store_of(pipeline, self._cloud.region)["location"]
        delivered = execution.artifacts()
        configuration, time = declaration.get("configuration", {}), now()
        action = ActionExecution(
            id=str(uuid.uuid4()), stage=stage, action=declaration["name"], configuration=configuration,
            inputs=[delivered[artifact["name"]] for artifact in declaration.get("inputArtifacts", [])],
            outputs=[artifacts.new_artifact(execution.pipeline, artifact["name"], bucket)
                     for artifact in declaration.get("outputArtifacts", [])],
            started_at=time, updated_at=time, token=new_token(declaration),
        )  # fmt: skip
        try:
            action.configuration = resolve(configuration, scope_of(execution, pipeline))
        except UnresolvedVariablesError as error:
            action.status, action.error_code = FAILED, "ConfigurationError"
            action.error_message = (
                "An action in this pipeline failed because one or more variables could not be resolved: "
                f"Action name={action.action}. {', '.join(error.references)}"
            )
        return action

    def _finish_stage(self, execution: Execution, stage: StageExecution, status: str) -> None:
        stage.status = status
        self.save(execution, events.stage_event(execution, stage, self.arn(execution)))
        if status != SUCCEEDED:
            self._end(execution, status)
        elif execution.status == STOPPING:
            self._end(execution, STOPPED)
        elif (following := following_stage(self._structure(execution), stage.name)) is None:
            self._end(execution, SUCCEEDED)
        else:
            execution.gate = following
            self.save(execution)

    def _end(self, execution: Execution, status: str) -> None:
        execution.status = status
        execution.gate = None
        self.save(execution, events.pipeline_event(execution, self.arn(execution)))
