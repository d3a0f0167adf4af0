"""How sure a metric is: intervals that hold as often as they say, the same at every run."""

import math

import numpy as np
import pytest

from pipeline_steps.comparison.bootstrap import (
    Sampled,
    percentile_interval,
    resample,
    simultaneous_intervals,
)


def _mean_of(values: "np.typing.NDArray[np.float64]") -> Sampled:
    return Sampled(lambda weights: float(weights @ values / max(weights.sum(), 1)))


def test_the_same_seed_gives_the_same_resamples_and_another_seed_others() -> None:
    one = {"mean": _mean_of(np.arange(50.0))}
    first, second, other = (resample(one, 50, resamples=20, seed=seed)["mean"] for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert len(set(first)) == 20


def test_records_count_as_often_as_a_poisson_variable_of_mean_one() -> None:
    counts = resample({"one": Sampled(lambda weights: float(weights[0]))}, 1, resamples=20_000)["one"]
    for count in range(4):
        assert (counts == count).mean() == pytest.approx(math.exp(-1) / math.factorial(count), abs=0.01)
    assert counts.mean() == pytest.approx(1, abs=0.03)
    assert counts.var() == pytest.approx(1, abs=0.05)


def test_the_standard_error_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(1).normal(0, 2, 400)
    samples = resample({"mean": _mean_of(values)}, 400, resamples=2000)["mean"]
    assert samples.std() == pytest.approx(values.std() / 20, rel=0.06)


def test_a_percentile_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    covered = 0
    for seed in range(150):
        sample = resample({"mean": _mean_of(random.normal(3, 1, 80))}, 80, resamples=200, seed=seed)["mean"]
        low, high = percentile_interval(sample, 0.9) or (0, 0)
        covered += low <= 3 <= high
    assert 0.82 <= covered / 150 <= 0.97


def test_a_slice_sees_the_weights_of_its_own_records() -> None:
    values = np.array([1.0, 100.0, 2.0])
    whole = Sampled(lambda weights: float(weights[0]))
    part = Sampled(lambda weights: float(weights @ values[[0, 2]]), np.array([0, 2]))
    last = Sampled(lambda weights: float(weights[2]))
    samples = resample({"first": whole, "part": part, "last": last}, 3, resamples=30)
    assert np.array_equal(samples["part"], samples["first"] + 2 * samples["last"])


def test_an_interval_is_unknown_where_too_many_resamples_are_undefined() -> None:
    values = np.linspace(0, 1, 1000)
    values[:10] = np.nan
    assert percentile_interval(values, 0.95) is not None
    values[10] = np.nan
    assert percentile_interval(values, 0.95) is None
    assert simultaneous_intervals([values], [0.5], 0.95) == [None]


def test_intervals_of_more_slices_are_wider() -> None:
    values = np.random.default_rng(3).normal(0, 1, 1000)
    deviation = values.std(ddof=1)
    (alone,) = simultaneous_intervals([values], [0.5], 0.95)
    assert alone == pytest.approx((0.5 - 1.95996 * deviation, 0.5 + 1.95996 * deviation), rel=1e-4)
    ten = simultaneous_intervals([values] * 10, [0.5] * 10, 0.95)
    assert ten[0] == pytest.approx((0.5 - 2.80703 * deviation, 0.5 + 2.80703 * deviation), rel=1e-4)


def test_progress_is_told_of_every_resample() -> None:
    told: list[int] = []
    resample({"mean": _mean_of(np.arange(3.0))}, 3, resamples=5, progress=told.append)
    assert told == [1, 2, 3, 4, 5]
