import json
from datetime import UTC, datetime

import polars as pl
import pytest

from model_code.errors import DataError, ModelError
from model_code.records import Column, as_documents, check_records, declared_columns

COLUMNS = declared_columns({"at": datetime, "name": str, "count": int, "share": float | None, "paid": bool})
GOOD = pl.DataFrame(
    {"at": [datetime(2013, 3, 18, 17, 45)] * 2, "name": ["a", "b"], "count": [1, 2], "share": [0.5, None],
     "paid": [True, False], "label": [0, 1]}
)  # fmt: skip


def test_a_declared_type_may_be_missing_when_it_says_so() -> None:
    assert declared_columns({"a": float | None, "b": str}) == (Column("a", float, True), Column("b", str, False))


@pytest.mark.parametrize("annotation", [list, str | int, None, "float"], ids=str)
def test_a_type_that_no_record_can_hold_is_refused(annotation: object) -> None:
    with pytest.raises(ModelError, match=r"COLUMNS\['a'\] in model.py must be str, int, float, bool, datetime"):
        declared_columns({"a": annotation})


def test_records_that_keep_to_the_declaration_pass() -> None:
    check_records(GOOD, COLUMNS, "label")


def test_missing_columns_are_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match="must return the column name, label, got at, count, share, paid"):
        check_records(GOOD.drop("name", "label"), COLUMNS, "label")


def test_all_other_faults_are_told_at_once() -> None:
    bad = GOOD.with_columns(
        pl.col("at").dt.replace_time_zone("UTC"),
        pl.lit(None, pl.String).alias("name"),
        pl.col("count").cast(pl.Float64),
        pl.Series("label", ["0", None]),
    )
    with pytest.raises(DataError) as error:
        check_records(bad, COLUMNS, "label")
    for fault in (
        "at must hold a time without a zone",
        "name must not be empty, but is in 2 of 2 records",
        "count must hold a whole number (int), got Float64",
        "label must hold numbers, got String",
        "label must not be empty, but is in 1 of 2 records",
    ):
        assert fault in str(error.value)


def test_a_nan_is_an_empty_value() -> None:
    columns = declared_columns({"share": float})
    frame = pl.DataFrame({"share": [0.5, float("nan")], "label": [0, 1]})
    with pytest.raises(DataError, match="share must not be empty, but is in 1 of 2 records"):
        check_records(frame, columns, "label")


def test_documents_are_json_that_leaves_out_the_label() -> None:
    documents = as_documents(GOOD.with_columns(pl.lit(float("nan")).alias("share")), COLUMNS)
    assert json.loads(json.dumps(documents, allow_nan=False))[1] == {
        "at": "2013-03-18T17:45:00", "name": "b", "count": 2, "share": None, "paid": False,
    }  # fmt: skip


def test_a_time_with_a_zone_does_not_pass_as_one_without() -> None:
    frame = pl.DataFrame({"at": [datetime(2013, 1, 1, tzinfo=UTC)], "label": [1]})
    with pytest.raises(DataError, match="at must hold a time without a zone"):
        check_records(frame, declared_columns({"at": datetime}), "label")
