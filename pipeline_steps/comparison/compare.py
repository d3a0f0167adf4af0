"""Makes the document Comparison of what two models answered to the same records."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline_steps.comparison.bootstrap import (
    RESAMPLES,
    SEED,
    Sampled,
    percentile_interval,
    resample,
)
from pipeline_steps.comparison.curves import curves
from pipeline_steps.comparison.metrics import Statistic, all_once, goal, known, statistic
from pipeline_steps.comparison.predictions import Array, Predictions
from pipeline_steps.comparison.slices import Measured, Places, SlicePart, judge_slices, parts
from pipeline_steps.documents import (
    Comparison,
    CurvesOfBoth,
    Estimate,
    Goal,
    MetricComparison,
    MetricValue,
    Scores,
)
from settings import Evaluation


@dataclass(frozen=True)
class ScoredModel:
    """A model's evaluation.json and predictions.npz."""

    scores: Scores
    predictions: Predictions


@dataclass(frozen=True)
class _Key:
    """One statistic: a metric of a model, on the whole holdout or on a slice."""

    role: str
    metric: str
    part: SlicePart | None = None


def refusal(challenger: ScoredModel, champion: ScoredModel) -> str | None:
    """Why two models cannot be compared record by record, or None."""
    new, old = challenger.predictions, champion.predictions
    if new.task != old.task:
        return f"the challenger's task is {new.task}, the champion's {old.task}"
    if new.records != old.records:
        return f"the challenger's code scored {new.records} records of the holdout, the champion's {old.records}"
    if not np.array_equal(new.labels, old.labels):
        return "the challenger's and the champion's code read different labels from the same holdout"
    return None


def compare(
    challenger: ScoredModel,
    champion: ScoredModel | None,
    policy: Evaluation,
    *,
    resamples: int = RESAMPLES,
    progress: Callable[[int], None] = lambda done: None,
) -> Comparison:
    """Compare two models of which `refusal` says nothing; a single one is measured by itself.

    What the policy names has an interval, if it is known record by record; the rest are plain numbers.

    Args:
        progress: told how many resamples are done.
    """
    models = {"challenger": challenger, **({"champion": champion} if champion is not None else {})}
    primary = policy.primary.metric
    judged = list(dict.fromkeys([primary, *(limit.metric for limit in policy.limits)]))
    sliced = parts(challenger.scores.slices, challenger.predictions.slices)
    statistics = _statistics(models, judged) | _slice_statistics(models, primary, sliced)
    records = challenger.predictions.records
    samples = resample(statistics, records, resamples=resamples, progress=progress)
    estimates = {key: one(all_once(records)) for key, one in statistics.items()}

    def side(role: str, part: SlicePart) -> Measured | None:
        key = _Key(role, primary, part)
        return Measured(estimates[key], samples[key]) if key in estimates else None

    return Comparison(
        task=challenger.predictions.task,
        records=records,
        confidence=policy.confidence,
        resamples=resamples,
        seed=SEED,
        metrics=tuple(_metric(name, models, estimates, samples, policy) for name in _shown(models, judged)),
        slices=judge_slices(sliced, side, policy),
        curves=CurvesOfBoth(
            challenger=curves(challenger.predictions),
            champion=None if champion is None else curves(champion.predictions),
        ),
    )


def disagreements(model: ScoredModel) -> list[str]:
    """Metrics of evaluation.json that its predictions do not bear out, in words."""
    found = []
    for name in known(model.predictions.task):
        said = model.scores.metrics.get(name)
        value = _value(name, model)
        if said is not None and value is not None and not math.isclose(said, value, rel_tol=1e-6, abs_tol=1e-6):
            found.append(f"{name} {said:.6g}, but its predictions give {value:.6g}")
    return found


def _statistics(models: Mapping[str, ScoredModel], metrics: list[str]) -> dict[_Key, Sampled]:
    made = {_Key(role, name): statistic(name, model.predictions) for role, model in models.items() for name in metrics}
    return {key: Sampled(one) for key, one in made.items() if one is not None}


def _slice_statistics(
    models: Mapping[str, ScoredModel], metric: str, sliced: Mapping[SlicePart, Places]
) -> dict[_Key, Sampled]:
    made: dict[_Key, Sampled] = {}
    for part, places in sliced.items():
        for role, model in models.items():
            one = statistic(metric, _on(model.predictions, places)) if len(places) else None
            if one is not None:
                made[_Key(role, metric, part)] = Sampled(one, places)
    return made


def _on(predictions: Predictions, places: Places) -> Predictions:
    return Predictions(
        task=predictions.task,
        labels=predictions.labels[places],
        predictions=predictions.predictions[places],
        losses={name: losses[places] for name, losses in predictions.losses.items()},
    )


def _shown(models: Mapping[str, ScoredModel], judged: list[str]) -> list[str]:
    """What was measured: what the policy names first, then what else there is."""
    challenger = models["challenger"]
    own = (*challenger.predictions.losses, *challenger.scores.metrics)
    measured = dict.fromkeys([*known(challenger.predictions.task), *own])
    return list(dict.fromkeys([*(name for name in judged if name in measured), *measured]))


def _metric(
    name: str,
    models: Mapping[str, ScoredModel],
    estimates: Mapping[_Key, float],
    samples: Mapping[_Key, Array],
    policy: Evaluation,
) -> MetricComparison:
    sides: dict[str, Estimate] = {}
    for role, model in models.items():
        sample = samples.get(_Key(role, name))
        value = estimates.get(_Key(role, name), _value(name, model))
        sides[role] = _estimate(value, sample, policy.confidence)
    return MetricComparison(
        name=name,
        goal=_goal(name, policy),
        challenger=sides["challenger"],
        champion=sides.get("champion"),
        difference=_difference(name, sides, samples, policy.confidence),
        primary=name == policy.primary.metric,
    )


def _difference(
    name: str, sides: Mapping[str, Estimate], samples: Mapping[_Key, Array], confidence: float
) -> Estimate | None:
    new, old = sides["challenger"].value, sides["champion"].value if "champion" in sides else None
    if new is None or old is None:
        return None
    both = [samples.get(_Key(role, name)) for role in ("challenger", "champion")]
    sample = None if both[0] is None or both[1] is None else both[0] - both[1]
    return _estimate(new - old, sample, confidence)


def _estimate(value: MetricValue, sample: Array | None, confidence: float) -> Estimate:
    interval = None if sample is None else percentile_interval(sample, confidence)
    return Estimate(value=value) if interval is None else Estimate(value=value, low=interval[0], high=interval[1])


def _value(name: str, model: ScoredModel) -> float | None:
    """What the predictions give, or, for a metric that is not known record by record, what the evaluation says."""
    one: Statistic | None = statistic(name, model.predictions)
    if one is None:
        return model.scores.metrics.get(name)
    return one(all_once(model.predictions.records))


def _goal(name: str, policy: Evaluation) -> Goal | None:
    if name == policy.primary.metric:
        return policy.primary.goal
    limit = next((limit for limit in policy.limits if limit.metric == name), None)
    if limit is None or (limit.at_least is None) == (limit.at_most is None):
        return goal(name)
    return "maximize" if limit.at_least is not None else "minimize"
