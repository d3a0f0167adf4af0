from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code.importance import MOST_COLUMNS, MOST_RECORDS, permutation_importance
from model_code.task import Task

pytestmark = pytest.mark.container

COUNT = 500
RANDOM = np.random.default_rng(1)
RECORDS = pl.DataFrame({name: RANDOM.random(COUNT) for name in ("strong", "weak", "none")})


def score(records: Any) -> Any:
    return (0.7 * records["strong"] + 0.3 * records["weak"]).to_numpy()


def two_classes(records: Any) -> Any:
    return np.column_stack([1 - score(records), score(records)])


TRUTH = (score(RECORDS) > 0.5).astype(np.int64)


@pytest.mark.parametrize(
    ("task", "labels", "predict", "metric"),
    [
        (Task("binary"), TRUTH, score, "roc_auc"),
        (Task("multiclass", ("a", "b")), TRUTH, two_classes, "accuracy"),
        (Task("regression"), score(RECORDS), score, "mean_absolute_error"),
    ],
    ids=["binary", "multiclass", "regression"],
)
def test_what_a_model_uses_more_is_worth_more_and_what_it_does_not_use_nothing(
    task: Task, labels: Any, predict: Any, metric: str
) -> None:
    told = permutation_importance(predict, RECORDS, labels, task)
    assert told is not None
    assert told["metric"] == metric
    assert list(told["columns"]) == RECORDS.columns
    assert told["columns"]["strong"] > told["columns"]["weak"] > 0.05
    assert told["columns"]["none"] == 0


def test_a_column_that_misleads_is_worth_less_than_nothing() -> None:
    told = permutation_importance(lambda records: 1 - score(records), RECORDS, TRUTH, Task("binary"))
    assert told is not None
    assert told["columns"]["strong"] < -0.05


def test_the_same_holdout_gives_the_same_numbers() -> None:
    once, again = (permutation_importance(score, RECORDS, TRUTH, Task("binary")) for _ in range(2))
    assert once == again


def test_at_most_two_thousand_records_of_the_whole_holdout_are_asked() -> None:
    asked = []

    def predict(records: Any) -> Any:
        asked.append(records["place"].to_numpy())
        return records["place"].to_numpy() / 1e6

    places = np.arange(MOST_RECORDS + 1)
    permutation_importance(predict, pl.DataFrame({"place": places}), places % 2, Task("binary"))
    assert {len(records) for records in asked} == {MOST_RECORDS}
    assert (asked[0].min(), asked[0].max()) == (0, MOST_RECORDS)
    assert len(asked) == 1 + 3
    assert not any(np.array_equal(asked[0], shuffled) for shuffled in asked[1:])


@pytest.mark.parametrize(("columns", "known"), [(MOST_COLUMNS, True), (MOST_COLUMNS + 1, False)])
def test_more_than_a_hundred_columns_are_not_looked_at(columns: int, known: bool) -> None:
    records = pl.DataFrame({f"c{number}": [0.1, 0.9] for number in range(columns)})
    told = permutation_importance(lambda asked: asked["c0"].to_numpy(), records, np.array([0, 1]), Task("binary"))
    assert (told is not None) == known


def test_labels_of_one_class_leave_all_undefined() -> None:
    told = permutation_importance(score, RECORDS, np.zeros(COUNT), Task("binary"))
    assert told is not None
    assert np.isnan(list(told["columns"].values())).all()
