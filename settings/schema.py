"""The JSON schema that gives editors completion and checks while typing."""

from typing import Any

from settings.faults import LOCAL_OVERLAY
from settings.sections import Settings


def schema() -> dict[str, Any]:
    """The JSON schema of slipway.yaml, the overlay included, whose sections may leave out every key."""
    document = Settings.model_json_schema()
    definitions = document["$defs"]
    overlay = _optional({"properties": document["properties"]})
    definitions |= {f"Local{name}": _optional(definition) for name, definition in definitions.items()}
    document["properties"] = {
        **document["properties"],
        LOCAL_OVERLAY: {
            "description": "values that replace those above where Slipway runs on one machine",
            "type": "object",
            "additionalProperties": False,
            **overlay,
        },
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": "slipway.yaml"}


def _optional(schema_part: Any) -> Any:
    """A copy in which no key is required and every section is the overlay's own variant of it."""
    if isinstance(schema_part, list):
        return [_optional(item) for item in schema_part]
    if not isinstance(schema_part, dict):
        return schema_part
    result: dict[str, Any] = {}
    for key, value in schema_part.items():
        if key == "$ref":
            result[key] = value.replace("#/$defs/", "#/$defs/Local")
        elif key == "oneOf":  # without its required keys a value may fit two members of a union
            result["anyOf"] = _optional(value)
        elif key not in ("required", "default", "discriminator"):
            result[key] = _optional(value)
    return result
