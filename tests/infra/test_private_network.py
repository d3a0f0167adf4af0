"""The VPC that Slipway makes: where the settings ask for it, with one way out, which leads to the data bucket."""

from collections.abc import Callable

import pytest
from infra_support import Deployment, as_list, on

from settings import Network, Settings

DATA = "<DataBucket.Arn>"
VPC = "<NetworkVpc>"
SUBNETS = ("NetworkVpcIsolatedSubnet1", "NetworkVpcIsolatedSubnet2")
ACCOUNT = "eu-west-1:111122223333"
OWN_PRINCIPALS = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}


def ec2_types(deployment: Deployment) -> list[str]:
    """The types of all EC2 resources in all templates."""
    resources = [one for template in deployment.templates.values() for one in template["Resources"].values()]
    return sorted(one["Type"] for one in resources if one["Type"].startswith("AWS::EC2::"))


@pytest.mark.parametrize("fixture", ["deployment", "local_deployment", "customized", "in_the_teams_vpc"])
def test_no_network_is_made_unless_the_settings_ask_for_one(fixture: str, request: pytest.FixtureRequest) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)

    assert ec2_types(deployment) == []
    assert not deployment.resources("foundation", "AWS::Logs::LogGroup")
    assert not [name for name in deployment.exports() if "Subnet" in name or "SecurityGroup" in name]


@pytest.mark.parametrize("fixture", ["deployment", "local_deployment", "customized"])
def test_isolated_templates_speak_of_no_vpc_at_all(fixture: str, request: pytest.FixtureRequest) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)
    text = str(deployment.templates).lower()

    assert not [word for word in ("vpc", "subnet", "security_group", "ec2:") if word in text]


def test_the_network_has_no_way_to_the_internet_and_no_other_endpoint(in_a_vpc: Deployment) -> None:
    assert ec2_types(in_a_vpc) == [
        "AWS::EC2::FlowLog",
        "AWS::EC2::RouteTable",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCEndpoint",
    ]


