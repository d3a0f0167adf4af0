from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code.behaviour import Behaviour, Direction, Invariance, declared_behaviours, evaluate_behaviour
from model_code.errors import ModelError
from model_code.predictions import checked_predictions
from model_code.task import Task

RECORDS = pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "name": ["a", "b", "c", "d"]})
BINARY, REGRESSION = Task("binary"), Task("regression")
MULTICLASS = Task("multiclass", ("low", "high"))


def add(amount: Any, column: str = "x") -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda records: records.with_columns(pl.col(column) + amount)


def evaluate(behaviour: Behaviour, predict: Callable[[Any], Any], task: Task = REGRESSION) -> dict[str, Any]:
    return evaluate_behaviour(
        behaviour, RECORDS, lambda records: checked_predictions(predict(records), records.height, task), task
    )


def plain(records: Any) -> Any:
    return records["x"].to_numpy()


def test_what_does_not_matter_violates_nothing() -> None:
    told = evaluate(Invariance(name="names say nothing", change=add("!", "name")), plain)
    assert told == {
        "name": "names say nothing", "kind": "invariance", "records": 4, "violations": 0, "allowed_share": 0.0,
        "example": None,
    }  # fmt: skip


def test_what_matters_all_the_same_is_counted_with_the_worst_record_as_the_example() -> None:
    changed = Invariance(name="x says nothing", change=lambda r: r.with_columns(pl.col("x") * 3), allowed_share=0.25)
    told = evaluate(changed, plain)
    assert (told["violations"], told["allowed_share"]) == (3, 0.25)
    assert told["example"] == "3 became 9: x 3.0 -> 9.0"


@pytest.mark.parametrize(("tolerance", "violations"), [(0.5, 0), (0.499, 4)], ids=["the tolerance itself", "more"])
def test_a_prediction_may_differ_by_the_tolerance(tolerance: float, violations: int) -> None:
    for amount in (0.5, -0.5):
        behaviour = Invariance(name="a little is nothing", change=add(amount), tolerance=tolerance)
        assert evaluate(behaviour, plain)["violations"] == violations


@pytest.mark.parametrize(
    ("expect", "amount", "violations"),
    [("increase", 1.0, 0), ("increase", 0.0, 0), ("increase", -0.5, 0), ("increase", -0.75, 4),
     ("decrease", -1.0, 0), ("decrease", 0.5, 0), ("decrease", 0.75, 4)],
)  # fmt: skip
def test_a_direction_is_kept_up_to_the_tolerance(expect: Any, amount: float, violations: int) -> None:
    behaviour = Direction(name="more is more", change=add(amount), expect=expect, tolerance=0.5)
    told = evaluate(behaviour, plain)
    assert (told["kind"], told["violations"]) == ("direction", violations)


def probabilities(records: Any) -> Any:
    high = records["x"].to_numpy() / 10
    return np.column_stack([1 - high, high])


@pytest.mark.parametrize(("of_class", "violations"), [("high", 0), ("low", 4)])
def test_the_direction_of_classes_is_that_of_the_one_that_is_named(of_class: str, violations: int) -> None:
    behaviour = Direction(name="more is higher", change=add(1.0), expect="increase", of_class=of_class)
    told = evaluate(behaviour, probabilities, MULTICLASS)
    assert told["violations"] == violations
    if violations:
        assert told["example"] == "0.8, 0.2 became 0.7, 0.3: x 2.0 -> 3.0"


@pytest.mark.parametrize("of_class", [None, "middle"])
def test_the_direction_of_classes_must_name_one_of_them(of_class: str | None) -> None:
    behaviour = Direction(name="more is higher", change=add(1.0), expect="increase", of_class=of_class)
    with pytest.raises(ModelError, match=rf"'more is higher' .* of_class must be one of low, high .* got {of_class!r}"):
        evaluate(behaviour, probabilities, MULTICLASS)


def test_an_invariance_of_classes_is_that_of_all_of_them() -> None:
    def of_three(records: Any) -> Any:
        return np.column_stack([probabilities(records), np.zeros(len(records))])

    behaviour = Invariance(name="x says little", change=add(1.0), tolerance=0.09)
    assert evaluate(behaviour, of_three, Task("multiclass", ("low", "high", "never")))["violations"] == 4


