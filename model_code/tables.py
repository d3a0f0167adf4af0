"""Reads the team's raw tables, with errors that name the file and the column."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from model_code.errors import DataError


def read_table(directory: Path, pattern: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read the parquet files that match a pattern as one table, in the order of their names.

    Args:
        directory: where to look.
        pattern: as of Path.glob, such as "flights/*.parquet".
        columns: what to read; others are left alone.

    Raises:
        DataError: no such file, one that cannot be read, a missing column, a type that differs between files, no rows.
    """
    files = sorted(directory.glob(pattern))
    if not files:
        present = sorted({file.relative_to(directory).parts[0] for file in directory.rglob("*") if file.is_file()})
        raise DataError(
            f"the raw data has no file {pattern} (there is {', '.join(present) or 'nothing'}): "
            "upload it below data.prefix of slipway.yaml"
        )
    parts = [_read_file(file, str(file.relative_to(directory)), columns) for file in files]
    try:
        table = pl.concat(parts, how="vertical")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the files {pattern} cannot be put together, a column changes its type: {error}") from error
    if table.is_empty():
        raise DataError(f"the raw files {pattern} have no rows: upload some with data")
    return table


def _read_file(file: Path, name: str, columns: Sequence[str]) -> pl.DataFrame:
    try:
        present = pl.read_parquet_schema(file)
        missing = [column for column in columns if column not in present]
        if missing:
            raise DataError(
                f"the raw file {name} lacks the column {', '.join(missing)} (it has {', '.join(present)}): "
                "upload it with that column, or change read_records in model.py"
            )
        return pl.read_parquet(file, columns=list(columns))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"the raw file {name} cannot be read as parquet: {error}") from error
