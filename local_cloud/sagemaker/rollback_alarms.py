"""The CloudWatch alarms that take an update of an endpoint back, seen with the permissions of the model's role."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.cloud import Cloud
from local_cloud.sagemaker.deployments import Deployment
from local_cloud.sagemaker.errors import invalid
from local_cloud.sagemaker.instances import CutOffError


class RollbackAlarms:
    """The AutoRollbackConfiguration of one update.

    Args:
        config: the update's DeploymentConfig.
        deployment: what is deployed; the first model's execution role looks at the alarms.
    """

    def __init__(self, cloud: Cloud, config: Mapping[str, Any], deployment: Deployment) -> None:
        alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        self._names = [alarm["AlarmName"] for alarm in alarms]
        self._cloud = cloud
        self._role_arn = deployment.variants[0].role_arn

    def check(self) -> None:
        """
        Raises:
            ServiceError: an alarm does not exist, or the role may not look at it.
        """
        try:  # one by one, as the role is asked about each
            found = {alarm["AlarmName"] for name in self._names for alarm in self._described(name)}
        except ClientError as error:
            raise invalid(
                f"The execution role {self._role_arn} must be able to look at the auto-rollback alarms "
                f"{', '.join(self._names)}: {error.response['Error']['Message']}"
            ) from error
        missing = [name for name in self._names if name not in found]
        if missing:
            raise invalid(f"Could not find the auto-rollback alarms {', '.join(missing)} in CloudWatch.")

    def tripped(self) -> str | None:
        """Which alarm is in ALARM, and why; None while none is.

        Raises:
            CutOffError: the cloud is being stopped.
        """
        try:
            alarms = self._described(*self._names)
        except ClientError as error:
            return f"The auto-rollback alarms cannot be looked at: {error.response['Error']['Message']}"
        except BotoCoreError as error:
            raise CutOffError from error
        gone_off = [
            f"{alarm['AlarmName']}: {alarm['StateReason']}" for alarm in alarms if alarm["StateValue"] == "ALARM"
        ]
        missing = set(self._names) - {alarm["AlarmName"] for alarm in alarms}
        gone_off += [f"{name}: it was deleted." for name in sorted(missing)]
        return f"Auto-rollback alarms are in ALARM state. {' '.join(gone_off)}" if gone_off else None

    def _described(self, *names: str) -> list[dict[str, Any]]:
        if not names:
            return []
        alarms: list[dict[str, Any]] = self._cloud.client("cloudwatch", self._role_arn).describe_alarms(
            AlarmNames=list(names)
        )["MetricAlarms"]
        return alarms
