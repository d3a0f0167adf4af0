"""The values of a CloudFormation template as the API's clients would write them."""

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_cloud.wire import ServiceError


def as_api(shape: Shape | None, value: Any, path: str) -> Any:
    """A template's value in the API's types: templates may write numbers and truth values as strings.

    A value that cannot be read so stays as it is: the API's own validation refuses it.
    """
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name in value:
            if name not in shape.members:
                raise ServiceError(
                    "ValidationException",
                    f"Properties validation failed: {path}: extraneous key [{name}] is not permitted",
                )
        return {name: as_api(shape.members[name], item, f"{path}/{name}") for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [as_api(shape.member, item, f"{path}/{n}") for n, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: as_api(shape.value, item, f"{path}/{key}") for key, item in value.items()}
    return _scalar(shape.type_name if shape is not None else "string", value)


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string" and isinstance(value, (bool, int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and kind in ("integer", "long", "float", "double"):
        try:
            return float(value) if kind in ("float", "double") else int(value)
        except ValueError:
            return value
    return value
