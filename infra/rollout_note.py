"""Turn what became of a rollout into the request that notes it on the model package.

in   actions.json         what ListActionExecutions answers for the execution
in   alarm-*.json         what DescribeAlarms answers for each of the endpoint's alarms
in   history-*.json       what DescribeAlarmHistory answers for each
in   ACTION, STATE        of the event: Deploy or Verify, SUCCEEDED or FAILED
out  standard output      the UpdateModelPackage request

RecordRollout's build runs the text of this file, with the Python of its image: it imports nothing but what that has,
and is short, for it travels in a variable.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_NOT_IN_METADATA = re.compile(r"[^\w\s.:/=+\-@]+")  # CreateModelPackage, CustomerMetadataValue; 256 at most


def request(
    actions: Sequence[Any], alarms: Sequence[Any], history: Sequence[Any], action: str, state: str
) -> dict[str, Any]:
    """The UpdateModelPackage request.

    Args:
        actions: `actionExecutionDetails` of one execution.
        alarms: `MetricAlarms` of the endpoint.
        history: `AlarmHistoryItems` of all of them.
        action: whose end was told. The last one of its name is Production's: that is the last stage.
        state: SUCCEEDED or FAILED.
    """
    ended = max((a for a in actions if a["actionName"] == action), key=lambda one: _time(one["startTime"]))
    package, plan = (_variables(actions, name) for name in ("RegisterModel", "PlanRelease"))
    arn, at = package["MODEL_PACKAGE_ARN"], _time(ended["lastUpdateTime"])
    when = at.isoformat(timespec="seconds")
    if state == "SUCCEEDED":
        is_tested = plan.get("CHALLENGER_MODEL_PACKAGE_ARN") == arn
        noted = {"challenger_since" if is_tested else "released_at": when}
    else:
        start = _time(ended["startTime"])
        told = [text for alarm in alarms for text in _alarmed(alarm, history, start, at)] if action == "Deploy" else []
        message = ended["output"]["executionResult"].get("errorDetails", {}).get("message", "no reason is known")
        noted = {"rollout_failed_at": when, "rollout_failure": _value(" and ".join(told) or f"{action}: {message}")}
    return {"ModelPackageArn": arn, "CustomerMetadataProperties": noted}


def _alarmed(alarm: Any, history: Sequence[Any], start: datetime, end: datetime) -> Iterator[str]:
    """What an alarm saw, when it was in ALARM at some time from start to end."""
    updates = [one for one in history if one["AlarmName"] == alarm["AlarmName"] and _time(one["Timestamp"]) <= end]
    for update in sorted(updates, key=lambda one: _time(one["Timestamp"]), reverse=True):
        new = json.loads(update["HistoryData"])["newState"]
        if new["stateValue"] == "ALARM":
            statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
            seen = new.get("stateReasonData", {}).get("recentDatapoints") or ["?"]
            value = f"{alarm['MetricName']} {statistic} was {seen[-1]} with a limit of {alarm['Threshold']}"
            yield f"{alarm['AlarmName']}: {value}"
            return
        if _time(update["Timestamp"]) < start:
            return


def _variables(actions: Sequence[Any], name: str) -> dict[str, str]:
    found = [one["output"].get("outputVariables", {}) for one in actions if one["actionName"] == name]
    return next((variables for variables in found if variables), {})


def _time(told: Any) -> datetime:
    """Version 2 of the aws command tells times in ISO 8601, version 1 as they come: in seconds, or as text."""
    is_text = isinstance(told, str)
    return datetime.fromisoformat(told).astimezone(UTC) if is_text else datetime.fromtimestamp(told, UTC)


def _value(text: str) -> str:
    return " ".join(_NOT_IN_METADATA.sub(" ", text).split())[:256]


def main() -> None:
    """Read, print."""
    actions, alarms, history = (
        [item for path in sorted(Path().glob(files)) for item in json.loads(path.read_text(encoding="utf-8"))[member]]
        for files, member in (
            ("actions.json", "actionExecutionDetails"),
            ("alarm-*.json", "MetricAlarms"),
            ("history-*.json", "AlarmHistoryItems"),
        )
    )
    json.dump(request(actions, alarms, history, os.environ["ACTION"], os.environ["STATE"]), sys.stdout)


if __name__ == "__main__":
    main()
