"""The VPC of a job or a model: it must exist, and the role must be able to connect instances to it.

A container here is a process of this machine, so no network interface is made; what making one needs is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.authorization import Check, authorize
from local_cloud.cloud import Cloud
from local_cloud.sagemaker.errors import invalid
from local_cloud.wire import ServiceError

# On network interfaces of a subnet. SageMaker deletes them once a job has ended; here the role is asked before.
_ON_INTERFACES = (
    "CreateNetworkInterface",
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
)
_LOOKS = (
    "DescribeDhcpOptions",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)


def check_job_vpc(cloud: Cloud, vpc_config: Mapping[str, Any] | None, role_arn: str) -> None:
    """Refuse a job whose instances cannot be connected to its VPC.

    What the role needs is from "CreateTrainingJob API: Execution Role Permissions" and its neighbours in SageMaker's
    developer guide; what it is asked on, from EC2's service authorization reference. The words of the errors, and that
    they come at once, are guesses.

    Raises:
        ServiceError: a subnet or group does not exist, they are not of one VPC, or the role may not connect to them.
    """
    if vpc_config is not None:
        _places(cloud, vpc_config)
        _check_role(cloud, vpc_config, role_arn, _LOOKS)


def check_model_vpc(cloud: Cloud, vpc_config: Mapping[str, Any] | None, role_arn: str) -> None:
    """Refuse a model whose instances cannot be connected to its VPC.

    Beside what jobs need: subnets in two zones, and ec2:DescribeVpcEndpoints ("Give SageMaker AI Hosted Endpoints
    Access to Resources in Your Amazon VPC").

    Raises:
        ServiceError: as for jobs; or all subnets are in one zone.
    """
    if vpc_config is not None:
        if len({subnet["AvailabilityZone"] for subnet in _places(cloud, vpc_config)}) < 2:
            raise invalid("VpcConfig must name at least two subnets in different availability zones.")
        _check_role(cloud, vpc_config, role_arn, (*_LOOKS, "DescribeVpcEndpoints"))


def _places(cloud: Cloud, vpc_config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subnets, which with the security groups must exist and be of one VPC."""
    ec2 = cloud.client("ec2")
    try:
        subnets: list[dict[str, Any]] = ec2.describe_subnets(SubnetIds=vpc_config["Subnets"])["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=vpc_config["SecurityGroupIds"])["SecurityGroups"]
    except ClientError as error:
        raise invalid(error.response["Error"]["Message"]) from error
    vpcs = sorted({place["VpcId"] for place in (*subnets, *groups)})
    if len(vpcs) > 1:
        raise invalid(f"Subnets and security groups of VpcConfig must be of one VPC, they are of {', '.join(vpcs)}.")
    return subnets


def _check_role(cloud: Cloud, vpc_config: Mapping[str, Any], role_arn: str, looks: Sequence[str]) -> None:
    try:
        with cloud.acting_as_role(role_arn, "SageMaker"):
            authorize(_questions(cloud, vpc_config, looks))
    except ServiceError as error:
        raise invalid(f"The role {role_arn} cannot connect instances to the VPC: {error.message}") from error


def _questions(cloud: Cloud, vpc_config: Mapping[str, Any], looks: Sequence[str]) -> Iterator[Check]:
    place = f"arn:aws:ec2:{cloud.region}:{cloud.account_id}"
    subnets = [f"{place}:subnet/{subnet_id}" for subnet_id in vpc_config["Subnets"]]
    groups = [f"{place}:security-group/{group_id}" for group_id in vpc_config["SecurityGroupIds"]]
    yield from (Check(f"ec2:{look}", "*") for look in looks)
    yield from (Check("ec2:CreateNetworkInterface", resource) for resource in (*subnets, *groups))
    for subnet in subnets:
        for action in _ON_INTERFACES:
            yield Check(f"ec2:{action}", f"{place}:network-interface/*", {"ec2:Subnet": subnet})
