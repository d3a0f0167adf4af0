"""What own_metrics and own_losses of model.py measure beside the usual metrics, checked."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code import serving_check
from model_code.errors import ModelError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]{0,99}")  # what slipway.yaml takes as the name of a metric

_OF_EVALUATE = ("model_mib", "prediction_p50_ms", "prediction_p99_ms", *serving_check.METRICS)


@dataclass(frozen=True)
class OwnMeasures:
    """The team's own numbers.

    Attributes:
        metrics: by name; the means of the losses are among them.
        losses: a value for each record by name, each of shape (n_records,).
    """

    metrics: dict[str, float]
    losses: dict[str, NDArray[np.float64]]


def own_measures(model: Any, labels: NDArray[Any], predictions: NDArray[Any], taken: Collection[str]) -> OwnMeasures:
    """Ask model.py, which may have neither of the two functions.

    Args:
        taken: names that the usual metrics have.

    Raises:
        ModelError: what they return is nothing that the gate can use.
    """
    taken = {*taken, *_OF_EVALUATE}
    losses = {
        name: _checked_loss(name, values, len(labels))
        for name, values in _returned(model, "own_losses", labels, predictions, taken).items()
    }
    metrics = {name: float(values.mean()) for name, values in losses.items()}
    for name, value in _returned(model, "own_metrics", labels, predictions, taken | losses.keys()).items():
        metrics[name] = _checked_metric(name, value)
    return OwnMeasures(metrics, losses)


def _returned(
    model: Any, function: str, labels: NDArray[Any], predictions: NDArray[Any], taken: Collection[str]
) -> Mapping[str, Any]:
    """What a function of model.py returns, by names that can be used; nothing when there is no such function."""
    measure = getattr(model, function, None)
    if measure is None:
        return {}
    measured = measure(labels, predictions)
    if not isinstance(measured, Mapping):
        raise ModelError(f"{function} in model.py must return a dict by name, got {type(measured).__name__}")
    for name in measured:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ModelError(
                f"a name that {function} in model.py returns must be a letter and then up to 99 letters, digits and "
                f"_ . @ -, got {name!r}"
            )
        if name in taken:
            raise ModelError(f"{function} in model.py must not return {name}, which is measured already: rename it")
    return measured


def _checked_metric(name: str, value: Any) -> float:
    number = np.asarray(value)
    if number.shape != () or number.dtype.kind not in "fiub":
        raise ModelError(f"own_metrics in model.py must return a number for {name}, got {value!r:.100}")
    return float(number)


def _checked_loss(name: str, values: Any, records: int) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.shape != (records,) or array.dtype.kind not in "fiub":
        raise ModelError(
            f"own_losses in model.py must return one number for each of {records} records for {name}, got "
            f"{array.dtype} of shape {array.shape}"
        )
    if not np.isfinite(array).all():
        place = int((~np.isfinite(array)).argmax())
        raise ModelError(
            f"own_losses in model.py must return finite numbers for {name}, got {array[place]} for record {place + 1}"
        )
    return np.ascontiguousarray(array, dtype=np.float64)
