"""Reads the records that a model is scored on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from model_code import model
from model_code.errors import DataError
from model_code.log import say
from model_code.slices import SliceColumn, Slices, cut
from model_code.task import Task, checked_labels, declared_task


@dataclass(frozen=True)
class Holdout:
    """What a model is scored on.

    Attributes:
        records: COLUMNS of model.py and no others, as an endpoint gets them: no model can read the label.
        labels: shape (n_records,).
    """

    task: Task
    records: pl.DataFrame
    labels: NDArray[Any]
    slices: tuple[Slices, ...]


def read_holdout(file: Path, slice_columns: Sequence[SliceColumn]) -> Holdout:
    """Read and slice the holdout that `prepare` wrote.

    Raises:
        DataError: it cannot be read, or not be sliced.
        ModelError: model.py has no such task.
    """
    task = declared_task(model)
    try:
        records = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the holdout must be {file.name}, written by `prepare`: {error}") from error
    wanted = [*model.COLUMNS, model.LABEL]
    missing = [name for name in wanted if name not in records.columns]
    if missing:
        raise DataError(
            f"the holdout lacks {', '.join(missing)}, which this model needs (it has {', '.join(records.columns)})"
        )
    if records.is_empty():
        raise DataError("the holdout has no records: nothing can be measured")
    say(f"holdout: {records.height:,} records")
    labels = checked_labels(records[model.LABEL], task)
    return Holdout(task, records.select(list(model.COLUMNS)), labels, tuple(cut(records, by) for by in slice_columns))
