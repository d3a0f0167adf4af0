"""Checks what a model predicts, offline and behind the endpoint alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.errors import ModelError
from model_code.task import Task

SUM_TOLERANCE = 1e-6
"""By how much the probabilities of a record may miss 1: float32, in which most models reckon, has 7 digits."""


def checked_predictions(predictions: Any, records: int, task: Task) -> NDArray[np.float64]:
    """Predictions as a contiguous array of finite numbers.

    Returns:
        Shape (records,), for a multiclass task (records, classes), whose rows sum to 1 within 1e-6.

    Raises:
        ModelError: `predict` in model.py returned anything else.
    """
    array = np.asarray(predictions)
    row = (len(task.classes or ()),) if task.name == "multiclass" else ()
    if array.shape != (records, *row) or array.dtype.kind not in "fiub":
        wanted = f"{row[0]} probabilities" if row else "one number"
        raise ModelError(
            f"predict in model.py must return {wanted} for each of {records} records (TASK is {task.name}), got "
            f"{array.dtype} of shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ModelError(f"predict in model.py must return finite numbers, got {array[~np.isfinite(array)][0]}")
    numbers = np.ascontiguousarray(array, dtype=np.float64)  # JSON, CSV and samples.json then say the same digits
    if task.name != "regression":
        _check_probabilities(numbers, task)
    return numbers


def _check_probabilities(numbers: NDArray[np.float64], task: Task) -> None:
    outside = (numbers < 0) | (numbers > 1)
    if outside.any():
        raise ModelError(
            f"predict in model.py must return probabilities from 0 to 1 (TASK is {task.name}), got "
            f"{numbers[outside][0]}: apply the sigmoid or softmax to raw scores"
        )
    if task.name == "multiclass":
        sums = numbers.sum(axis=1)
        wrong = np.abs(sums - 1) > SUM_TOLERANCE
        if wrong.any():
            raise ModelError(
                f"the probabilities that predict in model.py returns for a record must sum to 1 within "
                f"{SUM_TOLERANCE:g} (TASK is multiclass), got {sums[wrong][0]!r} for record {wrong.argmax() + 1}"
            )
