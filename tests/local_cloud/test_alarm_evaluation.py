"""The state of an alarm by the values of its periods."""

from typing import Any

import pytest

from local_cloud.ministack.alarm_evaluation import Period, evaluate

NOW = 1_795_280_400.0
STATES = {"missing": 0, "ignore": 1, "breaching": 2, "notBreaching": 3}


def alarm(evaluated: int = 3, to_alarm: int | None = None, treatment: str = "missing", **more: Any) -> dict[str, Any]:
    return {
        "EvaluationPeriods": evaluated, "DatapointsToAlarm": to_alarm, "TreatMissingData": treatment, "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Average", "Period": 60,
    } | more  # fmt: skip


def periods(text: str) -> list[Period]:
    """From `0 - X`: a good value, no data, a bad value; the newest is the last."""
    values = {"0": 0.0, "X": 1.0, "-": None}
    newest_first = enumerate(reversed(text.split()))
    return [Period(NOW - (age + 1) * 60, values[mark], sample_count=7) for age, mark in newest_first]


# The user guide's tables ("Configuring how CloudWatch alarms treat missing data"); KEEP: the state stays as it is.
@pytest.mark.parametrize(
    ("data", "to_alarm", "states"),
    [
        ("0 - X - X", 3, "OK OK OK OK"),
        ("- - - - 0", 3, "OK OK OK OK"),
        ("- - - - -", 3, "INSUFFICIENT_DATA KEEP ALARM OK"),
        ("0 X X - X", 3, "ALARM ALARM ALARM ALARM"),
        ("- - X - -", 3, "ALARM KEEP ALARM OK"),
        ("0 - X - X", 2, "ALARM ALARM ALARM ALARM"),
        ("0 0 X 0 X", 2, "ALARM ALARM ALARM ALARM"),
        ("0 - X - -", 2, "OK OK ALARM OK"),
        ("- - - - 0", 2, "OK OK ALARM OK"),
        ("- - - - X", 2, "ALARM KEEP ALARM OK"),
    ],
)
@pytest.mark.parametrize("treatment", STATES)
def test_missing_data_counts_as_the_alarm_says(data: str, to_alarm: int, states: str, treatment: str) -> None:
    verdict = evaluate(alarm(3, to_alarm, treatment), periods(data), NOW)
    assert (verdict.state if verdict else "KEEP") == states.split()[STATES[treatment]]


@pytest.mark.parametrize(
    ("comparison", "state"),
    [
        ("GreaterThanThreshold", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM"),
        ("LessThanThreshold", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM"),
    ],
)
def test_a_value_on_the_threshold_is_beyond_it_where_the_operator_says_so(comparison: str, state: str) -> None:
    verdict = evaluate(alarm(1, ComparisonOperator=comparison, Threshold=1.0), periods("X"), NOW)
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(
    ("data", "settings", "reason"),
    [
        ("X", {}, "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (21/11/26 16:59:00)] was greater than the "
                  "threshold (0.5) (minimum 1 datapoint for OK -> ALARM transition)."),
        ("0", {}, "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (21/11/26 16:59:00)] was not greater than "
                  "the threshold (0.5) (minimum 1 datapoint for ALARM -> OK transition)."),
        ("-", {"treatment": "notBreaching"}, "Threshold Crossed: no datapoints were received for 1 period and 1 "
                                             "missing datapoint was treated as [NonBreaching]."),
        ("-", {}, "Insufficient Data: 1 datapoint was unknown."),
    ],
    ids=["bad", "good", "treated", "unknown"],
)  # fmt: skip
def test_the_reason_is_in_cloudwatchs_words(data: str, settings: dict[str, Any], reason: str) -> None:
    verdict = evaluate(alarm(1, **settings), periods(data), NOW)
    assert verdict is not None
    assert verdict.reason == reason


def test_the_reasons_data_has_the_values_and_the_limit() -> None:
    verdict = evaluate(alarm(2), periods("0 X"), NOW)
    assert verdict is not None
    data = verdict.reason_data
    assert (data["recentDatapoints"], data["threshold"], data["statistic"], data["period"]) == (
        [0.0, 1.0],
        0.5,
        "Average",
        60,
    )
    assert data["evaluatedDatapoints"][0] == {
        "timestamp": "2026-11-21T16:59:00.000+0000",
        "sampleCount": 7,
        "value": 1.0,
    }
