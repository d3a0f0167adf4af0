"""What kind of answer a model gives: TASK and CLASSES of model.py, and labels that fit them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from model_code.errors import DataError, ModelError

if TYPE_CHECKING:
    import polars as pl

TaskName = Literal["binary", "multiclass", "regression"]

LONGEST_NAME = 100
MOST_CLASSES = 1000

_NUMBER_OF_CLASSES = {"binary": range(2, 3), "multiclass": range(2, MOST_CLASSES + 1)}
_LABELS = {"binary": "0 and 1", "regression": "finite numbers"}


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes:
        name: binary (the probability of 1), multiclass (a probability for each class) or regression (a number).
        classes: their names, in the order of the labels 0, 1, ...; None where they have none.
    """

    name: TaskName
    classes: tuple[str, ...] | None = None

    @property
    def labels(self) -> str:
        """In words, what a label may be."""
        return _LABELS.get(self.name) or f"whole numbers from 0 to {len(self.classes or ()) - 1}"


def declared_task(model: Any) -> Task:
    """Read TASK and CLASSES of model.py.

    Raises:
        ModelError: it has no such task, or the classes do not fit it.
    """
    name: Any = getattr(model, "TASK", None)
    if name not in get_args(TaskName):
        raise ModelError(f"TASK in model.py must be {', '.join(get_args(TaskName))}, got {name!r}")
    classes = getattr(model, "CLASSES", None)
    if name == "regression":
        if classes is not None:
            raise ModelError(f"CLASSES in model.py must not be there when TASK is regression, got {classes!r}")
        return Task(name)
    if name == "binary" and classes is None:
        return Task(name)
    return Task(name, _checked_classes(name, classes))


def checked_labels(labels: "pl.Series", task: Task) -> NDArray[Any]:
    """Labels as an array: int64 for classes, float64 for a regression.

    Raises:
        DataError: one that the task cannot have.
    """
    numbers = labels.to_numpy().astype(np.float64)
    if task.name == "regression":
        allowed = np.isfinite(numbers)
    else:
        count = len(task.classes or ("0", "1"))
        allowed = np.isin(numbers, np.arange(count))
    if not allowed.all():
        wrong = numbers[~allowed]
        raise DataError(
            f"{labels.name}, the LABEL of model.py, must be {task.labels} (TASK is {task.name}), but {wrong.size:,} of "
            f"{numbers.size:,} records have another, the first {wrong[0]:g}: change read_records or TASK in model.py"
        )
    return numbers if task.name == "regression" else numbers.astype(np.int64)


def is_showable(name: object) -> bool:
    """Whether it is a text that a report can show in one line."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_NAME


def _checked_classes(task: str, classes: Any) -> tuple[str, ...]:
    """Class names that can be shown, as many as the task needs."""
    fits = isinstance(classes, tuple | list) and len(classes) in _NUMBER_OF_CLASSES[task]
    if not fits or not all(is_showable(name) for name in classes) or len(set(classes)) < len(classes):
        allowed = "two names" if task == "binary" else f"2 to {MOST_CLASSES:,} names"
        raise ModelError(
            f"CLASSES in model.py must be {allowed} when TASK is {task}, each another one, of at most {LONGEST_NAME} "
            f"printable characters, in the order of the labels 0, 1, ..., got {classes!r}"
        )
    return tuple(classes)
