"""Training jobs, run through the API with a real container program."""

import io
import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str, **more: str) -> dict[str, object]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"} | more
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def facts_of(sagemaker: SageMakerCloud, job: dict) -> dict:
    archive = sagemaker.get(job["ModelArtifacts"]["S3ModelArtifacts"])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return json.load(tar.extractfile("facts.json"))


def test_a_training_job_sees_the_container_contract_and_leaves_a_model(sagemaker: SageMakerCloud) -> None:
    sagemaker.put("contract/train/a.csv", "1,2")
    sagemaker.put("contract/train/deep/b.csv", "3,4")
    uri = sagemaker.put("contract/one.csv", "5,6")

    job = sagemaker.train(
        {"trees": "5"},
        InputDataConfig=[channel("train", f"s3://{sagemaker.bucket}/contract/train"), channel("one", uri)],
        Environment={"COLOUR": "blue"},
    )

    assert job["TrainingJobStatus"] == "Completed", job
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"s3://{sagemaker.bucket}/output/{job['TrainingJobName']}/output/model.tar.gz"
    )
    facts = facts_of(sagemaker, job)
    assert facts["arguments"] == ["train"]
    assert facts["hyperparameters"] == {"trees": "5"}
    assert facts["files"] == {
        "input/data/one/one.csv": "5,6",
        "input/data/train/a.csv": "1,2",
        "input/data/train/deep/b.csv": "3,4",
    }
    assert facts["inputdataconfig"]["train"] == {
        "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None",
    }  # fmt: skip
    assert facts["resourceconfig"]["current_host"] == "algo-1"
    environment = facts["environment"]
    assert environment["TRAINING_JOB_NAME"] == job["TrainingJobName"]
    assert environment["TRAINING_JOB_ARN"] == job["TrainingJobArn"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_ENDPOINT_URL"] == sagemaker.server.endpoint_url
    assert "AWS_SESSION_TOKEN" in environment
    assert not [name for name in environment if name.startswith("SM_")]


def test_a_training_job_passes_through_its_secondary_statuses_in_order(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train()

    transitions = job["SecondaryStatusTransitions"]
    assert [item["Status"] for item in transitions] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(item["StartTime"] <= item["EndTime"] for item in transitions)
    assert job["SecondaryStatus"] == "Completed"
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] == 1


def test_a_training_job_costs_little_beyond_its_process(sagemaker: SageMakerCloud) -> None:
    sagemaker.train()
    start = time.monotonic()
    sagemaker.train()
    assert time.monotonic() - start < 1.5


def test_an_isolated_training_job_has_no_credentials(sagemaker: SageMakerCloud) -> None:
    environment = facts_of(sagemaker, sagemaker.train(EnableNetworkIsolation=True))["environment"]
    assert not [name for name in environment if name.startswith("AWS_")]


def test_the_same_model_gives_the_same_archive(sagemaker: SageMakerCloud) -> None:
    uris = [
        sagemaker.train({"hang": "", "prediction": "7"}, StoppingCondition={"MaxRuntimeInSeconds": 1}) for _ in "ab"
    ]
    first, second = (sagemaker.get(job["ModelArtifacts"]["S3ModelArtifacts"]) for job in uris)
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["facts.json", "prediction.txt", "stopped.txt"]
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
    assert len(first) == pytest.approx(len(second), abs=40)  # facts.json tells the jobs apart


def test_output_data_and_log_lines_are_kept(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train({"data": "a report", "lines": json.dumps(["first line", "", "second line"])})

    name = job["TrainingJobName"]
    with tarfile.open(
        fileobj=io.BytesIO(sagemaker.get(f"s3://{sagemaker.bucket}/output/{name}/output/output.tar.gz"))
    ) as tar:
        assert tar.extractfile("report.txt").read() == b"a report"
    assert sagemaker.log_lines(LOG_GROUP, f"{name}/algo-1-") == ["first line", " ", "second line"]


def test_metrics_are_the_last_values_in_the_log(sagemaker: SageMakerCloud) -> None:
    lines = ["epoch 1 auc=0.5 loss=2e-1", "epoch 2 auc=0.75 loss=broken"]
    definitions = [{"Name": "auc", "Regex": "auc=([0-9.]+)"}, {"Name": "loss", "Regex": r"loss=(\S+)"},
                   {"Name": "absent", "Regex": "absent=(.*)"}]  # fmt: skip
    specification = {"TrainingImage": sagemaker.image, "TrainingInputMode": "File", "MetricDefinitions": definitions}

    job = sagemaker.train({"lines": json.dumps(lines)}, AlgorithmSpecification=specification)

    assert {item["MetricName"]: item["Value"] for item in job["FinalMetricDataList"]} == {"auc": 0.75, "loss": 0.2}


def test_a_failed_job_gives_its_failure_file_as_the_reason(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train({"failure": "column 'late' is missing", "exit": "3", "data": "why"})

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == "AlgorithmError: column 'late' is missing, exit code: 3"
    assert sagemaker.keys(f"output/{job['TrainingJobName']}/") == [
        f"output/{job['TrainingJobName']}/output/output.tar.gz"
    ]


@pytest.mark.parametrize("told", [{"exit": "9"}, {"exit": "9", "failure": "x" * 2000}], ids=["no file", "a long file"])
def test_a_failure_reason_has_at_most_1024_characters(sagemaker: SageMakerCloud, told: dict[str, str]) -> None:
    reason = sagemaker.train(told)["FailureReason"]
    assert reason.startswith("AlgorithmError: ")
    assert reason.endswith(", exit code: 9")
    assert len(reason) == (1024 if "failure" in told else len("AlgorithmError: , exit code: 9"))


def test_a_stopped_job_may_save_its_model(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name()
    sagemaker.api.create_training_job(**sagemaker.training_request(name, {"hang": ""}))
    eventually(lambda: sagemaker.api.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training")
    eventually(lambda: "hanging" in sagemaker.log_lines(LOG_GROUP, name))

    sagemaker.api.stop_training_job(TrainingJobName=name)
    assert sagemaker.api.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in ("Stopping", "Stopped")

    job = sagemaker.job_ended(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [item["Status"] for item in job["SecondaryStatusTransitions"]][-3:] == ["Stopping", "Uploading", "Stopped"]
    with tarfile.open(fileobj=io.BytesIO(sagemaker.get(job["ModelArtifacts"]["S3ModelArtifacts"]))) as tar:
        assert tar.extractfile("stopped.txt").read() == b"saved in time"
    with pytest.raises(ClientError, match="The request was rejected because the training job is in status Stopped"):
        sagemaker.api.stop_training_job(TrainingJobName=name)


def test_a_job_that_is_stopped_at_once_ends_as_stopped(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name()
    sagemaker.api.create_training_job(**sagemaker.training_request(name, {"hang": ""}))
    sagemaker.api.stop_training_job(TrainingJobName=name)
    assert sagemaker.job_ended(name)["TrainingJobStatus"] == "Stopped"


def test_a_job_over_its_time_is_stopped(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train({"hang": ""}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] < 5
    assert "S3ModelArtifacts" in job["ModelArtifacts"]


def test_container_arguments_and_entrypoint_take_precedence(sagemaker: SageMakerCloud) -> None:
    specification = {
        "TrainingImage": sagemaker.image, "TrainingInputMode": "File",
        "ContainerEntrypoint": ["python", "-c"],
        "ContainerArguments": ["import os; print('own entry point', os.getcwd()[-12:])"],
    }  # fmt: skip
    job = sagemaker.train(AlgorithmSpecification=specification)
    assert job["TrainingJobStatus"] == "Completed"
    assert sagemaker.log_lines(LOG_GROUP, job["TrainingJobName"]) == ["own entry point /opt/program"]


def test_a_manifest_names_the_objects_of_a_channel(sagemaker: SageMakerCloud) -> None:
    for key in ("a.csv", "sub/b.csv", "c.csv"):
        sagemaker.put(f"manifested/{key}", key)
    manifest = [{"prefix": f"s3://{sagemaker.bucket}/manifested/"}, "a.csv", "sub/b.csv"]
    uri = sagemaker.put("manifest.json", json.dumps(manifest))
    job = sagemaker.train(InputDataConfig=[channel("train", uri, S3DataType="ManifestFile")])
    assert sorted(facts_of(sagemaker, job)["files"]) == ["input/data/train/a.csv", "input/data/train/sub/b.csv"]


def test_artifacts_are_encrypted_with_the_key_of_the_request(sagemaker: SageMakerCloud) -> None:
    key = sagemaker.client("kms").create_key()["KeyMetadata"]["KeyId"]
    job = sagemaker.train(OutputDataConfig={"S3OutputPath": f"s3://{sagemaker.bucket}/secret", "KmsKeyId": key})
    head = sagemaker.client("s3").head_object(
        Bucket=sagemaker.bucket, Key=f"secret/{job['TrainingJobName']}/output/model.tar.gz"
    )
    assert head["ServerSideEncryption"] == "aws:kms"
    assert key in head["SSEKMSKeyId"]


def test_uncompressed_artifacts_are_a_prefix_that_an_endpoint_can_serve(sagemaker: SageMakerCloud) -> None:
    output = {"S3OutputPath": f"s3://{sagemaker.bucket}/plain", "CompressionType": "NONE"}
    job = sagemaker.train({"prediction": "plain"}, OutputDataConfig=output)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{sagemaker.bucket}/plain/{job['TrainingJobName']}/output/model/"
    source = {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    model = sagemaker.name("model")
    sagemaker.api.create_model(
        ModelName=model, ExecutionRoleArn=sagemaker.role_arn,
        PrimaryContainer={"Image": sagemaker.image, "ModelDataSource": source},
    )  # fmt: skip
    endpoint = sagemaker.make_endpoint(sagemaker.make_config(model))
    assert sagemaker.invoke(endpoint)["prediction"] == "plain"
    sagemaker.api.delete_endpoint(EndpointName=endpoint)


def test_a_key_that_is_file_and_folder_fails_the_download(sagemaker: SageMakerCloud) -> None:
    sagemaker.put("clash/a", "file")
    sagemaker.put("clash/a/b", "in a folder of the same name")
    job = sagemaker.train(InputDataConfig=[channel("train", f"s3://{sagemaker.bucket}/clash/")])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed:Cannot download s3://")


def test_an_output_bucket_that_does_not_exist_fails_the_upload(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train(OutputDataConfig={"S3OutputPath": "s3://no-such-bucket-here/output"})
    assert job["FailureReason"].startswith("ClientError: Artifact upload failed:NoSuchBucket (404)")


def refused(sagemaker: SageMakerCloud, **changes: object) -> str:
    """The message with which a changed request is refused; no job is left."""
    name = sagemaker.name()
    with pytest.raises(ClientError) as caught:
        sagemaker.api.create_training_job(**sagemaker.training_request(name, **changes))
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.api.describe_training_job(TrainingJobName=name)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return error["Message"]


def test_a_role_that_does_not_exist_is_refused(sagemaker: SageMakerCloud) -> None:
    role = "arn:aws:iam::000000000000:role/nobody-knows"
    assert refused(sagemaker, RoleArn=role) == (
        f"Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )


def test_a_role_that_does_not_trust_sagemaker_is_refused(sagemaker: SageMakerCloud) -> None:
    policy = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    name = sagemaker.name("role")
    role = sagemaker.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"][
        "Arn"
    ]
    assert refused(sagemaker, RoleArn=role).startswith(f"Could not assume role {role}.")


def test_an_image_that_does_not_exist_is_refused(sagemaker: SageMakerCloud) -> None:
    image = sagemaker.image.replace(":1", ":never-pushed")
    specification = {"TrainingImage": image, "TrainingInputMode": "File"}
    assert refused(sagemaker, AlgorithmSpecification=specification).startswith(f"Requested image {image} not found.")


def test_an_empty_prefix_is_refused(sagemaker: SageMakerCloud) -> None:
    uri = f"s3://{sagemaker.bucket}/nothing/here/"
    assert refused(sagemaker, InputDataConfig=[channel("train", uri)]).startswith(
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists'
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}},
            "on 2 instances",
        ),
        ({"CheckpointConfig": {"S3Uri": "s3://b/k"}}, "does not serve CheckpointConfig"),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds"),
        ({"ResourceConfig": {"InstanceType": "ml.huge", "InstanceCount": 1}}, "resourceConfig.instanceType"),
        ({"HyperParameters": {"long": "x" * 2501}}, "less than or equal to 2500"),
    ],
    ids=["two instances", "checkpoints", "spot without a wait", "no such instance type", "a long hyperparameter"],
)
def test_what_is_wrong_or_not_served_is_refused(sagemaker: SageMakerCloud, changes: dict, message: str) -> None:
    assert message in refused(sagemaker, **changes)


def test_a_name_can_be_used_once(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.train()["TrainingJobName"]
    with pytest.raises(ClientError, match="Training job names must be unique") as caught:
        sagemaker.api.create_training_job(**sagemaker.training_request(name))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    sagemaker.api.delete_training_job(TrainingJobName=name)
    sagemaker.api.create_training_job(**sagemaker.training_request(name))
    assert sagemaker.job_ended(name)["TrainingJobStatus"] == "Completed"


def test_of_many_requests_for_one_name_one_wins(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name()

    def create(_: int) -> str:
        try:
            sagemaker.api.create_training_job(**sagemaker.training_request(name))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(12) as pool:
        outcomes = sorted(pool.map(create, range(12)))
    assert outcomes == ["ResourceInUse"] * 11 + ["created"]
    sagemaker.job_ended(name)


def test_jobs_are_listed_in_pages_by_name_status_and_time(sagemaker: SageMakerCloud) -> None:
    start = sagemaker.name("listed")
    names = [f"{start}-{n}" for n in range(5)]
    for name in names:
        sagemaker.api.create_training_job(
            **sagemaker.training_request(name, {"exit": "1"} if name.endswith("3") else {})
        )
    for name in names:
        sagemaker.job_ended(name)

    def listed(**filters: object) -> list[str]:
        pages = sagemaker.api.get_paginator("list_training_jobs").paginate(
            NameContains=start, PaginationConfig={"PageSize": 2}, **filters
        )
        return [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]

    assert listed() == names
    assert listed(SortBy="Name", SortOrder="Descending") == names[::-1]
    assert listed(StatusEquals="Failed") == [names[3]]
    created = sagemaker.api.describe_training_job(TrainingJobName=names[2])["CreationTime"]
    assert listed(CreationTimeBefore=created)[:2] == names[:2]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.api.list_training_jobs(NextToken="made-up")


def test_a_job_has_its_tags(sagemaker: SageMakerCloud) -> None:
    job = sagemaker.train(Tags=[{"Key": "slipway:commit", "Value": "abc"}])
    arn = job["TrainingJobArn"]
    sagemaker.api.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "me"}])
    sagemaker.api.delete_tags(ResourceArn=arn, TagKeys=["slipway:commit"])
    assert sagemaker.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "me"}]
    with pytest.raises(ClientError, match="Could not find resource"):
        sagemaker.api.list_tags(ResourceArn=arn + "-gone")
