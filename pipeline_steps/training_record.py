"""What SageMaker keeps of a training job: how it was set up, what it measured, how long it took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pipeline_steps.aws import Aws, translated


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """A finished training job.

    Attributes:
        hyperparameters: as SageMaker took them, all of them text.
        metrics: the last value of each that SageMaker found in the log, by name.
        seconds: from the start of its instances to the end; None, as billable_seconds, when it is not told.
        billable_seconds: of all its instances together.
    """

    name: str
    arn: str
    created: datetime
    hyperparameters: Mapping[str, str]
    metrics: Mapping[str, float]
    seconds: int | None
    billable_seconds: int | None

    @classmethod
    def read(cls, aws: Aws, name: str) -> Self:
        """Look a training job up.

        Raises:
            NotFoundError: there is none of that name.
        """
        with translated(f"look at the training job {name}"):
            job = aws.sagemaker.describe_training_job(TrainingJobName=name)
        return cls(
            name=name,
            arn=job["TrainingJobArn"],
            created=job["CreationTime"],
            hyperparameters=dict(job.get("HyperParameters", {})),
            metrics={metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])},
            seconds=job.get("TrainingTimeInSeconds"),
            billable_seconds=job.get("BillableTimeInSeconds"),
        )
