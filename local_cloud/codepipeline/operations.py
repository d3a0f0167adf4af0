"""The operations of CodePipeline's API, by the names of botocore's model."""

from collections.abc import Mapping
from typing import Any

from local_cloud.authorization import caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codepipeline import views
from local_cloud.codepipeline.actions.action import Place
from local_cloud.codepipeline.control import Control, StartRequest
from local_cloud.codepipeline.pipelines import Pipelines
from local_cloud.codepipeline.records import Approval, ClosedTransition, Execution, PipelineRecord, now
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.runner import action_declaration
from local_cloud.paging import page
from local_cloud.wire import ServiceError

Request = dict[str, Any]
Answer = dict[str, Any]

_MOST_TAGS = 50


class Operations:
    """Answers requests; each method serves the operation of its name."""

    def __init__(self, cloud: Cloud, repository: Repository, pipelines: Pipelines, control: Control) -> None:
        self._place = Place(cloud.region, cloud.account_id)
        self._repository = repository
        self._pipelines = pipelines
        self._control = control

    def create_pipeline(self, request: Request) -> Answer:
        tags = _tags(request)
        return {"pipeline": self._pipelines.create(request["pipeline"], tags), "tags": request.get("tags", [])}

    def update_pipeline(self, request: Request) -> Answer:
        name = request["pipeline"]["name"]
        if not self._repository.exists(name):  # UpdatePipeline's model has no PipelineNotFoundException
            raise ServiceError("ValidationException", f"Account does not have a pipeline with name '{name}'")
        return {"pipeline": self._pipelines.update(request["pipeline"])}

    def get_pipeline(self, request: Request) -> Answer:
        with self._repository.lock:
            declaration = self._repository.declaration(request["name"], request.get("version"))
            record = self._repository.pipeline(request["name"])
            metadata = {"pipelineArn": record.arn, "created": record.created, "updated": record.updated}
            return {"pipeline": declaration, "metadata": metadata}

    def delete_pipeline(self, request: Request) -> None:
        self._pipelines.delete(request["name"])

    def list_pipelines(self, request: Request) -> Answer:
        with self._repository.lock:
            summaries = [
                views.pipeline_summary(self._repository.pipeline(name), self._repository.declaration(name))
                for name in self._repository.names()
            ]
        shown, token = page(summaries, request, lambda summary: str(summary["name"]), 1000)
        return {"pipelines": shown, "nextToken": token}

    def get_pipeline_state(self, request: Request) -> Answer:
        name = request["name"]
        with self._repository.lock:
            executions = self._repository.executions(name)
            record, declaration = self._repository.pipeline(name), self._repository.declaration(name)
            return views.state_view(record, declaration, executions, self._place)

    def start_pipeline_execution(self, request: Request) -> Answer:
        revisions = request.get("sourceRevisions", [])
        for revision in revisions:
            if revision["revisionType"] != "COMMIT_ID":
                source, kind = revision["actionName"], revision["revisionType"]
                message = f"The revision type of {source} must be COMMIT_ID, got {kind}"
                raise ServiceError("ValidationException", message)
        start = StartRequest(
            trigger_type="StartPipelineExecution",
            trigger_detail=caller_arn(),
            variables={variable["name"]: variable["value"] for variable in request.get("variables", [])},
            source_revisions={revision["actionName"]: revision["revisionValue"] for revision in revisions},
            client_request_token=request.get("clientRequestToken"),
        )
        return {"pipelineExecutionId": self._control.start(request["name"], start)}

    def stop_pipeline_execution(self, request: Request) -> Answer:
        execution_id = request["pipelineExecutionId"]
        self._control.stop(
            request["pipelineName"], execution_id, request.get("reason") or None, request.get("abandon", False)
        )
        return {"pipelineExecutionId": execution_id}

    def get_pipeline_execution(self, request: Request) -> Answer:
        with self._repository.lock:
            execution = self._repository.execution(request["pipelineName"], request["pipelineExecutionId"])
            return {"pipelineExecution": views.execution_view(execution)}

    def list_pipeline_executions(self, request: Request) -> Answer:
        stage = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
        with self._repository.lock:
            summaries = [
                views.execution_summary(execution)
                for execution in reversed(self._repository.executions(request["pipelineName"]))
                if stage is None or (stage in execution.stages and execution.stages[stage].status == "Succeeded")
            ]
        shown, token = page(summaries, request, lambda summary: str(summary["pipelineExecutionId"]), 100)
        return {"pipelineExecutionSummaries": shown, "nextToken": token}

    def list_action_executions(self, request: Request) -> Answer:
        with self._repository.lock:
            wanted = request.get("filter", {}).get("latestInPipelineExecution", {})
            latest_only = wanted.get("startTimeRange") == "Latest"
            details = [
                detail
                for execution in self._filtered(request)
                for detail in self._action_details(execution, latest_only)
            ]
        shown, token = page(details, request, lambda detail: str(detail["actionExecutionId"]), 100)
        return {"actionExecutionDetails": shown, "nextToken": token}

    def _filtered(self, request: Request) -> list[Execution]:
        name, wanted = request["pipelineName"], request.get("filter", {})
        latest = wanted.get("latestInPipelineExecution", {}).get("pipelineExecutionId")
        execution_id = wanted.get("pipelineExecutionId", latest)
        if execution_id is not None:
            return [self._repository.execution(name, execution_id)]
        return list(reversed(self._repository.executions(name)))

    def _action_details(self, execution: Execution, latest_only: bool) -> list[Answer]:
        structure = self._repository.declaration(execution.pipeline, execution.version)
        actions = list(execution.counting()) if latest_only else execution.actions
        return [
            views.action_execution_detail(execution, action, action_declaration(structure, action), self._place.region)
            for action in reversed(actions)
        ]

    def retry_stage_execution(self, request: Request) -> Answer:
        execution_id = request["pipelineExecutionId"]
        self._control.retry(request["pipelineName"], request["stageName"], execution_id, request["retryMode"])
        return {"pipelineExecutionId": execution_id}

    def put_approval_result(self, request: Request) -> Answer:
        result = request["result"]
        approval = Approval(result["status"], result["summary"], caller_arn(), now())
        self._control.approve(
            request["pipelineName"], request["stageName"], request["actionName"], request["token"], approval
        )
        return {"approvedAt": approval.at}

    def disable_stage_transition(self, request: Request) -> None:
        transition = ClosedTransition(request["reason"], caller_arn(), now())
        self._control.close_transition(
            request["pipelineName"], request["stageName"], request["transitionType"], transition
        )

    def enable_stage_transition(self, request: Request) -> None:
        self._control.open_transition(request["pipelineName"], request["stageName"], request["transitionType"])

    def tag_resource(self, request: Request) -> Answer:
        with self._repository.lock:
            record = self._tagged(request)
            record.tags = _within_limit({**record.tags, **_tags(request)})
            self._repository.save_pipeline(record)
        return {}

    def untag_resource(self, request: Request) -> Answer:
        with self._repository.lock:
            record = self._tagged(request)
            record.tags = {key: value for key, value in record.tags.items() if key not in request["tagKeys"]}
            self._repository.save_pipeline(record)
        return {}

    def list_tags_for_resource(self, request: Request) -> Answer:
        with self._repository.lock:
            tags = [{"key": key, "value": value} for key, value in self._tagged(request).tags.items()]
        shown, token = page(tags, request, lambda tag: str(tag["key"]), 100)
        return {"tags": shown, "nextToken": token}

    def _tagged(self, request: Request) -> PipelineRecord:
        arn = request["resourceArn"]
        name = arn.rpartition(":")[2]
        if not self._repository.exists(name) or self._repository.pipeline(name).arn != arn:
            raise ServiceError("ResourceNotFoundException", f"There is no pipeline {arn}")
        return self._repository.pipeline(name)


def _tags(request: Request) -> dict[str, str]:
    return _within_limit({tag["key"]: tag["value"] for tag in request.get("tags", [])})


def _within_limit(tags: Mapping[str, str]) -> dict[str, str]:
    reserved = [key for key in tags if key.lower().startswith("aws:")]
    if reserved:
        raise ServiceError("InvalidTagsException", f"Tag keys may not begin with aws: {', '.join(reserved)}")
    if len(tags) > _MOST_TAGS:
        raise ServiceError("TooManyTagsException", f"A pipeline has at most {_MOST_TAGS} tags, got {len(tags)}")
    return dict(tags)
