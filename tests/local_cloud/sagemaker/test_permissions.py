"""Jobs and endpoints whose role, or whose caller, lacks one permission."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_sagemaker import PERMISSIONS, SageMakerCloud

REPOSITORY_ACTIONS = ["ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"]
LOG_ACTIONS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
NO_PERMISSION = "is not authorized to perform: {}"


@pytest.fixture
def role_without(sagemaker: SageMakerCloud) -> Callable[[str], str]:
    """Makes a role that has what execution roles need, but for one action."""
    return lambda action: sagemaker.make_role(sagemaker.name("role"), without=action)


def channel(uri: str) -> dict[str, Any]:
    return {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def warnings(sagemaker: SageMakerCloud, name: str) -> list[str]:
    """What the server's log says about a job or an endpoint."""
    return [line for line in (sagemaker.server.state_dir / "server.log").read_text().splitlines() if name in line]


@pytest.mark.parametrize("action", REPOSITORY_ACTIONS)
def test_a_job_whose_role_may_not_pull_its_image_is_refused(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str], action: str
) -> None:
    role = role_without(action)
    request = sagemaker.training_request(sagemaker.name(), RoleArn=role)
    code, message = refusal(sagemaker.api.create_training_job, **request)
    assert code == "ValidationException"
    assert message.startswith(
        "Access denied for repository: sagemaker-tests in registry ID: 000000000000. Please check if your ECR "
        f"repository and image exist and role {role} has proper pull permissions for SageMaker: "
        "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer ("
    )
    assert NO_PERMISSION.format(action) in message


def test_a_job_whose_role_may_not_log_in_to_the_registry_fails(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str]
) -> None:
    job = sagemaker.train(RoleArn=role_without("ecr:GetAuthorizationToken"))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are "
        "incorrect. ("
    )
    assert NO_PERMISSION.format("ecr:GetAuthorizationToken on resource: *") in job["FailureReason"]


@pytest.mark.parametrize("action", LOG_ACTIONS)
def test_a_job_whose_role_may_not_write_logs_runs_without_a_log(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str], action: str
) -> None:
    if action == "logs:CreateLogGroup":  # is needed by the first job of the account alone
        with suppress(sagemaker.client("logs").exceptions.ResourceNotFoundException):
            sagemaker.client("logs").delete_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    job = sagemaker.train({"lines": '["unheard"]'}, RoleArn=role_without(action))
    name = job["TrainingJobName"]
    assert job["TrainingJobStatus"] == "Completed"
    with suppress(sagemaker.client("logs").exceptions.ResourceNotFoundException):  # no job has made the group yet
        assert sagemaker.log_lines("/aws/sagemaker/TrainingJobs", name) == []
    assert len(warnings(sagemaker, name)) == 1
    assert NO_PERMISSION.format(action) in warnings(sagemaker, name)[0]


def test_a_job_whose_role_may_not_list_its_data_is_refused(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str]
) -> None:
    role, uri = role_without("s3:ListBucket"), sagemaker.put("listed/a.csv", "1")
    request = sagemaker.training_request(sagemaker.name(), RoleArn=role, InputDataConfig=[channel(uri)])
    code, message = refusal(sagemaker.api.create_training_job, **request)
    assert code == "ValidationException"
    assert message.startswith(f'No S3 objects found under S3 URL "{uri}"')
    assert message.endswith(f'the role "{role}" has "s3:ListBucket" permissions on bucket "{sagemaker.bucket}".')


@pytest.mark.parametrize(
    ("action", "start"),
    [
        ("s3:GetObject", "ClientError: Data download failed:AccessDenied (403): "),
        ("s3:PutObject", "ClientError: Artifact upload failed:AccessDenied (403): "),
    ],
)
def test_a_job_whose_role_may_not_read_or_write_data_fails(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str], action: str, start: str
) -> None:
    uri = sagemaker.put("read/a.csv", "1")
    job = sagemaker.train(RoleArn=role_without(action), InputDataConfig=[channel(uri)])
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(start)
    assert NO_PERMISSION.format(action) in job["FailureReason"]