def raises(records: pl.DataFrame) -> pl.DataFrame:
    raise KeyError("wind")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (raises, "failed: KeyError: 'wind'"),
        (lambda records: records.with_columns(pl.col("wind")), "failed: ColumnNotFoundError"),
        (lambda records: records[:3], "must return 4 records with the columns x, name, got 3 with x, name"),
        (lambda records: records.drop("x"), "must return 4 records with the columns x, name, got 4 with name"),
        (lambda records: None, "got None with none"),
    ],
)
def test_a_change_that_fails_is_told_with_the_behaviour(change: Any, fault: str) -> None:
    with pytest.raises(ModelError, match=rf"the behaviour 'odd' \(BEHAVIOURS in model.py\): its change .*{fault}"):
        evaluate(Invariance(name="odd", change=change), plain)


def test_predictions_that_are_not_finite_are_told_with_the_behaviour() -> None:
    with pytest.raises(ModelError, match=r"the behaviour 'far' .*: predict in model.py must return finite"):
        evaluate(Invariance(name="far", change=add(float("inf"))), plain)


def test_a_model_that_fails_on_changed_records_is_told_with_the_behaviour() -> None:
    def fragile(records: Any) -> Any:
        return [1 / x for x in records["x"] + 1]

    with pytest.raises(ModelError, match=r"the behaviour 'divided' .*: predict failed: ZeroDivisionError: "):
        evaluate(Invariance(name="divided", change=add(-1.0)), fragile)


def test_an_example_is_one_line_of_a_few_columns() -> None:
    wide = pl.DataFrame({f"c{number}": ["a"] for number in range(7)})
    behaviour = Invariance(
        name="wide", change=lambda records: records.with_columns(pl.all() + "\n\x1b[31m" + "y" * 300)
    )
    told = evaluate_behaviour(behaviour, wide, lambda records: np.array([float(len(records["c0"][0]))]), REGRESSION)
    assert told["example"].startswith("1 became 307: c0 a -> a [31my")
    assert len(told["example"]) == 1000
    assert told["example"].isprintable()
    short = Invariance(name="short", change=lambda records: records.with_columns(pl.all() + "b"))
    told = evaluate_behaviour(short, wide, lambda records: np.array([float(len(records["c0"][0]))]), REGRESSION)
    assert told["example"].endswith("c4 a -> ab, 2 columns more")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"name": ""}, r"the name of a behaviour .* must be 1 to 100 printable characters, got ''"),
        ({"name": "a\nb"}, "must be 1 to 100 printable characters"),
        ({"name": "a" * 101}, "must be 1 to 100 printable characters"),
        ({"tolerance": -0.1}, "the behaviour 'odd' .* tolerance must be 0 or more, got -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be 0 or more, got nan"),
        ({"tolerance": float("inf")}, "tolerance must be 0 or more, got inf"),
        ({"allowed_share": 1.1}, "allowed_share must be from 0 to 1, got 1.1"),
        ({"allowed_share": -0.1}, "allowed_share must be from 0 to 1, got -0.1"),
        ({"expect": "more"}, "expect must be increase or decrease, got 'more'"),
    ],
)
def test_a_behaviour_that_makes_no_sense_is_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        Direction(**{"name": "odd", "change": plain, "expect": "increase", **values})


def test_a_model_may_declare_no_behaviours() -> None:
    assert declared_behaviours(SimpleNamespace()) == ()


@pytest.mark.parametrize(
    ("behaviours", "fault"),
    [
        (("rain",), r"must hold Invariance\(...\) and Direction\(...\), got 'rain'"),
        ((Invariance(name="a", change=plain),) * 2, "at most 100 behaviours, each of another name, got 2: a, a"),
        ([Invariance(name=str(n), change=plain) for n in range(101)], "at most 100 behaviours, .* got 101: 0, 1, "),
    ],
)
def test_behaviours_of_another_kind_are_refused(behaviours: Any, fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        declared_behaviours(SimpleNamespace(BEHAVIOURS=behaviours))


def test_a_hundred_behaviours_are_taken() -> None:
    behaviours = [Invariance(name=str(number), change=plain) for number in range(100)]
    assert declared_behaviours(SimpleNamespace(BEHAVIOURS=behaviours)) == tuple(behaviours)
