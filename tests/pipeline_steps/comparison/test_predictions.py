"""predictions.npz is of the commit under test, and read with suspicion."""

import io
from typing import Any

import numpy as np
import pytest

from pipeline_steps.comparison.predictions import read_predictions
from pipeline_steps.documents import Scores, SlicedColumn
from pipeline_steps.errors import DocumentError

SCORES = Scores(metrics={}, rows=3, task="binary")
FINE: dict[str, Any] = {"label": np.array([0, 1, 1]), "prediction": np.array([0.1, 0.5, 1.0])}


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_labels_predictions_slices_and_losses_are_read() -> None:
    scores = SCORES.model_copy(
        update={"own_losses": ("cost",), "slices": (SlicedColumn(column="origin", names=("EWR", "JFK")),)}
    )
    read = read_predictions(npz(**FINE, slice_0=np.array([0, 1, 1]), loss_cost=np.arange(3)), scores, "x.npz")

    assert (read.task, read.records) == ("binary", 3)
    assert read.labels.tolist() == [0, 1, 1]
    assert read.predictions.tolist() == [0.1, 0.5, 1.0]
    assert read.slices["origin"].tolist() == [0, 1, 1]
    assert read.losses["cost"].tolist() == [0, 1, 2]


MULTICLASS = SCORES.model_copy(update={"task": "multiclass"})
REGRESSION = SCORES.model_copy(update={"task": "regression"})
SLICED = SCORES.model_copy(update={"slices": (SlicedColumn(column="origin", names=("EWR",)),)})


@pytest.mark.parametrize(
    ("content", "scores", "fault"),
    [
        (b"no zip", SCORES, "is no file of numpy arrays"),
        (npz(**FINE)[:-30], SCORES, "is no file of numpy arrays"),
        (npz(label=FINE["label"]), SCORES, "must have the array prediction, it has label"),
        (npz(**FINE), SLICED, "must have the array slice_0"),
        (npz(**FINE | {"label": np.array([0, 1])}), SCORES, r"label must have 3 records, it has the shape \(2,\)"),
        (npz(**FINE | {"label": np.array(1)}), SCORES, "label must have 3 records"),
        (npz(**FINE | {"label": np.array(["a", "b", "c"])}), SCORES, "must hold numbers, not label"),
        (npz(**FINE | {"prediction": np.array([None] * 3, dtype=object)}), SCORES, "is no file of numpy arrays"),
        (npz(**FINE | {"prediction": np.array([0.1, np.nan, 0.2])}), SCORES, "must hold finite"),
        (npz(**FINE | {"prediction": np.array([0.1, 1.01, 0.2])}), SCORES, "probabilities from 0 to 1"),
        (npz(**FINE | {"prediction": np.array([-0.1, 1, 0.2])}), SCORES, "probabilities from 0 to 1"),
        (npz(**FINE | {"label": np.array([0, 1, 2])}), SCORES, "whole numbers from 0 to 1"),
        (npz(**FINE | {"label": np.array([0, 1, 0.5])}), SCORES, "whole numbers from 0 to 1"),
        (npz(**FINE), MULTICLASS, r"a multiclass task has predictions of 2 dimension\(s\)"),
        (npz(**FINE | {"prediction": np.ones((3, 2))}), REGRESSION, "a regression task has predictions of 1"),
        (npz(**FINE | {"prediction": np.full((3, 2), 0.5), "label": np.full(3, 2)}), MULTICLASS, "from 0 to 1"),
        (npz(**FINE), SCORES.model_copy(update={"task": None}), "does not name the task"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(content: bytes, scores: Scores, fault: str) -> None:
    with pytest.raises(DocumentError, match=fault) as raised:
        read_predictions(content, scores, "s3://bucket/predictions.npz")
    assert "s3://bucket/predictions.npz" in str(raised.value)


def test_a_compressed_file_could_be_larger_than_it_looks_and_is_refused() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, label=np.zeros(3), prediction=np.zeros(3))
    with pytest.raises(DocumentError, match="must not be compressed"):
        read_predictions(file.getvalue(), SCORES, "x.npz")


def test_a_regression_has_any_finite_numbers() -> None:
    read = read_predictions(npz(label=np.array([-5.5, 1e9, 0]), prediction=np.array([7.0, -1, 2])), REGRESSION, "x")
    assert read.labels.tolist() == [-5.5, 1e9, 0]
