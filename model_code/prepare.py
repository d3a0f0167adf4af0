"""Turns the team's raw files into train, validation and holdout, and says what they are in manifest.json."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from model_code import model
from model_code.baseline import Description, baseline, describe, summarize
from model_code.data_contract import DATA_CONTRACT
from model_code.data_quality import Declaration, check_records
from model_code.errors import DataError
from model_code.leakage import check_leakage
from model_code.log import say
from model_code.paths import RECORDS_FILE, Paths
from model_code.records import declared_columns
from model_code.split import HOLDOUT, TRAIN, HashSplit, Split, check_parts, split_records
from model_code.task import declared_task

_Value = TypeVar("_Value")

MOST_NAMED = 1000
"""More files or columns are not named in manifest.json; data_version is of all files, baseline.json of all columns."""


def raw_files(raw_dir: Path) -> dict[str, str]:
    """The SHA-256 of each file in a directory, by name.

    Raises:
        DataError: there is no file.
    """
    files = sorted((path.relative_to(raw_dir).as_posix(), path) for path in raw_dir.rglob("*") if path.is_file())
    if not files:
        raise DataError("there is no raw data: upload it below data.prefix of slipway.yaml")
    return {name: _digest(path) for name, path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def data_version(files: Mapping[str, str]) -> str:
    """The SHA-256 of the raw files' names and contents, not of their times."""
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in files.items()).encode()).hexdigest()


def run(paths: Paths, split: Split) -> None:
    """Prepare the data set.

    Raises:
        DataError: the raw data or the split cannot be used, breaks the data contract or gives the label away.
        ModelError: model.py or data_contract.py cannot be used.
    """
    declaration = Declaration(declared_columns(model.COLUMNS), model.LABEL, declared_task(model), DATA_CONTRACT)
    files = raw_files(paths.raw)
    say(f"data version {data_version(files)}")
    records = model.read_records(paths.raw)
    check_records(records, declaration, datetime.now(UTC).date())
    parts = split_records(records, split)
    check_parts(parts, split, model.LABEL)
    check_leakage(parts, declaration)
    for name, part in parts.items():
        directory = paths.dataset / name
        directory.mkdir(parents=True, exist_ok=True)
        part.write_parquet(directory / RECORDS_FILE)
        say(f"{name}: {part.height:,} records, mean {model.LABEL} {_mean_label(part):.4f}{_window(part, split)}")
    of_train = baseline(parts[TRAIN], declaration.columns, model.LABEL, declaration.task)
    _write(paths.dataset / "baseline.json", of_train)
    of_holdout = {column.name: describe(parts[HOLDOUT][column.name], column.kind) for column in declaration.columns}
    summary = {TRAIN: _summary(of_train["columns"]), HOLDOUT: _summary(of_holdout)}
    _write(paths.dataset / "manifest.json", {**_manifest(files, records, parts, split), "summary": summary})


def _manifest(
    files: Mapping[str, str], records: pl.DataFrame, parts: Mapping[str, pl.DataFrame], split: Split
) -> dict[str, Any]:
    key = "shares" if isinstance(split, HashSplit) else "windows"
    extents = {
        name: part.height / records.height if isinstance(split, HashSplit) else _first_and_last(part, split)
        for name, part in parts.items()
    }
    return {
        "data_version": data_version(files),
        "files": _first(files),
        "file_count": len(files),
        "rows": {name: part.height for name, part in parts.items()},
        "columns": {name: str(dtype) for name, dtype in _first(records.schema).items()},
        "label": model.LABEL,
        "mean_label": {name: _mean_label(part) for name, part in parts.items()},
        key: extents,
    }


def _summary(descriptions: Mapping[str, Description]) -> dict[str, Description]:
    return {name: summarize(description) for name, description in _first(descriptions).items()}


def _first(named: Mapping[str, _Value]) -> dict[str, _Value]:
    return dict(itertools.islice(named.items(), MOST_NAMED))


def _write(file: Path, document: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=2, allow_nan=False, default=str) + "\n")


def _mean_label(part: pl.DataFrame) -> float:
    return float(part[model.LABEL].cast(pl.Float64).mean())  # type: ignore[arg-type]  # not empty, no missing values


def _first_and_last(part: pl.DataFrame, split: Split) -> list[Any]:
    return [part[split.column].min(), part[split.column].max()]


def _window(part: pl.DataFrame, split: Split) -> str:
    if isinstance(split, HashSplit):
        return ""
    first, last = _first_and_last(part, split)
    return f", {first} to {last}"
