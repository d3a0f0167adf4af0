"""Checks what a model predicts, offline and behind the endpoint alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.errors import ModelError


def checked_predictions(predictions: Any, records: int) -> NDArray[np.float64]:
    """Predictions as a contiguous array of finite numbers, one for each record.

    Raises:
        ModelError: `predict` in model.py returned anything else.
    """
    array = np.asarray(predictions)
    if array.shape != (records,) or array.dtype.kind not in "fiub":
        raise ModelError(
            f"predict in model.py must return one number for each of {records} records, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if not np.isfinite(array).all():
        raise ModelError(f"predict in model.py must return finite numbers, got {array[~np.isfinite(array)][0]}")
    return np.ascontiguousarray(array, dtype=np.float64)  # JSON, CSV and samples.json then say the same digits
