"""The CloudFormation type AWS::CodePipeline::Pipeline."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_cloud.authorization import Check, authorize
from local_cloud.codepipeline.pipelines import Pipelines
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.template import closed_transitions_of, declaration_of, restarts_on_update, tags_of
from local_cloud.wire import JsonService, ServiceError

_NAME_CHARACTERS = 100


class PipelineResource:
    """Makes, updates in place and deletes pipelines for CloudFormation. Ref is the name; attribute: Version.

    It calls the operations that whoever makes the stack may call.
    """

    replace_on = frozenset({"Name"})

    def __init__(self, service: JsonService, repository: Repository, pipelines: Pipelines) -> None:
        self._service = service
        self._repository = repository
        self._pipelines = pipelines

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name = properties.get("Name") or _generated_name(stack_name, logical_id)
        request = {"pipeline": declaration_of(properties, name), "tags": _tag_list(tags_of(properties))}
        created = self._call("CreatePipeline", request)
        try:
            self._close_transitions(name, properties)
        except ServiceError:
            self._pipelines.delete(name)  # the stack never learns of it, so it could not roll it back
            raise
        return name, {"Version": str(created["pipeline"]["version"])}

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        updated = self._call("UpdatePipeline", {"pipeline": declaration_of(new, physical_id)})
        arn = self._repository.pipeline(physical_id).arn
        self._update_tags(arn, tags_of(old), tags_of(new))
        self._close_transitions(physical_id, new)
        if restarts_on_update(new):
            authorize([Check("codepipeline:StartPipelineExecution", arn)])
            self._pipelines.start_automatically(physical_id, "StartPipelineExecution")
        return {"Version": str(updated["pipeline"]["version"])}

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        self._call("DeletePipeline", {"name": physical_id})

    def _update_tags(self, arn: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        removed = [key for key in old if key not in new]
        if removed:
            self._call("UntagResource", {"resourceArn": arn, "tagKeys": removed})
        if new and new != old:
            self._call("TagResource", {"resourceArn": arn, "tags": _tag_list(new)})

    def _close_transitions(self, name: str, properties: Mapping[str, Any]) -> None:
        for stage, reason in closed_transitions_of(properties).items():
            transition = {"pipelineName": name, "stageName": stage, "transitionType": "Inbound", "reason": reason}
            self._call("DisableStageTransition", transition)

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._service.call(operation, json.dumps(request).encode())


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _generated_name(stack_name: str, logical_id: str) -> str:
    suffix = uuid.uuid4().hex[:12].upper()
    return f"{f'{stack_name}-{logical_id}'[: _NAME_CHARACTERS - 13]}-{suffix}"
