"""Read the records that `slipway invoke` shall send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.errors import UserError
from slipway.serving import json_body


@dataclass(frozen=True)
class Request:
    """The body of an invocation.

    Attributes:
        records: the records that the body holds when they have named values; empty for text/csv.
    """

    body: bytes
    content_type: str
    records: tuple[Mapping[str, Any], ...] = ()


def from_file(path: Path) -> Request:
    """A .json file is read as records, any other as text/csv without a header.

    Raises:
        UserError: the file cannot be read, or is empty or no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return from_json(text, str(path)) if path.suffix == ".json" else from_csv(text, str(path))


def from_text(text: str, source: str) -> Request:
    """JSON when it begins like JSON, else text/csv."""
    return from_json(text, source) if text.lstrip().startswith(("{", "[")) else from_csv(text, source)


def from_csv(text: str, source: str) -> Request:
    """Lines of values in the order of the model's columns.

    Raises:
        UserError: there is no line.
    """
    if not text.strip():
        raise UserError(f"{source} holds no record")
    return Request(text.encode(), "text/csv")


def from_json(text: str, source: str) -> Request:
    """One record, a list of records, or the request that the endpoint takes, `{"instances": [...]}`.

    Raises:
        UserError: the text is none of these.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UserError(f"{source} is not JSON: {error}", "slipway invoke '{\"column\": value, ...}'") from error
    if isinstance(document, dict):
        document = document.get("instances", [document])
    if not isinstance(document, list) or not document or not all(isinstance(record, dict) for record in document):
        raise UserError(f'{source} must be a record {{"column": value, ...}} or a list of at least one record')
    return Request(json_body(document), "application/json", tuple(document))
