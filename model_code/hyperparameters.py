"""Reads the hyperparameters of a training job, which SageMaker hands over as strings."""

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from model_code.errors import HyperparameterError

T = TypeVar("T")

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def read_hyperparameters(file: Path, declared: type[T]) -> T:
    """Read hyperparameters.json.

    Args:
        file: a flat map of strings; an absent file is an empty map.
        declared: a dataclass with the model's hyperparameters, their types and defaults.

    Raises:
        HyperparameterError: unknown ones, wrong types, values that the model refuses; all faults in one error.
    """
    texts: Mapping[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    kinds = get_type_hints(declared)
    allowed = ", ".join(f"{name} ({_KINDS[kind]})" for name, kind in kinds.items())
    faults = [f"{name} is unknown" for name in texts if name not in kinds]
    values = {}
    for name, text in texts.items():
        if name in kinds:
            try:
                values[name] = _value(str(text), kinds[name])
            except ValueError:
                faults.append(f"{name} must be {_KINDS[kinds[name]]}, got {text}")
    if faults:
        raise HyperparameterError(f"{'; '.join(faults)} (slipway.yaml, training.hyperparameters; allowed: {allowed})")
    try:
        return declared(**values)
    except ValueError as error:
        raise HyperparameterError(f"{error} (slipway.yaml, training.hyperparameters)") from error


def _value(text: str, kind: type) -> Any:
    """A value: JSON, or else the text itself."""
    value: Any = text
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(text)
    if kind is str:
        return value if isinstance(value, str) else text
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(text)
    return value
