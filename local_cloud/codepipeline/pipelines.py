"""Makes, changes and removes pipelines, for the API and for CloudFormation alike."""

import logging
from collections.abc import Mapping

from local_cloud.authorization import caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codepipeline.control import Control, StartRequest
from local_cloud.codepipeline.engine import Engine
from local_cloud.codepipeline.records import Declaration, PipelineRecord, now
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.structure import validate
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)


class Pipelines:
    """The pipelines of this cloud."""

    def __init__(self, cloud: Cloud, repository: Repository, engine: Engine, control: Control) -> None:
        self._cloud = cloud
        self._repository = repository
        self._engine = engine
        self._control = control

    def create(self, declaration: Declaration, tags: Mapping[str, str]) -> Declaration:
        """Make a pipeline and, as AWS does, start its first execution.

        Raises:
            ServiceError: the name is taken, or the structure is not valid.
        """
        name = declaration["name"]
        with self._repository.lock:
            if self._repository.exists(name):
                raise ServiceError("PipelineNameInUseException", f"A pipeline with the name '{name}' already exists")
            validate(declaration, self._cloud.region)
            time = now()
            arn = f"arn:aws:codepipeline:{self._cloud.region}:{self._cloud.account_id}:{name}"
            record = PipelineRecord(name, arn, 1, time, time, dict(tags))
            stored = _with_defaults(declaration, 1)
            self._repository.save_pipeline(record, stored)
        self.start_automatically(name, "CreatePipeline")
        return stored

    def update(self, declaration: Declaration) -> Declaration:
        """Give a pipeline a new structure; executions in progress go on with the one they started with.

        Raises:
            ServiceError: there is no such pipeline, or the structure is not valid.
        """
        with self._repository.lock:
            record = self._repository.pipeline(declaration["name"])
            validate(declaration, self._cloud.region)
            record.version += 1
            record.updated = now()
            stored = _with_defaults(declaration, record.version)
            self._repository.save_pipeline(record, stored)
            return stored

    def delete(self, name: str) -> None:
        """Remove a pipeline with its history; what it has in progress is abandoned. An absent one is no error."""
        with self._repository.lock:
            if self._repository.exists(name):
                for execution in self._repository.executions(name):
                    self._engine.abandon_actions(execution)
                self._repository.remove(name)

    def start_automatically(self, name: str, trigger_type: str) -> None:
        """Start an execution that nobody asked for by name; one whose variables have no default values is left out."""
        try:
            self._control.start(name, StartRequest(trigger_type, caller_arn()))
        except ServiceError as error:
            logger.warning("the pipeline %s does not start by itself: %s", name, error.message)


def _with_defaults(declaration: Declaration, version: int) -> Declaration:
    return {"executionMode": "SUPERSEDED", "pipelineType": "V1", **declaration, "version": version}
