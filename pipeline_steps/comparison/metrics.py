"""The usual metrics of a task, of weighted records: what scikit-learn gives for `sample_weight`, many times faster.

A metric is made ready for one model's predictions, and is then a function of weights, which the bootstrap calls a
thousand times. Sorting and the like is done once, in the making.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline_steps.comparison.predictions import Array, Predictions
from pipeline_steps.documents import Goal, Task

Weights = NDArray[np.uint8]
Statistic = Callable[[Weights], float]
"""Of weights, shape (records,): the metric, or NaN where it is not defined."""

CALIBRATION_BINS = 15
_LEAST_PROBABILITY = np.finfo(np.float64).eps  # as scikit-learn's log_loss clips


def statistic(name: str, of: Predictions) -> Statistic | None:
    """The metric of a name, ready for a model's predictions; None for one that is not known record by record."""
    if name in of.losses:
        return _mean(of.losses[name])
    make = _BY_TASK[of.task].get(name)
    return None if make is None else make(of.labels, of.predictions)


def known(task: Task) -> tuple[str, ...]:
    """The names of a task's usual metrics."""
    return tuple(_BY_TASK[task])


def goal(name: str) -> Goal | None:
    """Which direction of a usual metric is better; None for a metric that is not one of them."""
    if name in _SMALLER_IS_BETTER:
        return "minimize"
    return "maximize" if any(name in metrics for metrics in _BY_TASK.values()) else None


def all_once(records: int) -> Weights:
    """The weights with which a metric is that of the holdout itself."""
    return np.ones(records, dtype=np.uint8)


# --- Binary: predictions are the probability of class 1, shape (records,) ---------------------------------------------


def _roc_auc(labels: Array, predictions: Array) -> Statistic:
    """The share of pairs of a positive and a negative in which the positive has the higher prediction.

    That is the Mann-Whitney statistic, ties counted half (Hanley, McNeil 1982, "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve").
    """
    order = np.argsort(predictions, kind="stable")
    positives, negatives = order[labels[order] == 1], order[labels[order] == 0]
    below = np.searchsorted(predictions[negatives], predictions[positives], side="left")
    through = np.searchsorted(predictions[negatives], predictions[positives], side="right")

    def value(weights: Weights) -> float:
        upto = np.zeros(len(negatives) + 1, dtype=np.int64)
        np.cumsum(weights.take(negatives), dtype=np.int64, out=upto[1:])
        of_positives = weights.take(positives)
        pairs = int(of_positives.sum(dtype=np.int64)) * int(upto[-1])
        return _total(of_positives, upto.take(below) + upto.take(through)) / (2 * pairs) if pairs else np.nan

    return value


def _average_precision(labels: Array, predictions: Array) -> Statistic:
    """Precision at each threshold, weighted by the recall that it adds."""
    order = np.argsort(-predictions, kind="stable")
    is_positive = (labels[order] == 1).astype(np.uint8)
    last = np.flatnonzero(np.append(np.diff(predictions[order]) != 0, True))  # of each threshold

    def value(weights: Weights) -> float:
        in_order = weights.take(order)
        positives = np.cumsum(in_order * is_positive, dtype=np.int64)[last]
        total = np.cumsum(in_order, dtype=np.int64)[last]
        if len(last) == 0 or positives[-1] == 0:
            return np.nan
        precision = np.divide(positives, total, out=np.zeros(len(total)), where=total > 0)
        return _total(np.diff(positives, prepend=0), precision) / int(positives[-1])

    return value


def _log_loss(labels: Array, predictions: Array) -> Statistic:
    right = np.where(labels == 1, predictions, 1 - predictions)
    return _mean(-np.log(np.clip(right, _LEAST_PROBABILITY, 1)))


def _brier_score(labels: Array, predictions: Array) -> Statistic:
    return _mean((predictions - labels) ** 2)


def _calibration_error(labels: Array, predictions: Array) -> Statistic:
    """Expected calibration error: how far predictions and rates are apart, bin by bin.

    The mean over bins of equal width, weighted by their records, of |mean prediction - observed rate| (Naeini, Cooper,
    Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning").
    """
    bins, difference = calibration_bins(predictions), predictions - labels

    def value(weights: Weights) -> float:
        total = weights.sum(dtype=np.int64)
        if total == 0:
            return np.nan
        gaps = np.bincount(bins, weights=weights * difference, minlength=CALIBRATION_BINS)
        return float(np.abs(gaps).sum() / total)

    return value


