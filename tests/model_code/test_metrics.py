"""The usual metrics, against scikit-learn's own functions or values that were worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from model_code.metrics import FIRST_AND_ITS_GOAL, expected_calibration_error, first_metric, metrics
from model_code.task import TaskName


def binary(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(seed)
    probabilities = random.random(300)
    return (random.random(300) < probabilities).astype(np.int64), probabilities


def multiclass(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1, 2, 1, 0.5], 300)
    return random.integers(0, 4, 300), probabilities


def regression(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(seed)
    return random.normal(0, 3, 300), random.normal(0, 3, 300)


# Two models each, so that no metric can be a constant.
MODELS = pytest.mark.parametrize("seed", [1, 2])


@MODELS
def test_binary_metrics_are_those_of_scikit_learn(seed: int) -> None:
    labels, probabilities = binary(seed)
    predicted = probabilities >= 0.5
    expected = {
        "roc_auc": sk.roc_auc_score(labels, probabilities),
        "average_precision": sk.average_precision_score(labels, probabilities),
        "log_loss": sk.log_loss(labels, probabilities),
        "brier_score": sk.brier_score_loss(labels, probabilities),
        "accuracy": sk.accuracy_score(labels, predicted),
        "precision": sk.precision_score(labels, predicted),
        "recall": sk.recall_score(labels, predicted),
        "f1": sk.f1_score(labels, predicted),
        "expected_calibration_error": expected_calibration_error(labels, probabilities),
    }
    measured = metrics("binary", labels, probabilities)
    assert list(measured) == list(expected)
    assert measured == pytest.approx(expected, abs=1e-12)


@MODELS
def test_multiclass_metrics_are_those_of_scikit_learn(seed: int) -> None:
    labels, probabilities = multiclass(seed)
    predicted = probabilities.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "f1_macro": sk.f1_score(labels, predicted, average="macro"),
        "log_loss": sk.log_loss(labels, probabilities),
        "roc_auc_ovr": sk.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "expected_calibration_error": expected_calibration_error(predicted == labels, probabilities.max(axis=1)),
    }
    measured = metrics("multiclass", labels, probabilities)
    assert list(measured) == list(expected)
    assert measured == pytest.approx(expected, abs=1e-12)


@MODELS
def test_regression_metrics_are_those_of_scikit_learn(seed: int) -> None:
    labels, predictions = regression(seed)
    expected = {
        "mean_absolute_error": sk.mean_absolute_error(labels, predictions),
        "root_mean_squared_error": sk.root_mean_squared_error(labels, predictions),
        "mean_squared_error": sk.mean_squared_error(labels, predictions),
        "median_absolute_error": sk.median_absolute_error(labels, predictions),
        "r2": sk.r2_score(labels, predictions),
    }
    measured = metrics("regression", labels, predictions)
    assert list(measured) == list(expected)
    assert measured == pytest.approx(expected, abs=1e-12)


def test_metrics_of_a_few_records_worked_out_by_hand() -> None:
    measured = metrics("binary", np.array([0, 1, 1, 0]), np.array([0.2, 0.4, 0.8, 0.5]))
    assert measured["roc_auc"] == 3 / 4  # of the four pairs, 0.4 and 0.5 stand the wrong way round
    assert measured["accuracy"] == 2 / 4
    assert (measured["precision"], measured["recall"], measured["f1"]) == (1 / 2, 1 / 2, 1 / 2)
    assert measured["brier_score"] == pytest.approx((0.04 + 0.36 + 0.04 + 0.25) / 4)
    assert measured["log_loss"] == pytest.approx(-sum(map(math.log, (0.8, 0.4, 0.8, 0.5))) / 4)
    measured = metrics("regression", np.array([1.0, 2.0, 6.0]), np.array([1.0, 4.0, 5.0]))
    assert (measured["mean_absolute_error"], measured["median_absolute_error"]) == (1, 1)
    assert measured["mean_squared_error"] == pytest.approx(5 / 3)
    assert measured["r2"] == pytest.approx(1 - 5 / 14)


def test_a_probability_of_one_half_is_class_1() -> None:
    labels = np.array([1, 0])
    assert metrics("binary", labels, np.array([0.5, np.nextafter(0.5, 0)]))["accuracy"] == 1


def test_of_classes_that_are_equally_probable_the_first_is_taken() -> None:
    assert metrics("multiclass", np.array([0, 2]), np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]]))["accuracy"] == 1 / 2


def test_the_calibration_error_by_hand() -> None:
    # Three bins of 15: two records at 0.1 (rate 1/2), one at 0.52 (rate 1), one at 1.0 (rate 0).
    outcomes, probabilities = np.array([0, 1, 1, 0]), np.array([0.1, 0.1, 0.52, 1.0])
    expected = 2 / 4 * abs(0.1 - 0.5) + 1 / 4 * abs(0.52 - 1) + 1 / 4 * abs(1.0 - 0)
    assert expected_calibration_error(outcomes, probabilities) == pytest.approx(expected)


def test_a_bin_begins_with_its_lower_edge_and_the_last_one_has_its_upper_edge_too() -> None:
    edge = 3 / 15
    below = np.nextafter(edge, 0)
    # In one bin, the two errors of opposite signs would cancel each other out.
    assert expected_calibration_error(np.array([1, 0]), np.array([edge, edge])) == pytest.approx(0.5 - edge)
    assert expected_calibration_error(np.array([1, 0]), np.array([below, edge])) == pytest.approx(0.5)
    assert expected_calibration_error(np.array([0, 1]), np.array([1.0, 0.95])) == pytest.approx(0.975 - 0.5)


def test_the_calibration_of_classes_is_that_of_the_most_probable_one() -> None:
    labels = np.array([0, 1])
    measured = metrics("multiclass", labels, np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]]))
    assert measured["expected_calibration_error"] == pytest.approx(1 / 2 * 0.2 + 1 / 2 * 0.6)


def test_perfect_predictions_have_no_calibration_error_and_no_loss() -> None:
    labels = np.array([0, 1, 1])
    measured = metrics("binary", labels, labels.astype(float))
    assert (measured["expected_calibration_error"], measured["brier_score"], measured["roc_auc"]) == (0, 0, 1)
    assert measured["log_loss"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("labels", "probabilities", "undefined"),
    [
        ([0, 0], [0.2, 0.7], {"roc_auc", "average_precision", "recall"}),
        ([1, 1], [0.2, 0.7], {"roc_auc"}),
        ([0, 1], [0.2, 0.3], {"precision"}),
        ([0, 0], [0.2, 0.3], {"roc_auc", "average_precision", "precision", "recall", "f1"}),
    ],
    ids=["no 1", "no 0", "no 1 predicted", "no 1 at all"],
)
def test_what_the_labels_do_not_define_is_nan_without_a_warning(
    labels: list[int], probabilities: list[float], undefined: set[str]
) -> None:
    measured = metrics("binary", np.array(labels), np.array(probabilities))
    assert {name for name, value in measured.items() if math.isnan(value)} == undefined


def test_classes_that_no_label_has_leave_the_ovr_area_undefined_alone() -> None:
    labels, probabilities = multiclass(1)
    labels = np.minimum(labels, 2)  # nobody is of the fourth class, but some are predicted to be
    measured = metrics("multiclass", labels, probabilities)
    assert {name for name, value in measured.items() if math.isnan(value)} == {"roc_auc_ovr"}
    per_class = [(probabilities.argmax(axis=1)[labels == one] == one).mean() for one in range(3)]
    assert measured["balanced_accuracy"] == pytest.approx(np.mean(per_class))


@pytest.mark.parametrize("labels", [[2.0, 2.0], [2.0]], ids=["all alike", "one record"])
def test_labels_that_do_not_vary_leave_r2_undefined(labels: list[float]) -> None:
    measured = metrics("regression", np.array(labels), np.array(labels) + 1)
    assert {name for name, value in measured.items() if math.isnan(value)} == {"r2"}


def test_rows_that_miss_1_by_a_rounding_give_no_warning() -> None:
    labels, probabilities = multiclass(1)
    rounded = probabilities.astype(np.float32).astype(np.float64) * (1 + 0.9e-6)
    assert metrics("multiclass", labels, rounded)["log_loss"] == pytest.approx(sk.log_loss(labels, probabilities))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_first_metric_is_the_first_of_all_and_better_in_its_direction_without_errors(task: TaskName) -> None:
    labels, predictions = {"binary": binary, "multiclass": multiclass, "regression": regression}[task](1)
    name, goal = FIRST_AND_ITS_GOAL[task]
    assert next(iter(metrics(task, labels, predictions).items())) == (name, first_metric(task, labels, predictions))
    right = np.eye(4)[labels] if task == "multiclass" else labels.astype(float)
    assert goal * first_metric(task, labels, right) > goal * first_metric(task, labels, predictions)
