import math

import numpy as np
import pytest

from model_code.classification_metrics import brier_score, log_loss, roc_auc


@pytest.mark.parametrize(
    ("labels", "predictions", "area"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 1.0),
        ([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1], 0.0),
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5),
        ([0, 1, 1], [0.3, 0.3, 0.7], 0.75),
    ],
    ids=["perfect", "upside down", "one pair of four wrong", "all tied", "one of two tied"],
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(
    labels: list[int], predictions: list[float], area: float
) -> None:
    assert roc_auc(np.array(labels, dtype=np.int8), np.array(predictions)) == area


def test_the_area_agrees_with_counting_all_pairs() -> None:
    random = np.random.default_rng(1)
    labels, predictions = random.integers(0, 2, 300), random.integers(0, 20, 300) / 20
    pairs = [(p > n) + (p == n) / 2 for p in predictions[labels == 1] for n in predictions[labels == 0]]
    assert roc_auc(labels, predictions) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_the_area_of_a_single_class_is_no_number() -> None:
    assert math.isnan(roc_auc(np.array([1, 1]), np.array([0.2, 0.3])))


def test_log_loss_is_the_mean_surprise() -> None:
    assert log_loss(np.array([1, 0]), np.array([0.8, 0.5])) == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    assert log_loss(np.array([1, 0]), np.array([0.5, 0.5])) == pytest.approx(math.log(2))


def test_log_loss_stays_finite_when_a_certain_prediction_is_wrong() -> None:
    assert 30 < log_loss(np.array([1, 0]), np.array([0.0, 1.0], dtype=np.float32)) < 40


def test_the_brier_score_is_the_mean_squared_difference() -> None:
    assert brier_score(np.array([1, 0]), np.array([0.8, 0.5])) == pytest.approx((0.04 + 0.25) / 2)
