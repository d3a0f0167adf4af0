from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from model_code.errors import DataError, ModelError
from model_code.task import Task, checked_labels, declared_task

MULTICLASS = Task("multiclass", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("declared", "task"),
    [
        ({"TASK": "binary"}, Task("binary")),
        ({"TASK": "binary", "CLASSES": ("on time", "late")}, Task("binary", ("on time", "late"))),
        ({"TASK": "multiclass", "CLASSES": ["a", "b", "c"]}, MULTICLASS),
        ({"TASK": "multiclass", "CLASSES": ("a", "b")}, Task("multiclass", ("a", "b"))),
        ({"TASK": "regression"}, Task("regression")),
        ({"TASK": "binary", "CLASSES": ("a" * 100, "b")}, Task("binary", ("a" * 100, "b"))),
    ],
)
def test_a_model_says_what_it_predicts(declared: dict[str, object], task: Task) -> None:
    assert declared_task(SimpleNamespace(**declared)) == task


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({}, "TASK in model.py must be binary, multiclass, regression, got None"),
        ({"TASK": "Binary"}, "TASK in model.py must be binary, multiclass, regression, got 'Binary'"),
        ({"TASK": ["binary"]}, r"got \['binary'\]"),
        (
            {"TASK": "regression", "CLASSES": ("a", "b")},
            "CLASSES in model.py must not be there when TASK is regression",
        ),
        ({"TASK": "binary", "CLASSES": ("a", "b", "c")}, "CLASSES in model.py must be two names when TASK is binary"),
        ({"TASK": "multiclass"}, "CLASSES in model.py must be 2 to 1,000 names when TASK is multiclass, .* got None"),
        ({"TASK": "multiclass", "CLASSES": ("a",)}, r"got \('a',\)"),
        ({"TASK": "multiclass", "CLASSES": tuple(map(str, range(1001)))}, "must be 2 to 1,000 names"),
        ({"TASK": "multiclass", "CLASSES": ("a", "a")}, "each another one"),
        ({"TASK": "multiclass", "CLASSES": "ab"}, "got 'ab'"),
        ({"TASK": "multiclass", "CLASSES": ("a", 1)}, r"got \('a', 1\)"),
        ({"TASK": "binary", "CLASSES": ("a", "")}, "of at most 100 printable characters"),
        ({"TASK": "binary", "CLASSES": ("a", "b\n")}, "of at most 100 printable characters"),
        ({"TASK": "binary", "CLASSES": ("a" * 101, "b")}, "of at most 100 printable characters"),
    ],
)
def test_a_declaration_that_does_not_fit_is_told(declared: dict[str, object], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        declared_task(SimpleNamespace(**declared))


@pytest.mark.parametrize(
    ("task", "labels", "dtype"),
    [
        (Task("binary"), [0, 1, 1], np.int64),
        (Task("binary"), [False, True, True], np.int64),
        (Task("binary"), [0.0, 1.0], np.int64),
        (MULTICLASS, [0, 2, 1], np.int64),
        (Task("regression"), [-1.5, 1e300], np.float64),
        (Task("regression"), [1, 2], np.float64),
    ],
)
def test_labels_become_numbers_of_one_type(task: Task, labels: list[float], dtype: type) -> None:
    checked = checked_labels(pl.Series("late", labels), task)
    assert (checked.tolist(), checked.dtype) == (labels, dtype)


@pytest.mark.parametrize(
    ("task", "labels", "fault"),
    [
        (Task("binary"), [0, 1, 2, 3], r"late, the LABEL of model.py, must be 0 and 1 \(TASK is binary\), but 2 of 4 "),
        (Task("binary"), [-1, 1], "but 1 of 2 records have another, the first -1: change read_records or TASK"),
        (Task("binary"), [0.5, 1], "the first 0.5"),
        (MULTICLASS, [0, 3], "must be whole numbers from 0 to 2 .TASK is multiclass., .* the first 3"),
        (MULTICLASS, [0, -1], "the first -1"),
        (MULTICLASS, [0.5], "the first 0.5"),
        (Task("regression"), [1.0, float("nan")], "must be finite numbers .* the first nan"),
        (Task("regression"), [float("-inf")], "the first -inf"),
    ],
)
def test_labels_that_the_task_cannot_have_are_told(task: Task, labels: list[float], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        checked_labels(pl.Series("late", labels), task)
