"""What train looked like is kept in numbers that later records can be compared with."""

import json
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from model_code.baseline import MOST_CATEGORIES, baseline, describe, summarize
from model_code.records import declared_columns
from model_code.task import Task


def test_numbers_are_described_by_their_deciles() -> None:
    found = describe(pl.Series([*range(1, 101), None, float("nan")], dtype=pl.Float64, strict=False), float)
    assert found["type"] == "float"
    assert found["missing"] == pytest.approx(2 / 102)
    assert (found["min"], found["max"], found["mean"]) == (1.0, 100.0, 50.5)
    assert found["std"] == pytest.approx(np.arange(1, 101).std())
    assert found["edges"] == pytest.approx([10.9, 20.8, 30.7, 40.6, 50.5, 60.4, 70.3, 80.2, 90.1])
    assert found["shares"] == [0.1] * 10


def test_a_value_on_an_edge_belongs_to_the_bin_above_it_and_equal_edges_are_one() -> None:
    found = describe(pl.Series([0] * 6 + [1, 2, 3, 4]), int)
    edges, shares = found["edges"], found["shares"]
    assert edges[0] == 0
    assert edges == sorted(set(edges))
    assert len(shares) == len(edges) + 1
    assert shares[:2] == [0.0, 0.6]
    assert sum(shares) == pytest.approx(1)


def test_a_column_of_one_value_has_one_edge() -> None:
    found = describe(pl.Series([5, 5]), int)
    assert (found["edges"], found["shares"], found["std"]) == ([5.0], [0.0, 1.0], 0.0)


def test_text_is_described_by_its_most_frequent_values_and_the_rest() -> None:
    values = ["b"] * 3 + ["a"] * 3 + [f"rare {n:02}" for n in range(MOST_CATEGORIES)] + [None] * 6
    found = describe(pl.Series(values), str)
    assert list(found["categories"])[:3] == ["a", "b", "rare 00"]
    assert len(found["categories"]) == MOST_CATEGORIES
    assert found["categories"]["b"] == 3 / 26
    assert found["others"] == pytest.approx(2 / 26)
    assert found["missing"] == 6 / 32


def test_booleans_and_times_are_described() -> None:
    assert describe(pl.Series([True, True, False, None]), bool) == {
        "type": "bool", "missing": 0.25, "categories": {"true": 2 / 3, "false": 1 / 3}, "others": 0.0,
    }  # fmt: skip
    times = pl.Series([datetime(2013, 3, 18, 17, 45), datetime(2013, 1, 1)])
    assert describe(times, datetime) == {
        "type": "datetime", "missing": 0.0, "first": "2013-01-01T00:00:00", "last": "2013-03-18T17:45:00",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [float, str, bool, datetime])
def test_a_column_without_values_has_a_type_and_a_missing_share(kind: type) -> None:
    dtype = {float: pl.Float64, str: pl.String, bool: pl.Boolean, datetime: pl.Datetime}[kind]
    assert describe(pl.Series([None, None], dtype=dtype), kind) == {"type": kind.__name__, "missing": 1.0}
    assert describe(pl.Series([], dtype=dtype), kind) == {"type": kind.__name__, "missing": 0.0}


@pytest.mark.parametrize(("task", "told"), [
    (Task("binary"), {"name": "y", "type": "class", "shares": {"0": 0.75, "1": 0.25}}),
    (Task("multiclass", ("a", "b")), {"name": "y", "type": "class", "shares": {"0": 0.75, "1": 0.25}}),
], ids=["binary", "multiclass"])  # fmt: skip
@pytest.mark.parametrize("dtype", [pl.Int8, pl.Float64, pl.Boolean])
def test_the_label_is_described_by_its_classes(task: Task, told: object, dtype: type[pl.DataType]) -> None:
    train = pl.DataFrame({"x": [1, 2, 3, 4], "y": pl.Series([0, 1, 0, 0]).cast(dtype)})
    found = baseline(train, declared_columns({"x": int}), "y", task)
    assert found["label"] == told
    assert (found["rows"], list(found["columns"])) == (4, ["x"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_number_to_predict_is_described_as_numbers_are() -> None:
    train = pl.DataFrame({"x": [1, 2], "y": [0.5, 1.5]})
    label = baseline(train, declared_columns({"x": int}), "y", Task("regression"))["label"]
    assert (label["name"], label["type"], label["mean"]) == ("y", "float", 1.0)


def test_numbers_whose_sums_are_too_large_for_json_stay_json() -> None:
    found = describe(pl.Series([1.7e308, 1.7e308, -1.7e308]), float)
    assert (found["mean"], found["std"]) == (None, None)
    assert (found["min"], sum(found["shares"])) == (-1.7e308, pytest.approx(1))
    json.dumps(found, allow_nan=False)


def test_a_summary_has_what_a_report_shows() -> None:
    assert summarize(describe(pl.Series([1.0, 3.0, None]), float)) == {
        "missing": pytest.approx(1 / 3), "mean": 2.0, "deviation": 1.0,
    }  # fmt: skip
    assert summarize(describe(pl.Series(["a", "b", "b" * 500, "b" * 500]), str)) == {
        "missing": 0.0, "top": "b" * 100, "top_share": 0.5,
    }  # fmt: skip
    assert summarize(describe(pl.Series([None], dtype=pl.String), str)) == {"missing": 1.0}
