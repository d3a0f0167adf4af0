"""The usual metrics of each task; slipway.yaml sets limits to these names.

A metric that the labels at hand do not define (such as the area under a curve of one class alone) is NaN.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    median_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)

from model_code.task import TaskName

CALIBRATION_BINS = 15
FIRST_AND_ITS_GOAL: dict[TaskName, tuple[str, int]] = {
    "binary": ("roc_auc", 1),
    "multiclass": ("accuracy", 1),
    "regression": ("mean_absolute_error", -1),
}
"""The first metric of each task, and 1 where more of it is better, else -1."""

Array = NDArray[Any]


def metrics(task: TaskName, labels: Array, predictions: Array) -> dict[str, float]:
    """How good predictions are.

    Args:
        labels: shape (n_records,); classes are whole numbers from 0 on.
        predictions: shape (n_records,), for a multiclass task (n_records, n_classes).
    """
    return {name: float(value) for name, value in _OF[task](labels, predictions).items()}


def first_metric(task: TaskName, labels: Array, predictions: Array) -> float:
    """The first of `metrics` alone: much faster than all."""
    return float(_FIRST[task](labels, predictions))


def expected_calibration_error(outcomes: Array, probabilities: Array) -> float:
    """By how much probabilities miss the rates that they promise, in the mean over all records.

    15 bins of equal width, each from its lower edge on, the last one with its upper edge (Naeini, Cooper, Hauskrecht
    2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; Guo et al. 2017, "On Calibration of Modern
    Neural Networks").

    Args:
        outcomes: shape (n_records,); 1 where it came true, else 0.
        probabilities: shape (n_records,), from 0 to 1.
    """
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=probabilities) - np.bincount(bins, weights=outcomes)
    return float(np.abs(gaps).sum() / len(outcomes))


def _binary(labels: Array, predictions: Array) -> dict[str, float]:
    predicted = (predictions >= 0.5).astype(np.int64)
    return {
        "roc_auc": _roc_auc(labels, predictions),
        "average_precision": average_precision_score(labels, predictions) if labels.any() else math.nan,
        "log_loss": log_loss(labels, predictions, labels=[0, 1]),
        "brier_score": brier_score_loss(labels, predictions, pos_label=1),
        "accuracy": accuracy_score(labels, predicted),
        "precision": precision_score(labels, predicted, zero_division=math.nan),
        "recall": recall_score(labels, predicted, zero_division=math.nan),
        "f1": f1_score(labels, predicted, zero_division=math.nan),
        "expected_calibration_error": expected_calibration_error(labels, predictions),
    }


def _multiclass(labels: Array, predictions: Array) -> dict[str, float]:
    classes = range(predictions.shape[1])
    predicted = predictions.argmax(axis=1)
    return {
        "accuracy": accuracy_score(labels, predicted),
        # scikit-learn's balanced_accuracy_score, without its warning of classes that no label has
        "balanced_accuracy": recall_score(labels, predicted, labels=np.unique(labels), average="macro"),
        "f1_macro": f1_score(labels, predicted, average="macro"),
        # Where rows miss 1 by a rounding of float32, scikit-learn warns.
        "log_loss": log_loss(labels, predictions / predictions.sum(axis=1, keepdims=True), labels=list(classes)),
        "roc_auc_ovr": np.mean([_roc_auc(labels == one, predictions[:, one]) for one in classes]),
        "expected_calibration_error": expected_calibration_error(predicted == labels, predictions.max(axis=1)),
    }


def _regression(labels: Array, predictions: Array) -> dict[str, float]:
    varies = len(np.unique(labels)) > 1
    return {
        "mean_absolute_error": mean_absolute_error(labels, predictions),
        "root_mean_squared_error": root_mean_squared_error(labels, predictions),
        "mean_squared_error": mean_squared_error(labels, predictions),
        "median_absolute_error": median_absolute_error(labels, predictions),
        "r2": r2_score(labels, predictions) if varies else math.nan,
    }


def _roc_auc(labels: Array, predictions: Array) -> float:
    return float(roc_auc_score(labels, predictions)) if labels.any() and not labels.all() else math.nan


_OF: dict[TaskName, Callable[[Array, Array], dict[str, float]]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}
_FIRST: dict[TaskName, Callable[[Array, Array], float]] = {
    "binary": _roc_auc,
    "multiclass": lambda labels, predictions: accuracy_score(labels, predictions.argmax(axis=1)),
    "regression": mean_absolute_error,
}
