import json
from datetime import datetime

import polars as pl
import pytest

from model_code.errors import ModelError
from model_code.records import Column, as_documents, declared_columns, fits, is_missing

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


def test_documents_are_json_that_leaves_out_the_label() -> None:
    documents = as_documents(GOOD.with_columns(pl.lit(float("nan")).alias("share")), COLUMNS)
    assert json.loads(json.dumps(documents, allow_nan=False))[1] == {
        "at": "2013-03-18T17:45:00", "name": "b", "count": 2, "share": None, "paid": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "dtype", "fit"),
    [
        (float, pl.Int8(), True), (float, pl.Float32(), True), (float, pl.Boolean(), False),
        (float, pl.String(), False),
        (int, pl.UInt64(), True), (int, pl.Float64(), False), (bool, pl.Boolean(), True), (bool, pl.Int8(), False),
        (str, pl.Categorical(), True), (str, pl.Enum(["a"]), True), (str, pl.Int8(), False),
        (datetime, pl.Datetime("us"), True), (datetime, pl.Datetime("us", "UTC"), False), (datetime, pl.Date(), False),
    ],
    ids=str,
)  # fmt: skip
def test_which_types_can_hold_what_is_declared(kind: type, dtype: pl.DataType, fit: bool) -> None:
    assert fits(dtype, kind) is fit


def test_a_missing_value_is_null_or_nan() -> None:
    assert is_missing(pl.Series([1.0, None, float("nan"), float("inf")])).to_list() == [False, True, True, False]
    assert is_missing(pl.Series(["", None])).to_list() == [False, True]
