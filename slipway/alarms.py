"""Which of an endpoint's alarms went off during a rollout, with what they saw and their limit."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from slipway.target import Target

# CloudWatch has shares as fractions, and ModelLatency in microseconds.
_UNITS = {"Invocation4XXErrors": (100, " %"), "Invocation5XXErrors": (100, " %"), "ModelLatency": (0.001, " ms")}


def alarms_during(
    target: Target, endpoint: str, reason: str, start: datetime | None, end: datetime | None
) -> list[str]:
    """A sentence for each alarm of an endpoint that a rollout's failure is about.

    Args:
        reason: SageMaker's; when it names alarms, only those are told of, else all that were in ALARM meanwhile.
        start: of the rollout; None when it is not known.
        end: of the rollout; None when it goes on.
    """
    cloudwatch = target.client("cloudwatch")
    try:
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{endpoint}-", AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        named = [alarm for alarm in alarms if alarm["AlarmName"] in reason]
        return [
            text for alarm in named or alarms for text in _told(cloudwatch, alarm, start, end, is_named=bool(named))
        ]
    except ClientError:  # who may not look at alarms still sees SageMaker's own reason
        return []


def _told(
    cloudwatch: Any, alarm: Mapping[str, Any], start: datetime | None, end: datetime | None, *, is_named: bool
) -> Iterator[str]:
    name, limit = alarm["AlarmName"], _shown(alarm, alarm["Threshold"])
    measure = f"{alarm.get('MetricName', 'its metric')} ({alarm.get('Statistic') or alarm.get('ExtendedStatistic')})"
    seen = _seen(cloudwatch, name, start, end)
    if seen is not None:
        value = "a value that is not told" if not seen else _shown(alarm, seen[-1])
        yield f"the alarm {name} went off: {measure} was {value}, its limit is {limit}"
    elif is_named:
        yield f"the limit of the alarm {name} is {limit} of {measure}"


def _seen(cloudwatch: Any, name: str, start: datetime | None, end: datetime | None) -> list[float] | None:
    """The values that set an alarm off at some time from start to end; None when it stayed quiet."""
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampDescending"
    )
    for item in (item for page in pages for item in page["AlarmHistoryItems"]):
        if end is not None and item["Timestamp"] > end:
            continue
        new = json.loads(item["HistoryData"])["newState"]
        if new["stateValue"] == "ALARM":
            return list(new.get("stateReasonData", {}).get("recentDatapoints", []))
        if start is not None and item["Timestamp"] < start:
            return None
    return None


def _shown(alarm: Mapping[str, Any], value: float) -> str:
    factor, unit = _UNITS.get(alarm.get("MetricName", ""), (1, ""))
    return f"{value * factor:.4g}{unit}"
