"""Behaviours that a model must show whatever its metrics are: what must not matter, and what must matter which way.

The invariance and directional expectation tests of Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP
Models with CheckList", on records of the holdout.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from model_code.errors import ModelError
from model_code.task import LONGEST_NAME, Task, is_showable

if TYPE_CHECKING:
    import polars as pl

    Change = Callable[[pl.DataFrame], pl.DataFrame]

MOST_BEHAVIOURS = 100
_SHOWN_COLUMNS = 5
_LONGEST_EXAMPLE = 1000


@dataclass(frozen=True, kw_only=True)
class _Behaviour:
    """What all behaviours have.

    Attributes:
        name: a sentence for the report.
        change: makes other records out of records; it keeps their number and columns.
        tolerance: by how much a prediction may miss what is expected, in its own unit.
        allowed_share: of the records that may miss it by more.
    """

    kind: ClassVar[str]

    name: str
    change: "Change"
    tolerance: float = 0.0
    allowed_share: float = 0.0

    def __post_init__(self) -> None:
        if not is_showable(self.name):
            raise ModelError(
                f"the name of a behaviour (BEHAVIOURS in model.py) must be 1 to {LONGEST_NAME} printable characters, "
                f"got {self.name!r}"
            )
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise self.fault(f"tolerance must be 0 or more, got {self.tolerance}")
        if not 0 <= self.allowed_share <= 1:
            raise self.fault(f"allowed_share must be from 0 to 1, got {self.allowed_share}")

    def fault(self, text: str) -> ModelError:
        """An error that names the behaviour."""
        return ModelError(f"the behaviour {self.name!r} (BEHAVIOURS in model.py): {text}")


@dataclass(frozen=True, kw_only=True)
class Invariance(_Behaviour):
    """A change that must not matter: the prediction, or any class's probability, differs by the tolerance at most."""

    kind: ClassVar[str] = "invariance"

    def misses(self, before: NDArray[Any], after: NDArray[Any], task: Task) -> NDArray[Any]:
        """By how much each record misses what is expected, shape (n_records,)."""
        distances: NDArray[Any] = np.abs(after - before).reshape(len(after), -1).max(axis=1)
        return distances


@dataclass(frozen=True, kw_only=True)
class Direction(_Behaviour):
    """A change that must not lower (increase) or must not raise (decrease) the prediction by more than the tolerance.

    Attributes:
        of_class: for a multiclass task, the class whose probability is meant.
    """

    kind: ClassVar[str] = "direction"

    expect: Literal["increase", "decrease"]
    of_class: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.expect not in ("increase", "decrease"):
            raise self.fault(f"expect must be increase or decrease, got {self.expect!r}")

    def misses(self, before: NDArray[Any], after: NDArray[Any], task: Task) -> NDArray[Any]:
        """By how much each record misses what is expected, shape (n_records,); below 0 where it goes the right way."""
        gains: NDArray[Any] = after - before
        if task.name == "multiclass":
            gains = gains[:, self._place(task)]
        return -gains if self.expect == "increase" else gains

    def _place(self, task: Task) -> int:
        classes = task.classes or ()
        if self.of_class not in classes:
            raise self.fault(f"of_class must be one of {', '.join(classes)} (CLASSES), got {self.of_class!r}")
        return classes.index(self.of_class)


Behaviour = Invariance | Direction


def declared_behaviours(model: Any) -> tuple[Behaviour, ...]:
    """Read BEHAVIOURS of model.py.

    Raises:
        ModelError: it is something else than up to 100 behaviours of different names.
    """
    behaviours = tuple(getattr(model, "BEHAVIOURS", ()))
    for one in behaviours:
        if not isinstance(one, Behaviour):
            raise ModelError(f"BEHAVIOURS in model.py must hold Invariance(...) and Direction(...), got {one!r:.100}")
    names = [one.name for one in behaviours]
    if len(set(names)) < len(names) or len(names) > MOST_BEHAVIOURS:
        raise ModelError(
            f"BEHAVIOURS in model.py must have at most {MOST_BEHAVIOURS} behaviours, each of another name, got "
            f"{len(names)}: {', '.join(names):.500}"
        )
    return behaviours


def evaluate_behaviour(
    behaviour: Behaviour,
    records: "pl.DataFrame",
    predict: "Callable[[pl.DataFrame], NDArray[np.float64]]",
    task: Task,
) -> dict[str, Any]:
    """Count the records that do not show it.

    Args:
        records: the columns that the model gets, and no others.
        predict: checked predictions for records.

    Raises:
        ModelError: the change fails, or the model predicts nothing that can be used; the behaviour is named.
    """
    changed = _changed(behaviour, records)
    try:
        before, after = predict(records), predict(changed)
    except ModelError as error:
        raise behaviour.fault(str(error)) from error
    except Exception as error:
        raise behaviour.fault(f"predict failed: {type(error).__name__}: {error}") from error
    misses = behaviour.misses(before, after, task)
    worst = int(misses.argmax())
    violations = int((misses > behaviour.tolerance).sum())
    return {
        "name": behaviour.name,
        "kind": behaviour.kind,
        "records": records.height,
        "violations": violations,
        "allowed_share": behaviour.allowed_share,
        "example": _example(records, changed, before, after, worst) if violations else None,
    }


def _changed(behaviour: Behaviour, records: "pl.DataFrame") -> "pl.DataFrame":
    try:
        changed = behaviour.change(records)
    except Exception as error:
        raise behaviour.fault(f"its change failed: {type(error).__name__}: {error}") from error
    columns, height = getattr(changed, "columns", None), getattr(changed, "height", None)
    if columns != records.columns or height != records.height:
        raise behaviour.fault(
            f"its change must return {records.height} records with the columns {', '.join(records.columns)}, got "
            f"{height} with {', '.join(columns or ['none'])}"
        )
    return changed


def _example(
    records: "pl.DataFrame", changed: "pl.DataFrame", before: NDArray[Any], after: NDArray[Any], place: int
) -> str:
    """The record that misses what is expected by most, in one line."""
    old, new = records.row(place, named=True), changed.row(place, named=True)
    differing = [f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]]
    more = [f"{len(differing) - _SHOWN_COLUMNS} columns more"] if len(differing) > _SHOWN_COLUMNS else []
    change = ", ".join([*differing[:_SHOWN_COLUMNS], *more]) or "nothing changed"
    text = f"{_shown(before[place])} became {_shown(after[place])}: {change}"
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_LONGEST_EXAMPLE]


def _shown(prediction: Any) -> str:
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(prediction))
