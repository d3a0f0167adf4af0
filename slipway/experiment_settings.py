"""The hyperparameters of an experiment: those of slipway.yaml with what --set changes, checked before anything runs."""

import ast
import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from settings import Settings
from slipway.errors import UserError

MODEL_FILE = Path("model_code/model.py")

_CLASS = "Hyperparameters"
_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "bool": ("true or false", (bool,)),
    "str": ("text", (str,)),
}

Value = str | float | bool


def with_changes(settings: Settings, changes: Mapping[str, Value]) -> Settings:
    """The settings with some hyperparameters changed or added."""
    hyperparameters = {**settings.training.hyperparameters, **changes}
    training = settings.training.model_copy(update={"hyperparameters": hyperparameters})
    return settings.model_copy(update={"training": training})


def read_changes(given: Iterable[str], root: Path) -> dict[str, Value]:
    """Read `name=value` of --set.

    Args:
        given: a value is JSON, and if it is none, the text itself: as in the container.
        root: the project's folder; its model's code says which hyperparameters there are. Where it does not say so
            plainly, the container is the one to refuse them.

    Raises:
        UserError: all faults in one error.
    """
    declared = declared_hyperparameters(root / MODEL_FILE)
    changes: dict[str, Value] = {}
    faults = []
    for one in given:
        name, equals, text = one.partition("=")
        value = _value(text, declared.get(name))
        if not equals or not name:
            faults.append(f"{one!r} must be NAME=VALUE")
        elif name in changes:
            faults.append(f"{name} is given twice")
        elif declared and name not in declared:
            faults.append(f"{name} is unknown{_meant(name, declared)}")
        elif not _fits(value, declared.get(name)):
            faults.append(f"{name} must be {_described(declared.get(name))}, got {text or 'nothing'}")
        else:
            changes[name] = value
    if faults:
        allowed = ", ".join(f"{name} ({_described(kind)})" for name, kind in declared.items())
        known = f" (allowed: {allowed}; {_CLASS} in {MODEL_FILE})" if allowed else ""
        raise UserError(f"--set: {'; '.join(faults)}{known}", "slipway experiment --set NAME=VALUE")
    return changes


def declared_hyperparameters(file: Path) -> dict[str, str]:
    """Names and types of the class Hyperparameters, as they stand in the text of model.py, which is not run.

    Empty when the text does not hold such a class.
    """
    try:
        module = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return {}
    found = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == _CLASS)
    fields = [node for declared in found for node in declared.body if isinstance(node, ast.AnnAssign)]
    return {field.target.id: ast.unparse(field.annotation) for field in fields if isinstance(field.target, ast.Name)}


def _value(text: str, kind: str | None) -> Any:
    if kind == "str":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fits(value: Any, kind: str | None) -> bool:
    if kind is None or kind not in _KINDS:
        return isinstance(value, str | float | int)
    return isinstance(value, _KINDS[kind][1]) and (kind == "bool" or not isinstance(value, bool))


def _described(kind: str | None) -> str:
    if kind is None:
        return "text, a number, true or false"
    return _KINDS[kind][0] if kind in _KINDS else kind


def _meant(name: str, declared: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, declared, n=1)
    return f", did you mean {nearest[0]}?" if nearest else ""
