"""Decide whether the challenger replaces the champion.

in   challenger  EvaluationReport
in   champion    EvaluationReport, absent on the first run
in   policy      settings.Evaluation
out  decision    PromotionDecision
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pipeline_steps.documents import EvaluationReport, PromotionDecision
from settings import Evaluation, Limit

FIRST_RUN_NOTE = "There is no champion to compare with: production serves no model yet, so the limits alone decided."


@dataclass(frozen=True)
class _Check:
    passed: bool
    sentence: str


def decide_promotion(
    challenger: EvaluationReport, champion: EvaluationReport | None, policy: Evaluation
) -> PromotionDecision:
    """Judge a challenger by the absolute limits and, when there is one, against the champion.

    Args:
        challenger: scored on the holdout.
        champion: scored on the same holdout, or with the failure that kept it from being scored; None when production
            serves no model.
        policy: the gate of slipway.yaml.
    """
    checks = [_has_rows(challenger), *(check for limit in policy.limits for check in _limit_checks(challenger, limit))]
    if champion is not None:
        checks.append(_champion_check(challenger, champion, policy))
    failed = tuple(check.sentence for check in checks if not check.passed)
    if failed:
        return PromotionDecision(verdict="Rejected", reasons=failed, notes=tuple(_notes(challenger, champion)))
    passed = tuple(check.sentence for check in checks)
    return PromotionDecision(verdict="Accepted", reasons=passed, notes=tuple(_notes(challenger, champion)))


def _has_rows(challenger: EvaluationReport) -> _Check:
    sentence = f"The challenger was scored on {challenger.rows} holdout rows; at least 1 is needed."
    return _Check(challenger.rows > 0, sentence)


def _limit_checks(challenger: EvaluationReport, limit: Limit) -> Iterator[_Check]:
    value = challenger.metrics.get(limit.metric)
    if value is None:
        yield _Check(False, _absent("challenger", challenger, limit.metric, _allowed(limit)))
        return
    if limit.at_least is not None:
        passed = value >= limit.at_least
        yield _limit_check(passed, limit.metric, value, "is at least" if passed else "is below", limit.at_least)
    if limit.at_most is not None:
        passed = value <= limit.at_most
        yield _limit_check(passed, limit.metric, value, "is at most" if passed else "is above", limit.at_most)


def _limit_check(passed: bool, metric: str, value: float, relation: str, bound: float) -> _Check:
    return _Check(passed, f"The challenger's {metric} {shown(value, bound)} {relation} the limit {shown(bound)}.")


def _champion_check(challenger: EvaluationReport, champion: EvaluationReport, policy: Evaluation) -> _Check:
    metric, allowed = policy.primary.metric, policy.champion.not_worse_by
    if champion.failure is not None:
        return _Check(False, f"The champion could not be scored, so nothing can be compared: {champion.failure}")
    rule = f"worse than the champion's by at most {shown(allowed)}"
    new, old = challenger.metrics.get(metric), champion.metrics.get(metric)
    if new is None:
        return _Check(False, _absent("challenger", challenger, metric, rule))
    if old is None:
        return _Check(False, _absent("champion", champion, metric, "a number to compare with"))
    loss = _loss(new, old, policy.primary.goal)
    passed = loss <= _decimal(allowed)
    comparison = f"worse by {shown(float(loss), allowed)}" if loss > 0 else "not worse"
    return _Check(
        passed,
        f"The challenger's {metric} {shown(new, old)} is {comparison} than the champion's {shown(old)}; "
        f"worse by {shown(allowed)} is allowed.",
    )


def _notes(challenger: EvaluationReport, champion: EvaluationReport | None) -> Iterator[str]:
    if champion is None:
        yield FIRST_RUN_NOTE
    elif champion.failure is None and champion.rows != challenger.rows:
        yield (
            f"The challenger's code scored {challenger.rows} rows of the holdout, the champion's {champion.rows}: "
            "their metrics are not of the same rows."
        )


def _absent(role: str, report: EvaluationReport, metric: str, needed: str) -> str:
    if metric in report.metrics:
        return f"The {role}'s {metric} is not a finite number; it must be {needed}."
    measured = ", ".join(sorted(report.metrics)) or "nothing"
    return f"The {role}'s {metric} was not measured; it must be {needed} (measured: {measured})."


def _allowed(limit: Limit) -> str:
    bounds = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {shown(bound)}" for word, bound in bounds if bound is not None)


def _loss(new: float, old: float, goal: str) -> Decimal:
    """How much worse the new value is, in units of the metric; below 0 when it is better."""
    difference = _decimal(new) - _decimal(old)
    return -difference if goal == "maximize" else difference


def _decimal(value: float) -> Decimal:
    """A number as people read it: in binary, 0.65 - 0.64 is more than 0.01, and the boundary would be wrong."""
    return Decimal(repr(value))


def shown(value: float, beside: float | None = None) -> str:
    """A number with six digits, or with as many as tell it from the one that it stands beside."""
    texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 17))
    return next(text for text in texts if beside is None or value == beside or float(text) != beside)
