"""CloudWatch's metrics and alarms, where ministack differs from AWS.

ministack's alarms pass over dimensions, periods and missing data, and are looked at only when data comes.
"""

import importlib
import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from local_cloud.ministack.alarm_evaluation import Period, Verdict, evaluate

logger = logging.getLogger(__name__)

_MORE_PERIODS = 2
"""How many periods beyond its own an alarm looks back, to pass over those without data; AWS does not tell."""
_KEPT_SECONDS = 15 * 24 * 3600
_FINE_SECONDS = 180
_MINUTE = 60
_SHORTEST_HOLD_SECONDS = 10


class Alarms:
    """Evaluates alarms as AWS does; all of it runs on the event loop."""

    def __init__(self) -> None:
        self._cloudwatch: Any = importlib.import_module("ministack.services.cloudwatch")
        self._held_until: dict[str, float] = {}
        self._thinned_at = 0.0
        self._take_over()
        self._hold_what_is_set_by_hand()
        self._refuse_metric_math()

    def store(self, namespace: str, data: Iterable[Mapping[str, Any]]) -> None:
        """Add metric data, as PutMetricData has them, with Values and Counts."""
        for datum in data:
            dimensions = {item["Name"]: item["Value"] for item in datum["Dimensions"]}
            self._cloudwatch._store_datum(
                namespace, datum["MetricName"], dimensions, datum["Timestamp"], datum["Unit"], None, datum["Values"],
                datum["Counts"], None,
            )  # fmt: skip

    def evaluate_all(self) -> None:
        self._thin()
        self._cloudwatch._evaluate_all_alarms()

    def state_without_metrics(self) -> Any:
        """What ministack keeps of CloudWatch, but for the metrics."""
        metrics = self._cloudwatch._metrics
        self._cloudwatch._metrics = type(metrics)()
        try:
            return self._cloudwatch.get_state()
        finally:
            self._cloudwatch._metrics = metrics

    def _take_over(self) -> None:
        self._cloudwatch._evaluate_alarm = self._evaluate
        self._cloudwatch._evict_old_metrics = self._thin

    def _evaluate(self, alarm: dict[str, Any]) -> None:
        now = time.time()
        name = alarm["AlarmName"]
        if not alarm.get("MetricName") or self._held_until.get(name, 0.0) > now:
            return
        self._held_until.pop(name, None)
        verdict = evaluate(alarm, self._periods(alarm, now), now)
        if verdict is not None and verdict.state != alarm["StateValue"]:
            self._change(alarm, verdict)

    def _periods(self, alarm: Mapping[str, Any], now: float) -> list[Period]:
        """The newest first. They end now: on AWS they end with the minute, and a test cannot wait for that."""
        count, length = alarm["EvaluationPeriods"] + _MORE_PERIODS, alarm["Period"]
        points: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or []}
        key = (alarm["Namespace"], alarm["MetricName"], self._cloudwatch._dims_key(dimensions))
        for point in self._cloudwatch._metrics.get(key) or []:
            age = int((now - point["Timestamp"]) // length)
            if 0 <= age < count and alarm.get("Unit") in (None, point["Unit"]):
                points[age].append(point)
        return [self._period(alarm, now - (age + 1) * length, group) for age, group in enumerate(points)]

    def _period(self, alarm: Mapping[str, Any], start: float, points: list[dict[str, Any]]) -> Period:
        statistics = self._cloudwatch._calc_stats(points)
        if not statistics:
            return Period(start, None)
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        value = self._cloudwatch._stat_value(statistics, statistic, points)
        return Period(start, value, statistics["SampleCount"])

    def _change(self, alarm: dict[str, Any], verdict: Verdict) -> None:
        old, now = alarm["StateValue"], int(time.time())
        alarm |= {
            "StateValue": verdict.state, "StateReason": verdict.reason,
            "StateReasonData": json.dumps(verdict.reason_data), "StateUpdatedTimestamp": now,
            "StateTransitionedTimestamp": now,
        }  # fmt: skip
        self._cloudwatch._record_history(
            alarm["AlarmName"], old, verdict.state, verdict.reason, reason_data=verdict.reason_data
        )
        self._cloudwatch._dispatch_alarm_actions(alarm, old, verdict.state, verdict.reason)
        self._cloudwatch._evaluate_parent_alarms(alarm)

    def _hold_what_is_set_by_hand(self) -> None:
        """SetAlarmState holds until the alarm is evaluated the next time, which on AWS is after a while."""
        original = self._cloudwatch._set_alarm_state

        def set_alarm_state(params: Any, request: dict[str, Any], *protocol: Any) -> Any:
            name = request.get("AlarmName", "") or self._cloudwatch._p(params, "AlarmName")
            period = (self._cloudwatch._alarms.get(name) or {}).get("Period", 0)
            self._held_until[name] = time.time() + max(period, _SHORTEST_HOLD_SECONDS)
            return original(params, request, *protocol)

        self._cloudwatch._set_alarm_state = set_alarm_state

    def _refuse_metric_math(self) -> None:
        """ministack takes an alarm on an expression and never evaluates it."""
        original = self._cloudwatch._put_metric_alarm

        def put_metric_alarm(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
            if request.get("Metrics") or "Metrics.member.1.Id" in params:
                message = "The local cloud does not serve Metrics of PutMetricAlarm."
                return self._cloudwatch._error("ValidationError", message, 400, use_json=is_json, use_cbor=is_cbor)
            return original(params, request, is_cbor, is_json)

        self._cloudwatch._put_metric_alarm = put_metric_alarm

    def _thin(self) -> None:
        """Join data older than some minutes to minutes, as CloudWatch does after hours, once a minute."""
        now = time.time()
        if now - self._thinned_at < _MINUTE:
            return
        self._thinned_at = now
        metrics = self._cloudwatch._metrics
        for key, points in list(metrics.items()):
            kept = thinned(points, now)
            if kept:
                metrics[key] = kept
            else:
                del metrics[key]


def thinned(points: list[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """The same statistics of whole minutes, from fewer points."""
    counts: Counter[tuple[int, float, str]] = Counter()
    rest, dimensions = [], {}
    for point in points:
        if point["Timestamp"] < now - _KEPT_SECONDS:
            continue
        if point["Timestamp"] > now - _FINE_SECONDS or "_stat" in point:
            rest.append(point)
            continue
        minute = int(point["Timestamp"] // _MINUTE) * _MINUTE
        dimensions = point["Dimensions"]
        counts[minute, point["Value"], point["Unit"]] += point.get("Count", 1.0)
    joined = [
        {"Timestamp": minute, "Value": value, "Unit": unit, "Count": count, "Dimensions": dimensions}
        for (minute, value, unit), count in counts.items()
    ]
    return joined + rest
