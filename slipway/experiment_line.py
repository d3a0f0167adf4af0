"""What the deployed pipeline has for an experiment: the inputs of its steps, the newest data set, the champion."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pipeline_steps.aws import Aws
from pipeline_steps.champion import Champion, find_champion
from pipeline_steps.errors import NotFoundError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.training_record import TrainingRecord
from slipway.errors import PipelineError
from slipway.project import Project
from slipway.stacks import Stacks
from slipway.target import Target

BUILD_IMAGE = "build-image"

_STEPS = (BUILD_IMAGE, "prepare-data", "train-model", "evaluate-model")

SomeInputs = TypeVar("SomeInputs", bound=StepInputs)


class TargetAws(Aws):
    """The steps' clients, which speak to the command's target with the person's own credentials."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def _client(self, service: str) -> Any:
        return self._target.client(service)


@dataclass(frozen=True)
class DeployedLine:
    """The deployed pipeline.

    Attributes:
        variables: of its steps' build projects: buckets, key, roles, network.
        artifact_bucket: where builds find their source.
    """

    variables: Mapping[str, str]
    artifact_bucket: str

    def inputs(self, kind: type[SomeInputs], **given: Any) -> SomeInputs:
        """The inputs of a step: what the pipeline deployed gives it, and what is given here."""
        variables = {name.lower(): value for name, value in self.variables.items()}
        taken = {field.name: variables[field.name] for field in fields(kind) if field.name in variables}
        return kind(**taken | given)

    @property
    def data_bucket(self) -> str:
        return self.variables["DATA_BUCKET"]


def deployed_line(target: Target, project: Project) -> DeployedLine:
    """Raises PipelineError when the pipeline is not deployed."""
    projects = target.client("codebuild").batch_get_projects(names=[f"{project.name}-{step}" for step in _STEPS])
    if projects.get("projectsNotFound"):
        missing = ", ".join(projects["projectsNotFound"])
        raise PipelineError(f"there is no build project {missing} here: the pipeline is not deployed", "slipway up")
    variables = {
        variable["name"]: variable["value"]
        for found in projects["projects"]
        for variable in found["environment"]["environmentVariables"]
    }
    outputs = Stacks(target).outputs(project.foundation_stack)
    return DeployedLine(variables, outputs["ArtifactBucketName"])


@dataclass(frozen=True)
class Dataset:
    """A prepared data set.

    Attributes:
        uri: its prefix in S3.
        version: hash of what is in it.
        execution_id: which execution, or experiment, prepared it.
    """

    uri: str
    version: str
    execution_id: str


def newest_dataset(target: Target, project: Project) -> Dataset:
    """What the pipeline prepared last, whatever became of the model that was trained on it.

    Raises:
        PipelineError: it has not prepared data yet.
    """
    pages = target.client("codepipeline").get_paginator("list_action_executions").paginate(pipelineName=project.name)
    for page in pages:  # the newest first
        prepared = [
            detail
            for detail in page["actionExecutionDetails"]
            if detail["actionName"] == "PrepareData" and detail["status"] == "Succeeded"
        ]
        if prepared:
            newest = max(prepared, key=lambda detail: detail["startTime"])
            variables = newest["output"]["outputVariables"]
            return Dataset(variables["DATASET_URI"], variables["DATA_VERSION"], newest["pipelineExecutionId"])
    raise PipelineError(
        f"the pipeline {project.name} has not prepared data yet",
        f"git push slipway HEAD:{project.branch}, or slipway experiment --prepare",
    )


def serving_champion(aws: Aws, line: DeployedLine) -> Champion | None:
    """The model package that production serves; None when it serves none."""
    found = find_champion(aws, line.variables["PRODUCTION_ENDPOINT"])
    return found if isinstance(found, Champion) else None


def champions_hyperparameters(aws: Aws, champion: Champion | None) -> Mapping[str, str]:
    """Those of its training job; empty when they cannot be known any more."""
    job = None if champion is None else champion.metadata.get("training_job")
    if job is not None:
        with suppress(NotFoundError):
            return TrainingRecord.read(aws, job).hyperparameters
    return {}


def person(target: Target) -> str:
    """Who acts: the name of the IAM user, or of a role's session."""
    arn: str = target.client("sts").get_caller_identity()["Arn"]
    return arn.rpartition(":")[2].rpartition("/")[2]
