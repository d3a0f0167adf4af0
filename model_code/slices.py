"""Cuts a holdout into slices: the values of a column, or bands of its values."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code.errors import ConfigurationError, DataError
from model_code.task import LONGEST_NAME

MISSING, OTHERS, EMPTY = "missing", "others", "empty"
MOST_VALUES = 50

_OPTION = "--slice="
_SETTING = "evaluation.slices.by of slipway.yaml"


@dataclass(frozen=True)
class SliceColumn:
    """A column to slice by.

    Attributes:
        edges: between the bands, in ascending order; empty when each value is a slice.
    """

    column: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Slices:
    """The slices of one column.

    Attributes:
        names: of the slices.
        places: shape (n_records,), int32; for each record the place of its slice among the names.
    """

    column: str
    names: tuple[str, ...]
    places: NDArray[np.int32]


def read_slice_columns(options: Sequence[str]) -> tuple[SliceColumn, ...]:
    """Read what `evaluate` gets: --slice=COLUMN, or --slice=COLUMN:EDGE,EDGE,...

    Raises:
        ConfigurationError: an option is neither.
    """
    return tuple(_read(option) for option in options)


def cut(records: pl.DataFrame, by: SliceColumn) -> Slices:
    """Cut records by one column.

    Raises:
        DataError: there is no such column, or bands are asked for of what is no number.
    """
    if by.column not in records.columns:
        raise DataError(
            f"{_SETTING} names the column {by.column}, but the holdout has {', '.join(records.columns)}: name one of "
            "them, or have read_records in model.py return it"
        )
    column = records[by.column]
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return _by_band(column, by.edges) if by.edges else _by_value(column)


def _read(option: str) -> SliceColumn:
    column, _, edges = option.removeprefix(_OPTION).partition(":")
    try:
        by = SliceColumn(column, tuple(float(edge) for edge in edges.split(",")) if edges else ())
    except ValueError:
        by = SliceColumn("")
    ascending = all(low < high for low, high in itertools.pairwise(by.edges))
    if not option.startswith(_OPTION) or not by.column or not ascending or not all(map(math.isfinite, by.edges)):
        raise ConfigurationError(
            f"evaluate takes {_OPTION}COLUMN or {_OPTION}COLUMN:EDGE,EDGE,... with ascending numbers ({_SETTING}), "
            f"got {option}"
        )
    return by


def _by_band(column: pl.Series, edges: tuple[float, ...]) -> Slices:
    if not column.dtype.is_numeric():
        raise DataError(
            f"{_SETTING} has bands for {column.name}, which holds {column.dtype}, no numbers: leave them out, and each "
            "value is a slice"
        )
    shown = [f"{edge:.15g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
    names = [f"below {shown[0]}", *between, f"{shown[-1]} and above"]
    missing = column.is_null().to_numpy()
    values = column.cast(pl.Float64).fill_null(0).to_numpy()
    places = np.where(missing, len(names), np.searchsorted(edges, values, side="right"))
    return Slices(column.name, tuple([*names, MISSING] if missing.any() else names), places.astype(np.int32))


def _by_value(column: pl.Series) -> Slices:
    texts = column.cast(pl.String)
    shown = {text: _shown(text) for text in texts.unique().to_list()}
    names = [shown[text] for text in texts.to_list()]
    counts = Counter(names)
    missing, others = counts.pop(MISSING, 0), counts.pop(OTHERS, 0)
    frequent = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_VALUES]
    ordered = sorted(frequent, key=float if column.dtype.is_numeric() else str)
    ordered += [OTHERS] if others or len(frequent) < len(counts) else []
    ordered += [MISSING] if missing else []
    place = {name: number for number, name in enumerate(ordered)}
    places = [place[name] if name in place else place[OTHERS] for name in names]
    return Slices(column.name, tuple(ordered), np.array(places, dtype=np.int32))


def _shown(text: str | None) -> str:
    """A value as the name of a slice: one line, not too long. Values that are shown alike are one slice."""
    if text is None:
        return MISSING
    line = text if text.isprintable() else repr(text)[1:-1]
    return (line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 3]}...") or EMPTY
