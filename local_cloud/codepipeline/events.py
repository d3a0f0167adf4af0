"""The events that CodePipeline puts on EventBridge when a pipeline, stage or action changes its state.

Forms as in the CodePipeline user guide, "Monitoring CodePipeline events".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_cloud.codepipeline.records import ActionExecution, Artifact, Declaration, Execution, StageExecution

SOURCE = "aws.codepipeline"


@dataclass(frozen=True)
class StateChange:
    """An event that is to be published."""

    detail_type: str
    detail: dict[str, Any]
    pipeline_arn: str


_STATES = {
    "InProgress": "STARTED", "Stopping": "STOPPING", "Stopped": "STOPPED", "Succeeded": "SUCCEEDED",
    "Failed": "FAILED", "Superseded": "SUPERSEDED", "Abandoned": "ABANDONED", "Cancelled": "CANCELED",
}  # fmt: skip


def _basics(execution: Execution, status: str, resumed: bool) -> dict[str, Any]:
    return {
        "pipeline": execution.pipeline,
        "execution-id": execution.id,
        "version": execution.version,
        "state": "RESUMED" if resumed else _STATES[status],
        "start-time": execution.started_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    }


def pipeline_event(execution: Execution, arn: str, *, resumed: bool = False) -> StateChange:
    """The pipeline's execution has come to its present status; `resumed` by a retry."""
    trigger = {"trigger-type": execution.trigger_type, "trigger-detail": execution.trigger_detail}
    detail = {**_basics(execution, execution.status, resumed), "execution-trigger": trigger}
    return StateChange("CodePipeline Pipeline Execution State Change", detail, arn)


def stage_event(execution: Execution, stage: StageExecution, arn: str, *, resumed: bool = False) -> StateChange:
    """A stage has come to its present status; `resumed` by a retry."""
    detail = {**_basics(execution, stage.status, resumed), "stage": stage.name}
    return StateChange("CodePipeline Stage Execution State Change", detail, arn)


def action_event(
    execution: Execution, action: ActionExecution, declaration: Declaration, arn: str, region: str
) -> StateChange:
    """An action has come to its present status."""
    type_id = declaration["actionTypeId"]
    detail = {
        **_basics(execution, action.status, False),
        "stage": action.stage,
        "action": action.action,
        "action-execution-id": action.id,
        "input-artifacts": _artifacts(action.inputs),
        "region": region,
        "type": {name: type_id[name] for name in ("owner", "provider", "category", "version")},
    }
    if action.status != "InProgress":
        detail["output-artifacts"] = _artifacts(action.outputs) if action.status == "Succeeded" else []
        detail["execution-result"] = _result(action)
    return StateChange("CodePipeline Action Execution State Change", detail, arn)


def _result(action: ActionExecution) -> dict[str, Any]:
    result = {
        "external-execution-id": action.external_execution_id,
        "external-execution-url": action.external_execution_url,
        "external-execution-summary": action.error_message or action.summary,
        "error-code": action.error_code,
    }
    return {name: value for name, value in result.items() if value is not None}


def _artifacts(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    return [{"name": a.name, "s3location": {"bucket": a.bucket, "key": a.key}} for a in artifacts]
