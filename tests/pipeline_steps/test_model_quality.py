"""The registry's own form of the metrics, held to the examples of SageMaker's developer guide."""

import json

import pytest

from pipeline_steps.documents import Comparison, Curves, CurvesOfBoth, Estimate, MetricComparison, Task
from pipeline_steps.model_quality import model_quality


def comparison(task: Task, curves: Curves | None = None, **metrics: Estimate) -> Comparison:
    return Comparison(
        task=task,
        records=1400,
        confidence=0.95,
        resamples=1000,
        seed=1,
        metrics=tuple(
            MetricComparison(name=name, goal=None, challenger=estimate) for name, estimate in metrics.items()
        ),
        curves=CurvesOfBoth(challenger=curves or Curves()),
    )


def test_a_binary_evaluation_has_the_guides_names_matrix_and_curve() -> None:
    curves = Curves(confusion=((1, 2), (0, 1)), roc=((0.0, 0.0), (0.5, 1.0), (1.0, 1.0)))

    made = model_quality(
        comparison(
            "binary", curves, roc_auc=Estimate(value=0.65), recall=Estimate(value=1.0), log_loss=Estimate(value=0.5)
        )
    )

    unknown = {"standard_deviation": "NaN"}
    assert made == {
        "binary_classification_metrics": {
            "confusion_matrix": {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}},
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": [0.0, 0.5, 1.0],
                "true_positive_rates": [0.0, 1.0, 1.0],
            },
            "auc": {"value": 0.65, **unknown},
            "recall": {"value": 1.0, **unknown},
            "log_loss": {"value": 0.5, **unknown},
        }
    }


def test_a_regression_has_the_guides_short_names() -> None:
    names = ("mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "r2", "median_absolute_error")

    made = model_quality(comparison("regression", **dict.fromkeys(names, Estimate(value=1.5))))

    assert list(made) == ["regression_metrics"]
    assert list(made["regression_metrics"]) == ["mae", "mse", "rmse", "r2", "median_absolute_error"]


def test_a_multiclass_evaluation_has_its_own_section() -> None:
    made = model_quality(comparison("multiclass", accuracy=Estimate(value=0.6)))

    assert made == {"multiclass_classification_metrics": {"accuracy": {"value": 0.6, "standard_deviation": "NaN"}}}


def test_the_standard_deviation_is_that_of_the_interval() -> None:
    made = model_quality(comparison("binary", roc_auc=Estimate(value=0.65, low=0.63, high=0.67)))

    deviation = made["binary_classification_metrics"]["auc"]["standard_deviation"]
    assert deviation == pytest.approx(0.04 / (2 * 1.959964), rel=1e-6)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_metric_without_a_finite_value_is_left_out_and_the_file_is_strict_json(value: float | None) -> None:
    made = model_quality(comparison("binary", roc_auc=Estimate(value=value), f1=Estimate(value=0.4)))

    assert list(made["binary_classification_metrics"]) == ["f1"]
    json.dumps(made, allow_nan=False)
