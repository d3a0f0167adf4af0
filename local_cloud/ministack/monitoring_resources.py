"""Alarms and dashboards of stacks: IAM is asked before they come, change and go, which ministack itself does not do.

Sources: the service authorization reference; CloudWatch API reference, PutMetricAlarm, on the permission for tags.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_cloud.authorization import Check, authorize

Properties = Mapping[str, Any]


def hold_to_iam(region: str, account_id: str) -> None:
    """Ask on behalf of whoever makes the stack; once in a process."""
    types: Any = importlib.import_module("ministack.services.cloudformation.provisioners")._RESOURCE_HANDLERS

    def alarm(name: str, properties: Properties) -> Iterator[Check]:
        arn = f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{name}"
        yield Check("cloudwatch:PutMetricAlarm", arn)
        if properties.get("Tags"):
            yield Check("cloudwatch:TagResource", arn)

    def no_alarm(name: str) -> Check:
        return Check("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{name}")

    def dashboard(name: str, properties: Properties) -> Iterator[Check]:
        yield Check("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{account_id}:dashboard/{name}")

    def no_dashboard(name: str) -> Check:
        return Check("cloudwatch:DeleteDashboards", f"arn:aws:cloudwatch::{account_id}:dashboard/{name}")

    _hold(types["AWS::CloudWatch::Alarm"], "AlarmName", alarm, no_alarm)
    _hold(types["AWS::CloudWatch::Dashboard"], "DashboardName", dashboard, no_dashboard)


def _hold(
    handlers: dict[str, Any], name_property: str, putting: Callable[[str, Properties], Iterator[Check]],
    deleting: Callable[[str], Check],
) -> None:  # fmt: skip
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def asking_create(logical_id: str, properties: Properties, *rest: Any, **named: Any) -> Any:
        authorize(putting(properties.get(name_property) or "*", properties))
        return create(logical_id, properties, *rest, **named)

    def asking_update(physical_id: str, old: Properties, new: Properties, *rest: Any, **named: Any) -> Any:
        authorize(putting(physical_id, new))
        return update(physical_id, old, new, *rest, **named)

    def asking_delete(physical_id: str, *rest: Any, **named: Any) -> Any:
        authorize([deleting(physical_id)])
        return delete(physical_id, *rest, **named)

    handlers |= {"create": asking_create, "update": asking_update, "delete": asking_delete}
