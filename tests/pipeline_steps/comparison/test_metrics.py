"""The metrics are scikit-learn's, of weighted records as well."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from pipeline_steps.comparison.metrics import all_once, goal, known, statistic
from pipeline_steps.comparison.predictions import Predictions
from pipeline_steps.documents import Task

Reference = Callable[..., float]
RECORDS = 500


def _binary(predictions: NDArray[Any]) -> NDArray[Any]:
    return predictions >= 0.5


def _top(predictions: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(predictions.argmax(axis=1))


def _ovr(labels: NDArray[Any], predictions: NDArray[Any], sample_weight: NDArray[Any]) -> float:
    areas = [
        sklearn.roc_auc_score(labels == one, predictions[:, one], sample_weight=sample_weight)
        for one in range(predictions.shape[1])
    ]
    return float(np.mean(areas))


REFERENCES: Mapping[Task, Mapping[str, Reference]] = {
    "binary": {
        "roc_auc": lambda y, p, **w: sklearn.roc_auc_score(y, p, **w),
        "average_precision": lambda y, p, **w: sklearn.average_precision_score(y, p, **w),
        "log_loss": lambda y, p, **w: sklearn.log_loss(y, p, **w),
        "brier_score": lambda y, p, **w: sklearn.brier_score_loss(y, p, **w),
        "accuracy": lambda y, p, **w: sklearn.accuracy_score(y, _binary(p), **w),
        "precision": lambda y, p, **w: sklearn.precision_score(y, _binary(p), **w),
        "recall": lambda y, p, **w: sklearn.recall_score(y, _binary(p), **w),
        "f1": lambda y, p, **w: sklearn.f1_score(y, _binary(p), **w),
    },
    "multiclass": {
        "accuracy": lambda y, p, **w: sklearn.accuracy_score(y, _top(p), **w),
        "balanced_accuracy": lambda y, p, **w: sklearn.balanced_accuracy_score(y, _top(p), **w),
        "f1_macro": lambda y, p, **w: sklearn.f1_score(y, _top(p), average="macro", **w),
        "log_loss": lambda y, p, **w: sklearn.log_loss(y, p, labels=[0, 1, 2], **w),
        "roc_auc_ovr": _ovr,
    },
    "regression": {
        "mean_absolute_error": lambda y, p, **w: sklearn.mean_absolute_error(y, p, **w),
        "root_mean_squared_error": lambda y, p, **w: sklearn.root_mean_squared_error(y, p, **w),
        "mean_squared_error": lambda y, p, **w: sklearn.mean_squared_error(y, p, **w),
        "r2": lambda y, p, **w: sklearn.r2_score(y, p, **w),
    },
}


def _predictions(task: Task, random: np.random.Generator) -> Predictions:
    if task == "regression":
        labels = random.normal(1e6, 3, RECORDS)
        return Predictions(task, labels, labels + random.normal(0.3, 1, RECORDS))
    if task == "multiclass":
        labels = random.integers(0, 3, RECORDS).astype(float)
        raw = random.random((RECORDS, 3)) + np.eye(3)[labels.astype(int)]
        return Predictions(task, labels, raw / raw.sum(axis=1, keepdims=True))
    labels = random.integers(0, 2, RECORDS).astype(float)
    return Predictions(task, labels, np.round(np.clip(labels * 0.2 + random.random(RECORDS) * 0.8, 0, 1), 2))  # ties


CASES = [(task, name) for task, references in REFERENCES.items() for name in references]


@pytest.mark.parametrize(("task", "name"), CASES, ids=[f"{task} {name}" for task, name in CASES])
def test_a_metric_is_that_of_scikit_learn_with_and_without_weights(task: Task, name: str) -> None:
    random = np.random.default_rng(5)
    of, weights = _predictions(task, random), random.integers(0, 4, RECORDS).astype(np.uint8)
    one, reference = statistic(name, of), REFERENCES[task][name]
    assert one is not None

    assert one(all_once(RECORDS)) == pytest.approx(reference(of.labels, of.predictions, sample_weight=None), rel=1e-9)
    assert one(weights) == pytest.approx(reference(of.labels, of.predictions, sample_weight=weights), rel=1e-9)


def test_every_usual_metric_has_a_reference_or_an_example_by_hand() -> None:
    by_hand = {"expected_calibration_error", "median_absolute_error"}
    for task, references in REFERENCES.items():
        assert set(known(task)) - by_hand == set(references)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param([1, 1, 1, 1], 2.5, id="an even number: the middle of the two middle ones"),
        pytest.param([1, 1, 1, 0], 2.0, id="an odd number"),
        pytest.param([0, 0, 0, 2], 9.0, id="one record, twice"),
        pytest.param([3, 1, 1, 1], 1.5, id="half of the weight ends at a record"),
    ],
)
def test_the_median_error_counts_a_record_as_often_as_its_weight(weights: list[int], expected: float) -> None:
    one = statistic(
        "median_absolute_error", Predictions("regression", np.zeros(4), np.array([3.0, -1.0, 2.0, 9.0])[[1, 2, 0, 3]])
    )
    assert one is not None
    assert one(np.array(weights, dtype=np.uint8)) == expected


def test_the_calibration_error_by_hand() -> None:
    # Bins of 1/15: 0.02 and 0.04 in the first (mean 0.03, one of two late: 0.47 apart); 0.9 alone (0.1 apart).
    of = Predictions("binary", np.array([0.0, 1.0, 1.0]), np.array([0.02, 0.04, 0.9]))
    one = statistic("expected_calibration_error", of)
    assert one is not None
    assert one(all_once(3)) == pytest.approx(2 / 3 * 0.47 + 1 / 3 * 0.1)
    assert one(np.array([1, 0, 3], dtype=np.uint8)) == pytest.approx(1 / 4 * 0.02 + 3 / 4 * 0.1)


def test_the_calibration_error_of_classes_is_that_of_the_likeliest() -> None:
    of = Predictions("multiclass", np.array([0.0, 2.0]), np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]]))
    one = statistic("expected_calibration_error", of)
    assert one is not None
    assert one(all_once(2)) == pytest.approx(1 / 2 * 0.2 + 1 / 2 * 0.7)


def test_a_prediction_of_one_lies_in_the_last_bin() -> None:
    one = statistic("expected_calibration_error", Predictions("binary", np.ones(2), np.array([1.0, 0.95])))
    assert one is not None
    assert one(all_once(2)) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("task", "name", "labels"),
    [
        ("binary", "roc_auc", [0.0, 0.0]),
        ("binary", "average_precision", [0.0, 0.0]),
        ("regression", "r2", [2.0, 2.0]),
    ],
)
def test_a_metric_that_is_not_defined_is_nan(task: Task, name: str, labels: list[float]) -> None:
    one = statistic(name, Predictions(task, np.array(labels), np.array([0.1, 0.2])))
    assert one is not None
    assert np.isnan(one(all_once(2)))


def test_no_record_at_all_is_nan_not_an_error() -> None:
    none = np.zeros(2, dtype=np.uint8)
    for task in REFERENCES:
        shape = (2, 3) if task == "multiclass" else (2,)
        for name in known(task):
            one = statistic(name, Predictions(task, np.array([0.0, 1.0]), np.full(shape, 0.4)))
            assert one is not None
            assert not one(none) > 0


def test_a_certain_and_wrong_prediction_has_a_finite_log_loss() -> None:
    one = statistic("log_loss", Predictions("binary", np.array([1.0]), np.array([0.0])))
    assert one is not None
    assert one(all_once(1)) == pytest.approx(-np.log(np.finfo(float).eps))


def test_the_teams_own_loss_is_the_mean_of_its_values() -> None:
    of = Predictions("binary", np.zeros(3), np.zeros(3), losses={"cost": np.array([1.0, 2.0, 6.0])})
    one = statistic("cost", of)
    assert one is not None
    assert one(np.array([1, 1, 2], dtype=np.uint8)) == 3.75


def test_what_is_not_known_record_by_record_is_no_statistic() -> None:
    assert statistic("model_mib", Predictions("binary", np.zeros(1), np.zeros(1))) is None
    assert statistic("r2", Predictions("binary", np.zeros(1), np.zeros(1))) is None


def test_each_metric_knows_its_better_direction() -> None:
    expected = {
        "roc_auc": "maximize", "log_loss": "minimize", "brier_score": "minimize", "r2": "maximize",
        "mean_squared_error": "minimize", "cost": None,
    }  # fmt: skip
    assert {name: goal(name) for name in expected} == expected
