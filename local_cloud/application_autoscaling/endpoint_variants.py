"""SageMaker and CloudWatch as Application Auto Scaling sees them: by its service-linked role."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.application_autoscaling.resource_ids import EndpointVariant
from local_cloud.cloud import Cloud

LINKED_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
ROLE_NAME = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"

# As in the managed policy AWSApplicationAutoscalingSageMakerEndpointPolicy, as far as it is used here.
_PERMISSIONS = (
    "sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:UpdateEndpointWeightsAndCapacities",
    "cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms",
)  # fmt: skip


def role_arn(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:role/aws-service-role/{LINKED_SERVICE}/{ROLE_NAME}"


@dataclass(frozen=True)
class Capacity:
    """The instances of a variant.

    Attributes:
        status: of the endpoint; only one that is InService can be scaled.
        failure: why the endpoint's last change has failed; None when it has not.
        serverless: there are no instances to be scaled.
    """

    status: str
    current: int
    desired: int
    failure: str | None
    serverless: bool


class EndpointVariants:
    """What is scaled, and what is known of it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud.of_service(LINKED_SERVICE.removesuffix(".amazonaws.com"))
        self._role_arn = role_arn(cloud.account_id)

    def role_exists(self) -> bool:
        iam = self._cloud.client("iam")
        try:
            iam.get_role(RoleName=ROLE_NAME)
        except iam.exceptions.NoSuchEntityException:
            return False
        return True

    def ensure_role(self) -> None:
        """Make the service-linked role if it does not exist."""
        iam = self._cloud.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": LINKED_SERVICE}, "Action": "sts:AssumeRole"}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=ROLE_NAME, Path=f"/aws-service-role/{LINKED_SERVICE}/",
                AssumeRolePolicyDocument=_policy(trust),
            )  # fmt: skip
            allowed = {"Effect": "Allow", "Action": list(_PERMISSIONS), "Resource": "*"}
            iam.put_role_policy(RoleName=ROLE_NAME, PolicyName=ROLE_NAME, PolicyDocument=_policy(allowed))

    def config_name(self, endpoint: str) -> str | None:
        """The endpoint config of an endpoint; None when there is no such endpoint."""
        return (self._describe(self._cloud.client("sagemaker"), endpoint) or {}).get("EndpointConfigName")

    def capacity(self, resource: EndpointVariant) -> Capacity | None:
        """None when there is no such variant."""
        described = self._describe(self._client("sagemaker"), resource.endpoint) or {}
        for variant in (*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])):
            if variant["VariantName"] == resource.variant:
                return Capacity(
                    described["EndpointStatus"], variant["CurrentInstanceCount"], variant["DesiredInstanceCount"],
                    described.get("FailureReason"), "CurrentServerlessConfig" in variant,
                )  # fmt: skip
        return None

    def set_capacity(self, resource: EndpointVariant, count: int) -> None:
        """
        Raises:
            ClientError: the endpoint cannot be changed now.
        """
        self._client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=resource.endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": resource.variant, "DesiredInstanceCount": count}],
        )

    def put_alarm(self, **alarm: Any) -> None:
        self._client("cloudwatch").put_metric_alarm(**alarm)

    def delete_alarms(self, names: list[str]) -> None:
        self._client("cloudwatch").delete_alarms(AlarmNames=names)

    def alarms_in_alarm(self, names: list[str]) -> set[str]:
        """Those of the alarms that are in the state ALARM."""
        found = set()
        for start in range(0, len(names), 100):
            for alarm in self._client("cloudwatch").describe_alarms(AlarmNames=names[start : start + 100])[
                "MetricAlarms"
            ]:
                if alarm["StateValue"] == "ALARM":
                    found.add(alarm["AlarmName"])
        return found

    def last_sum(self, metric: dict[str, Any], period_seconds: int, delay_seconds: float) -> float | None:
        """A metric's sum over the last whole period; None without data points.

        Args:
            metric: Namespace, MetricName and Dimensions.
            period_seconds: of the sum.
            delay_seconds: how late data points may come.
        """
        end = (datetime.now(UTC).timestamp() - delay_seconds) // period_seconds * period_seconds
        client = self._cloud.client("cloudwatch")  # the role may not: the alarms hand the values over on AWS
        answer = client.get_metric_statistics(
            **metric, Period=period_seconds, Statistics=["Sum"],
            StartTime=datetime.fromtimestamp(end - period_seconds, UTC), EndTime=datetime.fromtimestamp(end, UTC),
        )  # fmt: skip
        return float(answer["Datapoints"][0]["Sum"]) if answer["Datapoints"] else None

    def _client(self, service: str) -> Any:
        return self._cloud.client(service, self._role_arn)

    def _describe(self, client: Any, endpoint: str) -> dict[str, Any] | None:
        try:
            return dict(client.describe_endpoint(EndpointName=endpoint))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
