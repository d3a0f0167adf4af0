"""Decide whether the challenger replaces the champion.

in   challenger  EvaluationReport
in   champion    EvaluationReport, absent on the first run
in   comparison  Comparison, of the same holdout
in   policy      settings.Evaluation
out  decision    PromotionDecision
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_steps.documents import (
    Behaviour,
    Comparison,
    EvaluationReport,
    MetricComparison,
    PromotionDecision,
    SliceComparison,
)
from pipeline_steps.margins import allowed, loss, shown
from settings import Evaluation, Limit

FIRST_RUN_NOTE = "There is no champion to compare with: production serves no model yet, so the limits alone decided."


@dataclass(frozen=True)
class _Check:
    passed: bool
    sentence: str


def decide_promotion(
    challenger: EvaluationReport, champion: EvaluationReport | None, comparison: Comparison, policy: Evaluation
) -> PromotionDecision:
    """Judge a challenger by the absolute limits, its behaviour and, when there is one, against the champion.

    Args:
        challenger: scored on the holdout.
        champion: scored on the same holdout, or with the failure that kept it from being scored; None when production
            serves no model.
        comparison: of both, or of the challenger alone when the champion is None or was not scored.
        policy: the gate of slipway.yaml.
    """
    metrics = {metric.name: metric for metric in comparison.metrics}
    checks = [_has_records(comparison, policy)]
    checks += [check for limit in policy.limits for check in _limit_checks(metrics, limit)]
    checks += [_behaviour_check(behaviour) for behaviour in challenger.behaviours]
    if champion is not None:
        checks.append(_champion_check(champion, comparison, policy))
    checks += _slices_checks(comparison, policy)
    notes = tuple(_notes(champion, comparison, policy))
    failed = tuple(check.sentence for check in checks if not check.passed)
    if failed:
        return PromotionDecision(verdict="Rejected", reasons=failed, notes=notes)
    return PromotionDecision(verdict="Accepted", reasons=tuple(check.sentence for check in checks), notes=notes)


def _has_records(comparison: Comparison, policy: Evaluation) -> _Check:
    sentence = f"The holdout has {comparison.records} records; at least {policy.minimum_records} are needed."
    return _Check(comparison.records >= policy.minimum_records, sentence)


def _limit_checks(metrics: dict[str, MetricComparison], limit: Limit) -> Iterator[_Check]:
    metric = metrics.get(limit.metric)
    value = None if metric is None else metric.challenger.value
    if value is None:
        yield _Check(False, _absent(limit.metric, metrics, _allowed(limit)))
        return
    if limit.at_least is not None:
        passed = value >= limit.at_least
        yield _limit_check(passed, limit.metric, value, "is at least" if passed else "is below", limit.at_least)
    if limit.at_most is not None:
        passed = value <= limit.at_most
        yield _limit_check(passed, limit.metric, value, "is at most" if passed else "is above", limit.at_most)


def _limit_check(passed: bool, metric: str, value: float, relation: str, bound: float) -> _Check:
    return _Check(passed, f"The challenger's {metric} {shown(value, bound)} {relation} the limit {shown(bound)}.")


def _behaviour_check(behaviour: Behaviour) -> _Check:
    """A behaviour that was checked on no record at all has not been shown."""
    most = behaviour.allowed_share * behaviour.records
    example = f", for example {behaviour.example}" if behaviour.example and behaviour.violations > most else ""
    sentence = (
        f"The behaviour '{behaviour.name}' is broken by {behaviour.violations} of {behaviour.records} records"
        f"{example}; {behaviour.allowed_share:.3g} of them may."
    )
    return _Check(behaviour.records > 0 and behaviour.violations <= most, sentence)


def _champion_check(champion: EvaluationReport, comparison: Comparison, policy: Evaluation) -> _Check:
    name, primary = policy.primary.metric, comparison.primary
    if champion.failure is not None:
        return _Check(False, f"The champion could not be scored, so nothing can be compared: {champion.failure}")
    if primary is None or primary.challenger.value is None:
        return _Check(False, f"The challenger's {name} is not known as a finite number, so it cannot be compared.")
    new, old = primary.challenger.value, primary.champion.value if primary.champion is not None else None
    if old is None or primary.difference is None:
        return _Check(False, f"The champion's {name} is not known as a finite number, so nothing can be compared.")
    difference = primary.difference
    if difference.low is None or difference.high is None:
        return _Check(False, f"How sure the difference of {name} is cannot be told: {_WHY_NOT_SURE}")
    passed, rule = _kept(difference.low, difference.high, old, policy)
    interval = (
        f"{comparison.confidence * 100:.4g} % interval of the difference "
        f"{_signed(difference.low)} to {_signed(difference.high)}"
    )
    values = f"The challenger's {name} is {shown(new, old)}, the champion's {shown(old)}"
    return _Check(passed, f"{values} ({interval}): {rule}")


_WHY_NOT_SURE = (
    "it is not known record by record, or not defined in too many resamples. Choose one of the usual metrics "
    "(docs/policy.md), or give its values in own_losses of model.py."
)


def _kept(low: float, high: float, champion: float, policy: Evaluation) -> tuple[bool, str]:
    """Whether the whole interval keeps to the policy's rule, and the rule in words."""
    rule, goal = policy.champion, policy.primary.goal
    _, largest = loss(low, high, goal)
    if rule.not_worse_by is not None:
        limit = allowed(rule.not_worse_by, champion)
        surely = f"worse by at most {shown(largest, limit)}" if largest > 0 else "surely not worse"
        return largest <= limit, f"{surely}; {_asked(shown(limit), rule.not_worse_by)} is allowed."
    assert rule.better_by is not None, "settings.ChampionPolicy has one rule"
    limit, gain = allowed(rule.better_by, champion), -largest + 0.0
    surely = f"better by at least {shown(gain, limit)}" if gain > 0 else "not surely better"
    return gain > limit, f"{surely}; more than {_asked(shown(limit), rule.better_by)} is asked."


