"""Scores models in processing jobs, each by its own image and code, and reads what came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_steps import names
from pipeline_steps.aws import Aws
from pipeline_steps.comparison.compare import ScoredModel, disagreements
from pipeline_steps.comparison.predictions import read_predictions
from pipeline_steps.documents import EvaluationReport, Scores
from pipeline_steps.errors import DocumentError
from pipeline_steps.inputs import JobInputs
from pipeline_steps.job_requests import (
    job_tags,
    processing_cluster,
    processing_input,
    processing_network,
    processing_output,
)
from pipeline_steps.jobs import PROCESSING, JobRequest
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from settings import Settings, SliceColumn

LARGEST_PREDICTIONS_BYTES = 2 * 2**30
"""Of predictions.npz, which is held in memory."""


@dataclass(frozen=True, kw_only=True)
class ScoringInputs(JobInputs):
    """What a step that scores models is given besides."""

    dataset_uri: str
    processing_role_arn: str


@dataclass(frozen=True)
class Model:
    """A model that can be scored: its own image and its own artifact.

    Attributes:
        sha256: digest of the artifact's files; None for a champion that was registered without one.
        slices: by which its code slices the holdout; of two models one does.
    """

    role: str
    image_uri: str
    model_data_uri: str
    sha256: str | None
    model_package_arn: str | None = None
    slices: Sequence[SliceColumn] = ()


def evaluation_request(settings: Settings, inputs: ScoringInputs, model: Model) -> JobRequest:
    """The processing job that scores one model on the holdout."""
    processing = settings.processing
    body = {
        "AppSpecification": {
            "ImageUri": model.image_uri,
            "ContainerArguments": ["evaluate", *(slice_argument(column) for column in model.slices)],
        },
        "Environment": {DIGEST_VARIABLE: model.sha256} if model.sha256 is not None else {},
        "RoleArn": inputs.processing_role_arn,
        "ProcessingInputs": [
            processing_input("model", model.model_data_uri, "model"),
            processing_input("holdout", f"{inputs.dataset_uri}holdout/", "holdout"),
        ],
        "ProcessingOutputConfig": {
            "KmsKeyId": inputs.key_arn,
            "Outputs": [processing_output("evaluation", evaluation_uri(inputs, model.role))],
        },
        "ProcessingResources": processing_cluster(processing, inputs.key_arn),
        "NetworkConfig": processing_network(settings, inputs),
        "StoppingCondition": {"MaxRuntimeInSeconds": processing.max_runtime_minutes * 60},
        "Tags": job_tags(settings, inputs),
    }
    return JobRequest(
        kind=PROCESSING,
        name=names.job_name(settings.name, f"evaluate-{model.role}", inputs.execution_id),
        description=f"image {names.short_digest(model.image_uri)} on one {processing.instance_type}",
        body=body,
        max_runtime_seconds=processing.max_runtime_minutes * 60,
        label=model.role,
    )


def slice_argument(column: SliceColumn) -> str:
    """How the container is told of a column to slice by: `--slice=carrier`, `--slice=distance:500,1500`."""
    bands = ",".join(f"{edge:.17g}" for edge in column.bands)
    return f"--slice={column.column}:{bands}" if bands else f"--slice={column.column}"


def evaluation_uri(inputs: JobInputs, role: str) -> str:
    """Where the evaluation of a role goes."""
    return names.evaluation_uri(inputs.data_bucket, inputs.execution_id, role)


def read_evaluation(aws: Aws, inputs: ScoringInputs, model: Model) -> tuple[EvaluationReport, ScoredModel]:
    """What a model's evaluation found.

    Raises:
        NotFoundError: it wrote no evaluation.
        DocumentError: it is of another model, cannot be read, or contradicts itself.
    """
    folder = evaluation_uri(inputs, model.role)
    scores = Scores.parse(aws.read_text(f"{folder}evaluation.json"), f"{folder}evaluation.json")
    if model.sha256 is not None and scores.model_sha256 != model.sha256:
        raise DocumentError(
            f"{folder}evaluation.json must have the scores of the model {model.sha256}, it has those of "
            f"{scores.model_sha256 or 'any'}"
        )
    source = f"{folder}predictions.npz"
    scored = ScoredModel(scores, read_predictions(aws.read_bytes(source, LARGEST_PREDICTIONS_BYTES), scores, source))
    contradictions = disagreements(scored)
    if contradictions:
        raise DocumentError(f"{folder}evaluation.json contradicts {source}: it says {'; '.join(contradictions)}")
    report = EvaluationReport(
        **scores.model_dump(),
        image_uri=model.image_uri,
        model_data_uri=model.model_data_uri,
        model_package_arn=model.model_package_arn,
        evaluation_uri=f"{folder}evaluation.json",
    )
    return report, scored
