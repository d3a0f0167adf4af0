"""The CloudFormation type AWS::EC2::FlowLog, which ministack lacks; EC2 keeps the flow log, and nothing is logged."""

from typing import Any

from local_cloud.authorization import Check, authorize, pass_role
from local_cloud.cloud import Cloud
from local_cloud.wire import ServiceError

_SERVICE = "vpc-flow-logs.amazonaws.com"
_SERVED = frozenset({
    "DeliverLogsPermissionArn", "LogGroupName", "ResourceId", "ResourceType", "TrafficType",
})  # fmt: skip


class FlowLogHandler:
    """Ref is the flow log's id; all but the tags is fixed. Whoever makes the stack must be allowed to pass the role."""

    replace_on = frozenset({
        "DeliverLogsPermissionArn", "LogDestination", "LogDestinationType", "LogFormat", "LogGroupName",
        "MaxAggregationInterval", "ResourceId", "ResourceType", "TrafficType",
    })  # fmt: skip

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        _check(properties)
        place = f"arn:aws:ec2:{self._cloud.region}:{self._cloud.account_id}"
        role_arn = properties["DeliverLogsPermissionArn"]
        vpc = f"{place}:vpc/{properties['ResourceId']}"
        authorize(
            [
                Check("ec2:CreateFlowLogs", f"{place}:vpc-flow-log/*"),
                Check("ec2:CreateFlowLogs", vpc),
                pass_role(role_arn, _SERVICE),
            ]
        )
        (flow_log_id,) = self._cloud.client("ec2").create_flow_logs(
            ResourceIds=[properties["ResourceId"]], ResourceType=properties["ResourceType"],
            TrafficType=properties["TrafficType"], LogGroupName=properties["LogGroupName"],
            DeliverLogsPermissionArn=role_arn,
        )["FlowLogIds"]  # fmt: skip
        return str(flow_log_id), {"Id": flow_log_id}

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return {"Id": physical_id}

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        place = f"arn:aws:ec2:{self._cloud.region}:{self._cloud.account_id}"
        authorize([Check("ec2:DeleteFlowLogs", f"{place}:vpc-flow-log/{physical_id}")])
        self._cloud.client("ec2").delete_flow_logs(FlowLogIds=[physical_id])


def _check(properties: dict[str, Any]) -> None:
    missing = _SERVED - properties.keys()
    if missing:
        raise ServiceError("MissingParameter", f"Missing: {', '.join(sorted(missing))}")
    unserved = properties.keys() - _SERVED - {"Tags"}
    if unserved:
        names = ", ".join(sorted(unserved))
        raise ServiceError("InvalidParameter", f"The local cloud does not serve {names} of AWS::EC2::FlowLog")
