"""Whether records keep to COLUMNS and LABEL of model.py and to the team's data contract; every breach is named at once.

Types and which values may be missing are those of COLUMNS, so that training and serving agree on them. What values must
be like is said in the checks of pandera, and checked by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
from pandera.errors import SchemaError, SchemaErrors
from pandera.polars import Check, DataFrameSchema
from pandera.polars import Column as CheckedColumn

from model_code.breaches import Breach, refuse
from model_code.errors import DataError, ModelError
from model_code.records import ALLOWED, Column, fits, is_missing
from model_code.task import LONGEST_NAME, Task, checked_labels, is_showable

_EXAMPLES = 3
_LONGEST_VALUE = 60
_LONGEST_RULE = 200


@dataclass(frozen=True)
class Freshness:
    """How old the newest record may be.

    Attributes:
        column: a date or time.
        days: from the day of its newest value; 0: it must be of today.
        as_of: the day from which the age is reckoned, for data that ended in the past; None: the day of the check.
    """

    column: str
    days: int
    as_of: date | None = None


@dataclass(frozen=True)
class DataContract:
    """What must hold of the records that read_records returns, beyond their types.

    Attributes:
        checks: by column, what its values must be, in pandera's checks; a missing value passes. The text that a check
            gets as `error` completes the sentence "COLUMN must be ...".
        missing: largest share (0 to 1) of missing values, by column. One without `| None` in COLUMNS may miss none,
            an optional one that is not named here any number.
        key: columns that together are different in every record; empty: nothing is unique.
        minimum_records: fewer are refused.
        freshness: how old the newest record may be; None: of any age.
        leakage_allowed: columns that may know the label as well as they do, each with the reason.
        overlap_by: what makes a record of the holdout the same as one of train; empty: all of COLUMNS.
        largest_overlap: share (0 to 1) of the holdout's records that may be the same as one of train.
    """

    checks: Mapping[str, Check | Sequence[Check]] = field(default_factory=dict)
    missing: Mapping[str, float] = field(default_factory=dict)
    key: Sequence[str] = ()
    minimum_records: int = 1
    freshness: Freshness | None = None
    leakage_allowed: Mapping[str, str] = field(default_factory=dict)
    overlap_by: Sequence[str] = ()
    largest_overlap: float = 0.05

    def __post_init__(self) -> None:
        shares = {f"missing[{name!r}]": share for name, share in self.missing.items()}
        faults = [
            f"{place} must be a share from 0 to 1, got {share}"
            for place, share in {**shares, "largest_overlap": self.largest_overlap}.items()
            if not 0 <= share <= 1
        ]
        if self.minimum_records < 1:
            faults.append(f"minimum_records must be 1 or more, got {self.minimum_records}")
        if self.freshness and self.freshness.days < 0:
            faults.append(f"days of freshness must be 0 or more, got {self.freshness.days}")
        faults += [
            f"leakage_allowed[{name!r}] must say why" for name, why in self.leakage_allowed.items() if not why.strip()
        ]
        if isinstance(self.key, str) or isinstance(self.overlap_by, str):
            faults.append("key and overlap_by must be several names, such as ('flight',)")
        if faults:
            raise ModelError(f"DATA_CONTRACT in data_contract.py: {'; '.join(faults)}")

    @property
    def named(self) -> set[str]:
        """All columns that it speaks of."""
        fresh = {self.freshness.column} if self.freshness else set()
        return {*self.checks, *self.missing, *self.key, *self.leakage_allowed, *self.overlap_by} | fresh


@dataclass(frozen=True)
class Declaration:
    """What records are to be: COLUMNS, LABEL and TASK of model.py, and DATA_CONTRACT."""

    columns: tuple[Column, ...]
    label: str
    task: Task
    contract: DataContract

    @property
    def missing(self) -> dict[str, float]:
        """Largest share of missing values by column."""
        required = [column.name for column in self.columns if not column.optional]
        return {**self.contract.missing, **dict.fromkeys([*required, self.label], 0.0)}


def check_records(records: pl.DataFrame, declaration: Declaration, today: date) -> None:
    """Check what read_records returned.

    Raises:
        DataError: it breaks the contract; the text names every breach.
    """
    breaches = list(find_breaches(records, declaration, today))
    way_out = "Upload other data, or change read_records in model.py or DATA_CONTRACT in data_contract.py"
    refuse(breaches, "the records break the data contract", way_out)


def find_breaches(records: pl.DataFrame, declaration: Declaration, today: date) -> Iterator[Breach]:
    """Every rule that the records break."""
    contract = declaration.contract
    yield from _wrong_columns(records, declaration)
    yield from _wrong_types(records, declaration)
    if records.height < contract.minimum_records:
        yield Breach(f"there must be at least {contract.minimum_records:,} records, got {records.height:,}")
    yield from _too_old(records, contract.freshness, today)
    yield from _missing_values(records, declaration)
    yield from _wrong_labels(records, declaration)
    yield from _wrong_values(records, declaration)


def _wrong_columns(records: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    for name in records.columns:
        if not is_showable(name):
            yield Breach(f"a column's name must have 1 to {LONGEST_NAME} printable characters, got {_shown(name)}")
    present = ", ".join(records.columns)
    expected = [*(column.name for column in declaration.columns), declaration.label]
    if absent := [name for name in expected if name not in records.columns]:
        yield Breach(f"read_records in model.py must return the column {', '.join(absent)}, got {present}")
    unknown = sorted(declaration.contract.named - {*records.columns, *absent})
    if unknown:
        yield Breach(f"DATA_CONTRACT speaks of {', '.join(unknown)}, but read_records in model.py returns {present}")
    required = {column.name for column in declaration.columns if not column.optional}
    for name in sorted(required & {name for name, share in declaration.contract.missing.items() if share}):
        yield Breach(f"DATA_CONTRACT lets {name} be missing, but COLUMNS does not: write `| None` there")


def _wrong_types(records: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    for column in declaration.columns:
        dtype = records.schema.get(column.name)
        if dtype is not None and not fits(dtype, column.kind):
            yield Breach(f"{column.name} must hold {ALLOWED[column.kind]} ({column.kind.__name__}), got {dtype}")
    dtype = records.schema.get(declaration.label)
    if dtype is not None and not _is_label(dtype):
        yield Breach(f"{declaration.label} must hold numbers, got {dtype}")


def _is_label(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean


def _too_old(records: pl.DataFrame, freshness: Freshness | None, today: date) -> Iterator[Breach]:
    if freshness is None or freshness.column not in records.columns:
        return
    values = records[freshness.column]
    if not isinstance(values.dtype, pl.Date | pl.Datetime):
        yield Breach(f"{freshness.column}, of which DATA_CONTRACT limits the age, must hold times, got {values.dtype}")
        return
    newest = values.dt.date().max()
    if not isinstance(newest, date):
        return  # no values: told as too few records, or as missing ones
    as_of = today if freshness.as_of is None else freshness.as_of
    age = (as_of - newest).days
    if age > freshness.days:
        yield Breach(
            f"the newest {freshness.column} is of {newest}, {age:,} days before {as_of}, {freshness.days:,} are allowed"
        )


def _missing_values(records: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    for name, limit in declaration.missing.items():
        if name not in records.columns:
            continue
        missing = is_missing(records[name])
        count = int(missing.sum())
        if count <= limit * records.height:
            continue
        got = f"is in {count:,} of {records.height:,} records"
        rule = f"may be empty in {percent(limit)}, but {got} ({percent(count / records.height)})"
        examples = _examples(records, missing.arg_true(), declaration.contract.key)
        yield Breach(f"{name} {rule}" if limit else f"{name} must not be empty, but {got}", examples)


def _wrong_labels(records: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    dtype = records.schema.get(declaration.label)
    if dtype is None or not _is_label(dtype):
        return
    labels = records[declaration.label]
    try:
        checked_labels(labels.filter(~is_missing(labels)), declaration.task)
    except DataError as error:
        yield Breach(str(error))


def _wrong_values(records: pl.DataFrame, declaration: Declaration) -> Iterator[Breach]:
    """What pandera finds."""
    checks = _checks(records.schema, declaration)
    key = [name for name in declaration.contract.key if name in records.columns]
    if not checks and not key:
        return
    schema = DataFrameSchema(
        {name: CheckedColumn(checks=found, nullable=True) for name, found in checks.items()}, unique=key or None
    )
    try:
        schema.validate(_as_checked(records.select(list(dict.fromkeys([*checks, *key])))), lazy=True)
    except SchemaErrors as error:
        for fault in error.schema_errors:
            yield _breach(records, fault, key)


def _checks(schema: pl.Schema, declaration: Declaration) -> dict[str, list[Check]]:
    """The checks of each column that is there and of the type that it should be; what is not was told already."""
    kinds = {column.name: column.kind for column in declaration.columns}
    found: dict[str, list[Check]] = {}
    for name, dtype in schema.items():
        kind = kinds.get(name)
        if kind is None or fits(dtype, kind):
            declared = declaration.contract.checks.get(name, ())
            of_column = [declared] if isinstance(declared, Check) else list(declared)
            found[name] = [*_checks_of_type(dtype, kind), *of_column]
    return {name: checks for name, checks in found.items() if checks}


def _checks_of_type(dtype: pl.DataType, kind: type | None) -> Iterator[Check]:
    """What serving demands of every value, too."""
    if kind is float and dtype.is_float():
        yield Check(lambda data: data.lazyframe.select(pl.col(data.key).is_finite()), error=ALLOWED[float])
    if kind is str:
        yield Check.str_length(min_value=1, error=ALLOWED[str])


def _as_checked(records: pl.DataFrame) -> pl.DataFrame:
    """A NaN is a missing value, and categories are text."""
    categories = [name for name, dtype in records.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    return records.fill_nan(None).with_columns(pl.col(categories).cast(pl.String))


def _breach(records: pl.DataFrame, fault: SchemaError, key: Sequence[str]) -> Breach:
    total = f"of {records.height:,} records"
    output = fault.check_output
    if fault.check == "multiple_fields_uniqueness":
        wrong = (~output["check_output"]).arg_true()
        rule = f"{', '.join(key)} must be unique, but {len(wrong):,} {total} share theirs with another"
        return Breach(rule, _examples(records, wrong, key))
    name = fault.schema.name
    rule = f"{name} must be {_shortened(fault.check.error or fault.check.name, _LONGEST_RULE)}"
    if output is None:
        reason = str(fault.failure_cases).split("\n", 1)[0]
        return Breach(f"{rule}, which cannot be checked: {_shortened(reason, _LONGEST_RULE)}")
    if output.height != records.height:  # a check of the column as a whole
        return Breach(f"{rule}, but is not")
    wrong = (~output["check_output"]).arg_true()
    return Breach(f"{rule}, but is not in {len(wrong):,} {total}", _examples(records, wrong, key, name))


def _examples(records: pl.DataFrame, rows: pl.Series, key: Sequence[str], column: str | None = None) -> tuple[str, ...]:
    """The first records with different values of the column, or of the key: number, key, value."""
    shown = [*key, *([column] if column is not None and column not in key else [])]
    known = [name for name in shown if name in records.columns]
    number = "record"
    while number in known:
        number += " "
    found = records[rows].with_columns((rows + 1).alias(number)).select(number, *known)
    by = [column] if column is not None else known or [number]
    return tuple(
        ", ".join([f"record {row.pop(number):,}", *(f"{name} {_shown(value)}" for name, value in row.items())])
        for row in found.unique(by, keep="first", maintain_order=True).head(_EXAMPLES).to_dicts()
    )


def _shown(value: object) -> str:
    return _shortened(str(value) if isinstance(value, datetime | date) else repr(value), _LONGEST_VALUE)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{100 * share:.3g} %"
