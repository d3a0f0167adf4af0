"""Names of jobs and places in S3, all made from the pipeline execution's id."""

import re

# codepipeline: the pattern of PipelineExecutionId
_EXECUTION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# A commit's id becomes an image tag: the grammar of a tag, without its leading underscore.
_COMMIT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_execution_id(text: str) -> bool:
    """Whether text is an id as CodePipeline gives them, so that names made from it are legal and its own."""
    return _EXECUTION_ID.fullmatch(text) is not None


def is_commit_id(text: str) -> bool:
    """Whether text can be the tag of an image."""
    return _COMMIT_ID.fullmatch(text) is not None


def job_name(project: str, role: str, execution_id: str) -> str:
    """Name of an execution's job in a role such as `train`: `flight-delays-train-0f9e8d7c`."""
    return f"{project}-{role}-{execution_id[:8]}"


def attempt_name(job_name: str, attempt: int) -> str:
    """Name of the n-th attempt at a job (from 1): `NAME`, `NAME-2`, `NAME-3`."""
    return job_name if attempt == 1 else f"{job_name}-{attempt}"


def raw_uri(bucket: str, prefix: str) -> str:
    """The team's own data."""
    return f"s3://{bucket}/{prefix}"


def dataset_uri(bucket: str, execution_id: str) -> str:
    """The data set that an execution prepared."""
    return f"s3://{bucket}/datasets/{execution_id}/"


def models_uri(bucket: str, execution_id: str) -> str:
    """Where an execution's training jobs put their model artifacts, each below its own name."""
    return f"s3://{bucket}/models/{execution_id}/"


def evaluation_uri(bucket: str, execution_id: str, role: str) -> str:
    """What came out of scoring the challenger or the champion."""
    return f"s3://{bucket}/evaluations/{execution_id}/{role}/"


def report_uri(bucket: str, execution_id: str, file: str) -> str:
    """A file that sums an execution's evaluation up: report.html, report.md or model_quality.json."""
    return f"s3://{bucket}/evaluations/{execution_id}/{file}"


def digest(image_uri: str) -> str:
    """The digest in an image's URI: `sha256:` and 64 hexadecimal digits."""
    return image_uri.rpartition("@")[2]


def short_digest(image_uri: str) -> str:
    """Enough of an image's digest to recognise it in a log."""
    return digest(image_uri)[: len("sha256:") + 12]
