"""Requests to the server's WSGI callable, in this process."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from model_code.records import Column
from model_code.serve import Application


def post(application: Application, body: bytes, content_type: str = "application/json") -> tuple[int, bytes]:
    """Ask for predictions: status and body of the answer."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/invocations", "CONTENT_TYPE": content_type,
        "wsgi.input": io.BytesIO(body),
    }  # fmt: skip
    answer = b"".join(application(environ, lambda status, headers: statuses.append(status)))
    return int(statuses[0].split()[0]), answer


def csv_line(document: Mapping[str, Any], columns: Sequence[Column]) -> bytes:
    """A record as text/csv."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_field(document[column.name]) for column in columns])
    return line.getvalue().encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
