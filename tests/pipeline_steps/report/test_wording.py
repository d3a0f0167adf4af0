"""Numbers as people compare them, and names without what does not show."""

import pytest

from pipeline_steps.documents import Estimate
from pipeline_steps.report.wording import count, duration, interval, number, percent, printable, shortened


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.64311, "0.6431", id="a share"),
        pytest.param(9.99994, "9.9999", id="below ten"),
        pytest.param(10.0, "10.000", id="ten"),
        pytest.param(-123.456, "-123.46", id="below zero"),
        pytest.param(1234.56, "1,234.6", id="a thousand"),
        pytest.param(123456.7, "123,457", id="a hundred thousand"),
        pytest.param(0.0, "0.0000", id="zero"),
        pytest.param(0.0005, "0.0005", id="the smallest with decimals"),
        pytest.param(0.00049, "0.00049", id="too small for four decimals"),
        pytest.param(1.5e12, "1.5e+12", id="large"),
        pytest.param(None, "not a number", id="None"),
        pytest.param(float("nan"), "not a number", id="NaN"),
        pytest.param(float("inf"), "not a number", id="infinity"),
    ],
)
def test_a_number_has_the_digits_that_tell_something(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.012345, "+0.0123", id="more"),
        pytest.param(-0.012345, "-0.0123", id="less"),
        pytest.param(0.0, "+0.0000", id="none"),
        pytest.param(0.0000012, "+1.2e-06", id="too little to show, but not nothing"),
        pytest.param(-0.00001, "-1e-05", id="too little, negative"),
    ],
)
def test_a_difference_has_its_sign_and_the_decimals_of_what_it_is_of(value: float, text: str) -> None:
    assert number(value, beside=0.7, sign=True) == text


def test_an_interval_has_the_decimals_of_its_value() -> None:
    assert interval(Estimate(value=9.5, low=8.12345, high=10.98765)) == "8.1235 to 10.9877"


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.1, None), (None, 0.2)])
def test_without_both_ends_there_is_no_interval(low: float | None, high: float | None) -> None:
    assert interval(Estimate(value=0.15, low=low, high=high)) is None


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.0009, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.999, "99.9 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "100.0 %"),
        (float("nan"), "not a number"),
    ],
)
def test_a_little_never_looks_like_nothing_nor_almost_all_like_all(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not known"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "60 s (1 min)"),
        (192, "192 s (3 min 12 s)"),
        (7325, "7,325 s (2 h 2 min 5 s)"),
    ],
)
def test_a_duration_is_told_in_seconds_and_as_people_say_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_one_is_not_many() -> None:
    assert (count(1, "slice"), count(0, "slice"), count(12000, "slice")) == ("1 slice", "0 slices", "12,000 slices")


def test_what_does_not_show_becomes_a_space() -> None:
    assert printable("a\x1b[31m\u202eb\x00\ud800\n") == "a [31m b   "


@pytest.mark.parametrize("longest", [0, 1, 2, 3, 4, 10])
def test_a_shortened_text_is_never_longer(longest: int) -> None:
    assert len(shortened("a long text", longest)) <= longest
    assert shortened("short", 5) == "short"
