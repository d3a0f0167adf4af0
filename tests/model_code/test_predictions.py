from typing import Any

import numpy as np
import pytest

from model_code.errors import ModelError
from model_code.predictions import checked_predictions
from model_code.task import Task

BINARY, REGRESSION = Task("binary"), Task("regression")
MULTICLASS = Task("multiclass", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("task", "predictions"),
    [
        (BINARY, [0.0, 1.0]),
        (BINARY, [True, False]),
        (REGRESSION, [-1e308, 7]),
        (MULTICLASS, [[1, 0, 0], [0.25, 0.25, 0.5]]),
        (MULTICLASS, np.array([[0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3]], dtype=np.float32)),
        (MULTICLASS, [[0.5, 0.5, 0.9e-6], [0.5, 0.5 - 0.9e-6, 0]]),
    ],
    ids=["the ends", "truth values", "any number", "classes", "float32", "sums at the edge"],
)
def test_what_the_task_demands_passes_as_float64(task: Task, predictions: Any) -> None:
    checked = checked_predictions(predictions, 2, task)
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, np.asarray(predictions, dtype=np.float64))


@pytest.mark.parametrize(
    ("task", "predictions", "fault"),
    [
        (
            BINARY,
            [0.5],
            r"return one number for each of 2 records \(TASK is binary\), got float64 of shape \(1,\)",
        ),
        (BINARY, [[0.5, 0.5], [0.5, 0.5]], r"got float64 of shape \(2, 2\)"),
        (BINARY, ["0.5", "0.5"], "got <U3 of shape"),
        (BINARY, [0.5, None], "got object of shape"),
        (BINARY, [0.5, 0.5j], "got complex128 of shape"),
        (REGRESSION, [[1.0], [2.0]], r"got float64 of shape \(2, 1\)"),
        (REGRESSION, [1.0, np.inf], "must return finite numbers, got inf"),
        (
            MULTICLASS,
            [[0.5, 0.5], [0.5, 0.5]],
            "must return 3 probabilities for each of 2 records .TASK is multiclass.",
        ),
        (MULTICLASS, [0, 1], r"got int64 of shape \(2,\)"),
        (MULTICLASS, [[1, 0, 0], [np.nan, 0, 1]], "must return finite numbers, got nan"),
        (
            BINARY,
            [0.5, np.nextafter(1, 2)],
            r"probabilities from 0 to 1 \(TASK is binary\), got 1.0000000000000002: apply",
        ),
        (BINARY, [-1e-9, 0.5], "got -1e-09: apply the sigmoid or softmax to raw scores"),
        (MULTICLASS, [[1, 0, 0], [1.5, -0.5, 0]], "probabilities from 0 to 1 .TASK is multiclass., got 1.5"),
        (MULTICLASS, [[1, 0, 0], [0.5, 0.5, 1.1e-6]], r"must sum to 1 within 1e-06 .* got .*1.0000011.* for record 2"),
        (MULTICLASS, [[0.5, 0.5 - 1.1e-6, 0], [1, 0, 0]], "got .*0.9999989.* for record 1"),
        (MULTICLASS, [[0.2, 0.3, 0.1], [1, 0, 0]], "must sum to 1"),
    ],
)
def test_what_it_does_not_is_told(task: Task, predictions: Any, fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        checked_predictions(predictions, 2, task)
