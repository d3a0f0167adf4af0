"""What the API answers of pipelines and executions: pure functions from records to the shapes of botocore's model."""

from collections.abc import Iterable, Sequence
from typing import Any

from local_cloud.codepipeline.actions import action_type_of
from local_cloud.codepipeline.actions.action import Place
from local_cloud.codepipeline.records import (
    IN_PROGRESS,
    SUCCEEDED,
    ActionExecution,
    Artifact,
    Declaration,
    Execution,
    PipelineRecord,
    StageExecution,
)
from local_cloud.codepipeline.scheduling import latest_in_stage

View = dict[str, Any]


def pipeline_summary(record: PipelineRecord, declaration: Declaration) -> View:
    """A member of ListPipelines."""
    return {
        "name": record.name, "version": record.version, "created": record.created, "updated": record.updated,
        "pipelineType": declaration.get("pipelineType", "V1"),
        "executionMode": declaration.get("executionMode", "SUPERSEDED"),
    }  # fmt: skip


def execution_view(execution: Execution) -> View:
    """The answer of GetPipelineExecution."""
    return {
        "pipelineName": execution.pipeline,
        "pipelineVersion": execution.version,
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.status_summary,
        "artifactRevisions": [
            {"name": artifact.name, "revisionId": revision.id, "revisionSummary": revision.summary or None,
             "revisionUrl": revision.url, "created": revision.created}
            for action in execution.counting()
            if (revision := action.revision) is not None
            for artifact in action.outputs
        ],
        "variables": [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()],
        "trigger": _trigger(execution),
        "executionMode": execution.mode,
        "executionType": "STANDARD",
    }  # fmt: skip


def execution_summary(execution: Execution) -> View:
    """A member of ListPipelineExecutions."""
    return {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.status_summary,
        "startTime": execution.started_at,
        "lastUpdateTime": execution.updated_at,
        "sourceRevisions": [
            {"actionName": action.action, "revisionId": revision.id, "revisionSummary": revision.summary or None,
             "revisionUrl": revision.url}
            for action in execution.counting()
            if (revision := action.revision) is not None
        ],
        "trigger": _trigger(execution),
        "stopTrigger": None if execution.stop_reason is None else {"reason": execution.stop_reason},
        "executionMode": execution.mode,
        "executionType": "STANDARD",
    }  # fmt: skip


def _trigger(execution: Execution) -> View:
    return {"triggerType": execution.trigger_type, "triggerDetail": execution.trigger_detail}


def action_execution_detail(
    execution: Execution, action: ActionExecution, declaration: Declaration, region: str
) -> View:
    """A member of ListActionExecutions.

    Args:
        execution: the pipeline execution.
        action: one of its action executions.
        declaration: that action's part of the pipeline's structure.
        region: the pipeline's region.
    """
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": action.id,
        "pipelineVersion": execution.version,
        "stageName": action.stage,
        "actionName": action.action,
        "startTime": action.started_at,
        "lastUpdateTime": action.updated_at,
        "updatedBy": action.updated_by,
        "status": action.status,
        "input": {
            "actionTypeId": declaration["actionTypeId"],
            "configuration": declaration.get("configuration", {}),
            "resolvedConfiguration": action.configuration,
            "roleArn": declaration.get("roleArn"),
            "region": declaration.get("region", region),
            "inputArtifacts": _artifacts(action.inputs),
            "namespace": declaration.get("namespace"),
        },
        "output": {
            "outputArtifacts": _artifacts(action.outputs) if action.status == SUCCEEDED else [],
            "executionResult": {
                "externalExecutionId": action.external_execution_id,
                "externalExecutionSummary": action.summary,
                "externalExecutionUrl": action.external_execution_url,
                "errorDetails": _error_details(action),
                "logStreamARN": action.log_stream_arn,
            },
            "outputVariables": action.output_variables,
        },
    }


def _artifacts(artifacts: Iterable[Artifact]) -> list[View]:
    return [{"name": a.name, "s3location": {"bucket": a.bucket, "key": a.key}} for a in artifacts]


def _error_details(action: ActionExecution) -> View | None:
    if action.error_message is None:
        return None
    return {"code": action.error_code, "message": action.error_message[:5000]}


def state_view(record: PipelineRecord, declaration: Declaration, executions: Sequence[Execution], place: Place) -> View:
    """The answer of GetPipelineState: each stage with what ran in it last and what waits before it."""
    return {
        "pipelineName": record.name,
        "pipelineVersion": record.version,
        "stageStates": [_stage_state(record, stage, executions, place) for stage in declaration["stages"]],
        "created": record.created,
        "updated": record.updated,
    }


def _stage_state(record: PipelineRecord, stage: Declaration, executions: Sequence[Execution], place: Place) -> View:
    name = stage["name"]
    latest = latest_in_stage(executions, name)
    inbound = [_stage_execution(e.id, e.status) for e in executions if e.active and e.gate == name]
    return {
        "stageName": name,
        "inboundExecution": inbound[-1] if inbound else None,
        "inboundExecutions": inbound,
        "inboundTransitionState": _transition_state(record, name),
        "actionStates": [_action_state(name, action, executions, place) for action in stage["actions"]],
        "latestExecution": None if latest is None else _stage_execution(latest.id, latest.stages[name].status),
        "retryStageMetadata": None if latest is None else _retry_metadata(latest.stages[name]),
    }


def _stage_execution(execution_id: str, status: str) -> View:
    return {"pipelineExecutionId": execution_id, "status": status, "type": "STANDARD"}


def _retry_metadata(run: StageExecution) -> View | None:
    if run.retries == 0:
        return None
    return {"manualStageRetryAttempt": run.retries, "latestRetryTrigger": "ManualStageRetry"}


def _transition_state(record: PipelineRecord, stage: str) -> View:
    closed = record.closed.get(stage)
    if closed is None:
        return {"enabled": True}
    return {
        "enabled": False, "disabledReason": closed.reason, "lastChangedBy": closed.by, "lastChangedAt": closed.at,
    }  # fmt: skip


def _action_state(stage: str, action: Declaration, executions: Sequence[Execution], place: Place) -> View:
    latest = _latest_run(stage, action["name"], executions)
    action_type = action_type_of(action)
    configuration = action.get("configuration", {})
    view: View = {
        "actionName": action["name"],
        "entityUrl": action_type and action_type.entity_url(configuration, place),
    }
    if latest is None:
        return view
    if latest.revision is not None:
        revision = latest.revision
        view["currentRevision"] = {
            "revisionId": revision.id, "revisionChangeId": revision.id[:100], "created": revision.created,
        }  # fmt: skip
        view["revisionUrl"] = revision.url
    view["latestExecution"] = _latest_execution(latest)
    return view


def _latest_run(stage: str, action: str, executions: Sequence[Execution]) -> ActionExecution | None:
    runs = (r for e in executions for r in e.actions if (r.stage, r.action) == (stage, action))
    return max(runs, key=lambda run: run.started_at, default=None)


def _latest_execution(run: ActionExecution) -> View:
    return {
        "actionExecutionId": run.id,
        "status": run.status,
        "summary": run.summary and run.summary[:2048],
        "lastStatusChange": run.updated_at,
        "token": run.token if run.status == IN_PROGRESS else None,
        "lastUpdatedBy": run.updated_by,
        "externalExecutionId": run.external_execution_id,
        "externalExecutionUrl": run.external_execution_url,
        "percentComplete": 100 if run.status == SUCCEEDED else None,
        "errorDetails": _error_details(run),
        "logStreamARN": run.log_stream_arn,
    }
