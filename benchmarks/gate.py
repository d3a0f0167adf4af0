"""What the comparison of challenger and champion takes: seconds and memory at 1e5, 1e6 and 1e7 records.

Beside it, the same resamples of one metric of both models by scikit-learn's own function, measured on a few resamples
and scaled up; and what a comparison cannot be faster than: drawing the weights. Each size has a process of its own.

    make benchmark-gate
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from pipeline_steps.comparison.bootstrap import RESAMPLES, Sampled, resample
from pipeline_steps.comparison.compare import ScoredModel, compare
from pipeline_steps.comparison.predictions import Predictions
from pipeline_steps.documents import Scores, SlicedColumn
from settings import ChampionPolicy, Evaluation, Limit, PrimaryMetric

SIZES = (100_000, 1_000_000, 10_000_000)
_PEERS_RESAMPLES = {100_000: 20, 1_000_000: 4, 10_000_000: 1}
_SLICES = 6


def policy() -> Evaluation:
    """As the example's: a rank metric compared, two more limits, two columns of slices."""
    limits = (Limit(metric="roc_auc", at_least=0.5), Limit(metric="log_loss", at_most=1), _CALIBRATION)
    return Evaluation(
        primary=PrimaryMetric(metric="roc_auc", goal="maximize"),
        limits=limits,
        champion=ChampionPolicy.model_validate({"not_worse_by": 0.01}),
    )


_CALIBRATION = Limit(metric="expected_calibration_error", at_most=1)


def models(records: int) -> tuple[ScoredModel, ScoredModel]:
    """Two models that answer alike, and slices by two columns."""
    random = np.random.default_rng(1)
    labels = (random.random(records) < 0.25).astype(np.float64)
    first = np.clip(labels * 0.1 + random.random(records) * 0.9, 0, 1)
    second = np.clip(first + random.normal(0, 0.05, records), 0, 1)
    codes = {column: random.integers(0, _SLICES // 2, records).astype(np.int32) for column in ("one", "two")}
    columns = tuple(SlicedColumn(column=column, names=("a", "b", "c")) for column in codes)
    scores = Scores(metrics={}, rows=records, task="binary", slices=columns)
    return (
        ScoredModel(scores, Predictions("binary", labels, first, codes)),
        ScoredModel(scores, Predictions("binary", labels, second)),
    )


def measure(records: int) -> tuple[float, float, float, float]:
    """Seconds of the comparison, of scikit-learn, of drawing the weights; the peak memory in MiB."""
    challenger, champion = models(records)
    started = time.perf_counter()
    compare(challenger, champion, policy())
    ours = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    started = time.perf_counter()
    resample({"nothing": Sampled(lambda weights: 0.0)}, records)
    least = time.perf_counter() - started

    number, random = _PEERS_RESAMPLES[records], np.random.default_rng(2)
    started = time.perf_counter()
    for _ in range(number):
        places = random.integers(0, records, records)
        for model in (challenger, champion):
            roc_auc_score(model.predictions.labels[places], model.predictions.predictions[places])
    return ours, (time.perf_counter() - started) / number * RESAMPLES, least, peak


def main() -> int:
    """Print the table; with a number of records, the figures of that size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, choices=SIZES)
    records = parser.parse_args().records
    if records is not None:
        print(*measure(records))
        return 0
    table = Table("records", "comparison", "scikit-learn, roc_auc alone", "the weights alone", "peak memory")
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.gate", "--records", str(size)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        ours, peer, least, peak = (float(figure) for figure in told)
        table.add_row(f"{size:,}", f"{ours:.1f} s", f"{peer:,.0f} s", f"{least:.1f} s", f"{peak:,.0f} MiB")
    Console().print(f"{RESAMPLES} resamples, 3 metrics with intervals, {_SLICES} slices", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
