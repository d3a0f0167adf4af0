"""Reads the records of a request; a body that holds none is refused with the place, the value and what is allowed.

Plain Python, one column after the other: a CSV or data frame reader takes longer to set up (465 us for one record) than
the whole request may.
"""

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson

from model_code.errors import RequestError
from model_code.records import Column

LARGEST_BODY_BYTES = 6_291_456
"""SageMaker sends no larger body to a real-time endpoint (InvokeEndpoint, Body)."""

MOST_RECORDS = 100_000
"""A body of the largest size can hold 3 million short records, and one process would do nothing else for seconds,
while /ping has two to answer in."""

_LONGEST_SHOWN = 100
INTEGERS = range(-(2**63), 2**63)

Cells = dict[str, list[Any]]


def read_csv(body: bytes, columns: Sequence[Column]) -> Cells:
    """Read text/csv: a record a line, no header, an empty field for a missing value.

    Raises:
        RequestError: with status 400, or 413 for too many records.
    """
    try:
        lines = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
        rows = list(itertools.islice(lines, MOST_RECORDS + 1))
    except UnicodeDecodeError as error:
        raise RequestError("the body must be UTF-8") from error
    except csv.Error as error:
        raise RequestError(f"the body is not CSV: {error}") from error
    if not rows:
        raise RequestError("the body must hold at least one record, it is empty")
    _check_number(rows)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            names = ", ".join(column.name for column in columns)
            message = f"record {number} must have {len(columns)} fields ({names}), got {len(row)}"
            raise RequestError(message, record=number, value=len(row), allowed=len(columns))
    cells = zip(*rows, strict=True)
    return {
        column.name: _read(column, values, _text_reader(column)) for column, values in zip(columns, cells, strict=True)
    }


def read_json(body: bytes, columns: Sequence[Column]) -> Cells:
    """Read application/json: {"instances": [record, ...]}, or one record.

    Raises:
        RequestError: with status 400, or 413 for too many records.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _name_what_json_lacks(body, columns)
        raise RequestError(f"the body is not JSON: {error}") from error
    records = _records_of(document)
    _check_number(records)
    names = {column.name for column in columns}
    required = {column.name for column in columns if not column.optional}
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise RequestError(f"record {number} must be an object", record=number, value=_shown(record))
        if not required <= record.keys() <= names:
            raise _wrong_names(record, number, columns)
    return {
        column.name: _read(column, [record.get(column.name) for record in records], _json_reader(column))
        for column in columns
    }


def _name_what_json_lacks(body: bytes, columns: Sequence[Column]) -> None:
    """Refuse NaN, Infinity and numbers beyond all range by their field: JSON has none of them, but many clients do."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    by_name = {column.name: column for column in columns}
    records = document.get("instances", [document]) if isinstance(document, dict) else None
    for number, record in enumerate(records if isinstance(records, list) else (), start=1):
        for name, value in record.items() if isinstance(record, dict) else ():
            if isinstance(value, int | float) and not _is_finite(value):
                column = by_name.get(name)
                raise (
                    _unknown_field(name, number, columns)
                    if column is None
                    else _wrong_value(column, number, str(value))
                )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _check_number(records: Sequence[Any]) -> None:
    if len(records) > MOST_RECORDS:
        message = f"the body may hold {MOST_RECORDS:,} records, it has more: send fewer at once"
        raise RequestError(message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, allowed=MOST_RECORDS)


def _records_of(document: Any) -> list[Any]:
    if not isinstance(document, dict):
        raise RequestError('the body must be {"instances": [record, ...]} or one record', value=_shown(document))
    if "instances" not in document:
        return [document]
    if len(document) > 1:
        unknown = ", ".join(sorted(document.keys() - {"instances"}))
        raise RequestError("beside instances the body must hold nothing", value=_shown(unknown), allowed="instances")
    records = document["instances"]
    if not isinstance(records, list) or not records:
        raise RequestError("instances must be a list of at least one record", field="instances", value=_shown(records))
    return records


def _wrong_names(record: dict[str, Any], number: int, columns: Sequence[Column]) -> RequestError:
    by_name = {column.name: column for column in columns}
    for name in record:
        if name not in by_name:
            return _unknown_field(name, number, columns)
    absent = next(column for column in columns if column.name not in record and not column.optional)
    message = f"record {number} lacks the field {absent.name}"
    return RequestError(message, record=number, field=absent.name, allowed=absent.allowed)


def _unknown_field(name: str, number: int, columns: Sequence[Column]) -> RequestError:
    field, known = _shown(name), ", ".join(column.name for column in columns)
    return RequestError(f"record {number} has the unknown field {field}", record=number, field=field, allowed=known)


def _read(column: Column, cells: Sequence[Any], reader: Callable[[Any], Any]) -> list[Any]:
    values: list[Any] = []
    try:
        for cell in cells:
            values.append(reader(cell))  # noqa: PERF401 - their number tells which one failed
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise _wrong_value(column, len(values) + 1, cells[len(values)]) from error
    return values


def _wrong_value(column: Column, number: int, value: Any) -> RequestError:
    return RequestError(
        f"record {number}: {column.name} must be {column.allowed}, got {_shown(value)}",
        record=number, field=column.name, value=_shown(value), allowed=column.allowed,
    )  # fmt: skip


def _shown(value: Any) -> Any:
    """A value as the answer repeats it: as it came, but short."""
    try:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # it reads 1,024 levels of lists and objects and writes 254
        return "lists or objects nested too deep to be shown"
    return value if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _optional(reader: Callable[[Any], Any], missing: str | None) -> Callable[[Any], Any]:
    return lambda cell: None if cell == missing else reader(cell)


def _text_reader(column: Column) -> Callable[[Any], Any]:
    reader = _FROM_TEXT[column.kind]
    return _optional(reader, "") if column.optional else reader


def _json_reader(column: Column) -> Callable[[Any], Any]:
    reader = _FROM_JSON[column.kind]
    return _optional(reader, None) if column.optional else reader


def _text(cell: str) -> str:
    if not isinstance(cell, str) or not cell:
        raise ValueError(cell)
    return cell


def _whole_number(cell: str) -> int:
    if "_" in cell:  # Python's own notation
        raise ValueError(cell)
    return _json_whole_number(int(cell))


def _number(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)
    return _json_number(float(cell))


def _boolean(cell: str) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[cell.lower()]


def _time(cell: str) -> datetime:
    value = datetime.fromisoformat(cell)
    if value.tzinfo is not None:
        raise ValueError(cell)
    return value


def _json_whole_number(cell: Any) -> int:
    if isinstance(cell, bool) or int(cell) != cell or int(cell) not in INTEGERS:
        raise ValueError(cell)
    # orjson reads a whole number below the range as a float, rounded to the lowest one.
    if isinstance(cell, float) and cell == INTEGERS.start:
        raise ValueError(cell)
    return int(cell)


def _json_number(cell: Any) -> float:
    if isinstance(cell, bool) or not math.isfinite(cell):
        raise ValueError(cell)
    return float(cell)


def _json_boolean(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise TypeError(cell)
    return cell


_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    str: _text, int: _whole_number, float: _number, bool: _boolean, datetime: _time,
}  # fmt: skip
_FROM_JSON: dict[type, Callable[[Any], Any]] = {
    str: _text, int: _json_whole_number, float: _json_number, bool: _json_boolean, datetime: _time,
}  # fmt: skip
