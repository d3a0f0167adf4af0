"""Processing jobs, run through the API with a real container program."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


def request_for(
    sagemaker: SageMakerCloud, name: str, environment: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    sagemaker.put("processing/in/a.txt", "first")
    sagemaker.put("processing/in/deep/b.txt", "second")
    return {
        "ProcessingJobName": name,
        "RoleArn": sagemaker.role_arn,
        "AppSpecification": {"ImageUri": sagemaker.image},
        "Environment": environment or {},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [input_from(f"s3://{sagemaker.bucket}/processing/in/")],
        "ProcessingOutputConfig": {"Outputs": [output_to(f"s3://{sagemaker.bucket}/processing/{name}/")]},
    } | more


def input_from(uri: str, path: str = "/opt/ml/processing/input/in", **more: str) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"} | more
    return {"InputName": "in", "S3Input": source}


def output_to(uri: str, path: str = "/opt/ml/processing/output/out", mode: str = "EndOfJob") -> dict[str, Any]:
    return {"OutputName": "out", "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": mode}}


def process(sagemaker: SageMakerCloud, environment: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    name = sagemaker.name("process")
    sagemaker.api.create_processing_job(**request_for(sagemaker, name, environment, **more))
    return sagemaker.processing_ended(name)


def test_a_processing_job_turns_inputs_into_outputs(sagemaker: SageMakerCloud) -> None:
    job = process(sagemaker)

    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    prefix = f"processing/{job['ProcessingJobName']}"
    assert sagemaker.keys(prefix) == [f"{prefix}/{name}" for name in ("a.txt", "arguments.json", "deep/b.txt")]
    assert sagemaker.get(f"s3://{sagemaker.bucket}/{prefix}/deep/b.txt") == b"SECOND"
    assert sagemaker.log_lines(LOG_GROUP, job["ProcessingJobName"]) == [f"processed for {job['ProcessingJobArn']}"]


@pytest.mark.parametrize(
    ("specification", "arguments"),
    [({}, ["process"]), ({"ContainerArguments": ["evaluate", "--fast"]}, ["evaluate", "--fast"])],
    ids=["the image's own command", "ContainerArguments"],
)
def test_the_image_gets_the_arguments_of_the_request_alone(
    sagemaker: SageMakerCloud, specification: dict[str, Any], arguments: list[str]
) -> None:
    job = process(sagemaker, AppSpecification={"ImageUri": sagemaker.image, **specification})
    uri = f"s3://{sagemaker.bucket}/processing/{job['ProcessingJobName']}/arguments.json"
    assert json.loads(sagemaker.get(uri)) == arguments


def test_a_single_object_keeps_its_name(sagemaker: SageMakerCloud) -> None:
    uri = sagemaker.put("processing/single/model.txt", "model")
    job = process(sagemaker, ProcessingInputs=[input_from(uri)])
    assert f"processing/{job['ProcessingJobName']}/model.txt" in sagemaker.keys(
        f"processing/{job['ProcessingJobName']}"
    )


def test_a_failed_processing_job_keeps_its_message_and_uploads_nothing(sagemaker: SageMakerCloud) -> None:
    job = process(sagemaker, {"EXIT": "4", "MESSAGE": "m", "TIMES": "3000"})
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert job["ExitMessage"] == "m" * 1024
    assert sagemaker.keys(f"processing/{job['ProcessingJobName']}") == []


def test_a_completed_processing_job_may_leave_a_message(sagemaker: SageMakerCloud) -> None:
    assert process(sagemaker, {"MESSAGE": "2 rows were dropped"})["ExitMessage"] == "2 rows were dropped"


def test_a_processing_job_can_be_stopped(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name()
    sagemaker.api.create_processing_job(**request_for(sagemaker, name, {"HANG": "1"}))
    eventually(lambda: _lines(sagemaker, name))
    sagemaker.api.stop_processing_job(ProcessingJobName=name)
    assert sagemaker.processing_ended(name)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="the processing job is in status Stopped"):
        sagemaker.api.stop_processing_job(ProcessingJobName=name)


def _lines(sagemaker: SageMakerCloud, name: str) -> list[str]:
    try:
        return sagemaker.log_lines(LOG_GROUP, name)
    except ClientError:
        return []


def test_a_processing_job_over_its_time_is_stopped(sagemaker: SageMakerCloud) -> None:
    job = process(sagemaker, {"HANG": "1"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["ProcessingJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ProcessingInputs": [input_from("s3://b/k", "/opt/ml/elsewhere")]}, 'must begin with "/opt/ml/processing/"'),
        ({"ProcessingInputs": [input_from("s3://b/k", "/opt/ml/processing/../../x")]}, "must begin with"),
        ({"ProcessingInputs": [input_from("s3://no-such-bucket-here/k")]}, "No S3 objects found under S3 URL"),
        ({"ProcessingOutputConfig": {"Outputs": [output_to("s3://b/k", mode="Continuous")]}}, "S3UploadMode EndOfJob"),
        ({"AppSpecification": {"ImageUri": "nobody/knows:1"}}, "Requested image nobody/knows:1 not found"),
        ({"RoleArn": "arn:aws:iam::111111111111:role/theirs"}, "Cross-account pass role is not allowed"),
    ],
    ids=["a path elsewhere", "a path outside", "no bucket", "continuous upload", "no image", "another account's role"],
)
def test_what_is_wrong_or_not_served_is_refused(
    sagemaker: SageMakerCloud, changes: dict[str, Any], message: str
) -> None:
    name = sagemaker.name()
    with pytest.raises(ClientError) as caught:
        sagemaker.api.create_processing_job(**request_for(sagemaker, name, **changes))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert message in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match=f"Could not find requested job with name: {name}"):
        sagemaker.api.describe_processing_job(ProcessingJobName=name)


def test_processing_jobs_are_listed_and_names_used_once(sagemaker: SageMakerCloud) -> None:
    job = process(sagemaker)
    listed = sagemaker.api.list_processing_jobs(NameContains=job["ProcessingJobName"])["ProcessingJobSummaries"]
    assert [item["ProcessingJobStatus"] for item in listed] == ["Completed"]
    with pytest.raises(ClientError, match="a job with this name already exists") as caught:
        sagemaker.api.create_processing_job(**request_for(sagemaker, job["ProcessingJobName"]))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
