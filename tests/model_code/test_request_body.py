import json
from datetime import datetime
from typing import Any

import pytest

from model_code.errors import RequestError
from model_code.records import declared_columns
from model_code.request_body import MOST_RECORDS, read_csv, read_json

COLUMNS = declared_columns({"at": datetime, "name": str, "count": int, "share": float | None, "paid": bool})
RECORD = {"at": "2013-03-18T17:45", "name": "a", "count": 3, "share": 0.5, "paid": True}
CELLS = {"at": [datetime(2013, 3, 18, 17, 45)], "name": ["a"], "count": [3], "share": [0.5], "paid": [True]}


def refusal_of_json(body: Any) -> tuple[str, dict[str, object]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RequestError) as error:
        read_json(raw, COLUMNS)
    assert error.value.status == 400
    return str(error.value), error.value.details


def refusal_of_csv(body: bytes) -> tuple[str, dict[str, object]]:
    with pytest.raises(RequestError) as error:
        read_csv(body, COLUMNS)
    assert error.value.status == 400
    return str(error.value), error.value.details


def test_instances_and_a_single_record_are_read() -> None:
    assert read_json(json.dumps(RECORD).encode(), COLUMNS) == CELLS
    assert read_json(json.dumps({"instances": [RECORD]}).encode(), COLUMNS) == CELLS
    assert read_json(json.dumps({"instances": [RECORD, {**RECORD, "name": "b"}]}).encode(), COLUMNS)["name"] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["no line end", "line end", "Windows' line end"])
def test_a_csv_line_is_a_record(end: str) -> None:
    assert read_csv(f"2013-03-18T17:45,a,3,0.5,true{end}".encode(), COLUMNS) == CELLS


def test_csv_quotes_keep_commas_and_line_ends_in_a_text() -> None:
    cells = read_csv(b'2013-03-18,"a, ""b""\nc",3,0.5,1\n2013-03-18,\xc3\xa9,3,0.5,0\n', COLUMNS)
    assert cells["name"] == ['a, "b"\nc', "é"]
    assert cells["paid"] == [True, False]


def test_a_missing_value_is_none_where_it_may_be_missing() -> None:
    assert read_csv(b"2013-03-18,a,3,,true", COLUMNS)["share"] == [None]
    without = {name: value for name, value in RECORD.items() if name != "share"}
    assert read_json(json.dumps({**RECORD, "share": None}).encode(), COLUMNS)["share"] == [None]
    assert read_json(json.dumps(without).encode(), COLUMNS)["share"] == [None]


@pytest.mark.parametrize("value", [3, 3.0, 2**63 - 1], ids=["integer", "integral", "largest"])
def test_a_whole_number_may_be_written_with_a_point(value: float) -> None:
    assert read_json(json.dumps({**RECORD, "count": value}).encode(), COLUMNS)["count"] == [value]


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("count", "3", "a whole number"),
        ("count", 3.5, "a whole number"),
        ("count", True, "a whole number"),
        ("count", None, "a whole number"),
        ("count", 2**63, "a whole number"),
        ("count", [3], "a whole number"),
        ("share", "0.5", "a finite number or nothing"),
        ("share", False, "a finite number or nothing"),
        ("share", {"a": 1}, "a finite number or nothing"),
        ("name", "", "text that is not empty"),
        ("name", 7, "text that is not empty"),
        ("name", None, "text that is not empty"),
        ("paid", "true", "true or false"),
        ("paid", 1, "true or false"),
        ("at", "yesterday", "a time without a zone, such as 2013-03-18T17:45"),
        ("at", "2013-03-18T17:45Z", "a time without a zone, such as 2013-03-18T17:45"),
        ("at", 1363628700, "a time without a zone, such as 2013-03-18T17:45"),
    ],
)
def test_a_wrong_json_value_is_told_with_record_field_value_and_allowed(
    field: str, value: object, allowed: str
) -> None:
    message, details = refusal_of_json({"instances": [RECORD, {**RECORD, field: value}]})
    assert message.startswith(f"record 2: {field} must be {allowed}, got ")
    assert details == {"record": 2, "field": field, "value": value, "allowed": allowed}


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("at", ""), ("at", "2013-13-01"), ("at", "2013-03-18T17:45+01:00"), ("name", ""), ("count", ""),
        ("count", "3.5"), ("count", "1_000"), ("count", "9" * 20), ("count", "9" * 5000), ("share", "nan"),
        ("share", "Infinity"), ("share", "-inf"), ("share", "1e999"), ("share", "1_0.5"), ("share", "half"),
        ("paid", "yes"), ("paid", ""),
    ],
)  # fmt: skip
def test_a_wrong_csv_value_is_told_with_record_field_and_value(field: str, cell: str) -> None:
    good = {"at": "2013-03-18", "name": "a", "count": "3", "share": "0.5", "paid": "true"}
    lines = [",".join(good.values()), ",".join((good | {field: cell}).values())]
    message, details = refusal_of_csv("\n".join(lines).encode())
    assert message.startswith(f"record 2: {field} must be ")
    assert (details["record"], details["field"]) == (2, field)
    assert cell.startswith(str(details["value"]).removesuffix("..."))


