"""Reads the settings file, its overlay included."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from settings.faults import LOCAL_OVERLAY, Fault, place, translate, unknown
from settings.rules import Location, shown
from settings.sections import Settings


class SettingsError(Exception):
    """The settings file cannot be used.

    Attributes:
        faults: one line for each fault, in the form `slipway.yaml: PLACE must be ..., got ...`.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def load(path: Path, overlay: str | None = None) -> Settings:
    """Read the settings file and, on request, lay its overlay's values over it.

    Args:
        path: the file, usually slipway.yaml.
        overlay: `local` for the values under the file's key `local`; None or empty for the file as it stands.

    Raises:
        SettingsError: the file or its overlay has faults; all of them are named, whichever overlay is asked for.
    """
    if overlay not in (None, "", LOCAL_OVERLAY):
        raise SettingsError([f"{path.name}: the overlay must be {LOCAL_OVERLAY} or empty, got {shown(overlay)}"])
    document = _read(path)
    values = document.pop(LOCAL_OVERLAY, {})
    settings, faults = _validate(document)
    merged, overlay_faults = _validate_overlay(document, values, [location for location, _ in faults])
    faults += [((LOCAL_OVERLAY, *location), text) for location, text in overlay_faults]
    if faults:
        raise SettingsError(f"{path.name}: {place(location)} {text}" for location, text in dict.fromkeys(faults))
    # Without a fault both are there.
    return cast(Settings, merged if overlay == LOCAL_OVERLAY else settings)


def _validate(document: Mapping[str, Any]) -> tuple[Settings | None, list[Fault]]:
    try:
        return Settings.model_validate(document), []
    except ValidationError as error:
        return None, [fault for details in error.errors() for fault in translate(details)]


def _validate_overlay(
    document: Mapping[str, Any], values: Any, faulty: list[Location]
) -> tuple[Settings | None, list[Fault]]:
    """Validate the file with the overlay's values; the faults are those that the file alone does not have."""
    if not isinstance(values, dict):
        return None, [((), f"must be a mapping of keys to values, got {shown(values)}")]
    settings, faults = _validate(_merged(document, values))
    inherited = [fault for fault in faults if not _given(values, fault[0]) and _lies_in(fault[0], faulty)]
    return settings, [*(fault for fault in faults if fault not in inherited), *_new_keys(document, values)]


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in values.items():
        below = base.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _new_keys(document: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Fault]:
    """Keys that the overlay adds where the schema allows any key: an overlay changes values only."""
    for location in (("training", "hyperparameters"), ("tags",)):
        below, above = _at(document, location), _at(values, location)
        if isinstance(above, dict):
            known = list(below) if isinstance(below, dict) else []
            yield from (((*location, key), unknown(key, known)) for key in above if key not in known)


def _at(value: Any, location: Location) -> Any:
    for key in location:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _given(values: Any, location: Location) -> bool:
    """Whether the overlay itself gives the value at this location (a list is given as a whole)."""
    for key in location:
        if isinstance(values, list):
            return True
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _lies_in(location: Location, others: list[Location]) -> bool:
    return any(location[: len(other)] == other for other in others)


def _read(path: Path) -> dict[str, Any]:
    """The file as a mapping; refuses what YAML itself would accept silently, such as a key given twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{path.name}: cannot be read: {error.strerror} ({path})"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path.name}: is not UTF-8 text (byte {error.start + 1})"]) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        faults = list(_repetitions(node, ()))
        if faults:
            raise SettingsError(f"{path.name}: {fault}" for fault in faults)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError([f"{path.name}: {_syntax_fault(error)}"]) from error
    except ValueError as error:  # what looks like a date and is none
        raise SettingsError([f"{path.name}: is not YAML: {error}"]) from error
    if document is None:
        required = [name for name, field in Settings.model_fields.items() if field.is_required()]
        raise SettingsError([f"{path.name}: is empty; it must have the keys {', '.join(required)}"])
    if not isinstance(document, dict):
        raise SettingsError([f"{path.name}: must be a mapping of keys to values, got {shown(document)}"])
    return document


def _repetitions(node: yaml.Node | None, above: tuple[yaml.Node, ...]) -> Iterator[str]:
    if any(node is one for one in above):
        line = cast(yaml.Node, node).start_mark.line + 1
        yield f"line {line}: an alias must not stand inside the value that it repeats"
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                yield f"line {line}: the key {key.value} must be given once, it is on line {lines[key.value]} already"
            elif isinstance(key, yaml.ScalarNode):
                lines[key.value] = line
            yield from _repetitions(value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repetitions(value, (*above, node))


def _syntax_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"is not YAML: {' '.join(str(error).split())}"
    problem = " ".join(text for text in (getattr(error, "context", None), getattr(error, "problem", None)) if text)
    return f"line {mark.line + 1}, column {mark.column + 1}: is not YAML: {problem}"
