"""What each metric says, in words: the same ones in report.html, report.md and the approval."""

from dataclasses import dataclass
from typing import Literal

from pipeline_steps.documents import Estimate, EvaluationReport, Goal, MetricComparison, SliceComparison
from pipeline_steps.margins import shown
from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.wording import ABSENT, NOT_A_NUMBER, NOT_MEASURED, difference, number
from settings import Evaluation, Limit

Tone = Literal["good", "bad", "neutral"]

_KEY_FIGURES = 3
_ORDER = {"failed": 0, "passed": 1, "not judged": 2}


@dataclass(frozen=True)
class Figure:
    """One metric of both models.

    Attributes:
        challenger, champion, difference: each value in words, as `0.6431` or `not measured`.
        outcome: what the difference means, as `better`; empty without a difference.
        tone: whether that is good; neutral where the holdout leaves it open.
        limit: what the policy allows, as `at least 0.6`; empty without a limit.
        keeps_limit: None without a limit.
    """

    comparison: MetricComparison
    challenger: str
    champion: str
    difference: str
    outcome: str
    tone: Tone
    limit: str
    keeps_limit: bool | None


def figures(evidence: ReportEvidence) -> tuple[Figure, ...]:
    """All metrics: what the policy names first."""
    return tuple(_figure(metric, evidence) for metric in evidence.comparison.metrics)


def key_figures(evidence: ReportEvidence) -> tuple[Figure, ...]:
    """The three that matter: the primary metric, and the first two others that have a limit."""
    names = dict.fromkeys([evidence.policy.primary.metric, *(limit.metric for limit in evidence.policy.limits)])
    known = {metric.name: metric for metric in evidence.comparison.metrics}
    return tuple(_figure(known.get(name) or _unmeasured(name), evidence) for name in list(names)[:_KEY_FIGURES])


def slices_in_order(evidence: ReportEvidence) -> tuple[SliceComparison, ...]:
    """The slices that failed, then those that passed, then those that could not be judged."""
    return tuple(sorted(evidence.comparison.slices, key=lambda one: _ORDER[one.verdict]))


def champion_rule(policy: Evaluation) -> str:
    """What is asked of the challenger in comparison with the champion."""
    if policy.champion.better_by is not None:
        return f"must be better by more than {policy.champion.better_by}"
    return f"may be worse by at most {policy.champion.not_worse_by}"


def outcome(estimate: Estimate | None, goal: Goal | None) -> tuple[str, Tone]:
    """What a difference means. Where its interval has both signs, the holdout cannot tell."""
    if estimate is None or estimate.value is None:
        return "", "neutral"
    if estimate.low is not None and estimate.high is not None and estimate.low <= 0 <= estimate.high:
        return "no clear difference", "neutral"
    if estimate.value == 0:
        return "the same", "neutral"
    if goal is None:
        return ("higher" if estimate.value > 0 else "lower"), "neutral"
    better = (estimate.value > 0) == (goal == "maximize")
    sure = estimate.low is not None
    return ("better" if better else "worse"), ("neutral" if not sure else "good" if better else "bad")


def champion_value(estimate: Estimate | None, champion: EvaluationReport | None, metric: str) -> str:
    """The champion's value, or why there is none."""
    if champion is None:
        return "no champion"
    if champion.failure is not None:
        return "not scored"
    return _value(estimate, metric, champion)


def _figure(metric: MetricComparison, evidence: ReportEvidence) -> Figure:
    limit = next((limit for limit in evidence.policy.limits if limit.metric == metric.name), None)
    word, tone = outcome(metric.difference, metric.goal)
    return Figure(
        comparison=metric,
        challenger=_against_limit(_value(metric.challenger, metric.name, evidence.challenger), metric, limit),
        champion=champion_value(metric.champion, evidence.champion, metric.name),
        difference=ABSENT if metric.difference is None else difference(metric.difference, metric.challenger.value),
        outcome=word,
        tone=tone,
        limit=_allowed(limit),
        keeps_limit=None if limit is None else _keeps(metric.challenger.value, limit),
    )


def _value(estimate: Estimate | None, metric: str, report: EvaluationReport) -> str:
    if estimate is not None and estimate.value is not None:
        return number(estimate.value)
    return NOT_A_NUMBER if metric in report.metrics else NOT_MEASURED


def _against_limit(text: str, metric: MetricComparison, limit: Limit | None) -> str:
    """The value with as many digits as tell it from its limit: 0.59999 must not read as 0.6000."""
    value = metric.challenger.value
    bounds = [] if limit is None else [bound for bound in (limit.at_least, limit.at_most) if bound is not None]
    hidden = [bound for bound in bounds if value is not None and value != bound and number(bound) == text]
    return text if value is None or not hidden else shown(value, hidden[0])


def _allowed(limit: Limit | None) -> str:
    if limit is None:
        return ""
    bounds = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {shown(bound)}" for word, bound in bounds if bound is not None)


def _keeps(value: float | None, limit: Limit) -> bool:
    if value is None:
        return False
    return (limit.at_least is None or value >= limit.at_least) and (limit.at_most is None or value <= limit.at_most)


def _unmeasured(name: str) -> MetricComparison:
    return MetricComparison(name=name, goal=None, challenger=Estimate(value=None))
