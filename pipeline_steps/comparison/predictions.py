"""Reads predictions.npz, in which the container's `evaluate` says what it answered to each record of the holdout."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline_steps.documents import Scores, Task
from pipeline_steps.errors import DocumentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What a model answered to each record.

    Attributes:
        labels: shape (records,); for a classification the number of the class.
        predictions: shape (records,), or (records, classes) for a multiclass task.
        slices: for each column by which there are slices the number of each record's slice, shape (records,).
        losses: the team's own losses by name, shape (records,).
    """

    task: Task
    labels: Array
    predictions: Array
    slices: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    losses: Mapping[str, Array] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return len(self.labels)


def read_predictions(content: bytes, scores: Scores, source: str) -> Predictions:
    """Read predictions.npz beside the evaluation.json that tells what is in it.

    Args:
        content: of the file, uncompressed as numpy.savez writes it: what it takes in memory is what was read.
        source: where it is from, for the error.

    Raises:
        DocumentError: it is no such file, or does not fit its evaluation.json.
    """
    if scores.task is None:
        raise DocumentError(f"{source} cannot be read: its evaluation.json does not name the task")
    names = {"label", "prediction", *(f"loss_{name}" for name in scores.own_losses)}
    names |= {f"slice_{index}" for index in range(len(scores.slices))}
    arrays = _read_arrays(content, sorted(names), source)
    for name, array in arrays.items():
        if len(array.shape) == 0 or array.shape[0] != scores.rows:
            raise DocumentError(f"{source}: {name} must have {scores.rows} records, it has the shape {array.shape}")
    result = Predictions(
        task=scores.task,
        labels=arrays["label"].astype(np.float64),
        predictions=arrays["prediction"].astype(np.float64),
        slices={column.column: arrays[f"slice_{index}"].astype(np.int32) for index, column in enumerate(scores.slices)},
        losses={name: arrays[f"loss_{name}"].astype(np.float64) for name in scores.own_losses},
    )
    _check(result, source)
    return result


def _read_arrays(content: bytes, names: list[str], source: str) -> dict[str, NDArray[np.generic]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise DocumentError(f"{source} must not be compressed: it is written with numpy.savez")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise DocumentError(f"{source} must have the array {', '.join(missing)}, it has {', '.join(file)}")
            arrays = {name: np.asarray(file[name]) for name in names}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DocumentError(f"{source} is no file of numpy arrays: {error}") from error
    unfit = [f"{name} ({array.dtype})" for name, array in arrays.items() if array.dtype.kind not in "fiub"]
    if unfit:
        raise DocumentError(f"{source} must hold numbers, not {', '.join(unfit)}")
    return arrays


def _check(read: Predictions, source: str) -> None:
    """What the metrics rely on."""
    wanted = 2 if read.task == "multiclass" else 1
    if read.predictions.ndim != wanted or any(array.ndim != 1 for array in (read.labels, *read.losses.values())):
        raise DocumentError(
            f"{source}: a {read.task} task has predictions of {wanted} dimension(s), got {read.predictions.shape}"
        )
    if not (np.isfinite(read.labels).all() and np.isfinite(read.predictions).all()):
        raise DocumentError(f"{source} must hold finite labels and predictions")
    if read.task == "regression":
        return
    classes = read.predictions.shape[1] if read.task == "multiclass" else 2
    if not np.isin(read.labels, np.arange(classes)).all():
        raise DocumentError(f"{source}: the labels must be whole numbers from 0 to {classes - 1}")
    if read.predictions.min(initial=0) < 0 or read.predictions.max(initial=0) > 1:
        raise DocumentError(f"{source}: the predictions must be probabilities from 0 to 1")