def test_a_processing_job_is_held_to_its_role_as_well(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str]
) -> None:
    name = sagemaker.name()
    request = {
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": sagemaker.image},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }
    role = role_without("ecr:BatchGetImage")
    _, message = refusal(sagemaker.api.create_processing_job, **request, RoleArn=role)
    assert message.startswith("Access denied for repository: sagemaker-tests")
    sagemaker.api.create_processing_job(**request, RoleArn=role_without("ecr:GetAuthorizationToken"))
    reason = sagemaker.processing_ended(name)["FailureReason"]
    assert reason.startswith("ClientError: Cannot pull algorithm container.")


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", *REPOSITORY_ACTIONS])
def test_an_endpoint_whose_role_may_not_pull_its_image_fails(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str], action: str
) -> None:
    role = role_without(action)
    endpoint = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model(role_arn=role)))
    answer = sagemaker.api.describe_endpoint(EndpointName=endpoint)
    assert answer["EndpointStatus"] == "Failed"
    start = f"The role '{role}' does not have {action.partition(':')[2]} permission for the image: "
    assert answer["FailureReason"].startswith(f"{start}'000000000000.dkr.ecr.us-east-1.amazonaws.com/sagemaker-tests@")


def test_a_model_whose_role_may_not_read_its_artifact_is_refused(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str]
) -> None:
    with pytest.raises(ClientError, match='ensure that the role has "s3:GetObject" permissions'):
        sagemaker.make_model(role_arn=role_without("s3:GetObject"))


def test_an_endpoint_whose_role_may_not_read_the_artifact_any_more_fails(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name("role")
    config = sagemaker.make_config(sagemaker.make_model(role_arn=sagemaker.make_role(name)))
    sagemaker.put_permissions(name, without="s3:GetObject")
    endpoint = sagemaker.make_endpoint(config)
    reason = sagemaker.api.describe_endpoint(EndpointName=endpoint)["FailureReason"]
    assert reason.startswith('Failed to download model data for container "container_1" from URL: "s3://')
    assert NO_PERMISSION.format("s3:GetObject") in reason


def test_an_endpoint_whose_role_is_gone_fails(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name("role")
    role, model = sagemaker.make_role(name), sagemaker.name("model")
    sagemaker.api.create_model(ModelName=model, ExecutionRoleArn=role, PrimaryContainer={"Image": sagemaker.image})
    config = sagemaker.make_config(model)
    iam = sagemaker.client("iam")
    iam.delete_role_policy(RoleName=name, PolicyName="Permissions")
    iam.delete_role(RoleName=name)
    endpoint = sagemaker.make_endpoint(config)
    assert sagemaker.api.describe_endpoint(EndpointName=endpoint)["FailureReason"] == (
        f"sagemaker.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {role}"
    )


@pytest.mark.parametrize("action", LOG_ACTIONS)
def test_an_endpoint_whose_role_may_not_write_logs_serves_without_a_log(
    sagemaker: SageMakerCloud, role_without: Callable[[str], str], action: str
) -> None:
    endpoint = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model(role_arn=role_without(action))))
    assert sagemaker.invoke(endpoint)["prediction"] == "1"
    sagemaker.api.delete_endpoint(EndpointName=endpoint)
    assert NO_PERMISSION.format(action) in eventually(lambda: warnings(sagemaker, endpoint))[0]


def caller(sagemaker: SageMakerCloud, *statements: dict[str, Any]) -> Any:
    """A SageMaker client that may do what the statements say and nothing else."""
    role = make_role(sagemaker.server, "account", *statements)
    return sagemaker.server.client("sagemaker", **sagemaker.server.role_keys(role))


