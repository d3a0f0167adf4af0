"""Train the challenger.

in   image_uri          the container, whose `train` does the work
in   dataset_uri        splits train and validation; the holdout is kept from the training job
in   released_version   whose model is passed on, unless it is `new`
out  TRAINING_JOB_NAME  the job that trained
out  MODEL_DATA_URI     model.tar.gz in S3
out  MODEL_SHA256       digest of the files in it, MODEL_ARCHIVE_SHA256 of the object itself
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_steps import names
from pipeline_steps.aws import Aws
from pipeline_steps.inputs import JobInputs
from pipeline_steps.job_requests import job_tags, volume_key, vpc_config
from pipeline_steps.jobs import TRAINING, JobRequest, run_jobs
from pipeline_steps.model_artifact import read_digests
from pipeline_steps.progress import say
from pipeline_steps.released_version import released_version
from settings import Evaluation, Settings

_MOST_METRIC_DEFINITIONS = 40  # CreateTrainingJob
_MEASURED_BY_THE_EVALUATION = frozenset({"model_mib", "prediction_p50_ms", "prediction_p99_ms"})


@dataclass(frozen=True, kw_only=True)
class Inputs(JobInputs):
    """What the step is given."""

    image_uri: str
    dataset_uri: str
    training_role_arn: str


def training_request(settings: Settings, inputs: Inputs) -> JobRequest:
    """The training job."""
    training = settings.training
    body = {
        "AlgorithmSpecification": {
            "TrainingImage": inputs.image_uri,
            "TrainingInputMode": "File",
            "MetricDefinitions": metric_definitions(settings.evaluation),
        },
        "HyperParameters": {key: as_hyperparameter(value) for key, value in training.hyperparameters.items()},
        "RoleArn": inputs.training_role_arn,
        "InputDataConfig": [_channel("train", inputs.dataset_uri), _channel("validation", inputs.dataset_uri)],
        "OutputDataConfig": {
            "S3OutputPath": names.models_uri(inputs.data_bucket, inputs.execution_id),
            "KmsKeyId": inputs.key_arn,
        },
        "ResourceConfig": {
            "InstanceType": training.instance_type,
            "InstanceCount": training.instance_count,
            "VolumeSizeInGB": training.volume_gib,
            **volume_key(training.instance_type, inputs.key_arn),
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": training.max_runtime_minutes * 60},
        "EnableNetworkIsolation": True,
        # One instance has nobody to talk to. Several exchange what they learn of the data, at the price of some time.
        "EnableInterContainerTrafficEncryption": training.instance_count > 1,
        **vpc_config(settings, inputs),
        "Tags": job_tags(settings, inputs),
    }
    instances = f"{training.instance_count} x {training.instance_type}"
    return JobRequest(
        kind=TRAINING,
        name=names.job_name(settings.name, "train", inputs.execution_id),
        description=f"image {names.short_digest(inputs.image_uri)} on {instances}",
        body=body,
        max_runtime_seconds=training.max_runtime_minutes * 60,
    )


def metric_definitions(evaluation: Evaluation) -> list[dict[str, str]]:
    """How SageMaker finds the gate's metrics in the training log: lines with `validation:NAME=VALUE`."""
    judged = dict.fromkeys([evaluation.primary.metric, *(limit.metric for limit in evaluation.limits)])
    trained = [metric for metric in judged if metric not in _MEASURED_BY_THE_EVALUATION]
    names_in_log = [f"validation:{metric}" for metric in trained][:_MOST_METRIC_DEFINITIONS]
    return [{"Name": name, "Regex": rf"{re.escape(name)}=([-+0-9.eE]+)"} for name in names_in_log]


def as_hyperparameter(value: str | float | bool) -> str:
    """A hyperparameter as SageMaker takes it: a string; numbers and booleans are written as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Run the container's `train` on the prepared data.

    Raises:
        JobError: the training failed; the text is the job's FailureReason in full.
        ArtifactError: the job's model artifact cannot be used, or was replaced since.
        ReleaseError: the version to release cannot be.
    """
    version = released_version(aws, inputs)
    if version is not None:
        return {
            "TRAINING_JOB_NAME": version.metadata["training_job"],
            "MODEL_DATA_URI": version.model_data_uri,
            "MODEL_SHA256": version.model_sha256,
            "MODEL_ARCHIVE_SHA256": version.metadata["model_archive_sha256"],
        }
    (job,) = run_jobs(aws, [training_request(settings, inputs)])
    job.require_completed()
    model_data_uri = job.answer["ModelArtifacts"]["S3ModelArtifacts"]
    for metric in job.answer.get("FinalMetricDataList", []):
        say(f"{metric['MetricName']} {metric['Value']:.6g}")
    say(f"{job.name} made {model_data_uri}")
    digests = read_digests(aws, model_data_uri, job.answer["TrainingEndTime"])
    return {
        "TRAINING_JOB_NAME": job.name,
        "MODEL_DATA_URI": model_data_uri,
        "MODEL_SHA256": digests.model,
        "MODEL_ARCHIVE_SHA256": digests.archive,
    }


def _channel(split: str, dataset_uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{dataset_uri}{split}/", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": split, "DataSource": {"S3DataSource": source}}
