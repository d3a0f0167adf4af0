"""What is known of each experiment: a document in the data bucket, so that a team sees each other's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pipeline_steps.documents import Document, Estimate, MetricValue, Verdict
from pipeline_steps.errors import DocumentError
from slipway.target import Target

PREFIX = "evaluations/experiments/"
"""Beside the evaluations of executions, whose folders are called by their ids."""

Outcome = Literal["InProgress", "Completed", "Failed", "Stopped"]


class ChampionScores(Document):
    """What production served then, scored on the same holdout.

    Attributes:
        version: of the model package.
        metrics: empty when it could not be compared.
    """

    version: str
    metrics: Mapping[str, MetricValue]


class ExperimentRecord(Document):
    """One experiment.

    Attributes:
        id: a UUID; jobs and places in S3 are called by it.
        person: whose credentials acted.
        commit: that was checked out.
        changed_files: which differed from it then, as git lists them.
        hyperparameters: all of them, as the training job got them.
        changes: those of them that differ from the champion's, or that --set gave when the champion's are not known.
        failure: why it has no metrics; None when it has, or when it still runs.
        metrics: on the holdout.
        champion: None when production served nothing.
        difference: of the primary metric, to the champion's; None when there is none.
        verdict: of the pipeline's gate, if this were an execution.
    """

    id: str
    started: datetime
    person: str
    commit: str
    changed_files: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    changes: Mapping[str, str]
    image_uri: str
    dataset_uri: str
    data_version: str
    outcome: Outcome = "InProgress"
    training_job: str | None = None
    training_seconds: int | None = None
    failure: str | None = None
    rows: int | None = None
    metrics: Mapping[str, MetricValue] = {}
    champion: ChampionScores | None = None
    difference: Estimate | None = None
    verdict: Verdict | None = None


class KeptRecord:
    """The record of an experiment that is under way: each fact is stored as soon as it is known, and how it ended.

    Attributes:
        record: as it is known now.
    """

    def __init__(self, target: Target, bucket: str, record: ExperimentRecord) -> None:
        self._target, self._bucket = target, bucket
        self.record = record

    def note(self, **facts: Any) -> None:
        """Store what has become known."""
        self.record = self.record.model_copy(update=facts)
        body = self.record.model_dump_json(indent=2).encode()
        key = f"{PREFIX}{self.record.id}.json"
        self._target.client("s3").put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

    def __enter__(self) -> Self:
        self.note()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.note(outcome="Stopped", failure="stopped with Ctrl-C")
        elif error is not None:
            self.note(outcome="Failed", failure=str(error))


def read_records(target: Target, bucket: str) -> list[ExperimentRecord]:
    """All experiments; objects that are none are left out."""
    s3 = target.client("s3")
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for entry in page.get("Contents", []):
            text = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode(errors="replace")
            try:
                found.append(ExperimentRecord.parse(text, entry["Key"]))
            except DocumentError:
                continue
    return found