def calibration_bins(predictions: Array) -> NDArray[np.int64]:
    """The number of each prediction's bin, shape (records,)."""
    bins: NDArray[np.int64] = np.minimum((predictions * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    return bins


def _accuracy(labels: Array, predictions: Array) -> Statistic:
    return _mean(((predictions >= 0.5) == (labels == 1)).astype(np.float64))


def _precision(labels: Array, predictions: Array) -> Statistic:
    found, positive = predictions >= 0.5, labels == 1
    return _ratio(found & positive, found)


def _recall(labels: Array, predictions: Array) -> Statistic:
    found, positive = predictions >= 0.5, labels == 1
    return _ratio(found & positive, positive)


def _f1(labels: Array, predictions: Array) -> Statistic:
    found, positive = predictions >= 0.5, labels == 1
    return _ratio(2.0 * (found & positive), found.astype(np.float64) + positive)


# --- Multiclass: predictions are the classes' probabilities, shape (records, classes) --------------------------------


def _multiclass_log_loss(labels: Array, predictions: Array) -> Statistic:
    right = predictions[np.arange(len(labels)), labels.astype(np.int64)]
    return _mean(-np.log(np.clip(right, _LEAST_PROBABILITY, 1)))


def _multiclass_accuracy(labels: Array, predictions: Array) -> Statistic:
    return _mean((predictions.argmax(axis=1) == labels).astype(np.float64))


def _balanced_accuracy(labels: Array, predictions: Array) -> Statistic:
    confusion = _confusion(labels, predictions)

    def value(weights: Weights) -> float:
        matrix = confusion(weights)
        of_class = matrix.sum(axis=1)
        present = of_class > 0
        return float((matrix.diagonal()[present] / of_class[present]).mean()) if present.any() else np.nan

    return value


def _f1_macro(labels: Array, predictions: Array) -> Statistic:
    confusion = _confusion(labels, predictions)

    def value(weights: Weights) -> float:
        matrix = confusion(weights)
        either = matrix.sum(axis=0) + matrix.sum(axis=1)
        present = either > 0
        return float((2 * matrix.diagonal()[present] / either[present]).mean()) if present.any() else np.nan

    return value


def _roc_auc_ovr(labels: Array, predictions: Array) -> Statistic:
    """The mean over the classes of the area for this class against the rest."""
    areas = [_roc_auc((labels == one).astype(np.float64), predictions[:, one]) for one in range(predictions.shape[1])]
    return lambda weights: float(np.mean([area(weights) for area in areas]))


def _top_class_calibration_error(labels: Array, predictions: Array) -> Statistic:
    """As for a binary task, of the likeliest class (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""
    hit = (predictions.argmax(axis=1) == labels).astype(np.float64)
    return _calibration_error(hit, predictions.max(axis=1))


def _confusion(labels: Array, predictions: Array) -> Callable[[Weights], Array]:
    classes = predictions.shape[1]
    cells = labels.astype(np.int64) * classes + predictions.argmax(axis=1)

    def matrix(weights: Weights) -> Array:
        counts: Array = np.bincount(cells, weights=weights, minlength=classes**2).astype(np.float64)
        return counts.reshape(classes, classes)

    return matrix


# --- Regression -------------------------------------------------------------------------------------------------------


def _mean_absolute_error(labels: Array, predictions: Array) -> Statistic:
    return _mean(np.abs(predictions - labels))


def _mean_squared_error(labels: Array, predictions: Array) -> Statistic:
    return _mean((predictions - labels) ** 2)


def _root_mean_squared_error(labels: Array, predictions: Array) -> Statistic:
    mean = _mean_squared_error(labels, predictions)
    return lambda weights: float(np.sqrt(mean(weights)))


def _median_absolute_error(labels: Array, predictions: Array) -> Statistic:
    errors = np.abs(predictions - labels)
    order = np.argsort(errors, kind="stable")
    errors = errors[order]

    def value(weights: Weights) -> float:
        upto = np.cumsum(weights.take(order), dtype=np.int64)
        if len(upto) == 0 or upto[-1] == 0:
            return np.nan
        lower, upper = (np.searchsorted(upto, upto[-1] / 2, side=side) for side in ("left", "right"))
        return float((errors[lower] + errors[upper]) / 2)

    return value


def _r2(labels: Array, predictions: Array) -> Statistic:
    centred = labels - (labels.mean() if len(labels) else 0)  # keeps the digits that large labels would take away
    squares, errors = centred**2, (predictions - labels) ** 2

    def value(weights: Weights) -> float:
        records = int(weights.sum(dtype=np.int64))
        spread = _total(weights, squares) - _total(weights, centred) ** 2 / records if records else 0.0
        return 1 - _total(weights, errors) / spread if spread > 0 else np.nan

    return value


# --- What they share --------------------------------------------------------------------------------------------------


def _mean(values: Array) -> Statistic:
    def value(weights: Weights) -> float:
        records = int(weights.sum(dtype=np.int64))
        return _total(weights, values) / records if records else np.nan

    return value


def _total(weights: NDArray[np.generic], values: NDArray[np.generic]) -> float:
    """The weighted sum. Not by the @ of BLAS, whose own threads would fight with those of the bootstrap."""
    return float(np.einsum("i,i->", weights, values, dtype=np.float64, casting="unsafe"))


def _ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> Statistic:
    """The sum of one value by that of another; 0 where there is nothing below, as scikit-learn has it."""
    numerator, denominator = above.astype(np.float64), below.astype(np.float64)

    def value(weights: Weights) -> float:
        whole = _total(weights, denominator)
        return _total(weights, numerator) / whole if whole else 0.0

    return value


_Make = Callable[[Array, Array], Statistic]
_BY_TASK: Mapping[Task, Mapping[str, _Make]] = {
    "binary": {
        "roc_auc": _roc_auc,
        "average_precision": _average_precision,
        "log_loss": _log_loss,
        "brier_score": _brier_score,
        "accuracy": _accuracy,
        "precision": _precision,
        "recall": _recall,
        "f1": _f1,
        "expected_calibration_error": _calibration_error,
    },
    "multiclass": {
        "accuracy": _multiclass_accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "f1_macro": _f1_macro,
        "log_loss": _multiclass_log_loss,
        "roc_auc_ovr": _roc_auc_ovr,
        "expected_calibration_error": _top_class_calibration_error,
    },
    "regression": {
        "mean_absolute_error": _mean_absolute_error,
        "root_mean_squared_error": _root_mean_squared_error,
        "mean_squared_error": _mean_squared_error,
        "median_absolute_error": _median_absolute_error,
        "r2": _r2,
    },
}
_SMALLER_IS_BETTER = frozenset(
    name for metrics in _BY_TASK.values() for name in metrics if name.endswith(("_loss", "_error", "brier_score"))
)
