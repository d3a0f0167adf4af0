"""Turns the team's raw files into train, validation and holdout, and says what they are in manifest.json."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from model_code import model
from model_code.errors import DataError
from model_code.log import say
from model_code.paths import RECORDS_FILE, Paths
from model_code.records import check_records, declared_columns
from model_code.split import HashSplit, Split, check_parts, split_records


def data_version(raw_dir: Path) -> str:
    """The SHA-256 of what lies in a directory: of the files' names and contents, not of their times.

    Raises:
        DataError: there is no file.
    """
    files = sorted((path.relative_to(raw_dir).as_posix(), path) for path in raw_dir.rglob("*") if path.is_file())
    if not files:
        raise DataError("there is no raw data: upload it below data.prefix of slipway.yaml")
    version = hashlib.sha256()
    for name, path in files:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        version.update(f"{digest}  {name}\n".encode())
    return version.hexdigest()


def run(paths: Paths, split: Split) -> None:
    """Prepare the data set.

    Raises:
        DataError: the raw data or the split cannot be used.
    """
    version = data_version(paths.raw)
    say(f"data version {version}")
    columns = declared_columns(model.COLUMNS)
    records = model.read_records(paths.raw)
    check_records(records, columns, model.LABEL)
    parts = split_records(records, split)
    check_parts(parts, split, model.LABEL)
    for name, part in parts.items():
        directory = paths.dataset / name
        directory.mkdir(parents=True, exist_ok=True)
        part.write_parquet(directory / RECORDS_FILE)
        say(f"{name}: {part.height:,} records, mean {model.LABEL} {_mean_label(part):.4f}{_window(part, split)}")
    manifest = _manifest(version, records, parts, split)
    (paths.dataset / "manifest.json").write_text(json.dumps(manifest, indent=2, default=str) + "\n")


def _manifest(version: str, records: pl.DataFrame, parts: dict[str, pl.DataFrame], split: Split) -> dict[str, Any]:
    key = "shares" if isinstance(split, HashSplit) else "windows"
    extents = {
        name: part.height / records.height if isinstance(split, HashSplit) else _first_and_last(part, split)
        for name, part in parts.items()
    }
    return {
        "data_version": version,
        "rows": {name: part.height for name, part in parts.items()},
        "columns": {name: str(dtype) for name, dtype in records.schema.items()},
        "label": model.LABEL,
        "mean_label": {name: _mean_label(part) for name, part in parts.items()},
        key: extents,
    }


def _mean_label(part: pl.DataFrame) -> float:
    return float(part[model.LABEL].cast(pl.Float64).mean())  # type: ignore[arg-type]  # not empty, no missing values


def _first_and_last(part: pl.DataFrame, split: Split) -> list[Any]:
    return [part[split.column].min(), part[split.column].max()]


def _window(part: pl.DataFrame, split: Split) -> str:
    if isinstance(split, HashSplit):
        return ""
    first, last = _first_and_last(part, split)
    return f", {first} to {last}"
