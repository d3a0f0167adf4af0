"""AWS::EC2::FlowLog through CloudFormation."""

import json
import uuid

import pytest
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_server import CloudServer


def _deploy(server: CloudServer, role_of_stack: str, **more: object) -> tuple[str, dict]:
    name = f"flow-{uuid.uuid4().hex[:8]}"
    delivery = make_role(server, "vpc-flow-logs")
    flow_log = {"ResourceId": {"Ref": "Vpc"}, "ResourceType": "VPC", "TrafficType": "ALL", "LogGroupName": name,
                "DeliverLogsPermissionArn": delivery, **more}  # fmt: skip
    template = {"Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "FlowLog": {"Type": "AWS::EC2::FlowLog", "Properties": flow_log},
    }}  # fmt: skip
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), RoleARN=role_of_stack)

    def settled() -> dict | None:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    return name, eventually(settled)


def test_a_flow_log_is_made_and_deleted_with_its_stack(cloud_server: CloudServer) -> None:
    role = make_role(cloud_server, "cloudformation", {"Action": ["ec2:*", "iam:PassRole"], "Resource": "*"})
    name, stack = _deploy(cloud_server, role)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    ec2 = cloud_server.client("ec2")
    (flow_log,) = ec2.describe_flow_logs()["FlowLogs"]
    vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["CidrBlock"] == "10.0.0.0/16"]
    assert flow_log["ResourceId"] in vpcs
    cloud_server.client("cloudformation").delete_stack(StackName=name)
    eventually(lambda: not ec2.describe_flow_logs()["FlowLogs"])


def test_a_stack_that_may_not_hand_over_the_delivery_role_makes_no_flow_log(cloud_server: CloudServer) -> None:
    role = make_role(cloud_server, "cloudformation", {"Action": "ec2:*", "Resource": "*"})
    name, stack = _deploy(cloud_server, role)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloud_server.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    assert any("iam:PassRole" in event.get("ResourceStatusReason", "") for event in events)


@pytest.mark.parametrize(("properties", "wanted"), [
    ({"LogFormat": "${version}"}, "The local cloud does not serve LogFormat of AWS::EC2::FlowLog"),
    ({"LogGroupName": {"Ref": "AWS::NoValue"}}, "Missing: LogGroupName"),
])  # fmt: skip
def test_a_property_that_would_be_passed_over_fails_the_stack(
    cloud_server: CloudServer, properties: dict, wanted: str
) -> None:
    role = make_role(cloud_server, "cloudformation", {"Action": ["ec2:*", "iam:PassRole"], "Resource": "*"})
    name, stack = _deploy(cloud_server, role, **properties)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloud_server.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    assert any(wanted in event.get("ResourceStatusReason", "") for event in events)
