from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model_code.errors import ModelError
from model_code.own_measures import own_measures

LABELS, PREDICTIONS = np.array([0, 1, 1]), np.array([0.5, 0.5, 1.0])


def measured(**functions: Any) -> Any:
    given = {name: (lambda labels, predictions, value=value: value) for name, value in functions.items()}
    return own_measures(SimpleNamespace(**given), LABELS, PREDICTIONS, taken=["roc_auc"])


def test_a_model_without_own_measures_has_none() -> None:
    assert (measured().metrics, measured().losses) == ({}, {})


def test_the_mean_of_a_loss_is_a_metric_beside_the_others() -> None:
    own = own_measures(
        SimpleNamespace(
            own_metrics=lambda labels, predictions: {"worst": np.float32(np.abs(labels - predictions).max())},
            own_losses=lambda labels, predictions: {"absolute": np.abs(labels - predictions), "off": [True, False, 0]},
        ),
        LABELS, PREDICTIONS, taken=["roc_auc"],
    )  # fmt: skip
    assert own.metrics == {"absolute": pytest.approx(1 / 3), "off": pytest.approx(1 / 3), "worst": 0.5}
    assert {name: values.tolist() for name, values in own.losses.items()} == {
        "absolute": [0.5, 0.5, 0], "off": [1, 0, 0],
    }  # fmt: skip
    assert {values.dtype for values in own.losses.values()} == {np.dtype(np.float64)}


def test_a_metric_that_is_not_defined_on_these_labels_may_be_nan() -> None:
    assert np.isnan(measured(own_metrics={"rate": float("nan")}).metrics["rate"])


@pytest.mark.parametrize(
    ("functions", "fault"),
    [
        ({"own_metrics": 0.5}, "own_metrics in model.py must return a dict by name, got float"),
        ({"own_losses": [1, 2, 3]}, "own_losses in model.py must return a dict by name, got list"),
        ({"own_metrics": {"a b": 1.0}}, "must be a letter and then up to 99 letters, digits and _ . @ -, got 'a b'"),
        ({"own_metrics": {"a" * 101: 1.0}}, "must be a letter"),
        ({"own_losses": {"1st": [1, 2, 3]}}, "got '1st'"),
        ({"own_metrics": {7: 1.0}}, "got 7"),
        ({"own_metrics": {"roc_auc": 1.0}}, "own_metrics in model.py must not return roc_auc, which is measured"),
        ({"own_losses": {"model_mib": [1, 2, 3]}}, "must not return model_mib, which is measured already"),
        ({"own_losses": {"a": [1, 2, 3]}, "own_metrics": {"a": 1}}, "own_metrics in model.py must not return a, which"),
        ({"own_metrics": {"a": "high"}}, "own_metrics in model.py must return a number for a, got 'high'"),
        ({"own_metrics": {"a": [1.0]}}, r"must return a number for a, got \[1.0\]"),
        ({"own_losses": {"a": [1.0, 2.0]}}, r"one number for each of 3 records for a, got float64 of shape \(2,\)"),
        ({"own_losses": {"a": 1.0}}, r"got float64 of shape \(\)"),
        ({"own_losses": {"a": [1.0, np.nan, 2.0]}}, "must return finite numbers for a, got nan for record 2"),
    ],
)  # fmt: skip
def test_what_the_gate_cannot_use_is_told(functions: dict[str, Any], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        measured(**functions)


def test_a_name_of_a_hundred_characters_is_taken() -> None:
    assert measured(own_metrics={"a" * 100: 1}).metrics == {"a" * 100: 1.0}
