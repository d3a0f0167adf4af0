"""What the team declares of its data is enforced, with every breach at once."""

import re
import shutil
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from pandera.polars import Check

from model_code import model
from model_code.breaches import Breach, refuse
from model_code.data_contract import DATA_CONTRACT
from model_code.data_quality import DataContract, Declaration, Freshness, check_records, find_breaches
from model_code.errors import DataError, ModelError
from model_code.failure import LONGEST_REASON, reason_for
from model_code.records import declared_columns
from model_code.task import Task, declared_task

TODAY = date(2013, 4, 2)
COLUMNS = {"at": datetime, "name": str, "count": int, "share": float | None, "paid": bool}
GOOD = pl.DataFrame(
    {"at": [datetime(2013, 3, 30), datetime(2013, 3, 31, 23, 59)], "name": ["a", "b"], "count": [1, 2],
     "share": [0.5, None], "paid": [True, False], "label": [0, 1]}
)  # fmt: skip


def breaches(
    records: pl.DataFrame, contract: DataContract | None = None, columns: dict[str, object] = COLUMNS
) -> list[str]:
    declaration = Declaration(declared_columns(columns), "label", Task("binary"), contract or DataContract())
    return [str(breach) for breach in find_breaches(records, declaration, TODAY)]


def one_column(*values: object, dtype: type[pl.DataType] | None = None) -> pl.DataFrame:
    """Records with the column x, and labels that are as they should be."""
    return pl.DataFrame({"x": pl.Series(values, dtype=dtype), "label": [n % 2 for n in range(len(values))]})


# --- What follows from COLUMNS and LABEL ----------------------------------------------------------------------------


def test_records_that_keep_to_the_declaration_pass() -> None:
    assert breaches(GOOD) == []


def test_missing_columns_are_told_with_those_that_are_there() -> None:
    (told,) = breaches(GOOD.drop("name", "label"))
    assert told == "read_records in model.py must return the column name, label, got at, count, share, paid"


def test_faults_of_all_kinds_are_told_at_once() -> None:
    bad = GOOD.drop("paid").with_columns(
        pl.col("at").dt.replace_time_zone("UTC"),
        pl.lit(None, pl.String).alias("name"),
        pl.col("count").cast(pl.Float64),
        pl.Series("share", [float("inf"), 0.5]),
        pl.Series("label", ["0", None]),
    )
    assert breaches(bad) == [
        "read_records in model.py must return the column paid, got at, name, count, share, label",
        "at must hold a time without a zone, such as 2013-03-18T17:45 (datetime), got Datetime(time_unit='us', "
        "time_zone='UTC')",
        "count must hold a whole number (int), got Float64",
        "label must hold numbers, got String",
        "name must not be empty, but is in 2 of 2 records (record 1; record 2)",
        "label must not be empty, but is in 1 of 2 records (record 2)",
        "share must be a finite number, but is not in 1 of 2 records (record 1, share inf)",
    ]


def test_a_nan_is_an_empty_value() -> None:
    records = one_column(0.5, float("nan"))
    assert breaches(records, columns={"x": float}) == ["x must not be empty, but is in 1 of 2 records (record 2)"]
    assert breaches(records, columns={"x": float | None}) == []


def test_an_empty_text_is_refused_as_serving_refuses_it() -> None:
    told = breaches(one_column("a", ""), columns={"x": str})
    assert told == ["x must be text that is not empty, but is not in 1 of 2 records (record 2, x '')"]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_categories_are_checked_as_text_is(dtype: type[pl.DataType]) -> None:
    contract = DataContract(checks={"x": Check.str_matches("^[ab]$")})
    told = breaches(one_column("a", "c", dtype=dtype), contract, {"x": str})
    assert told == ["x must be str_matches('^[ab]$'), but is not in 1 of 2 records (record 2, x 'c')"]


def test_whole_numbers_pass_where_numbers_are_declared() -> None:
    assert breaches(one_column(1, 2), columns={"x": float}) == []


def test_labels_that_the_task_cannot_have_are_told_with_the_other_breaches() -> None:
    told = breaches(GOOD.with_columns(pl.Series("label", [0, 2]), pl.lit("").alias("name")))
    assert len(told) == 2
    assert told[0].startswith("label, the LABEL of model.py, must be 0 and 1 (TASK is binary), but 1 of 2 records have")


def test_a_name_that_no_report_can_show_is_told() -> None:
    (told,) = breaches(GOOD.with_columns(pl.lit(1).alias("a\nb")))
    assert told == "a column's name must have 1 to 100 printable characters, got 'a\\nb'"


