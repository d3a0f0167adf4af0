"""Splits records into train, validation and holdout, so that no champion has trained on a challenger's holdout.

By time, the newest days are the holdout and the days before them the validation set:

    oldest record                                    newest record's day
    |------------- train -------------|- validation -|-- holdout --|
                                       validation_days holdout_days

By hash, a group of records belongs to the same split for ever, whatever data is added later.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from model_code.errors import ConfigurationError, DataError

TRAIN, VALIDATION, HOLDOUT = NAMES = ("train", "validation", "holdout")

_FORMS = (
    '{"by": "time", "column": NAME, "holdout_days": N, "validation_days": N} or '
    '{"by": "hash", "column": NAME, "holdout_percent": N, "validation_percent": N}'
)


@dataclass(frozen=True)
class TimeSplit:
    """The newest days are the holdout; days are those of the column's own clock."""

    column: str
    holdout_days: int
    validation_days: int

    def assign(self, values: pl.Series) -> pl.Series:
        """The split of each value, by name."""
        if not isinstance(values.dtype, pl.Date | pl.Datetime):
            raise DataError(
                f"data.split by time needs a date or time in {self.column}, got {values.dtype}: name another column, "
                "or convert it in read_records of model.py"
            )
        holdout, validation = self.windows(values.dt.date().max())  # type: ignore[arg-type]  # dates, none missing
        return values.dt.date().to_frame("day").select(
            pl.when(pl.col("day") >= holdout).then(pl.lit(HOLDOUT))
            .when(pl.col("day") >= validation).then(pl.lit(VALIDATION))
            .otherwise(pl.lit(TRAIN))
        ).to_series()  # fmt: skip

    def windows(self, newest: date) -> tuple[date, date]:
        """The first day of the holdout and the first day of the validation set."""
        holdout = newest - timedelta(days=self.holdout_days - 1)
        return holdout, holdout - timedelta(days=self.validation_days)


@dataclass(frozen=True)
class HashSplit:
    """A stable hash of the column decides; percentages are of the groups, not of the records."""

    column: str
    holdout_percent: int
    validation_percent: int

    def assign(self, values: pl.Series) -> pl.Series:
        """The split of each value, by name."""
        groups = values.unique()
        split_of = {group: self.split_of(group) for group in groups}
        return values.replace_strict(list(split_of), list(split_of.values()), return_dtype=pl.String)

    def split_of(self, group: object) -> str:
        """The split of one group. SHA-256, because Python's own hash of a text differs in every process."""
        number = int.from_bytes(hashlib.sha256(str(group).encode()).digest()) % 100
        if number < self.holdout_percent:
            return HOLDOUT
        return VALIDATION if number < self.holdout_percent + self.validation_percent else TRAIN


Split = TimeSplit | HashSplit
_KINDS: dict[str, type[TimeSplit] | type[HashSplit]] = {"time": TimeSplit, "hash": HashSplit}


def read_split(text: str) -> Split:
    """Read what `prepare` gets of slipway.yaml's data.split.

    Raises:
        ConfigurationError: it is none of the two forms.
    """
    try:
        values = json.loads(text)
        split: Split = _KINDS[values.pop("by")](**values)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"SLIPWAY_SPLIT must be {_FORMS}, got {text or 'nothing'}") from error
    sizes = [value for name, value in values.items() if name != "column"]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ConfigurationError(f"the numbers in SLIPWAY_SPLIT must be whole and above 0, got {text}")
    return split


def split_records(records: pl.DataFrame, split: Split) -> dict[str, pl.DataFrame]:
    """Split records, which keep their order.

    Returns:
        train, validation and holdout, each with records and with at least two different labels.

    Raises:
        DataError: the column is missing or has empty values.
    """
    if split.column not in records.columns:
        raise DataError(
            f"data.split in slipway.yaml names the column {split.column}, but read_records in model.py returns "
            f"{', '.join(records.columns)}"
        )
    empty = records[split.column].null_count()
    if empty:
        raise DataError(
            f"{split.column}, the column of data.split, is empty in {empty:,} of {records.height:,} records"
        )
    names = split.assign(records[split.column])
    return {name: records.filter(names == name) for name in NAMES}


def check_parts(parts: dict[str, pl.DataFrame], split: Split, label: str) -> None:
    """Check that each part can be learned from and measured with.

    Raises:
        DataError: a part has no records, or all of its records have the same label.
    """
    rows = ", ".join(f"{name} {part.height:,}" for name, part in parts.items())
    for name, part in parts.items():
        if part.is_empty():
            raise DataError(f"{name} has no records ({rows}): {_setting(split)}; change it, or add data")
        labels = part[label].unique()
        if len(labels) < 2:
            raise DataError(
                f"all {part.height:,} records of {name} have {label} = {labels[0]}, at least two different values are "
                f"needed: {_setting(split)}; widen it, or add data"
            )


def _setting(split: Split) -> str:
    if isinstance(split, TimeSplit):
        return f"data.split takes {split.holdout_days} days for the holdout and {split.validation_days} for validation"
    percents = f"{split.holdout_percent} % for the holdout and {split.validation_percent} % for validation"
    return f"data.split takes {percents} of the groups by {split.column}"