def test_a_long_value_is_shortened_in_the_answer() -> None:
    message, details = refusal_of_json({**RECORD, "count": "x" * 10_000})
    assert len(message) < 200
    assert details["value"] == "x" * 100 + "..."
    message, _ = refusal_of_json({**RECORD, "y" * 10_000: 1})
    assert len(message) < 200


@pytest.mark.parametrize("levels", [253, 254, 1000])
@pytest.mark.parametrize(
    "body",
    ["%s", '{"instances": %s}', '{"instances": [[%s]]}', '{"instances": [{"count": %s}]}',
     '{"at": "2013-03-18", "name": "a", "count": %s, "paid": true}'],
    ids=["alone", "instances", "record", "value of too few", "value"],
)  # fmt: skip
def test_what_is_nested_too_deep_to_be_repeated_is_refused_all_the_same(body: str, levels: int) -> None:
    message, details = refusal_of_json(body.replace("%s", "[" * levels + "]" * levels).encode())
    assert len(message) < 250
    json.dumps(details)


def test_as_many_records_as_allowed_are_read_and_one_more_is_refused() -> None:
    columns = declared_columns({"x": float})

    def as_json(count: int) -> bytes:
        return json.dumps({"instances": [{"x": 1}] * count}).encode()

    assert len(read_json(as_json(MOST_RECORDS), columns)["x"]) == MOST_RECORDS == 100_000
    assert len(read_csv(b"1\n" * MOST_RECORDS, columns)["x"]) == MOST_RECORDS
    for read, body in ((read_json, as_json(MOST_RECORDS + 1)), (read_csv, b"1\n" * (MOST_RECORDS + 1))):
        with pytest.raises(RequestError, match="the body may hold 100,000 records, it has more") as error:
            read(body, columns)
        assert (error.value.status, error.value.details) == (413, {"allowed": 100_000})


def test_an_unknown_field_is_told_with_those_that_are_known() -> None:
    message, details = refusal_of_json({"instances": [RECORD, {**RECORD, "nmae": "a"}]})
    assert message == "record 2 has the unknown field nmae"
    assert details == {"record": 2, "field": "nmae", "allowed": "at, name, count, share, paid"}


def test_a_missing_field_is_told() -> None:
    message, details = refusal_of_json({name: value for name, value in RECORD.items() if name != "count"})
    assert message == "record 1 lacks the field count"
    assert details == {"record": 1, "field": "count", "allowed": "a whole number"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"instances": [{', "the body is not JSON"),
        (b'{"count": NaN', "the body is not JSON"),
        (b'{"another": NaN}', "record 1 has the unknown field another"),
        (b"NaN", "the body is not JSON"),
        (b'{"instances": NaN}', "the body is not JSON"),
        (b'{"instances": [NaN, {"count": "NaN"}]}', "the body is not JSON"),
        (b"\xff\xfe{}", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"count": ' + b"9" * 100_000 + b"}", "the body is not JSON"),
        (b"5", 'the body must be {"instances": [record, ...]} or one record'),
        (b"[]", 'the body must be {"instances": [record, ...]} or one record'),
        (b'{"instances": []}', "instances must be a list of at least one record"),
        (b'{"instances": 5}', "instances must be a list of at least one record"),
        (b'{"instances": [5]}', "record 1 must be an object"),
        (b'{"instances": [], "more": 1}', "beside instances the body must hold nothing"),
        (b"{}", "record 1 lacks the field at"),
    ],
)
def test_json_that_holds_no_records_is_refused(body: bytes, message: str) -> None:
    assert refusal_of_json(body)[0].startswith(message)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf"), ("1e999", "inf"), ("-1e999", "-inf"),
        ("9" * 400, "9" * 100 + "..."),
    ],
    ids=["NaN", "infinity", "minus infinity", "1e999", "-1e999", "400 digits"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["name", "count", "share"])
def test_a_number_that_json_does_not_have_is_told_with_its_record_and_field(
    field: str, number: str, shown: str
) -> None:
    odd = json.dumps({**RECORD, field: "HERE"}).replace('"HERE"', number)
    message, details = refusal_of_json(f'{{"instances": [{json.dumps(RECORD)}, {odd}]}}'.encode())
    assert message.startswith(f"record 2: {field} must be ")
    assert (details["record"], details["field"], details["value"]) == (2, field, shown)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff\xfe\x00,\x80\n", "the body must be UTF-8"),
        (b"2013-03-18,a,3,0.5\n", "record 1 must have 5 fields (at, name, count, share, paid), got 4"),
        (b"2013-03-18,a,3,0.5,true,\n", "record 1 must have 5 fields (at, name, count, share, paid), got 6"),
        (b"2013-03-18,a,3,0.5,true\n\n", "record 2 must have 5 fields"),
        (b"\n", "record 1 must have 5 fields"),
        (b'2013-03-18,"a,3,0.5,true\n', "the body is not CSV"),
        (b"2013-03-18," + b"a" * 200_000 + b",3,0.5,true\n", "the body is not CSV: field larger than field limit"),
        (b"at,name,count,share,paid\n", "record 1: at must be a time without a zone"),
    ],
    ids=["no UTF-8", "too few", "too many", "empty line", "only a line end", "open quote", "giant field", "header"],
)
def test_csv_that_holds_no_records_is_refused(body: bytes, message: str) -> None:
    assert refusal_of_csv(body)[0].startswith(message)