def _asked(limit: str, margin: object) -> str:
    """A limit, with the share of the champion's value from which it was made."""
    return limit if str(margin) == limit else f"{limit} ({margin})"


def _slices_checks(comparison: Comparison, policy: Evaluation) -> list[_Check]:
    """No check where no slice was judged; more failed slices than may fail are one failure each."""
    judged = [one for one in comparison.slices if one.verdict != "not judged"]
    failed = [one for one in judged if one.verdict == "failed"]
    if not judged:
        return []
    if len(failed) <= policy.slices.may_fail:
        return [_Check(True, f"Of {len(judged)} judged slices {len(failed)} failed; {policy.slices.may_fail} may.")]
    may = f" ({len(failed)} slices failed, {policy.slices.may_fail} may)" if policy.slices.may_fail else ""
    return [_Check(False, f"{_slice_sentence(one)}{may}") for one in failed]


def _slice_sentence(one: SliceComparison) -> str:
    return f"On {one.column} = {one.name} ({one.records} records): {one.reason}"


def _notes(champion: EvaluationReport | None, comparison: Comparison, policy: Evaluation) -> Iterator[str]:
    if champion is None:
        yield FIRST_RUN_NOTE
        return
    failed = [one for one in comparison.slices if one.verdict == "failed"]
    if len(failed) <= policy.slices.may_fail:
        yield from (_slice_sentence(one) for one in failed)
    not_judged = sum(one.verdict == "not judged" for one in comparison.slices)
    if not_judged and champion.failure is None:
        yield f"{not_judged} of {len(comparison.slices)} slices were not judged; the report says why."


def _absent(metric: str, metrics: dict[str, MetricComparison], needed: str) -> str:
    if metric in metrics:
        return f"The challenger's {metric} is not a finite number; it must be {needed}."
    return f"The challenger's {metric} was not measured; it must be {needed} (measured: {', '.join(sorted(metrics))})."


def _allowed(limit: Limit) -> str:
    bounds = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {shown(bound)}" for word, bound in bounds if bound is not None)


def _signed(value: float) -> str:
    return f"{value:+.4g}"
