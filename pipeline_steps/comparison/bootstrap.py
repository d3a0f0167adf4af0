"""How sure a metric is: the bootstrap, paired where two models are compared.

In each resample a record counts as often as a Poisson variable of mean 1 says, instead of being drawn n times out of n:
the same in the limit, in one pass and for slices as well (Hanley, MacGibbon 2006, "Creating non-parametric bootstrap
samples using Poisson frequencies"; Chamandy et al. 2012, "Estimating Uncertainty for Massive Data Streams"). Both
models see the same weights, so that what makes a record hard for both does not count as a difference between them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline_steps.comparison.metrics import Statistic, Weights
from pipeline_steps.comparison.predictions import Array

RESAMPLES = 1000
SEED = 20130101
_NEEDED_SHARE = 0.99
_POISSON_STEPS = 2**16

K = TypeVar("K")


@dataclass(frozen=True)
class Sampled:
    """A statistic of some records.

    Attributes:
        value: of their weights, shape (records of the slice,).
        records: their places in the holdout, shape (records of the slice,); None for all.
    """

    value: Statistic
    records: NDArray[np.int64] | None = None

    def __call__(self, weights: Weights) -> float:
        return self.value(weights if self.records is None else weights.take(self.records))


def resample(
    statistics: Mapping[K, Sampled],
    records: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[K, Array]:
    """The statistics in each resample; the same for the same seed, however many threads there are.

    Args:
        statistics: what is computed; all see the same weights.
        records: of the holdout.
        progress: told how many resamples are done.

    Returns:
        for each statistic its values, shape (resamples,).
    """
    values = np.empty((resamples, len(statistics)))

    def run(number: int) -> None:
        weights = _weights(records, np.random.SFC64([seed, number]))
        values[number] = [statistic(weights) for statistic in statistics.values()]

    # numpy lets go of the interpreter's lock while it works on arrays.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for done, _ in enumerate(threads.map(run, range(resamples)), start=1):
            progress(done)
    return dict(zip(statistics, values.T, strict=True))


def percentile_interval(values: Array, confidence: float) -> tuple[float, float] | None:
    """The interval in which the middle resamples lie; None when the statistic was undefined in too many of them.

    The percentile interval of Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    defined = _defined(values)
    if defined is None:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def simultaneous_intervals(
    values: Sequence[Array], estimates: Sequence[float], confidence: float
) -> list[tuple[float, float] | None]:
    """Intervals that hold all together with the confidence.

    Each has the share 1/m of the error that is allowed (Bonferroni; Dunn 1961, "Multiple Comparisons Among Means").
    That far out a thousand resamples say little of the tails, so the interval is the estimate with a multiple of its
    bootstrapped standard error (Efron, Tibshirani 1993, chapter 12: the standard normal interval).
    """
    reach = NormalDist().inv_cdf(1 - (1 - confidence) / 2 / max(len(values), 1))
    intervals: list[tuple[float, float] | None] = []
    for sample, estimate in zip(values, estimates, strict=True):
        defined = _defined(sample)
        error = None if defined is None else reach * float(defined.std(ddof=1))
        intervals.append(None if error is None else (estimate - error, estimate + error))
    return intervals


def _defined(values: Array) -> Array | None:
    defined = values[np.isfinite(values)]
    return defined if len(defined) >= max(2, _NEEDED_SHARE * len(values)) else None


def _weights(records: int, random: np.random.SFC64) -> Weights:
    steps = random.random_raw(records // 4 + 1).view(np.uint16)  # four in each of its numbers
    return _POISSON.take(steps[:records])


def _poisson_table() -> Weights:
    """The quantiles of the Poisson distribution of mean 1 at 2^16 steps: a random step gives a random count."""
    probability, cumulative, counts = np.exp(-1.0), 0.0, np.zeros(_POISSON_STEPS, dtype=np.uint8)
    for count in range(12):
        first, cumulative = cumulative, cumulative + probability
        counts[round(first * _POISSON_STEPS) : round(cumulative * _POISSON_STEPS)] = count
        probability /= count + 1
    return counts


_POISSON = _poisson_table()
