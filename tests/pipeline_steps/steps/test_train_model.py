"""The challenger is trained in a job that sees nothing but its training data."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.errors import ArtifactError, JobError
from pipeline_steps.steps import train_model
from settings import Network, Settings
from tests.model_code.archives import archive, member
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    KEY_ARN,
    MODEL_DATA_URI,
    MODEL_SHA256,
    ROLE_ARN,
    VPC_CONFIG,
    VPC_INPUTS,
    put_model,
    script,
)

DATASET_URI = f"s3://{BUCKET}/datasets/{EXECUTION_ID}/"
INPUTS = train_model.Inputs(
    execution_id=EXECUTION_ID,
    commit_id=COMMIT_ID,
    image_uri=IMAGE_URI,
    dataset_uri=DATASET_URI,
    data_bucket=BUCKET,
    training_role_arn=ROLE_ARN,
    key_arn=KEY_ARN,
)


def test_the_request_is_complete(settings: Settings) -> None:
    request = train_model.training_request(settings, INPUTS)

    assert request.name == "flight-delays-train-0f9e8d7c"
    assert request.body == {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE_URI,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": "validation:roc_auc", "Regex": r"validation:roc_auc=([-+0-9.eE]+)"},
                {"Name": "validation:log_loss", "Regex": r"validation:log_loss=([-+0-9.eE]+)"},
            ],
        },
        "HyperParameters": {"trees": "200", "learning_rate": "0.1", "grow": "lossguide", "verbose": "true"},
        "RoleArn": ROLE_ARN,
        "InputDataConfig": [
            {
                "ChannelName": split,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"{DATASET_URI}{split}/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for split in ("train", "validation")
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models/{EXECUTION_ID}/", "KmsKeyId": KEY_ARN},
        "ResourceConfig": {
            "InstanceType": "ml.m5.xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
            "VolumeKmsKeyId": KEY_ARN,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": False,
        "Tags": [
            {"Key": "team", "Value": "delays"},
            {"Key": "slipway:execution", "Value": EXECUTION_ID},
            {"Key": "slipway:commit", "Value": COMMIT_ID},
        ],
    }


@pytest.mark.parametrize(("instances", "encrypted"), [(1, False), (2, True)])
def test_what_instances_tell_each_other_is_encrypted(settings: Settings, instances: int, encrypted: bool) -> None:
    training = settings.training.model_copy(update={"instance_count": instances})

    request = train_model.training_request(settings.model_copy(update={"training": training}), INPUTS)

    assert request.body["EnableInterContainerTrafficEncryption"] is encrypted


def test_in_a_vpc_the_instances_are_connected_to_its_subnets(settings: Settings) -> None:
    in_a_vpc = settings.model_copy(update={"network": Network(mode="vpc")})

    request = train_model.training_request(in_a_vpc, replace(INPUTS, **VPC_INPUTS))

    assert request.body["VpcConfig"] == VPC_CONFIG
    assert request.body["EnableNetworkIsolation"] is True


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("validation:roc_auc=0.6412", "0.6412"),
        ("round 3 validation:roc_auc=1e-05 validation:log_loss=0.6", "1e-05"),
        ("train:roc_auc=0.7", None),
    ],
)
def test_metrics_are_found_in_the_training_log(settings: Settings, line: str, value: str | None) -> None:
    pattern = train_model.metric_definitions(settings.evaluation)[0]["Regex"]

    found = re.search(pattern, line)

    assert (found.group(1) if found else None) == value


@pytest.mark.parametrize(
    ("value", "text"), [(200, "200"), (0.1, "0.1"), (1e-7, "1e-07"), (True, "true"), ("gbtree", "gbtree"), ("", "")]
)
def test_hyperparameters_are_strings(value: str | float | bool, text: str) -> None:
    assert train_model.as_hyperparameter(value) == text


def test_the_job_and_its_model_are_exported(aws: Aws, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    content = put_model(aws)
    metrics = [{"MetricName": "validation:roc_auc", "Value": 0.64123456789, "Timestamp": 0}]
    artifacts = {"ModelArtifacts": {"S3ModelArtifacts": MODEL_DATA_URI}, "FinalMetricDataList": metrics}
    script(aws.sagemaker, "DescribeTrainingJob", [artifacts])

    exports = train_model.run(aws, settings, INPUTS)

    assert exports == {
        "TRAINING_JOB_NAME": "flight-delays-train-0f9e8d7c",
        "MODEL_DATA_URI": MODEL_DATA_URI,
        "MODEL_SHA256": MODEL_SHA256,
        "MODEL_ARCHIVE_SHA256": hashlib.sha256(content).hexdigest(),
    }
    output = capsys.readouterr().out
    assert (
        "starting the training job flight-delays-train-0f9e8d7c: image sha256:a1a1a1a1a1a1 on 1 x ml.m5.xlarge"
        in output
    )
    assert "validation:roc_auc 0.641235" in output


def test_an_artifact_that_no_model_can_be_fails_the_step(aws: Aws, settings: Settings) -> None:
    put_model(aws)
    key = MODEL_DATA_URI.removeprefix(f"s3://{BUCKET}/")
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=archive(member("../model.ubj")))

    with pytest.raises(ArtifactError, match=r"model\.tar\.gz: the path '\.\./model\.ubj' must be a path inside"):
        train_model.run(aws, settings, INPUTS)


def test_an_artifact_that_was_replaced_before_a_second_run_fails_it(aws: Aws, settings: Settings) -> None:
    put_model(aws)
    train_model.run(aws, settings, INPUTS)
    an_hour_ago = {"TrainingEndTime": datetime.now(UTC) - timedelta(hours=1)}
    script(aws.sagemaker, "DescribeTrainingJob", [an_hour_ago])

    with pytest.raises(ArtifactError, match=r"but its training job ended at .*: somebody has replaced it"):
        train_model.run(aws, settings, INPUTS)


def test_the_failure_reason_of_the_job_is_told_in_full(aws: Aws, settings: Settings) -> None:
    reason = "AlgorithmError: " + "x" * 1000 + "\nKeyError: 'dest'"
    script(aws.sagemaker, "DescribeTrainingJob", [{"TrainingJobStatus": "Failed", "FailureReason": reason}])

    with pytest.raises(JobError) as failure:
        train_model.run(aws, settings, INPUTS)

    assert reason in str(failure.value)
