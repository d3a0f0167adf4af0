"""Finds what makes a model look better than it is: a column that knows the label, records of train in the holdout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code.breaches import Breach, refuse
from model_code.data_quality import DataContract, Declaration, percent
from model_code.errors import ModelError
from model_code.log import say
from model_code.records import Column, is_missing
from model_code.split import HOLDOUT, TRAIN

FEWEST = 20
"""Records of a class, and of a category on average, from which on a measure says something."""

MOST_RECORDS = 200_000
"""More are not looked at: a column that gives the label away does so in these."""

LARGEST_SEPARATION = 0.98
LARGEST_CORRELATION = 0.999
LARGEST_ACCURACY = 0.995
LARGEST_ERROR_REDUCTION = 0.9


@dataclass(frozen=True)
class Measure:
    """How well a column alone knows the label.

    Attributes:
        name: what was measured, as people read it.
        limit: above it, the column gives the label away.
    """

    name: str
    value: float
    limit: float


def check_leakage(parts: Mapping[str, pl.DataFrame], declaration: Declaration) -> None:
    """Check the split records.

    Raises:
        DataError: columns of train know the label, or too many records of the holdout are in train.
        ModelError: the contract allows what no record has.
    """
    contract = declaration.contract
    _check_allowed(contract, declaration.columns)
    refuse(
        [*_telling_columns(parts[TRAIN], declaration), *_overlap(parts, declaration)],
        "the data gives the label away",
        "Take out of COLUMNS in model.py what is known only with the label, and records that are there twice; or say "
        "why it is right in leakage_allowed or largest_overlap of data_contract.py",
    )


def measure(values: pl.Series, labels: NDArray[np.float64], column: Column, task: str) -> Measure | None:
    """How well a column alone knows the label; None when there are too few records to tell.

    Args:
        values: of the column, missing ones included.
        labels: shape (n_records,).
        task: binary, multiclass or regression.
    """
    missing = is_missing(values)
    if column.kind is str:
        return _of_text(values, labels, task)
    present = (~missing).to_numpy()
    numbers = values.to_physical().cast(pl.Float64).to_numpy()
    found = [_of_numbers(numbers[present], labels[present], task)]
    if missing.any():
        found.append(_of_numbers(missing.cast(pl.Float64).to_numpy(), labels, task, what="of being empty, "))
    return max((one for one in found if one is not None), key=lambda one: one.value, default=None)


def separation(numbers: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """How well the order of numbers tells classes apart: 0 not at all, 1 without an error. NaN for too few records.

    The area under the ROC curve of two classes from the ranks R of the first one's n1 records, ties sharing theirs,
    is A = (sum R - n1 (n1 + 1) / 2) / (n1 n2) (Hanley and McNeil 1982; Mann and Whitney 1947); the separation is
    2 |A - 0.5|. Of several classes it is the mean over all pairs, as in the M measure of Hand and Till (2001), of
    those with at least 20 records each.
    """
    of_class = [numbers[labels == label] for label in np.unique(labels)]
    pairs = combinations([group for group in of_class if len(group) >= FEWEST], 2)
    found = [abs(_area(first, second) - 0.5) * 2 for first, second in pairs]
    return float(np.mean(found)) if found else float("nan")


def _area(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    ranks = pl.Series(np.concatenate([first, second])).rank("average").to_numpy()[: len(first)]
    return float((ranks.sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second)))


def correlation(numbers: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """The absolute value of Pearson's r; NaN for too few records, or where one does not vary."""
    if len(numbers) < FEWEST or np.ptp(numbers) == 0 or np.ptp(labels) == 0:
        return float("nan")
    return float(abs(np.corrcoef(numbers, labels)[0, 1]))


