"""The OpenAPI description that was shipped with the model: which records its endpoint takes, and what it answers."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from pipeline_steps.documents import ApiDescription
from pipeline_steps.errors import DocumentError
from pipeline_steps.verification.requests import Record

FILE = "openapi.json"
_LONGEST_FAULT = 200


class Description:
    """What a model's endpoint takes and answers.

    Args:
        document: the description.

    Raises:
        DocumentError: it lacks what is needed of it, or has no schema that can be used.
    """

    def __init__(self, document: ApiDescription) -> None:
        self.version = document.info.version
        self._components = dict(document.components)
        self._schemas: Mapping[str, Any] = _object(self._components.get("schemas"))
        self._record, self._predictions = self._validator("Record"), self._validator("Predictions")
        fields = _object(self._schemas["Record"].get("properties"))
        self.fields: Mapping[str, Mapping[str, Any]] = {name: _object(schema) for name, schema in fields.items()}

    @classmethod
    def read(cls, folder: Path) -> "Description | None":
        """That of the documents in a folder; None for a model of before there were any.

        Raises:
            DocumentError: it cannot be used.
        """
        return cls(ApiDescription.read(folder, "openapi")) if (folder / FILE).exists() else None

    def fault_of_predictions(self, answer: object) -> str | None:
        """What in an answer is not as described; None when all is."""
        error = next(self._predictions.iter_errors(answer), None)
        if error is None:
            return None
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        return f"{place.removeprefix('.') or 'the answer'}: {error.message[:_LONGEST_FAULT]}"

    def faulty_fields(self, record: Record) -> set[str]:
        """The fields of a record that the endpoint must refuse, unknown and missing ones too."""
        return {name for error in self._record.iter_errors(record) for name in _fields_of(error, record)} | {
            # JSON Schema takes what JSON does not have for numbers.
            name
            for name, value in record.items()
            if isinstance(value, float) and not math.isfinite(value)
        }

    def _validator(self, name: str) -> Draft202012Validator:
        schema = {"$ref": f"#/components/schemas/{name}", "components": self._components}
        try:
            Draft202012Validator.check_schema(self._schemas[name])
        except (KeyError, SchemaError) as error:
            reason = error.message if isinstance(error, SchemaError) else "it is missing"
            raise DocumentError(f"{FILE} has no schema {name} in its components that can be used: {reason}") from error
        return Draft202012Validator(schema)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _fields_of(error: ValidationError, record: Record) -> Iterator[str]:
    """The fields that an error of a record is about."""
    if error.absolute_path:
        yield str(error.absolute_path[0])
    elif error.validator == "required":
        yield from (name for name in error.validator_value if name not in record)
    elif error.validator == "additionalProperties":
        yield from record.keys() - error.schema.get("properties", {}).keys()


def kind_of(schema: Mapping[str, Any]) -> str:
    """What a field holds, string, date-time, integer, number or boolean; empty for anything else."""
    types = schema.get("type", "")
    kinds = [kind for kind in (types if isinstance(types, list) else [types]) if kind != "null"]
    if kinds == ["string"] and str(schema.get("format", "")).startswith("date-time"):
        return "date-time"
    return kinds[0] if len(kinds) == 1 else ""
