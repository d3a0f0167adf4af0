"""How a model errs, as a report draws it."""

import numpy as np

from pipeline_steps.comparison.metrics import CALIBRATION_BINS, calibration_bins
from pipeline_steps.comparison.predictions import Array, Predictions
from pipeline_steps.documents import Curves, Point

_ROC_POINTS = 101
_RESIDUAL_BINS = 40
_MOST_CLASSES_SHOWN = 50


def curves(of: Predictions) -> Curves:
    """The curves that fit the task."""
    if of.task == "regression":
        return Curves(residuals=_residuals(of.predictions - of.labels))
    if of.task == "multiclass":
        hit = (of.predictions.argmax(axis=1) == of.labels).astype(np.float64)
        return Curves(
            calibration=_calibration(hit, of.predictions.max(axis=1)),
            confusion=_confusion(of.labels, of.predictions.argmax(axis=1), of.predictions.shape[1]),
        )
    return Curves(
        roc=_roc(of.labels, of.predictions),
        calibration=_calibration(of.labels, of.predictions),
        confusion=_confusion(of.labels, (of.predictions >= 0.5).astype(np.float64), 2),
    )


def _roc(labels: Array, predictions: Array) -> tuple[Point, ...] | None:
    """True against false positive rate at evenly spaced false positive rates; None without both classes."""
    order = np.argsort(-predictions, kind="stable")
    last = np.flatnonzero(np.append(np.diff(predictions[order]) != 0, True))
    true, false = (np.cumsum(labels[order] == one)[last] for one in (1, 0))
    if len(labels) == 0 or true[-1] == 0 or false[-1] == 0:
        return None
    rates = np.linspace(0, 1, _ROC_POINTS)
    heights = np.interp(rates, np.append(0, false / false[-1]), np.append(0, true / true[-1]))
    return tuple((float(x), float(y)) for x, y in zip(rates, heights, strict=True))


def _calibration(observed: Array, predictions: Array) -> tuple[tuple[float, float, int], ...]:
    bins = calibration_bins(predictions)
    records = np.bincount(bins, minlength=CALIBRATION_BINS)
    means, rates = (np.bincount(bins, weights=one, minlength=CALIBRATION_BINS) for one in (predictions, observed))
    return tuple(
        (float(means[one] / records[one]), float(rates[one] / records[one]), int(records[one]))
        for one in np.flatnonzero(records)
    )


def _confusion(labels: Array, predicted: Array, classes: int) -> tuple[tuple[int, ...], ...] | None:
    if classes > _MOST_CLASSES_SHOWN:
        return None
    cells = labels.astype(np.int64) * classes + predicted.astype(np.int64)
    matrix = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in matrix)


def _residuals(residuals: Array) -> tuple[tuple[float, float, int], ...] | None:
    """A histogram of the middle 98 %; what lies outside counts into the outermost bins."""
    if len(residuals) == 0:
        return None
    low, high = np.quantile(residuals, [0.01, 0.99])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(residuals, low, high), bins=_RESIDUAL_BINS, range=(low, high))
    return tuple((float(edges[one]), float(edges[one + 1]), int(counts[one])) for one in range(_RESIDUAL_BINS))
