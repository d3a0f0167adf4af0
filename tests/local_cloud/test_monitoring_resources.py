"""Alarms and dashboards of stacks: their names and nothing else is what a stack's role needs."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_server import CloudServer

ALARM = {
    "AlarmName": "taxi-errors", "Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors",
    "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.01,
    "ComparisonOperator": "GreaterThanThreshold",
    "Tags": [{"Key": "team", "Value": "taxi"}],
}  # fmt: skip
BOARD = {"DashboardName": "taxi", "DashboardBody": json.dumps({"widgets": []})}
PLACE = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:taxi-errors"
BOARDS = "arn:aws:cloudwatch::000000000000:dashboard/taxi"
NEEDED = {
    PLACE: {"cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:DeleteAlarms"},
    BOARDS: {"cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"},
}


@pytest.fixture
def stack(cloud_server: CloudServer) -> Callable[..., Any]:
    """Makes, changes or deletes a stack of the two as a role without one permission; gives status and reasons."""
    cloudformation, name = cloud_server.client("cloudformation"), f"stack-{uuid.uuid4().hex[:8]}"

    def act(operation: str, threshold: float = 0.01, without: str = "") -> tuple[str, str]:
        statements = [{"Action": sorted(actions - {without}), "Resource": arn} for arn, actions in NEEDED.items()]
        role = make_role(cloud_server, "cloudformation", *statements)
        template = {
            "Resources": {
                "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**ALARM, "Threshold": threshold}},
                "Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": BOARD},
            }
        }
        asked = {"RoleARN": role} if operation == "delete" else {"RoleARN": role, "TemplateBody": json.dumps(template)}
        made = getattr(cloudformation, f"{operation}_stack")(StackName=name, **asked)
        stack_id = made.get("StackId") or ids[0]
        ids.append(stack_id)

        def ended() -> Any:
            status = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
            return None if status.endswith("IN_PROGRESS") else status

        status = eventually(ended)
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        return status, " ".join(event.get("ResourceStatusReason", "") for event in events)

    ids: list[str] = []
    return act


def test_a_role_with_these_permissions_makes_changes_and_deletes_them(
    cloud_server: CloudServer, stack: Callable[..., Any]
) -> None:
    cloudwatch = cloud_server.client("cloudwatch")

    assert stack("create")[0] == "CREATE_COMPLETE"
    assert stack("update", threshold=0.5)[0] == "UPDATE_COMPLETE"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["taxi-errors"])["MetricAlarms"]
    assert alarm["Threshold"] == 0.5
    assert stack("delete")[0] == "DELETE_COMPLETE"
    assert cloudwatch.describe_alarms(AlarmNames=["taxi-errors"])["MetricAlarms"] == []


@pytest.mark.parametrize("without", ["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:PutDashboard"])
def test_a_role_that_lacks_one_makes_no_stack(stack: Callable[..., Any], without: str) -> None:
    status, reasons = stack("create", without=without)

    assert status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
    assert f"is not authorized to perform: {without}" in reasons
