"""What a record is: the columns that model.py declares, and whether data keeps to them."""

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, get_args

from model_code.errors import DataError, ModelError

if TYPE_CHECKING:
    import polars as pl

ALLOWED = {
    str: "text that is not empty",
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    datetime: "a time without a zone, such as 2013-03-18T17:45",
}


class Records(Protocol):
    """Records by column: a polars DataFrame, or a dict of lists."""

    def __getitem__(self, column: str, /) -> Any:
        """The values of a column, one for each record."""
        ...


@dataclass(frozen=True)
class Column:
    """One column of a record.

    Attributes:
        kind: str, int, float, bool or datetime.
        optional: a value may be missing.
    """

    name: str
    kind: type
    optional: bool

    @property
    def allowed(self) -> str:
        """In words, what a value may be."""
        return ALLOWED[self.kind] + (" or nothing" if self.optional else "")


def declared_columns(declaration: Mapping[str, Any]) -> tuple[Column, ...]:
    """Read COLUMNS of model.py.

    Raises:
        ModelError: a type that a record cannot hold.
    """
    return tuple(_column(name, annotation) for name, annotation in declaration.items())


def _column(name: str, annotation: Any) -> Column:
    kinds = set(get_args(annotation)) if isinstance(annotation, types.UnionType) else {annotation}
    optional = types.NoneType in kinds
    kinds.discard(types.NoneType)
    if len(kinds) != 1 or not kinds <= ALLOWED.keys():
        allowed = ", ".join(kind.__name__ for kind in ALLOWED)
        raise ModelError(f"COLUMNS[{name!r}] in model.py must be {allowed}, or one of them `| None`, got {annotation}")
    return Column(name, kinds.pop(), optional)


def check_records(records: "pl.DataFrame", columns: tuple[Column, ...], label: str) -> None:
    """Check what read_records returned; all faults in one error.

    Raises:
        DataError: columns that are missing, of another type, or without values where values must be.
    """
    required = [*((column.name, column.optional) for column in columns), (label, False)]
    missing = [name for name, _ in required if name not in records.columns]
    if missing:
        raise DataError(
            f"read_records in model.py must return the column {', '.join(missing)}, got {', '.join(records.columns)}"
        )
    faults = [
        f"{column.name} must hold {ALLOWED[column.kind]} ({column.kind.__name__}), got {records.schema[column.name]}"
        for column in columns
        if not _fits(records.schema[column.name], column.kind)
    ]
    if not (records.schema[label].is_numeric() or records.schema[label].is_(bool)):
        faults.append(f"{label} must hold numbers, got {records.schema[label]}")
    for name, optional in required:
        empty = 0 if optional else _missing_values(records[name])
        if empty:
            faults.append(f"{name} must not be empty, but is in {empty:,} of {records.height:,} records")
    if faults:
        raise DataError(f"the records do not keep to COLUMNS and LABEL of model.py: {'; '.join(faults)}")


def as_documents(records: "pl.DataFrame", columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Records as they are sent to the endpoint in JSON."""
    rows = records.select([column.name for column in columns]).to_dicts()
    return [{name: _as_json(value) for name, value in row.items()} for row in rows]


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value


def _fits(dtype: "pl.DataType", kind: type) -> bool:
    import polars as pl

    if kind is datetime:
        return isinstance(dtype, pl.Datetime) and dtype.time_zone is None
    if kind is float:
        return dtype.is_numeric()
    if kind is int:
        return dtype.is_integer()
    return dtype == pl.Boolean if kind is bool else dtype in (pl.String, pl.Categorical, pl.Enum)


def _missing_values(column: "pl.Series") -> int:
    return column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
