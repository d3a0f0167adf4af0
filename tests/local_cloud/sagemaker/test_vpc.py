"""Jobs and models in a VPC: it must exist, and their role must be able to connect instances to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_sagemaker import PERMISSIONS, SageMakerCloud

PLACE = "arn:aws:ec2:us-east-1:000000000000"
# The grants that infra gives execution roles in a VPC, without their conditions.
CONNECTING = {
    **dict.fromkeys(
        (
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ),
        "*",
    ),
    "ec2:CreateNetworkInterface": f"{PLACE}:*",
    "ec2:CreateNetworkInterfacePermission": f"{PLACE}:network-interface/*",
    "ec2:DeleteNetworkInterface": f"{PLACE}:network-interface/*",
    "ec2:DeleteNetworkInterfacePermission": f"{PLACE}:network-interface/*",
}
FOR_MODELS = {"ec2:DescribeVpcEndpoints": "*"}


@dataclass(frozen=True)
class Vpc:
    subnets: list[str]
    group: str

    @classmethod
    def make(cls, sagemaker: SageMakerCloud) -> "Vpc":
        """A VPC with two subnets in the zones a and b, and a third in a again."""
        ec2 = sagemaker.client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/22")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")
            for number, zone in enumerate("aba")
        ]
        group = ec2.create_security_group(VpcId=vpc_id, GroupName=sagemaker.name("group"), Description="instances")
        return cls([one["Subnet"]["SubnetId"] for one in subnets], group["GroupId"])

    def config(self, *numbers: int) -> dict[str, list[str]]:
        return {"Subnets": [self.subnets[number] for number in numbers], "SecurityGroupIds": [self.group]}


@pytest.fixture(scope="module")
def vpc(sagemaker: SageMakerCloud) -> Vpc:
    return Vpc.make(sagemaker)


@pytest.fixture
def role(sagemaker: SageMakerCloud) -> Callable[..., str]:
    """A role that can connect instances to the VPC, or can do all of it but one thing."""

    def make(without: str = "") -> str:
        permissions = PERMISSIONS | CONNECTING | FOR_MODELS
        return sagemaker.make_role(sagemaker.name("role"), without=without, permissions=permissions)

    return make


def train(sagemaker: SageMakerCloud, role_arn: str, vpc_config: dict[str, list[str]]) -> str:
    name = sagemaker.name("train")
    request = sagemaker.training_request(name, RoleArn=role_arn, VpcConfig=vpc_config, EnableNetworkIsolation=True)
    sagemaker.api.create_training_job(**request)
    return str(sagemaker.job_ended(name)["TrainingJobStatus"])


def process(sagemaker: SageMakerCloud, role_arn: str, vpc_config: dict[str, list[str]]) -> str:
    name = sagemaker.name("process")
    source = sagemaker.put("vpc/in/a.txt", "first").removesuffix("a.txt")
    target = {"S3Uri": f"s3://{sagemaker.bucket}/vpc/{name}/", "S3UploadMode": "EndOfJob"}
    place = {"LocalPath": "/opt/ml/processing/input/in", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    sagemaker.api.create_processing_job(
        ProcessingJobName=name,
        RoleArn=role_arn,
        AppSpecification={"ImageUri": sagemaker.image},
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
        ProcessingInputs=[{"InputName": "in", "S3Input": {"S3Uri": source, **place}}],
        ProcessingOutputConfig={
            "Outputs": [{"OutputName": "out", "S3Output": target | {"LocalPath": "/opt/ml/processing/output/out"}}]
        },
        NetworkConfig={"EnableNetworkIsolation": True, "VpcConfig": vpc_config},
    )
    return str(sagemaker.processing_ended(name)["ProcessingJobStatus"])


def make_model(sagemaker: SageMakerCloud, role_arn: str, vpc_config: dict[str, list[str]]) -> str:
    name = sagemaker.name("model")
    container = {"Image": sagemaker.image, "ModelDataUrl": sagemaker.put_model(prediction="1")}
    sagemaker.api.create_model(
        ModelName=name, ExecutionRoleArn=role_arn, PrimaryContainer=container, VpcConfig=vpc_config
    )
    assert sagemaker.api.describe_model(ModelName=name)["VpcConfig"] == vpc_config
    return "Completed"


Start = Callable[[SageMakerCloud, str, dict[str, list[str]]], str]
STARTS: tuple[Start, ...] = (train, process, make_model)


def refusal(*arguments: Any, start: Start) -> str:
    with pytest.raises(ClientError) as raised:
        start(*arguments)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    return str(raised.value.response["Error"]["Message"])


@pytest.mark.parametrize("start", STARTS)
def test_what_has_a_vpc_works_as_without_one(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str], start: Start
) -> None:
    assert start(sagemaker, role(), vpc.config(0, 1)) == "Completed"


@pytest.mark.parametrize("start", STARTS)
def test_a_subnet_that_does_not_exist_is_refused(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str], start: Start
) -> None:
    unknown = vpc.config(0, 1) | {"Subnets": [vpc.subnets[0], "subnet-0123456789abcdef0"]}

    assert "The subnet ID 'subnet-0123456789abcdef0' does not exist" in refusal(sagemaker, role(), unknown, start=start)


@pytest.mark.parametrize("start", STARTS)
def test_a_security_group_that_does_not_exist_is_refused(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str], start: Start
) -> None:
    unknown = vpc.config(0, 1) | {"SecurityGroupIds": ["sg-0a1b2c3d4e5f60718"]}

    assert "The security group 'sg-0a1b2c3d4e5f60718' does not exist" in refusal(
        sagemaker, role(), unknown, start=start
    )


def test_the_subnets_and_groups_of_two_vpcs_are_refused_together(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str]
) -> None:
    mixed = vpc.config(0, 1) | {"SecurityGroupIds": [Vpc.make(sagemaker).group]}

    assert "must be of one VPC" in refusal(sagemaker, role(), mixed, start=train)


@pytest.mark.parametrize("numbers", [(0,), (0, 2)], ids=["one subnet", "two in one zone"])
def test_endpoints_alone_need_subnets_in_two_zones(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str], numbers: tuple[int, ...]
) -> None:
    role_arn = role()

    assert "different availability zones" in refusal(sagemaker, role_arn, vpc.config(*numbers), start=make_model)
    assert train(sagemaker, role_arn, vpc.config(*numbers)) == "Completed"


@pytest.mark.parametrize("action", CONNECTING)
def test_a_role_that_cannot_connect_instances_is_told_what_it_lacks(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str], action: str
) -> None:
    role_arn = role(without=action)

    for start in STARTS:
        message = refusal(sagemaker, role_arn, vpc.config(0, 1), start=start)
        assert message.startswith(f"The role {role_arn} cannot connect instances to the VPC: ")
        assert f"is not authorized to perform: {action} on resource: " in message


def test_models_alone_need_to_see_the_vpcs_endpoints(
    sagemaker: SageMakerCloud, vpc: Vpc, role: Callable[..., str]
) -> None:
    role_arn = role(without="ec2:DescribeVpcEndpoints")

    assert "ec2:DescribeVpcEndpoints" in refusal(sagemaker, role_arn, vpc.config(0, 1), start=make_model)
    assert train(sagemaker, role_arn, vpc.config(0, 1)) == "Completed"