def allowed(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:
    return {"Action": list(actions), "Resource": on, **more}


def passing_to(service: str) -> dict[str, Any]:
    return allowed("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}})


def test_who_creates_a_job_needs_permission_for_that_job(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name()
    job = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}"
    api = caller(sagemaker, allowed("sagemaker:CreateTrainingJob", on=f"{job}-other"), passing_to("sagemaker"))
    code, message = refusal(api.create_training_job, **sagemaker.training_request(name))
    assert code == "AccessDeniedException"
    assert message.endswith(
        f"is not authorized to perform: sagemaker:CreateTrainingJob on resource: {job} because no identity-based "
        "policy allows the sagemaker:CreateTrainingJob action"
    )


@pytest.mark.parametrize("statements", [(), (passing_to("lambda"),)], ids=["no permission", "to another service"])
def test_who_creates_a_job_must_be_allowed_to_pass_its_role(
    sagemaker: SageMakerCloud, statements: tuple[dict[str, Any], ...]
) -> None:
    api = caller(sagemaker, allowed("sagemaker:CreateTrainingJob"), *statements)
    code, message = refusal(api.create_training_job, **sagemaker.training_request(sagemaker.name()))
    assert code == "AccessDeniedException"
    assert NO_PERMISSION.format(f"iam:PassRole on resource: {sagemaker.role_arn}") in message


def test_a_caller_who_may_create_isolated_jobs_alone_creates_no_other(sagemaker: SageMakerCloud) -> None:
    isolated = {"Bool": {"sagemaker:NetworkIsolation": "true"}}
    api = caller(sagemaker, allowed("sagemaker:CreateTrainingJob", Condition=isolated), passing_to("sagemaker"))
    code, _ = refusal(api.create_training_job, **sagemaker.training_request(sagemaker.name()))
    assert code == "AccessDeniedException"
    name = sagemaker.name()
    api.create_training_job(**sagemaker.training_request(name, EnableNetworkIsolation=True))
    assert sagemaker.job_ended(name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize("who", ["nobody", "the caller", "the role"])
def test_a_volume_under_a_key_takes_a_grant_by_the_role_or_the_caller(sagemaker: SageMakerCloud, who: str) -> None:
    key = sagemaker.client("kms").create_key()["KeyMetadata"]["Arn"]
    grant = allowed("kms:CreateGrant", on=key, Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})
    api = caller(
        sagemaker,
        allowed("sagemaker:CreateTrainingJob"),
        passing_to("sagemaker"),
        *([grant] if who == "the caller" else []),
    )
    permissions = PERMISSIONS | ({"kms:CreateGrant": key} if who == "the role" else {})
    role, name = sagemaker.make_role(sagemaker.name("role"), permissions=permissions), sagemaker.name()
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1, "VolumeKmsKeyId": key}
    request = sagemaker.training_request(name, RoleArn=role, ResourceConfig=resources)
    if who == "nobody":
        _, message = refusal(api.create_training_job, **request)
        assert NO_PERMISSION.format(f"kms:CreateGrant on resource: {key}") in message
    else:
        api.create_training_job(**request)
        assert sagemaker.job_ended(name)["TrainingJobStatus"] == "Completed"


def test_an_endpoint_under_a_key_takes_a_grant_by_its_caller(sagemaker: SageMakerCloud) -> None:
    key = sagemaker.client("kms").create_key()["KeyMetadata"]["Arn"]
    config, endpoint = sagemaker.name("config"), sagemaker.name("endpoint")
    variant = {
        "VariantName": "A",
        "ModelName": sagemaker.make_model(),
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.api.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant], KmsKeyId=key)
    request = {"EndpointName": endpoint, "EndpointConfigName": config}
    creating = allowed("sagemaker:CreateEndpoint")
    _, message = refusal(caller(sagemaker, creating).create_endpoint, **request)
    assert NO_PERMISSION.format(f"kms:CreateGrant on resource: {key}") in message
    caller(sagemaker, creating, allowed("kms:CreateGrant", on=key)).create_endpoint(**request)
    assert sagemaker.endpoint_settled(endpoint)["EndpointStatus"] == "InService"
    sagemaker.api.delete_endpoint(EndpointName=endpoint)


def test_tags_of_a_new_resource_take_the_permission_to_tag(sagemaker: SageMakerCloud) -> None:
    request = {"ModelPackageGroupName": sagemaker.name("group"), "Tags": [{"Key": "owner", "Value": "me"}]}
    without = caller(sagemaker, allowed("sagemaker:CreateModelPackageGroup"))
    assert NO_PERMISSION.format("sagemaker:AddTags") in refusal(without.create_model_package_group, **request)[1]
    caller(sagemaker, allowed("sagemaker:CreateModelPackageGroup", "sagemaker:AddTags")).create_model_package_group(
        **request
    )


def test_who_may_invoke_one_endpoint_invokes_no_other(sagemaker: SageMakerCloud) -> None:
    endpoint = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("7")))
    arn = sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    role = make_role(sagemaker.server, "account", allowed("sagemaker:InvokeEndpoint", on=arn))
    runtime = sagemaker.server.client("sagemaker-runtime", **sagemaker.server.role_keys(role))
    assert runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")["ResponseMetadata"]["HTTPStatusCode"] == 200
    code, message = refusal(runtime.invoke_endpoint, EndpointName="another", Body=b"x")
    assert code == "AccessDeniedException"
    assert NO_PERMISSION.format("sagemaker:InvokeEndpoint on resource: ") in message
    sagemaker.api.delete_endpoint(EndpointName=endpoint)
