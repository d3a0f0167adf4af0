"""Scores a model artifact on the holdout, for the gate, the report, and the comparison with the endpoint.

predictions.npz   label, prediction, slices and own losses of each record
samples.json      records and their predictions, to be compared with the endpoint's
openapi.json      what the endpoint takes and answers
evaluation.json   everything else; written last
"""

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code import latency, model, openapi
from model_code.artifact import check_model, unpack
from model_code.behaviour import declared_behaviours, evaluate_behaviour
from model_code.files import write_whole
from model_code.holdout import Holdout, read_holdout
from model_code.importance import permutation_importance
from model_code.log import say
from model_code.metrics import metrics
from model_code.own_measures import OwnMeasures, own_measures
from model_code.paths import Paths
from model_code.predictions import checked_predictions
from model_code.records import as_documents, declared_columns
from model_code.sampling import evenly_spaced
from model_code.slices import SliceColumn

SAMPLES = 100
BEHAVIOUR_RECORDS = 500

CheckServing = Callable[[Path, Sequence[Mapping[str, Any]], str], dict[str, float]]
"""Measures the server of a model: from its base directory, records to send and its digest to metrics."""


@dataclass(frozen=True)
class Scored:
    """A model's answers on a holdout, and what was found out about it.

    Attributes:
        digest: of the model's files.
        samples: as in samples.json.
        latency, serving, behaviours, importance: as in evaluation.json.
    """

    digest: str
    predictions: NDArray[np.float64]
    samples: dict[str, Any]
    latency: dict[str, float]
    serving: dict[str, float]
    behaviours: list[dict[str, Any]]
    importance: dict[str, Any] | None


def run(
    paths: Paths,
    expected_digest: str | None,
    slice_columns: Sequence[SliceColumn] = (),
    *,
    check_serving: CheckServing,
) -> None:
    """Score the model.

    Args:
        expected_digest: of the model that is to be scored; None for any.
        check_serving: measures the model's server.

    Raises:
        DataError: the holdout cannot be read, or not be sliced.
        ModelError: the artifact cannot be used, is of another model, or model.py breaks the contract.
    """
    holdout = read_holdout(paths.holdout, slice_columns)
    scored = _score(paths.model_archive, expected_digest, holdout, check_serving)
    measured = metrics(holdout.task.name, holdout.labels, scored.predictions)
    measured |= {"model_mib": paths.model_archive.stat().st_size / 2**20, **scored.latency, **scored.serving}
    own = own_measures(model, holdout.labels, scored.predictions, taken=measured)
    measured |= own.metrics
    for name, value in measured.items():
        say(f"holdout:{name}={value:.6g}")
    paths.evaluation.mkdir(parents=True, exist_ok=True)
    write_whole(paths.evaluation / "predictions.npz", _arrays(holdout, scored, own))
    write_whole(paths.evaluation / "samples.json", _json(scored.samples))
    described = openapi.file_content(declared_columns(model.COLUMNS), holdout.task)
    write_whole(paths.evaluation / openapi.FILE, described)
    write_whole(paths.evaluation / "evaluation.json", _json(_evaluation(holdout, scored, measured, own)))


def _score(archive: Path, expected_digest: str | None, holdout: Holdout, check_serving: CheckServing) -> Scored:
    """Load the model, and ask it all that is to be known."""
    task, records = holdout.task, holdout.records
    columns, behaviours = declared_columns(model.COLUMNS), declared_behaviours(model)
    with tempfile.TemporaryDirectory() as folder:
        served = Paths(Path(folder))
        unpack(archive, served.model)
        digest = check_model(served.model, expected_digest)
        loaded = model.load(served.model)

        def predict(asked: pl.DataFrame) -> NDArray[np.float64]:
            return checked_predictions(loaded.predict(asked), asked.height, task)

        predictions = predict(records)
        samples = _samples(records, predictions)
        few = records[evenly_spaced(records.height, BEHAVIOUR_RECORDS)]
        return Scored(
            digest=digest,
            predictions=predictions,
            samples=samples,
            latency=latency.measure(loaded.predict, latency.one_by_one(samples["records"], columns)),
            serving=check_serving(served.base, samples["records"], digest),
            behaviours=[_told(evaluate_behaviour(one, few, predict, task)) for one in behaviours],
            importance=permutation_importance(predict, records, holdout.labels, task),
        )


def _samples(records: pl.DataFrame, predictions: NDArray[np.float64]) -> dict[str, Any]:
    """Records from the whole holdout, evenly spaced, with their predictions."""
    columns = declared_columns(model.COLUMNS)
    places = evenly_spaced(records.height, SAMPLES)
    return {
        "columns": [column.name for column in columns],
        "records": as_documents(records[places], columns),
        "predictions": predictions[places].tolist(),
    }


def _told(behaviour: dict[str, Any]) -> dict[str, Any]:
    say(f"behaviour: {behaviour['name']}: {behaviour['violations']} of {behaviour['records']} records violate it")
    return behaviour


def _evaluation(holdout: Holdout, scored: Scored, measured: dict[str, float], own: OwnMeasures) -> dict[str, Any]:
    importance = scored.importance
    if importance is not None:
        importance = {**importance, "columns": _finite_or_none(importance["columns"])}
    return {
        "task": holdout.task.name,
        "classes": holdout.task.classes,
        "metrics": _finite_or_none(measured),
        "own_losses": list(own.losses),
        "rows": holdout.records.height,
        "model_sha256": scored.digest,
        "slices": [{"column": one.column, "names": one.names} for one in holdout.slices],
        "behaviours": scored.behaviours,
        "importance": importance,
    }


def _arrays(holdout: Holdout, scored: Scored, own: OwnMeasures) -> bytes:
    content = io.BytesIO()
    arrays: dict[str, Any] = {
        "label": holdout.labels.astype(np.float64),
        "prediction": scored.predictions,
        **{f"slice_{number}": one.places for number, one in enumerate(holdout.slices)},
        **{f"loss_{name}": values for name, values in own.losses.items()},
    }
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _finite_or_none(numbers: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN and no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
