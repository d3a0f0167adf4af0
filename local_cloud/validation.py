"""A request's JSON, read by the shape that botocore's model gives it: types, and the model's constraints.

What is wrong is said in AWS's words, with the member's place: a wrong type ends the reading (SerializationException),
broken constraints are gathered (ValidationException, or what the service has in its place).
"""

import base64
import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

_SHOWN_CHARACTERS = 200  # of a value, in a fault's text


class MalformedRequestError(Exception):
    """The body is no JSON object, or a value in it has another type than the model's."""


@dataclass(frozen=True)
class Fault:
    """A constraint that a request breaks.

    Attributes:
        member: the place of the value, such as `tags.1.member.key`.
        value: None for one that is missing.
    """

    member: str
    value: Any
    constraint: str = "Member must not be null"

    def __str__(self) -> str:
        shown = "null" if self.value is None else f"'{str(self.value)[:_SHOWN_CHARACTERS]}'"
        return f"Value {shown} at '{self.member}' failed to satisfy constraint: {self.constraint}"


def read_request(shape: StructureShape | None, body: bytes) -> tuple[dict[str, Any], list[Fault]]:
    """Read a request.

    Args:
        shape: the operation's input; None when it takes none.
        body: JSON; nothing stands for an empty request.

    Returns:
        The request with times as datetimes and blobs as bytes, without members that the shape does not have (AWS passes
        them over as well) and members that are null; and every fault in it.

    Raises:
        MalformedRequestError: it cannot be read.
    """
    try:
        raw = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(f"The request is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise MalformedRequestError("The request must be a JSON object")
    faults: list[Fault] = []
    return ({} if shape is None else _structure(shape, raw, "", faults)), faults


def is_set(value: Any, path: str) -> bool:
    """Whether a request asks for something: a member that is there and neither false, zero nor empty.

    Args:
        value: the request, or a part of it.
        path: such as `VpcConfig.Subnets`, through lists, or `Outputs.Mode=Pipe` for one value of the member.
    """
    if isinstance(value, list):
        return any(is_set(item, path) for item in value)
    name, _, rest = path.partition(".")
    name, _, wanted = name.partition("=")
    if not isinstance(value, dict) or not value.get(name):
        return False
    return is_set(value[name], rest) if rest else wanted in ("", value[name])


def _read(shape: Shape, value: Any, path: str, faults: list[Fault]) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, _of_type(dict, value, "a Structure", path), path, faults)
    if isinstance(shape, ListShape):
        items = _of_type(list, value, "a List", path)
        _check_bounds(shape, len(items), "length", items, path, faults)
        return [_read(shape.member, item, f"{path}.{n}.member", faults) for n, item in enumerate(items, 1)]
    if isinstance(shape, MapShape):
        entries = _of_type(dict, value, "a Map", path)
        _check_bounds(shape, len(entries), "length", entries, path, faults)
        for key in entries:
            _check_key(shape.key, _text(key, path), path, faults)
        return {key: _read(shape.value, item, f"{path}.{key}", faults) for key, item in entries.items()}
    return _scalar(shape, value, path, faults)


def _structure(shape: StructureShape, value: dict[str, Any], path: str, faults: list[Fault]) -> dict[str, Any]:
    faults.extend(Fault(_join(path, name), None) for name in shape.required_members if value.get(name) is None)
    return {
        name: _read(member, value[name], _join(path, name), faults)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


_SCALARS: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a String", (str,)), "boolean": ("a Boolean", (bool,)), "blob": ("a Blob", (str,)),
    "integer": ("an Integer", (int,)), "long": ("a Long", (int,)), "timestamp": ("a Timestamp", (int, float)),
    "float": ("a Float", (int, float)), "double": ("a Double", (int, float)),
}  # fmt: skip


def _scalar(shape: Shape, value: Any, path: str, faults: list[Fault]) -> Any:
    kind = shape.type_name
    noun, types = _SCALARS[kind]
    if isinstance(value, bool) and kind != "boolean":
        raise _wrong_type(value, noun, path)
    value = _of_type(types, value, noun, path)
    if kind == "timestamp":
        return _time(value, path)
    if kind == "blob":
        value = _blob(value, path)
        _check_bounds(shape, len(value), "length", value, path, faults)
    elif kind == "string":
        _check_string(shape, _text(value, path), path, faults)
    elif kind != "boolean":
        _check_bounds(shape, value, "value", value, path, faults)
    return value


def _of_type(types: type | tuple[type, ...], value: Any, noun: str, path: str) -> Any:
    if not isinstance(value, types):
        raise _wrong_type(value, noun, path)
    return value


def _wrong_type(value: Any, noun: str, path: str) -> MalformedRequestError:
    """AWS's words for it, with the member that AWS leaves to the caller to find."""
    if isinstance(value, (list, dict)):
        start = "list" if isinstance(value, list) else "structure or map"
        text = f"Start of {start} found where not expected"
    else:
        names = {type(None): "NULL_VALUE", bool: f"{value}_VALUE".upper(), str: "STRING_VALUE"}
        text = f"{names.get(type(value), 'NUMBER_VALUE')} can not be converted to {noun}"
    return MalformedRequestError(f"{text} ('{path}')")


def _time(value: float, path: str) -> datetime:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedRequestError(f"{value} is no time ('{path}')") from error


def _blob(value: str, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise MalformedRequestError(f"STRING_VALUE is not base64 ('{path}')") from error


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can write half a surrogate pair, which no store and no program takes
        raise MalformedRequestError(f"STRING_VALUE is not Unicode text ('{path}')") from error
    return value


def _check_string(shape: Shape, value: str, path: str, faults: list[Fault]) -> None:
    faults.extend(Fault(path, value, broken) for broken in _broken_constraints(shape, value))


def _check_key(shape: Shape, key: str, path: str, faults: list[Fault]) -> None:
    broken = list(_broken_constraints(shape, key))
    if broken:
        faults.append(Fault(path, key, f"Map keys must satisfy constraint: [{', '.join(broken)}]"))


def _broken_constraints(shape: Shape, value: str) -> Iterator[str]:
    yield from _broken_bounds(shape, len(value), "length")
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := _compile(pattern)) and not compiled.fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


@lru_cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the models, which hold Java's; None for the few that Python cannot read: they are not checked."""
    anchored = re.sub(r"\$\{\d+,\d+\}", "$", pattern)  # a repeated anchor, as in `([a-z]*)${1,256}`
    try:
        return re.compile(re.sub(r"\\p\{(\w+)\}", lambda match: _characters()[match[1]], anchored), re.DOTALL)
    except (re.error, KeyError):
        return None


@lru_cache
def _characters() -> dict[str, str]:
    """What stands for Java's `\\p{NAME}` in a character class of Python: Unicode's letters are `L`, numbers `N`."""
    ranges: dict[str, str] = defaultdict(str, Alnum="a-zA-Z0-9")
    for name, run in groupby(map(chr, range(sys.maxunicode + 1)), key=lambda char: unicodedata.category(char)[0]):
        characters = list(run)
        ranges[name] += f"\\U{ord(characters[0]):08x}-\\U{ord(characters[-1]):08x}"
    return dict(ranges)


def _check_bounds(shape: Shape, size: float, noun: str, value: Any, path: str, faults: list[Fault]) -> None:
    faults.extend(Fault(path, value, broken) for broken in _broken_bounds(shape, size, noun))


def _broken_bounds(shape: Shape, size: float, noun: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"Member must have {noun} greater than or equal to {low}"
    if high is not None and size > high:
        yield f"Member must have {noun} less than or equal to {high}"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member
