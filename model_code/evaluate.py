"""Scores a model artifact on the holdout: evaluation.json for the gate, samples.json to compare the endpoint with."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code import model
from model_code.artifact import check_model, unpack
from model_code.errors import DataError
from model_code.log import say
from model_code.paths import Paths
from model_code.predictions import checked_predictions
from model_code.records import as_documents, declared_columns

SAMPLES = 100


def run(paths: Paths, expected_digest: str | None) -> None:
    """Score the model.

    Args:
        expected_digest: of the model that is to be scored; None for any.

    Raises:
        DataError: the holdout cannot be read.
        ModelError: the artifact cannot be used, or is of another model.
    """
    records = _read_holdout(paths.holdout)
    with tempfile.TemporaryDirectory() as folder:
        unpack(paths.model_archive, Path(folder))
        digest = check_model(Path(folder), expected_digest)
        predictions = checked_predictions(model.load(Path(folder)).predict(records), records.height)
    metrics = model.metrics(records[model.LABEL].to_numpy(), predictions)
    for name, value in metrics.items():
        say(f"holdout:{name}={value:.6g}")
    finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    paths.evaluation.mkdir(parents=True, exist_ok=True)
    _write(paths.evaluation / "evaluation.json", {"metrics": finite, "rows": records.height, "model_sha256": digest})
    _write(paths.evaluation / "samples.json", _samples(records, predictions))


def _samples(records: pl.DataFrame, predictions: NDArray[Any]) -> dict[str, Any]:
    """Records from the whole holdout, evenly spaced, with their predictions."""
    columns = declared_columns(model.COLUMNS)
    places = np.linspace(0, records.height - 1, num=min(SAMPLES, records.height), dtype=np.int64)
    return {
        "columns": [column.name for column in columns],
        "records": as_documents(records[places], columns),
        "predictions": predictions[places].tolist(),
    }


def _read_holdout(file: Path) -> pl.DataFrame:
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
    return records


def _write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
