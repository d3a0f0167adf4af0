"""Runs actions: one thread for each that is in progress, which hands the result back to the engine."""

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from local_cloud.cloud import Cloud
from local_cloud.codepipeline import artifacts
from local_cloud.codepipeline.actions import action_type_of
from local_cloud.codepipeline.actions.action import (
    ActionEndedError,
    ActionFailedError,
    ActionRun,
    Outcome,
    as_failure,
)
from local_cloud.codepipeline.records import ActionExecution, Approval, Declaration, Execution

logger = logging.getLogger(__name__)

_APPROVAL_DAYS = 7


class Results(Protocol):
    """Where runs are reported to; implemented by the engine."""

    def report(self, execution: Execution, action: ActionExecution, fields: dict[str, Any]) -> None:
        """Keep what is known of an action in progress."""

    def finish(self, execution: Execution, action: ActionExecution, result: Outcome | ActionFailedError) -> None:
        """The action is over."""


@dataclass
class _Live:
    """The handle on an action in progress."""

    wake: threading.Event = field(default_factory=threading.Event)
    ended: bool = False


class Runner:
    """The actions in progress."""

    def __init__(self, cloud: Cloud, results: Results) -> None:
        self._cloud = cloud
        self._results = results
        self._live: dict[str, _Live] = {}

    def start(
        self, execution: Execution, action: ActionExecution, pipeline: Declaration, *, resumed: bool = False
    ) -> None:
        """Perform an action on a thread of its own.

        Args:
            execution: the pipeline execution.
            action: its action execution, in progress and stored.
            pipeline: the structure that the execution runs.
            resumed: it was in progress when the last server died.
        """
        live = self._live[action.id] = _Live()
        run = self._run(execution, action, pipeline, live, resumed)
        perform = _required_type(action_declaration(pipeline, action)).perform

        def work() -> None:
            result = _perform(lambda: perform(run))
            self._live.pop(action.id, None)
            if result is not None:
                self._results.finish(execution, action, result)

        self._cloud.background(work, f"{execution.pipeline}/{action.stage}/{action.action}")

    def wake(self, action_execution_id: str) -> None:
        """Let the action look at once whether it has been approved or rejected."""
        live = self._live.get(action_execution_id)
        if live is not None:
            live.wake.set()

    def end(self, action_execution_id: str) -> None:
        """End the action from outside; its result is dropped."""
        live = self._live.get(action_execution_id)
        if live is not None:
            live.ended = True
            live.wake.set()

    def _run(
        self, execution: Execution, action: ActionExecution, pipeline: Declaration, live: _Live, resumed: bool
    ) -> ActionRun:
        declaration = action_declaration(pipeline, action)
        store = artifacts.store_of(pipeline, self._cloud.region)

        def approval() -> Approval | None:
            return action.approval

        def report(**fields: Any) -> None:
            self._results.report(execution, action, fields)

        arn = f"arn:aws:codepipeline:{self._cloud.region}:{self._cloud.account_id}:{execution.pipeline}"
        return ActionRun(
            cloud=self._cloud.on_behalf_of(arn), pipeline=execution.pipeline, stage=action.stage,
            name=action.action, id=action.id, configuration=action.configuration,
            role_arn=declaration.get("roleArn") or pipeline["roleArn"], inputs=tuple(action.inputs),
            outputs=tuple(action.outputs), encryption_key=artifacts.encryption_key_of(store),
            commit_id=execution.source_revisions.get(action.action), commit_ids=execution.commit_ids(),
            token=action.token,
            external_execution_id=action.external_execution_id, resumed=resumed,
            deadline=deadline(declaration, action.started_at), approval=approval, report=report, wake=live.wake,
            ended=lambda: live.ended,
        )  # fmt: skip


def _perform(perform: Callable[[], Outcome]) -> Outcome | ActionFailedError | None:
    """The action's result; None when it was ended from outside, or goes on in the next server."""
    try:
        return perform()
    except (ActionEndedError, EndpointConnectionError):  # this server does not answer itself: it is being stopped
        return None
    except ActionFailedError as failure:
        return failure
    except (ClientError, BotoCoreError) as error:
        return as_failure(error)
    except Exception as error:
        logger.exception("an action failed in a way that it should not")
        return ActionFailedError("JobFailed", f"The local cloud failed: {error!r}; its log has the details.")


def new_token(declaration: Declaration) -> str | None:
    """The token with which an approver answers; None for actions that nobody approves."""
    return str(uuid.uuid4()) if declaration["actionTypeId"]["category"] == "Approval" else None


def deadline(declaration: Declaration, started_at: datetime) -> datetime | None:
    """When an action fails for taking too long; approvals wait seven days when nothing else is said."""
    minutes = declaration.get("timeoutInMinutes")
    if minutes is not None:
        return started_at + timedelta(minutes=minutes)
    is_approval = declaration["actionTypeId"]["category"] == "Approval"
    return started_at + timedelta(days=_APPROVAL_DAYS) if is_approval else None


def action_declaration(pipeline: Declaration, action: ActionExecution) -> Declaration:
    """The part of a pipeline's structure that declares an action."""
    stage = next(stage for stage in pipeline["stages"] if stage["name"] == action.stage)
    declaration: Declaration = next(a for a in stage["actions"] if a["name"] == action.action)
    return declaration


def _required_type(declaration: Declaration) -> Any:
    action_type = action_type_of(declaration)
    assert action_type is not None, "a pipeline with an unserved action is refused"
    return action_type
