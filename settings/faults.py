"""Pydantic's errors as faults of slipway.yaml, in the words of the file."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from settings.endpoints import Endpoint, Endpoints, ServerlessEndpoint
from settings.rules import PATTERN_WORDS, Location, shown
from settings.sections import Data, HashSplit, Settings, TimeSplit

LOCAL_OVERLAY = "local"

Fault = tuple[Location, str]


def translate(details: ErrorDetails) -> Iterator[Fault]:
    """Translate one of pydantic's errors into faults of the file."""
    location, section = _resolve(details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    if kind == "slipway":
        yield from (((*location, *within), text) for within, text in context["faults"])
    elif kind == "extra_forbidden":
        yield location, _unwanted(section, str(location[-1]))
    elif kind == "missing":
        yield location, f"is missing: {section.model_fields[str(location[-1])].description}"
    elif kind == "union_tag_not_found":
        yield (*location, "by"), f"is missing: {_alternatives(SPLITS)}"
    elif kind == "union_tag_invalid":
        yield (*location, "by"), f"must be {_alternatives(SPLITS)}, got {shown(details['input']['by'])}"
    else:
        subject = "as a key must" if kind == "invalid_key" or details["loc"][-1] == "[key]" else "must"
        yield location, f"{subject} be {_requirement(kind, context)}, got {shown(details['input'])}"


def _resolve(path: Location) -> tuple[Location, type[BaseModel]]:
    """The location in the file, and the section that its last key belongs to.

    Pydantic's path also names the member of a union and marks the keys of a mapping; the file has neither.
    """
    location: list[str | int] = []
    section: type[BaseModel] = Settings
    kind: Any = Settings
    for key in path:
        if key == "[key]":
            continue
        if kind in _MEMBERS:
            kind = _MEMBERS[kind][str(key)]
            continue
        location.append(key)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            section = kind
            field = section.model_fields.get(str(key))
            kind = field.annotation if field else None
        elif get_origin(kind) is tuple:
            kind = get_args(kind)[0]
    return tuple(location), section


def _unwanted(section: type[BaseModel], key: str) -> str:
    if section is ServerlessEndpoint and key in Endpoint.model_fields:
        return "must not stand beside serverless, which takes the place of instances"
    more = {Settings: (LOCAL_OVERLAY,), Endpoint: tuple(ServerlessEndpoint.model_fields)}.get(section, ())
    return unknown(key, [*section.model_fields, *more])


def _requirement(kind: str, context: Mapping[str, Any]) -> str:
    """What is allowed, in words, for pydantic's error type."""
    match kind:
        case "greater_than_equal":
            return f"{context['ge']:g} or more"
        case "less_than_equal":
            return f"{context['le']:g} or less"
        case "string_pattern_mismatch":
            return PATTERN_WORDS[context["pattern"]]
        case "string_too_short":
            return f"at least {context['min_length']} characters long"
        case "string_too_long":
            return f"at most {context['max_length']} characters long"
        case "too_short":
            return f"a list of at least {context['min_length']}"
        case "too_long":
            return f"at most {context['max_length']} entries"
        case "literal_error":
            return str(context["expected"]).replace("'", "")
    return _KINDS[kind]


_KINDS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "day": "a day such as 2027-01-31",
    "margin": 'a number, or a percentage such as "2%"',
    "hyperparameter": "text, a number, true or false",
    **dict.fromkeys(("string_type", "invalid_key"), "text (in quotes where YAML takes it for something else)"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping of keys to values"
    ),
}
SPLITS: dict[str, type[BaseModel]] = {"time": TimeSplit, "hash": HashSplit}
_ENDPOINTS: dict[str, type[BaseModel]] = {"instances": Endpoint, "serverless": ServerlessEndpoint}
_MEMBERS: dict[Any, dict[str, type[BaseModel]]] = {
    Data.model_fields["split"].annotation: SPLITS,
    Endpoints.model_fields["staging"].annotation: _ENDPOINTS,
}
"""The sections that may stand in one place, by the tags that pydantic gives them."""


def unknown(key: str | int, known: Iterable[str]) -> str:
    allowed = [name for name in known if name != key]
    nearest = difflib.get_close_matches(str(key), allowed, n=1)
    text = f"is not a known key; allowed: {', '.join(allowed) or 'none'}"
    return f"{text}; did you mean {nearest[0]}?" if nearest else text


def place(location: Location) -> str:
    """The location as it is written in prose: `evaluation.limits[0].metric`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location)
    return text.removeprefix(".") or "the file"


def _alternatives(names: Iterable[str]) -> str:
    return " or ".join(names)