# --- What the contract adds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "count"), [(5, 0), (6, 1)], ids=["on the limit", "above it"])
def test_a_value_on_the_limit_passes(value: int, count: int) -> None:
    contract = DataContract(checks={"x": Check.in_range(1, 5)})
    assert len(breaches(one_column(1, value), contract, {"x": int})) == count


def test_several_checks_of_a_column_are_told_each_with_different_examples_and_their_records() -> None:
    contract = DataContract(checks={"x": [Check.ge(0), Check.isin([1, 2], error="a known number")]})
    told = breaches(one_column(1, -1, -1, 7, 8, 9, 2), contract, {"x": int})
    assert told == [
        "x must be greater_than_or_equal_to(0), but is not in 2 of 7 records (record 2, x -1)",
        "x must be a known number, but is not in 5 of 7 records (record 2, x -1; record 4, x 7; record 5, x 8)",
    ]


def test_a_missing_value_is_no_breach_of_a_check() -> None:
    contract = DataContract(checks={"x": Check.in_range(0, 1)})
    assert breaches(one_column(0.5, None, float("nan")), contract, {"x": float | None}) == []


def test_a_check_of_a_whole_column_is_told_without_records() -> None:
    mean = Check(lambda data: data.lazyframe.select(pl.col(data.key).mean() < 5), error="below 5 on average")
    assert breaches(one_column(9, 9), DataContract(checks={"x": mean}), {"x": int}) == [
        "x must be below 5 on average, but is not"
    ]


def test_a_check_that_fails_itself_is_told() -> None:
    broken = Check(lambda data: data.lazyframe.select(pl.col("gone") < 5), error="small")
    (told,) = breaches(one_column(1, 2), DataContract(checks={"x": broken}), {"x": int})
    assert told.startswith("x must be small, which cannot be checked: ColumnNotFoundError(")


@pytest.mark.parametrize(("missing", "told"), [
    (1, []),
    (2, ["x may be empty in 10 %, but is in 2 of 10 records (20 %) (record 1; record 2)"]),
], ids=["on the limit", "above it"])  # fmt: skip
def test_a_share_of_missing_values_on_the_limit_passes(missing: int, told: list[str]) -> None:
    records = one_column(*[None] * missing, *[1.0] * (10 - missing))
    assert breaches(records, DataContract(missing={"x": 0.1}), {"x": float | None}) == told


def test_a_key_that_comes_twice_is_told_with_its_values() -> None:
    records = pl.DataFrame({"x": [7, 7, 8, 8], "day": [1, 1, 1, 2], "label": [0, 1, 0, 1]})
    contract = DataContract(key=("x", "day"))
    assert breaches(records, contract, {"x": int}) == [
        "x, day must be unique, but 2 of 4 records share theirs with another (record 1, x 7, day 1)"
    ]
    assert breaches(records[1:], contract, {"x": int}) == []


def test_the_key_tells_which_record_an_example_is() -> None:
    records = pl.DataFrame({"x": [1, -1], "id": ["a", "b"], "label": [0, 1]})
    contract = DataContract(key=["id"], checks={"x": Check.ge(0, error="positive")})
    assert breaches(records, contract, {"x": int}) == [
        "x must be positive, but is not in 1 of 2 records (record 2, id 'b', x -1)"
    ]


@pytest.mark.parametrize(("count", "told"), [
    (2, []),
    (1, ["there must be at least 2 records, got 1"]),
    (0, ["there must be at least 2 records, got 0"]),
])  # fmt: skip
def test_too_few_records_are_told(count: int, told: list[str]) -> None:
    contract = DataContract(minimum_records=2, checks={"count": Check.ge(0)}, key=["count"], missing={"share": 0.5},
                            freshness=Freshness("at", days=30))  # fmt: skip
    assert breaches(GOOD[1:].vstack(GOOD[:1])[:count].with_columns(pl.lit(0.5).alias("share")), contract) == told


@pytest.mark.parametrize(("freshness", "told"), [
    (Freshness("at", days=2), []),
    (Freshness("at", days=1), ["the newest at is of 2013-03-31, 2 days before 2013-04-02, 1 are allowed"]),
    (Freshness("at", days=0, as_of=date(2013, 3, 31)), []),
    (Freshness("at", days=0, as_of=date(2013, 4, 1)),
     ["the newest at is of 2013-03-31, 1 days before 2013-04-01, 0 are allowed"]),
    (Freshness("count", days=9), ["count, of which DATA_CONTRACT limits the age, must hold times, got Int64"]),
], ids=["on the limit", "too old", "of the past, on the limit", "of the past, too old", "no time"])  # fmt: skip
def test_the_newest_record_must_be_fresh(freshness: Freshness, told: list[str]) -> None:
    assert breaches(GOOD, DataContract(freshness=freshness)) == told


