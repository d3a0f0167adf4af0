from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code.errors import ConfigurationError, DataError
from model_code.failure import reason_for
from model_code.slices import MOST_VALUES, SliceColumn, cut, read_slice_columns


def sliced(values: list[Any], *edges: float, **options: Any) -> list[str]:
    """The slice of each value by name."""
    slices = cut(pl.DataFrame({"x": pl.Series(values, **options)}), SliceColumn("x", edges))
    assert (slices.column, slices.places.dtype) == ("x", np.int32)
    assert len(set(slices.names)) == len(slices.names)
    return [slices.names[place] for place in slices.places]


def names(values: list[Any], *edges: float) -> tuple[str, ...]:
    return cut(pl.DataFrame({"x": values}), SliceColumn("x", edges)).names


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--slice=origin", SliceColumn("origin")),
        ("--slice=distance:500", SliceColumn("distance", (500.0,))),
        ("--slice=distance:-0.5,500,1e3", SliceColumn("distance", (-0.5, 500.0, 1000.0))),
        ("--slice=a column=b", SliceColumn("a column=b")),
    ],
)
def test_options_are_read(option: str, expected: SliceColumn) -> None:
    assert read_slice_columns([option, "--slice=b"]) == (expected, SliceColumn("b"))


@pytest.mark.parametrize(
    "option",
    [
        "origin", "--slices=origin", "--slice=", "--slice=:1", "--slice=x:one", "--slice=x:1,,2", "--slice=x:2,1",
        "--slice=x:1,1", "--slice=x:nan", "--slice=x:1,inf", "--slice=a:b:1",
    ],
)  # fmt: skip
def test_an_option_that_is_none_is_told_with_its_place_in_the_settings(option: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_slice_columns([option])
    assert str(error.value).startswith("evaluate takes --slice=COLUMN or --slice=COLUMN:EDGE,EDGE,... with ascending")
    assert str(error.value).endswith(f"(evaluation.slices.by of slipway.yaml), got {option}")


def test_each_value_is_a_slice() -> None:
    assert sliced(["JFK", "EWR", "JFK"]) == ["JFK", "EWR", "JFK"]
    assert names(["JFK", "EWR", "JFK", None]) == ("EWR", "JFK", "missing")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10, 9, None], ("9", "10", "missing")),
        ([0.5, float("nan"), -1.0, None], ("-1.0", "0.5", "missing")),
        ([True, False], ("false", "true")),
        ([datetime(2013, 3, 18, 17, 45)], ("2013-03-18 17:45:00.000000",)),
    ],
    ids=["numbers in their order", "NaN is missing", "truth values", "times"],
)
def test_values_of_any_kind_have_names(values: list[Any], expected: tuple[str, ...]) -> None:
    assert names(values) == expected


def test_categories_are_texts() -> None:
    assert sliced(["b", "a"], dtype=pl.Categorical) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb\x1b[31m", r"a\nb\x1b[31m"), ("é 日", "é 日"), ("", "empty"), ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 97 + "..."),
    ],
    ids=["line end and colour", "letters of any script", "nothing", "100 characters", "101 characters"],
)  # fmt: skip
def test_a_name_can_be_shown_in_one_line(value: str, expected: str) -> None:
    assert names([value]) == (expected,)


def test_values_that_are_shown_alike_are_one_slice() -> None:
    assert names(["missing", None, "others", "", "empty"]) == ("empty", "others", "missing")


def test_up_to_fifty_values_are_slices_and_of_more_the_rarest_are_others() -> None:
    values = [f"{number:02}" for number in range(MOST_VALUES)] * 2
    assert names(values) == tuple(sorted(set(values)))
    more = sliced(["rare", *values, "seldom", "others"])
    assert (more[0], more[-2:]) == ("others", ["others", "others"])
    assert more[1:-2] == values
    assert names([*values, "rare", None])[-2:] == ("others", "missing")


def test_of_values_that_are_equally_frequent_the_first_by_name_are_slices() -> None:
    values = [f"{number:02}" for number in range(MOST_VALUES + 1)]
    assert sliced(values[::-1])[0] == "others"


def test_a_band_begins_with_its_lower_edge() -> None:
    values = [499.999, 500, 1499.999, 1500, -1e300, 1e300]
    bands = ["below 500", "500 to 1500", "500 to 1500", "1500 and above", "below 500", "1500 and above"]
    assert sliced(values, 500, 1500) == bands


def test_one_edge_makes_two_bands() -> None:
    assert sliced([1, 2], 1.5) == ["below 1.5", "1.5 and above"]


def test_all_bands_are_named_also_those_without_records() -> None:
    assert names([1.0], -0.5, 1_000_000) == ("below -0.5", "-0.5 to 1000000", "1000000 and above")


@pytest.mark.parametrize("values", [[1, None], [1.0, float("nan")]], ids=["null", "NaN"])
def test_a_missing_number_is_in_no_band(values: list[Any]) -> None:
    assert sliced(values, 0) == ["0 and above", "missing"]


def test_an_unknown_column_is_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError) as error:
        cut(pl.DataFrame({"origin": ["JFK"], "late": [1]}), SliceColumn("orgin"))
    assert reason_for(error.value) == (
        "evaluation.slices.by of slipway.yaml names the column orgin, but the holdout has origin, late: name one of "
        "them, or have read_records in model.py return it"
    )


@pytest.mark.parametrize("values", [["1"], [True], [datetime(2013, 3, 18)]], ids=["text", "truth value", "time"])
def test_bands_of_what_is_no_number_are_told(values: list[Any]) -> None:
    with pytest.raises(
        DataError, match=r"evaluation.slices.by of slipway.yaml has bands for x, which holds .*, no numb"
    ):
        sliced(values, 1)
