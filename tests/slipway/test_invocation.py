import json
from pathlib import Path

import pytest

from slipway.errors import UserError
from slipway.invocation import from_file, from_json, from_text


@pytest.mark.parametrize(
    "text", ['{"a": 1}', '[{"a": 1}]', '{"instances": [{"a": 1}]}'], ids=["record", "list", "instances"]
)
def test_a_record_may_be_given_in_three_ways(text: str) -> None:
    request = from_json(text, "the record")

    assert json.loads(request.body) == {"instances": [{"a": 1}]}
    assert request.content_type == "application/json"
    assert request.records == ({"a": 1},)


@pytest.mark.parametrize("text", ["[]", "[1]", '{"instances": []}', '"a"', "{", ""])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"the record (is not JSON|must be a record)"):
        from_json(text, "the record")


def test_csv_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("AA,1\nUA,2\n")

    request = from_file(tmp_path / "records.csv")

    assert (request.body, request.content_type, request.records) == (b"AA,1\nUA,2\n", "text/csv", ())


def test_a_json_file_is_read_as_records(tmp_path: Path) -> None:
    (tmp_path / "records.json").write_text('[{"a": 1}]')

    assert from_file(tmp_path / "records.json").records == ({"a": 1},)


@pytest.mark.parametrize(("text", "content_type"), [(' {"a": 1}', "application/json"), ("AA,1", "text/csv")])
def test_standard_input_is_told_apart_by_its_beginning(text: str, content_type: str) -> None:
    assert from_text(text, "standard input").content_type == content_type


def test_an_empty_input_is_refused() -> None:
    with pytest.raises(UserError, match="standard input holds no record"):
        from_text(" \n", "standard input")


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.csv"):
        from_file(tmp_path / "none.csv")
