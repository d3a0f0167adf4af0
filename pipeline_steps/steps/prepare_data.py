"""Prepare the team's data and split it into train, validation and holdout.

in   image_uri         the container, whose `prepare` does the work
in   data_bucket       holds the raw data under settings.data.prefix
in   released_version  whose data set is passed on, unless it is `new`
out  DATASET_URI       S3 prefix of the data set
out  DATA_VERSION      hash of what is in it
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.documents import DatasetManifest
from pipeline_steps.errors import DataError
from pipeline_steps.inputs import JobInputs
from pipeline_steps.job_requests import (
    job_tags,
    processing_cluster,
    processing_input,
    processing_network,
    processing_output,
)
from pipeline_steps.jobs import PROCESSING, JobRequest, run_jobs
from pipeline_steps.progress import say
from pipeline_steps.released_version import released_version
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Inputs(JobInputs):
    """What the step is given."""

    image_uri: str
    processing_role_arn: str


def preparation_request(settings: Settings, inputs: Inputs) -> JobRequest:
    """The processing job that prepares the data."""
    processing = settings.processing
    body = {
        "AppSpecification": {"ImageUri": inputs.image_uri, "ContainerArguments": ["prepare"]},
        "Environment": {"SLIPWAY_SPLIT": settings.data.split.model_dump_json()},
        "RoleArn": inputs.processing_role_arn,
        "ProcessingInputs": [processing_input("raw", names.raw_uri(inputs.data_bucket, settings.data.prefix), "raw")],
        "ProcessingOutputConfig": {
            "KmsKeyId": inputs.key_arn,
            "Outputs": [processing_output("dataset", names.dataset_uri(inputs.data_bucket, inputs.execution_id))],
        },
        "ProcessingResources": processing_cluster(processing, inputs.key_arn),
        "NetworkConfig": processing_network(settings, inputs),
        "StoppingCondition": {"MaxRuntimeInSeconds": processing.max_runtime_minutes * 60},
        "Tags": job_tags(settings, inputs),
    }
    return JobRequest(
        kind=PROCESSING,
        name=names.job_name(settings.name, "prepare", inputs.execution_id),
        description=f"image {names.short_digest(inputs.image_uri)} on one {processing.instance_type}",
        body=body,
        max_runtime_seconds=processing.max_runtime_minutes * 60,
    )


def check_splits(manifest: DatasetManifest) -> None:
    """Raise DataError when a split has no rows, with the number of rows in each."""
    rows = manifest.rows.model_dump()
    empty = [name for name, count in rows.items() if count < 1]
    if empty:
        counts = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise DataError(
            f"no rows in {' and '.join(empty)} ({counts}): add data, or change data.split in slipway.yaml so that each "
            "split gets some"
        )


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Run the container's `prepare` on the raw data.

    Raises:
        DataError: there is no raw data, or a split came out empty.
        JobError: the container failed, with its reason.
        ReleaseError: the version to release cannot be.
    """
    version = released_version(aws, inputs)
    if version is not None:
        return {name.upper(): version.metadata[name] for name in ("dataset_uri", "data_version")}
    _check_raw_data(aws, inputs.data_bucket, settings.data.prefix)
    (job,) = run_jobs(aws, [preparation_request(settings, inputs)])
    job.require_completed()
    dataset_uri = names.dataset_uri(inputs.data_bucket, inputs.execution_id)
    manifest_uri = f"{dataset_uri}manifest.json"
    manifest = DatasetManifest.parse(aws.read_text(manifest_uri), manifest_uri)
    rows = ", ".join(f"{split} {count}" for split, count in manifest.rows.model_dump().items())
    say(f"data version {manifest.data_version}, rows: {rows}")
    check_splits(manifest)
    return {"DATASET_URI": dataset_uri, "DATA_VERSION": manifest.data_version}


def _check_raw_data(aws: Aws, bucket: str, prefix: str) -> None:
    uri = names.raw_uri(bucket, prefix)
    with translated(f"list {uri}"):
        objects = aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    if all(entry["Key"].endswith("/") for entry in objects):  # the console makes an object for an empty folder
        raise DataError(f"there is no data under {uri}: put it there with `aws s3 cp DIRECTORY {uri} --recursive`")
