"""Judges the parts of the holdout: on none may the challenger be surely worse than the policy allows.

A slice has few records, so that a difference within what is allowed can rarely be proven on it: to ask for proof, as of
the whole holdout, would reject every model. A slice fails when the opposite is proven: when the interval of the
difference lies wholly beyond what is allowed. With twenty slices one would do so by chance; so the intervals are as
wide as it takes for the confidence to hold for all judged slices together.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_steps.comparison.bootstrap import percentile_interval, simultaneous_intervals
from pipeline_steps.comparison.predictions import Array
from pipeline_steps.documents import Estimate, SliceComparison, SlicedColumn, SliceVerdict
from pipeline_steps.margins import allowed, loss, shown
from settings import Evaluation

Places = NDArray[np.int64]
NOT_JUDGED: SliceVerdict = "not judged"


@dataclass(frozen=True)
class SlicePart:
    """A value or a band of a column."""

    column: str
    name: str


@dataclass(frozen=True)
class Measured:
    """The primary metric of one model on one slice: on its records, and in each resample."""

    value: float
    sample: Array


Side = Callable[[str, SlicePart], Measured | None]
"""Of a role and a slice: what was measured, or None."""


def parts(columns: Sequence[SlicedColumn], codes: Mapping[str, NDArray[np.int32]]) -> dict[SlicePart, Places]:
    """The slices and the places of their records in the holdout."""
    return {
        SlicePart(column.column, name): np.flatnonzero(codes[column.column] == number)
        for column in columns
        for number, name in enumerate(column.names)
    }


def judge_slices(sliced: Mapping[SlicePart, Places], side: Side, policy: Evaluation) -> tuple[SliceComparison, ...]:
    """Challenger beside champion on each slice, with a verdict."""
    excuses = {part: _excuse(part, places, side, policy) for part, places in sliced.items()}
    judged = [part for part, excuse in excuses.items() if excuse is None]
    differences = dict(zip(judged, _differences(judged, side, policy.confidence), strict=True))
    return tuple(
        _slice(part, len(places), side, policy, excuses[part], differences.get(part)) for part, places in sliced.items()
    )


def _excuse(part: SlicePart, places: Places, side: Side, policy: Evaluation) -> str | None:
    """Why a slice cannot be judged, or None."""
    least, metric = policy.slices.minimum_records, policy.primary.metric
    if len(places) == 0:
        return "The holdout has no record of it."
    if len(places) < least:
        return f"It has {len(places)} records; slices are judged from {least} on."
    champion, challenger = side("champion", part), side("challenger", part)
    if champion is None or challenger is None:
        return "There is no champion to compare with."
    if not math.isfinite(champion.value):
        return f"The champion's {metric} is not defined on it."
    return None


def _differences(judged: Sequence[SlicePart], side: Side, confidence: float) -> list[Estimate]:
    pairs = [(side("challenger", part), side("champion", part)) for part in judged]
    both = [(new, old) for new, old in pairs if new is not None and old is not None]
    values = [new.value - old.value for new, old in both]
    intervals = simultaneous_intervals([new.sample - old.sample for new, old in both], values, confidence)
    return [
        Estimate(value=value) if interval is None else Estimate(value=value, low=interval[0], high=interval[1])
        for value, interval in zip(values, intervals, strict=True)
    ]


def _slice(
    part: SlicePart, records: int, side: Side, policy: Evaluation, excuse: str | None, difference: Estimate | None
) -> SliceComparison:
    challenger, champion = (_estimate(side(role, part), policy.confidence) for role in ("challenger", "champion"))
    if excuse is not None or champion is None or champion.value is None or difference is None:
        verdict, reason = NOT_JUDGED, excuse or "Nothing was measured on it."
    else:
        verdict, reason = _verdict(difference, champion.value, policy)
    return SliceComparison(
        column=part.column,
        name=part.name,
        records=records,
        challenger=challenger or Estimate(value=None),
        champion=champion,
        difference=difference,
        verdict=verdict,
        reason=reason,
    )


def _verdict(difference: Estimate, champion: float, policy: Evaluation) -> tuple[SliceVerdict, str]:
    metric, margin = policy.primary.metric, policy.slices.not_worse_by
    limit = allowed(margin, champion)
    if difference.low is None or difference.high is None:
        return "failed", f"The challenger's {metric} is not defined on it, the champion's is {shown(champion)}."
    least_loss, _ = loss(difference.low, difference.high, policy.primary.goal)
    surely = f"worse by at least {shown(least_loss, limit)}" if least_loss > 0 else "not surely worse"
    verdict: SliceVerdict = "failed" if least_loss > limit else "passed"
    return verdict, f"The challenger's {metric} is {surely}; {shown(limit)} is allowed."


def _estimate(measured: Measured | None, confidence: float) -> Estimate | None:
    if measured is None:
        return None
    interval = percentile_interval(measured.sample, confidence)
    if interval is None:
        return Estimate(value=measured.value)
    return Estimate(value=measured.value, low=interval[0], high=interval[1])
