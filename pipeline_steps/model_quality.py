"""An evaluation in the form of SageMaker's model quality metrics, which the model registry shows.

Source: SageMaker developer guide, "Model quality metrics and Amazon CloudWatch monitoring", whose examples have a
section for each kind of problem, and in it the names below. Metrics that have no name there keep ours.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from pipeline_steps.documents import Comparison, Curves, Estimate, Task

_SECTIONS: Mapping[Task, str] = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
_NAMES: Mapping[Task, Mapping[str, str]] = {
    "binary": {"roc_auc": "auc"},
    "multiclass": {},
    "regression": {"mean_absolute_error": "mae", "mean_squared_error": "mse", "root_mean_squared_error": "rmse"},
}
_UNKNOWN = "NaN"  # as the guide's examples write it


def model_quality(comparison: Comparison) -> dict[str, Any]:
    """The challenger's metrics, for model_quality.json; those without a finite value are left out."""
    names = _NAMES[comparison.task]
    metrics = {
        names.get(metric.name, metric.name): {
            "value": metric.challenger.value,
            "standard_deviation": _standard_deviation(metric.challenger, comparison.confidence),
        }
        for metric in comparison.metrics
        if metric.challenger.value is not None
    }
    return {_SECTIONS[comparison.task]: {**_curves(comparison.curves.challenger), **metrics}}


def _standard_deviation(estimate: Estimate, confidence: float) -> float | str:
    """That of the normal distribution which has the estimate's interval.

    The interval is the bootstrap's, and need not be symmetric: this is what a reader of one number can be told.
    """
    if estimate.low is None or estimate.high is None:
        return _UNKNOWN
    widths = 2 * NormalDist().inv_cdf((1 + confidence) / 2)
    return (estimate.high - estimate.low) / widths


def _curves(curves: Curves) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if curves.confusion is not None:
        drawn["confusion_matrix"] = {
            str(truth): {str(predicted): count for predicted, count in enumerate(row)}
            for truth, row in enumerate(curves.confusion)
        }
    if curves.roc is not None:
        drawn["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": [point[0] for point in curves.roc],
            "true_positive_rates": [point[1] for point in curves.roc],
        }
    return drawn
