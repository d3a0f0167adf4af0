"""What state a CloudWatch alarm has by the values of its periods ("Alarm evaluation", CloudWatch user guide)."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATED_AS = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True)
class Period:
    """One period of an alarm's metric.

    Attributes:
        start: seconds since 1970.
        value: of the alarm's statistic; None without data.
        sample_count: how many samples it comes from.
    """

    start: float
    value: float | None
    sample_count: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The state that an alarm should have, in CloudWatch's words."""

    state: str
    reason: str
    reason_data: dict[str, Any]


def evaluate(alarm: Mapping[str, Any], periods: Sequence[Period], now: float) -> Verdict | None:
    """Judge an alarm.

    Args:
        alarm: its EvaluationPeriods, DatapointsToAlarm, Threshold, ComparisonOperator and TreatMissingData.
        periods: from the newest on; more than the alarm evaluates, so that it can pass over those without data.
        now: seconds since 1970.

    Returns:
        None where the alarm keeps its state.
    """
    wanted = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or wanted
    compare, _ = _COMPARISONS[alarm["ComparisonOperator"]]
    real = [period for period in periods if period.value is not None][:wanted]
    breaching = sum(period.value is not None and compare(period.value, alarm["Threshold"]) for period in real)
    missing = wanted - len(real)
    treatment = alarm.get("TreatMissingData") or "missing"
    if missing and treatment == "ignore" and breaching == len(real) and breaching < needed:
        return None
    if not real and treatment == "missing":
        return _verdict(alarm, "INSUFFICIENT_DATA", real, f"Insufficient Data: {_datapoints(wanted)} unknown.", now)
    if treatment == "breaching":
        breaching += missing
    # missing periods that count for nothing make the rest decide: one bad value of one is an alarm
    enough = min(needed, len(real)) if treatment == "missing" else needed
    state = "ALARM" if breaching >= enough else "OK"
    return _verdict(alarm, state, real, _reason(alarm, state, real, needed), now)


def _reason(alarm: Mapping[str, Any], state: str, real: Sequence[Period], needed: int) -> str:
    wanted = alarm["EvaluationPeriods"]
    treated = _TREATED_AS.get(alarm.get("TreatMissingData") or "missing")
    missing = wanted - len(real)
    if not real:
        return (
            f"Threshold Crossed: no datapoints were received for {wanted} period{_s(wanted)} and {missing} missing "
            f"datapoint{_s(missing)} {_was(missing)} treated as [{treated}]."
        )
    words = _COMPARISONS[alarm["ComparisonOperator"]][1]
    values = ", ".join(f"{period.value} ({_time(period.start, '%d/%m/%y %H:%M:%S')})" for period in real)
    other = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    least = needed if state == "ALARM" else wanted - needed + 1
    filled = (
        f" and {missing} missing datapoint{_s(missing)} {_was(missing)} treated as [{treated}]"
        if missing and treated
        else ""
    )
    return (
        f"Threshold Crossed: {len(real)} out of the last {wanted} datapoints [{values}] "
        f"{_was(len(real))} {'' if state == 'ALARM' else 'not '}{words} the threshold ({alarm['Threshold']}){filled} "
        f"(minimum {least} datapoint{_s(least)} for {other} transition)."
    )


def _verdict(alarm: Mapping[str, Any], state: str, real: Sequence[Period], reason: str, now: float) -> Verdict:
    return Verdict(state, reason, {
        "version": "1.0",
        "queryDate": _iso(now),
        "startDate": _iso(real[-1].start) if real else None,
        "statistic": alarm.get("ExtendedStatistic") or alarm.get("Statistic"),
        "period": alarm["Period"],
        "recentDatapoints": [period.value for period in reversed(real)],
        "threshold": alarm["Threshold"],
        "evaluatedDatapoints": [
            {"timestamp": _iso(period.start), "sampleCount": period.sample_count, "value": period.value}
            for period in real
        ],
    })  # fmt: skip


def _datapoints(count: int) -> str:
    return f"{count} datapoint{_s(count)} {_was(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _time(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def _iso(seconds: float) -> str:
    return _time(seconds, "%Y-%m-%dT%H:%M:%S.000+0000")