def accuracy_and_error_reduction(values: pl.Series, labels: NDArray[np.float64]) -> tuple[float, float]:
    """How often the most frequent label of a category is right, and which share of the errors that takes away.

    With n_cl records of category c and label l: the accuracy is sum_c max_l n_cl / n. The share of the errors is
    lambda of Goodman and Kruskal (1954), (sum_c max_l n_cl - max_l n_l) / (n - max_l n_l): where nearly all labels are
    the same, any column has a high accuracy and only one that knows the label takes the errors away. NaN for fewer
    than 20 records a category on average. A missing value is a category.
    """
    table = pl.DataFrame({"category": values.cast(pl.String), "label": labels})
    counts = table.group_by("category", "label").len()
    if len(labels) < FEWEST * counts["category"].n_unique():
        return float("nan"), float("nan")
    right = int(counts.group_by("category").agg(pl.col("len").max())["len"].sum())
    always = int(counts.group_by("label").agg(pl.col("len").sum())["len"].max())  # type: ignore[arg-type]  # not empty
    return right / len(labels), (right - always) / (len(labels) - always) if always < len(labels) else float("nan")


def correlation_ratio(values: pl.Series, labels: NDArray[np.float64]) -> float:
    """Pearson's eta (1905): the root of the share of the label's variance that lies between the categories."""
    table = pl.DataFrame({"category": values.cast(pl.String), "label": labels})
    means = table.group_by("category").agg(pl.col("label").mean().alias("mean"), pl.len().alias("records"))
    total = float(np.sum((labels - labels.mean()) ** 2))
    if len(labels) < FEWEST * means.height or total == 0:
        return float("nan")
    between = float((means["records"] * (means["mean"] - labels.mean()) ** 2).sum())
    return float(np.sqrt(between / total))


def _of_text(values: pl.Series, labels: NDArray[np.float64], task: str) -> Measure | None:
    if task == "regression":
        return _measured("correlation ratio", correlation_ratio(values, labels), LARGEST_CORRELATION)
    accuracy, error_reduction = accuracy_and_error_reduction(values, labels)
    if error_reduction <= LARGEST_ERROR_REDUCTION:
        return None
    return _measured("share of records that its most frequent label fits", accuracy, LARGEST_ACCURACY)


def _of_numbers(numbers: NDArray[np.float64], labels: NDArray[np.float64], task: str, what: str = "") -> Measure | None:
    if task == "regression":
        return _measured(f"{what}|Pearson's r|", correlation(numbers, labels), LARGEST_CORRELATION)
    return _measured(f"{what}2 |AUC - 0.5|", separation(numbers, labels), LARGEST_SEPARATION)


def _measured(name: str, value: float, limit: float) -> Measure | None:
    return None if np.isnan(value) else Measure(name, value, limit)


def _check_allowed(contract: DataContract, columns: Sequence[Column]) -> None:
    unknown = [name for name in contract.leakage_allowed if name not in {column.name for column in columns}]
    if unknown:
        raise ModelError(
            f"leakage_allowed in data_contract.py names {', '.join(unknown)}, which is not in COLUMNS of model.py: "
            "take it out"
        )


def _telling_columns(train: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    sample = train if train.height <= MOST_RECORDS else train.sample(MOST_RECORDS, seed=0)
    labels = sample[declaration.label].cast(pl.Float64).to_numpy()
    for column in declaration.columns:
        found = measure(sample[column.name], labels, column, declaration.task.name)
        if found is None or found.value <= found.limit:
            continue
        told = f"{found.name} {found.value:.4g} in {sample.height:,} records of train, {found.limit} is allowed"
        reason = declaration.contract.leakage_allowed.get(column.name)
        if reason is None:
            yield Breach(f"{column.name} alone knows {declaration.label}: {told}")
        else:
            say(f"{column.name} alone knows {declaration.label}, which data_contract.py allows ({reason}): {told}")


def _overlap(parts: Mapping[str, pl.DataFrame], declaration: Declaration) -> Iterator[Breach]:
    """Records of the holdout that are in train, too (Kapoor and Narayanan 2023, leakage L1.4: duplicates)."""
    contract, holdout = declaration.contract, parts[HOLDOUT]
    by = list(contract.overlap_by) or [column.name for column in declaration.columns]
    seen = holdout.join(parts[TRAIN].select(by), on=by, how="semi", nulls_equal=True).height
    what = f"the same {', '.join(by)}" if contract.overlap_by else "the same values in all COLUMNS"
    share = percent(seen / holdout.height)
    told = f"{seen:,} of {holdout.height:,} records of the holdout ({share}) have {what} as one of train"
    say(told)
    if seen > contract.largest_overlap * holdout.height:
        yield Breach(f"{told}, {percent(contract.largest_overlap)} is allowed")
