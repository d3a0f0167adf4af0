"""What a record is: the columns that model.py declares."""

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, get_args

from model_code.errors import ModelError

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


def as_documents(records: "pl.DataFrame", columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Records as they are sent to the endpoint in JSON."""
    rows = records.select([column.name for column in columns]).to_dicts()
    return [{name: _as_json(value) for name, value in row.items()} for row in rows]


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value


def fits(dtype: "pl.DataType", kind: type) -> bool:
    """Whether a column of this type can hold what COLUMNS declares."""
    import polars as pl

    if kind is datetime:
        return isinstance(dtype, pl.Datetime) and dtype.time_zone is None
    if kind is float:
        return dtype.is_numeric()
    if kind is int:
        return dtype.is_integer()
    return dtype == pl.Boolean if kind is bool else dtype in (pl.String, pl.Categorical, pl.Enum)


def is_missing(column: "pl.Series") -> "pl.Series":
    """For each value, whether there is none; a NaN is none."""
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_null()