def test_columns_that_no_record_has_are_told() -> None:
    contract = DataContract(checks={"sum": Check.ge(0)}, key=["id"], freshness=Freshness("day", days=1))
    (told,) = breaches(GOOD, contract)
    assert told == (
        "DATA_CONTRACT speaks of day, id, sum, but read_records in model.py returns at, name, count, share, paid, label"
    )


def test_the_contract_cannot_allow_what_columns_forbids() -> None:
    (told,) = breaches(GOOD, DataContract(missing={"count": 0.1}))
    assert told == "DATA_CONTRACT lets count be missing, but COLUMNS does not: write `| None` there"


def test_a_contract_that_makes_no_sense_is_told_with_all_its_faults() -> None:
    with pytest.raises(ModelError) as error:
        DataContract(missing={"x": 5}, largest_overlap=-0.1, minimum_records=0, leakage_allowed={"x": " "}, key="x",
                     freshness=Freshness("at", days=-1))  # fmt: skip
    assert str(error.value) == (
        "DATA_CONTRACT in data_contract.py: missing['x'] must be a share from 0 to 1, got 5; largest_overlap must be a "
        "share from 0 to 1, got -0.1; minimum_records must be 1 or more, got 0; days of freshness must be 0 or more, "
        "got -1; leakage_allowed['x'] must say why; key and overlap_by must be several names, such as ('flight',)"
    )


# --- How it is told -------------------------------------------------------------------------------------------------


def test_the_reason_names_every_breach_with_examples_and_so_does_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    contract = DataContract(checks={"count": Check.le(1, error="at most 1"), "name": Check.isin(["a"], error="a")})
    declaration = Declaration(declared_columns(COLUMNS), "label", Task("binary"), contract)
    with pytest.raises(DataError) as error:
        check_records(GOOD, declaration, TODAY)
    assert str(error.value) == (
        "the records break the data contract (2): name must be a, but is not in 1 of 2 records (record 2, name 'b'); "
        "count must be at most 1, but is not in 1 of 2 records (record 2, count 2). Upload other data, or change "
        "read_records in model.py or DATA_CONTRACT in data_contract.py"
    )
    assert capsys.readouterr().out.splitlines() == [
        "the records break the data contract: name must be a, but is not in 1 of 2 records",
        "such as record 2, name 'b'",
        "the records break the data contract: count must be at most 1, but is not in 1 of 2 records",
        "such as record 2, count 2",
    ]


def test_a_reason_too_long_for_sagemaker_leaves_out_examples_first() -> None:
    with pytest.raises(DataError) as error:
        refuse([Breach(f"rule {n}", ("x" * 60,)) for n in range(20)], "the data is bad", "Do something")
    reason = reason_for(error.value)
    assert reason == f"the data is bad (20): {'; '.join(f'rule {n}' for n in range(20))}. Do something"


@pytest.mark.parametrize("length", [10, 60, 300, 2000])
def test_breaches_that_do_not_fit_are_counted_and_the_way_out_stays(
    length: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError) as error:
        refuse([Breach(f"{n:03}{'x' * length}") for n in range(100)], "the data is bad", "Do something")
    reason = reason_for(error.value)
    assert len(reason) <= LONGEST_REASON
    shown = [n for n in range(100) if f"{n:03}x" in reason]
    assert shown == list(range(len(shown))) != []
    assert reason.endswith(f"; {100 - len(shown)} more in the job's log. Do something")
    assert len(capsys.readouterr().out.splitlines()) == 100


def test_names_and_values_make_no_lines_of_their_own_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError):
        refuse([Breach("a\nb", ("c\r\nd",))], "bad", "")
    assert capsys.readouterr().out.splitlines() == ["bad: a b", "such as c d"]


# --- The example's ---------------------------------------------------------------------------------------------------


def test_the_examples_contract_speaks_of_its_columns_alone() -> None:
    assert DATA_CONTRACT.named - set(model.COLUMNS) == {"flight"}


def test_a_file_that_is_there_twice_is_told_with_its_flights(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "raw")
    shutil.copy(tmp_path / "raw/flights/2013-02.parquet", tmp_path / "raw/flights/2013-02 (1).parquet")
    declaration = Declaration(declared_columns(model.COLUMNS), model.LABEL, declared_task(model), DATA_CONTRACT)

    (told,) = find_breaches(model.read_records(tmp_path / "raw"), declaration, TODAY)

    doubled = r"must be unique, but \d,\d{3} of 2,\d{3} records share theirs with another"
    assert re.fullmatch(f"carrier, flight, origin, scheduled_departure {doubled}", told.rule)
    assert len(told.examples) == 3
    assert re.fullmatch(
        r"record 9\d\d, carrier '..', flight 9\d\d, origin '...', scheduled_departure 2013-02-01 05:15:00",
        told.examples[0],
    )
