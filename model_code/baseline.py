"""What the records of train look like, column by column: what later records are compared with to find drift.

`describe` gives, for a column without any value, its type and missing share alone, and else:

    numbers    min, max, mean, std, edges of bins with about as many records each, shares of the records in each bin:
               below edges[0], from edges[0] to below edges[1], ..., from edges[-1] on
    text       categories, the most frequent with their shares, and others, the share of all the rest
    times      first and last

Shares are of the records that have a value. Edges are ten-quantiles without those that come twice: where a third of
the values are 0, there are fewer bins.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from model_code.records import Column, is_missing
from model_code.task import LONGEST_NAME, Task

BINS = 10
MOST_CATEGORIES = 20

Description = dict[str, Any]


def baseline(train: pl.DataFrame, columns: Sequence[Column], label: str, task: Task) -> Description:
    """What baseline.json holds."""
    return {
        "rows": train.height,
        "columns": {column.name: describe(train[column.name], column.kind) for column in columns},
        "label": {"name": label, **_describe_label(train[label], task)},
    }


def describe(values: pl.Series, kind: type) -> Description:
    """One column in numbers, strict JSON."""
    missing = is_missing(values)
    present = values.filter(~missing)
    found = {"type": kind.__name__, "missing": float(missing.mean() or 0.0)}  # type: ignore[arg-type]  # of booleans
    if present.is_empty():
        return found
    if kind is datetime:
        first, last = present.min(), present.max()
        return {**found, "first": first.isoformat(), "last": last.isoformat()}  # type: ignore[union-attr]  # times
    if kind in (str, bool):
        return {**found, **_describe_text(present)}
    return {**found, **_describe_numbers(present)}


def summarize(description: Mapping[str, Any]) -> Description:
    """The few numbers of a description that a report shows."""
    found = {"missing": description["missing"]}
    if "mean" in description:
        found |= {"mean": description["mean"], "deviation": description["std"]}
    if description.get("categories"):
        top, share = next(iter(description["categories"].items()))
        found |= {"top": top[:LONGEST_NAME], "top_share": share}
    return found


def _describe_label(values: pl.Series, task: Task) -> Description:
    if task.name == "regression":
        return {"type": "float", **_describe_numbers(values)}
    shares = values.cast(pl.Int64).value_counts(normalize=True).sort(values.name)
    return {"type": "class", "shares": {str(label): share for label, share in shares.iter_rows()}}


def _describe_numbers(present: pl.Series) -> Description:
    numbers = present.cast(pl.Float64).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # sums of numbers near 1e308 are infinite, which JSON has not
        mean, deviation = float(numbers.mean()), float(numbers.std())
        quantiles = np.quantile(numbers, np.arange(1, BINS) / BINS)
    edges = np.unique(quantiles[np.isfinite(quantiles)])
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
    return {
        "min": float(numbers.min()),
        "max": float(numbers.max()),
        "mean": mean if math.isfinite(mean) else None,
        "std": deviation if math.isfinite(deviation) else None,
        "edges": edges.tolist(),
        "shares": (counts / len(numbers)).tolist(),
    }


def _describe_text(present: pl.Series) -> Description:
    """The most frequent categories; of those equally frequent, the first ones of the alphabet."""
    values = present.cast(pl.String).alias("category")
    counts = values.value_counts(name="records").sort("records", "category", descending=[True, False])
    top = counts.head(MOST_CATEGORIES)
    shares = {name: count / len(values) for name, count in top.iter_rows()}
    return {"categories": shares, "others": float(counts["records"][MOST_CATEGORIES:].sum()) / len(values)}