@pytest.mark.parametrize(("number", "block"), [(0, "10.0.0.0/24"), (1, "10.0.1.0/24")])
def test_each_subnet_is_private_and_in_a_zone_of_its_own(in_a_vpc: Deployment, number: int, block: str) -> None:
    subnet = in_a_vpc.properties("foundation", "AWS::EC2::Subnet", f"{SUBNETS[number]}Subnet")

    assert subnet["VpcId"] == VPC
    assert subnet["CidrBlock"] == block
    assert subnet["AvailabilityZone"] == {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
    assert subnet["MapPublicIpOnLaunch"] is False


@pytest.mark.parametrize("subnet", SUBNETS)
def test_each_subnet_has_a_route_table_without_routes_of_its_own(in_a_vpc: Deployment, subnet: str) -> None:
    association = in_a_vpc.properties(
        "foundation", "AWS::EC2::SubnetRouteTableAssociation", f"{subnet}RouteTableAssociation"
    )

    assert association == {"RouteTableId": f"<{subnet}RouteTable>", "SubnetId": f"<{subnet}Subnet>"}
    assert not in_a_vpc.resources("foundation", "AWS::EC2::Route")


def test_the_one_way_out_leads_this_accounts_principals_to_the_data_bucket(in_a_vpc: Deployment) -> None:
    endpoint = in_a_vpc.properties("foundation", "AWS::EC2::VPCEndpoint", "NetworkVpcS3")

    assert endpoint["ServiceName"] == "com.amazonaws.eu-west-1.s3"
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["VpcId"] == VPC
    assert endpoint["RouteTableIds"] == [f"<{subnet}RouteTable>" for subnet in SUBNETS]
    assert endpoint["PolicyDocument"]["Statement"] == [
        {
            "Action": "s3:ListBucket",
            "Condition": OWN_PRINCIPALS,
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Resource": DATA,
        },
        {
            "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            "Condition": OWN_PRINCIPALS,
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Resource": f"{DATA}/*",
        },
    ]


def test_the_way_out_allows_all_that_the_jobs_roles_do_with_the_bucket(in_a_vpc: Deployment) -> None:
    endpoint = in_a_vpc.properties("foundation", "AWS::EC2::VPCEndpoint", "NetworkVpcS3")
    statements = endpoint["PolicyDocument"]["Statement"]
    let_through = {action for statement in statements for action in as_list(statement["Action"])}
    used = {
        grant.partition(" ")[0]
        for role in ("Processing", "Training", "Endpoint")
        for grant in in_a_vpc.grants("foundation", f"ExecutionRoles{role}")
        if grant.startswith("s3:")
    }

    assert let_through == used


def test_nobody_calls_the_instances_and_they_call_https_only(in_a_vpc: Deployment) -> None:
    group = in_a_vpc.properties("foundation", "AWS::EC2::SecurityGroup", "NetworkInstances")

    assert group["VpcId"] == VPC
    assert "SecurityGroupIngress" not in group
    (out,) = group["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"], out["CidrIp"]) == ("tcp", 443, 443, "0.0.0.0/0")


def test_the_instances_of_one_training_job_talk_to_each_other_where_there_are_several(
    example: Settings, synthesize: Callable[..., Deployment]
) -> None:
    training = example.training.model_copy(update={"instance_count": 2})
    several = synthesize(example.model_copy(update={"network": Network(mode="vpc"), "training": training}))
    group = "<NetworkInstances.GroupId>"

    (inbound,) = several.resources("foundation", "AWS::EC2::SecurityGroupIngress").values()
    (outbound,) = several.resources("foundation", "AWS::EC2::SecurityGroupEgress").values()

    assert (
        inbound["Properties"].items()
        >= {
            "GroupId": group,
            "IpProtocol": "-1",
            "SourceSecurityGroupId": group,
        }.items()
    )
    assert (
        outbound["Properties"].items()
        >= {
            "GroupId": group,
            "IpProtocol": "-1",
            "DestinationSecurityGroupId": group,
        }.items()
    )


def test_all_traffic_is_logged_to_an_encrypted_group_that_forgets_after_a_year(in_a_vpc: Deployment) -> None:
    flow_log = in_a_vpc.properties("foundation", "AWS::EC2::FlowLog", "NetworkFlowLog")
    (group,) = in_a_vpc.resources("foundation", "AWS::Logs::LogGroup").values()

    flow_log.pop("Tags")
    assert flow_log == {
        "ResourceId": VPC,
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        "LogGroupName": "<NetworkFlowLogs>",
        "DeliverLogsPermissionArn": "<NetworkFlowLogRole.Arn>",
    }
    assert group["Properties"]["LogGroupName"] == "/aws/vpc/flight-delays"
    assert group["Properties"]["KmsKeyId"] == "<Key.Arn>"
    assert group["Properties"]["RetentionInDays"] == 365
    assert group["DeletionPolicy"] == "Delete"


def test_cloudwatch_logs_may_use_the_key_for_the_flow_logs_where_there_are_some(
    deployment: Deployment, in_a_vpc: Deployment
) -> None:
    builds, flow_logs = (
        f"arn:aws:logs:{ACCOUNT}:log-group:{name}"
        for name in ("/aws/codebuild/flight-delays-*", "/aws/vpc/flight-delays")
    )

    def groups(one: Deployment) -> list[str]:
        statement = one.properties("foundation", "AWS::KMS::Key", "Key")["KeyPolicy"]["Statement"][1]
        return list(statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])

    assert groups(in_a_vpc) == [builds, flow_logs]
    assert "/aws/vpc" not in str(groups(deployment))


def test_the_flow_log_may_write_to_its_own_group_and_nothing_else(in_a_vpc: Deployment) -> None:
    assert in_a_vpc.grants("foundation", "NetworkFlowLogRole") == on(
        "<NetworkFlowLogs.Arn>", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"
    )
