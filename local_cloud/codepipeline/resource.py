"""The CloudFormation type AWS::CodePipeline::Pipeline."""

import uuid
from collections.abc import Mapping
from typing import Any

from local_cloud.codepipeline.pipelines import Pipelines
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.template import closed_transitions_of, declaration_of, restarts_on_update, tags_of

_NAME_CHARACTERS = 100


class PipelineResource:
    """Makes, updates in place and deletes pipelines for CloudFormation. Ref is the name; attribute: Version."""

    replace_on = frozenset({"Name"})

    def __init__(self, repository: Repository, pipelines: Pipelines) -> None:
        self._repository = repository
        self._pipelines = pipelines

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name = properties.get("Name") or _generated_name(stack_name, logical_id)
        created = self._pipelines.create(declaration_of(properties, name), tags_of(properties))
        self._close_transitions(name, properties)
        return name, {"Version": str(created["version"])}

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        updated = self._pipelines.update(declaration_of(new, physical_id))
        with self._repository.lock:
            record = self._repository.pipeline(physical_id)
            kept = {key: value for key, value in record.tags.items() if key not in tags_of(old)}
            record.tags = {**kept, **tags_of(new)}
            self._repository.save_pipeline(record)
        self._close_transitions(physical_id, new)
        if restarts_on_update(new):
            self._pipelines.start_automatically(physical_id, "StartPipelineExecution")
        return {"Version": str(updated["version"])}

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        self._pipelines.delete(physical_id)

    def _close_transitions(self, name: str, properties: Mapping[str, Any]) -> None:
        closed = closed_transitions_of(properties, self._pipelines.owner_arn)
        if closed:
            with self._repository.lock:
                record = self._repository.pipeline(name)
                record.closed.update(closed)
                self._repository.save_pipeline(record)


def _generated_name(stack_name: str, logical_id: str) -> str:
    suffix = uuid.uuid4().hex[:12].upper()
    return f"{f'{stack_name}-{logical_id}'[: _NAME_CHARACTERS - 13]}-{suffix}"
