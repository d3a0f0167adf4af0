from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from model_code.errors import ConfigurationError, DataError
from model_code.split import HashSplit, TimeSplit, check_parts, read_split, split_records

BY_TIME = TimeSplit("at", holdout_days=14, validation_days=7)
BY_HASH = HashSplit("customer", holdout_percent=20, validation_percent=10)
EXPECTED_SPLITS = [
    "holdout", "holdout", "train", "train", "validation", "train",
    "holdout", "train", "train", "train", "holdout", "train",
]  # fmt: skip


def records_at(*times: object) -> pl.DataFrame:
    return pl.DataFrame({"at": times, "n": range(len(times))})


def test_the_windows_end_with_the_newest_day_and_are_as_long_as_said() -> None:
    holdout, validation = BY_TIME.windows(date(2013, 3, 31))
    assert (holdout, validation) == (date(2013, 3, 18), date(2013, 3, 11))


def test_a_record_belongs_to_the_window_of_its_day_to_the_microsecond() -> None:
    moment = timedelta(microseconds=1)
    holdout, validation = datetime(2013, 3, 18), datetime(2013, 3, 11)
    newest = datetime(2013, 3, 31, 23, 59)
    parts = split_records(records_at(newest, validation - moment, validation, holdout - moment, holdout), BY_TIME)
    assert {name: part["n"].to_list() for name, part in parts.items()} == {
        "train": [1],
        "validation": [2, 3],
        "holdout": [0, 4],
    }


@pytest.mark.parametrize("newest", [datetime(2013, 3, 31, 0, 0), datetime(2013, 3, 31, 23, 59)], ids=["first", "last"])
def test_the_hour_of_the_newest_record_moves_no_window(newest: datetime) -> None:
    parts = split_records(records_at(datetime(2013, 3, 17, 23, 59), datetime(2013, 3, 18), newest), BY_TIME)
    assert [parts[name].height for name in ("validation", "holdout")] == [1, 2]


def test_dates_are_split_as_times_are() -> None:
    parts = split_records(records_at(date(2013, 3, 10), date(2013, 3, 17), date(2013, 3, 31)), BY_TIME)
    assert [part.height for part in parts.values()] == [1, 1, 1]


def test_no_record_is_lost_or_doubled_and_the_order_stays() -> None:
    times = [datetime(2013, 1, 1) + timedelta(hours=7 * n % 2000) for n in range(500)]
    parts = split_records(records_at(*times), BY_TIME)
    assert sorted(n for part in parts.values() for n in part["n"]) == list(range(500))
    assert all(part["n"].is_sorted() for part in parts.values())


def test_a_challengers_holdout_is_newer_than_all_that_an_earlier_champion_trained_on() -> None:
    times = [datetime(2013, 1, 1) + timedelta(days=n) for n in range(90)]
    champion, challenger = (split_records(records_at(*times[:days]), BY_TIME) for days in (60, 90))
    assert champion["train"]["at"].max() < challenger["holdout"]["at"].min()  # type: ignore[operator]


def test_times_with_a_zone_are_split_by_the_days_of_that_zone() -> None:
    times = pl.Series("at", [datetime(2013, 3, 17, 23), datetime(2013, 3, 31)], dtype=pl.Datetime("us", "UTC"))
    parts = split_records(times.to_frame().with_columns(pl.Series("n", [0, 1])), BY_TIME)
    assert parts["validation"]["at"].to_list() == [datetime(2013, 3, 17, 23, tzinfo=UTC)]


def test_a_column_without_times_cannot_be_split_by_time() -> None:
    with pytest.raises(DataError, match="needs a date or time in at, got String: name another column"):
        split_records(records_at("2013-03-31"), BY_TIME)


def test_the_split_of_a_group_is_the_same_in_every_process_and_version() -> None:
    assert [BY_HASH.split_of(n) for n in range(12)] == EXPECTED_SPLITS
    assert BY_HASH.split_of("7") == BY_HASH.split_of(7)


def test_rows_of_one_group_stay_together_and_new_groups_move_none() -> None:
    customers = pl.DataFrame({"customer": [f"c{n % 300}" for n in range(900)]})
    before = split_records(customers[:300], BY_HASH)
    after = split_records(customers, BY_HASH)
    for name, part in before.items():
        assert part.height * 3 == after[name].height
        assert set(part["customer"]) == set(after[name]["customer"])


def test_groups_fall_into_the_parts_by_the_percentages() -> None:
    parts = split_records(pl.DataFrame({"customer": range(10_000)}), BY_HASH)
    assert parts["holdout"].height == pytest.approx(2000, abs=120)
    assert parts["validation"].height == pytest.approx(1000, abs=90)


def test_a_missing_column_is_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"names the column at, but read_records in model.py returns customer"):
        split_records(pl.DataFrame({"customer": [1]}), BY_TIME)


def test_an_empty_value_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"at, the column of data.split, is empty in 1 of 2 records"):
        split_records(records_at(None, datetime(2013, 1, 1)), BY_TIME)


def test_a_part_without_records_is_told_with_all_numbers() -> None:
    part = pl.DataFrame({"late": [0, 1]})
    with pytest.raises(DataError) as error:
        check_parts({"train": part[:0], "validation": part, "holdout": part}, BY_TIME, "late")
    assert str(error.value) == (
        "train has no records (train 0, validation 2, holdout 2): data.split takes 14 days for the holdout and "
        "7 for validation; change it, or add data"
    )


def test_a_part_with_a_single_class_is_told_with_its_value() -> None:
    mixed, single = pl.DataFrame({"late": [0, 1]}), pl.DataFrame({"late": [0, 0]})
    with pytest.raises(DataError, match="all 2 records of holdout have late = 0, at least two different values"):
        check_parts({"train": mixed, "validation": mixed, "holdout": single}, BY_HASH, "late")


def test_both_forms_of_the_setting_are_read() -> None:
    assert read_split('{"by":"time","column":"at","holdout_days":14,"validation_days":7}') == BY_TIME
    assert read_split('{"by":"hash","column":"customer","holdout_percent":20,"validation_percent":10}') == BY_HASH


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "got nothing"),
        ("{", "got {"),
        ("[]", "got \\[\\]"),
        ('{"by": "luck"}', "luck"),
        ('{"by": "time", "column": "at"}', "SLIPWAY_SPLIT must be"),
        ('{"by": "time", "column": "at", "holdout_days": 1, "validation_days": 1, "x": 1}', "SLIPWAY_SPLIT must be"),
        ('{"by": "time", "column": "at", "holdout_days": 0, "validation_days": 1}', "whole and above 0"),
        ('{"by": "time", "column": "at", "holdout_days": "1", "validation_days": 1}', "whole and above 0"),
    ],
    ids=["nothing", "no JSON", "no object", "unknown kind", "missing key", "unknown key", "zero", "text"],
)
def test_a_setting_of_another_form_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        read_split(text)
