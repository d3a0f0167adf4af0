"""CloudWatch's alarms through boto3: what ministack does otherwise is put right by local_cloud/ministack/alarms.py."""

import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_server import CloudServer

from local_cloud.ministack.alarms import thinned

NAMESPACE = "Alarms/Test"


class Metric:
    """One metric of a test's own, and an alarm on it."""

    def __init__(self, server: CloudServer) -> None:
        self.client = server.client("cloudwatch")
        self.name = f"metric-{uuid.uuid4().hex[:8]}"

    def put(self, *values: float, seconds_ago: float = 0.0, unit: str = "None", **dimensions: str) -> None:
        data = {"Timestamp": time.time() - seconds_ago, "Values": list(values), "Unit": unit}
        self.client.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{"MetricName": self.name, "Dimensions": _list(dimensions), **data}]
        )

    def alarm(self, dimensions: dict[str, str] | None = None, **more: Any) -> None:
        statistic = {} if "ExtendedStatistic" in more else {"Statistic": "Average"}
        self.client.put_metric_alarm(**{
            "AlarmName": self.name, "Namespace": NAMESPACE, "MetricName": self.name, "Period": 60, "Threshold": 1.0,
            "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Dimensions": _list(dimensions or {}),
        } | statistic | more)  # fmt: skip

    def state(self) -> str:
        return str(self.described()["StateValue"])

    def described(self) -> dict[str, Any]:
        return dict(self.client.describe_alarms(AlarmNames=[self.name])["MetricAlarms"][0])

    def becomes(self, state: str) -> None:
        eventually(lambda: self.state() == state)


def _list(dimensions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


@pytest.fixture
def metric(cloud_server: CloudServer) -> Metric:
    return Metric(cloud_server)


def test_an_alarm_looks_at_its_own_dimensions_alone(metric: Metric) -> None:
    metric.put(5.0, Endpoint="other")
    metric.put(5.0, Endpoint="mine", Variant="B")
    metric.put(5.0)
    metric.put(0.5, Endpoint="mine")
    metric.alarm({"Endpoint": "mine"})
    metric.becomes("OK")
    metric.put(5.0, Endpoint="mine")
    metric.becomes("ALARM")


def test_an_alarm_looks_at_its_period_alone(metric: Metric) -> None:
    metric.put(9.0, seconds_ago=45)
    metric.put(0.5, seconds_ago=5)
    metric.alarm(Period=30)
    metric.becomes("OK")


def test_an_alarm_looks_at_its_unit_alone(metric: Metric) -> None:
    metric.put(9.0, unit="Seconds")
    metric.put(0.5, unit="Milliseconds")
    metric.alarm(Unit="Milliseconds")
    metric.becomes("OK")


def test_an_alarm_goes_off_on_a_percentile(metric: Metric) -> None:
    metric.put(*[0.1] * 97, 7.0, 8.0, 9.0)
    metric.alarm(ExtendedStatistic="p50")
    metric.becomes("OK")
    metric.alarm(ExtendedStatistic="p99")
    metric.becomes("ALARM")


def test_an_alarm_wants_as_many_bad_periods_as_it_says(metric: Metric) -> None:
    metric.put(9.0, seconds_ago=70)
    metric.put(0.5, seconds_ago=10)
    metric.alarm(EvaluationPeriods=2)
    metric.becomes("OK")
    metric.alarm(EvaluationPeriods=2, DatapointsToAlarm=1)
    metric.becomes("ALARM")


def test_an_alarm_without_data_is_evaluated_too(cloud_server: CloudServer) -> None:
    states = {"missing": "INSUFFICIENT_DATA", "notBreaching": "OK", "breaching": "ALARM", "ignore": "ALARM"}
    metrics = {treatment: Metric(cloud_server) for treatment in states}
    for treatment, metric in metrics.items():
        metric.put(9.0, seconds_ago=20)  # of periods of 10 seconds, it is soon beyond all that are looked at
        metric.alarm(Period=10, TreatMissingData=treatment)
        metric.becomes("ALARM")
    metrics["notBreaching"].becomes("OK")
    metrics["missing"].becomes("INSUFFICIENT_DATA")
    assert {treatment: metric.state() for treatment, metric in metrics.items()} == states


def test_the_history_tells_value_and_limit(metric: Metric) -> None:
    metric.put(3.0)
    metric.alarm()
    metric.becomes("ALARM")
    (entry, *_) = metric.client.describe_alarm_history(AlarmName=metric.name, ScanBy="TimestampDescending")[
        "AlarmHistoryItems"
    ]
    new = json.loads(entry["HistoryData"])["newState"]
    assert new["stateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [3.0 (")
    assert (new["stateReasonData"]["recentDatapoints"], new["stateReasonData"]["threshold"]) == ([3.0], 1.0)
    assert json.loads(metric.described()["StateReasonData"]) == new["stateReasonData"]


def test_a_state_set_by_hand_holds_for_a_while(metric: Metric) -> None:
    metric.put(0.5)
    metric.alarm(Period=10, TreatMissingData="notBreaching")
    metric.becomes("OK")
    metric.client.set_alarm_state(AlarmName=metric.name, StateValue="ALARM", StateReason="by hand")
    begun = time.monotonic()
    metric.becomes("OK")
    assert time.monotonic() - begun > 5


def test_an_alarm_on_metric_math_is_refused(metric: Metric) -> None:
    query = {"Id": "e", "Expression": "SUM(METRICS())", "ReturnData": True}
    with pytest.raises(ClientError, match="The local cloud does not serve Metrics of PutMetricAlarm"):
        metric.client.put_metric_alarm(
            AlarmName=metric.name, Metrics=[query], EvaluationPeriods=1, Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip


def test_data_of_former_minutes_are_fewer_and_tell_the_same() -> None:
    now = 1_795_280_400.0

    def point(age: float, value: float, **more: Any) -> dict[str, Any]:
        return {"Timestamp": now - age, "Value": value, "Unit": "None", "Dimensions": {"A": "1"}, **more}

    recent = [point(age, 1.0) for age in range(60)]
    a_statistic_set = point(1000, 2.0, _stat={"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 3})
    old = [point(600 + age, float(age % 2), Count=3.0) for age in range(1, 60)]
    too_old = point(16 * 24 * 3600, 1.0)

    kept = thinned([too_old, a_statistic_set, *old, *recent], now)

    assert kept[-61:] == [a_statistic_set, *recent]
    joined = sorted(kept[:-61], key=lambda one: one["Value"])
    assert [(one["Timestamp"], one["Value"], one["Count"]) for one in joined] == [
        (now - 660, 0.0, 29 * 3.0), (now - 660, 1.0, 30 * 3.0),
    ]  # fmt: skip
