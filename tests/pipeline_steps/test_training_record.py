"""What is read of a training job."""

from datetime import UTC, datetime

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.errors import NotFoundError
from pipeline_steps.training_record import TrainingRecord
from tests.pipeline_steps.doubles import answer_instead

JOB = {
    "TrainingJobName": "train",
    "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/train",
    "CreationTime": datetime(2026, 11, 21, tzinfo=UTC),
}


def test_a_job_is_read_with_what_it_measured_and_cost(aws: Aws) -> None:
    told = {
        **JOB,
        "HyperParameters": {"trees": "200"},
        "FinalMetricDataList": [{"MetricName": "validation:roc_auc", "Value": 0.5}],
        "TrainingTimeInSeconds": 120,
        "BillableTimeInSeconds": 0,
    }
    answer_instead(aws.sagemaker, "DescribeTrainingJob", lambda _: (200, told))

    record = TrainingRecord.read(aws, "train")

    assert record == TrainingRecord(
        name="train",
        arn=JOB["TrainingJobArn"],
        created=JOB["CreationTime"],
        hyperparameters={"trees": "200"},
        metrics={"validation:roc_auc": 0.5},
        seconds=120,
        billable_seconds=0,
    )


def test_what_sagemaker_does_not_tell_is_none_or_empty(aws: Aws) -> None:
    answer_instead(aws.sagemaker, "DescribeTrainingJob", lambda _: (200, JOB))

    record = TrainingRecord.read(aws, "train")

    assert (record.seconds, record.billable_seconds) == (None, None)
    assert record.hyperparameters == record.metrics == {}


def test_a_job_that_does_not_exist_is_told(aws: Aws) -> None:
    with pytest.raises(NotFoundError, match="look at the training job train"):
        TrainingRecord.read(aws, "train")
