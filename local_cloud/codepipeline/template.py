"""Translates the properties of AWS::CodePipeline::Pipeline into the API's PipelineDeclaration, by botocore's shapes."""

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_cloud.codepipeline.records import Declaration
from local_cloud.wire import ServiceError, service_model

_NOT_IN_THE_DECLARATION = ("Tags", "DisableInboundStageTransitions", "RestartExecutionOnUpdate")


def declaration_of(properties: Mapping[str, Any], name: str) -> Declaration:
    """The PipelineDeclaration of a resource.

    Args:
        properties: the resource's properties, references resolved.
        name: the pipeline's name, in case that the template leaves it to CloudFormation.

    Raises:
        ServiceError: a property is unknown or of another type than it should be.
    """
    shape = service_model("codepipeline").shape_for("PipelineDeclaration")
    chosen = {key: value for key, value in properties.items() if key not in _NOT_IN_THE_DECLARATION}
    if "ArtifactStores" in chosen:
        chosen["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in chosen["ArtifactStores"]}
    declaration: Declaration = _translate(shape, chosen, "Properties")
    return {**declaration, "name": name}


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}


def closed_transitions_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Why the template wants transitions closed, by the stage that they lead into."""
    wanted = properties.get("DisableInboundStageTransitions", [])
    return {entry["StageName"]: entry["Reason"] for entry in wanted}


def restarts_on_update(properties: Mapping[str, Any]) -> bool:
    return str(properties.get("RestartExecutionOnUpdate", False)).lower() == "true"


def _translate(shape: Shape, value: Any, place: str) -> Any:
    if isinstance(shape, StructureShape):
        return _translate_structure(shape, _of_type(dict, value, place), place)
    if isinstance(shape, ListShape):
        items = _of_type(list, value, place)
        return [_translate(shape.member, item, f"{place}[{number}]") for number, item in enumerate(items)]
    if isinstance(shape, MapShape):
        entries = _of_type(dict, value, place)
        return {key: _translate(shape.value, item, f"{place}.{key}") for key, item in entries.items()}
    if shape.type_name == "integer":
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise _fault(f"{place} must be a number, got {value!r}") from error
    return str(value).lower() if isinstance(value, bool) else str(value)


def _translate_structure(shape: StructureShape, value: Mapping[str, Any], place: str) -> dict[str, Any]:
    translated = {}
    for key, item in value.items():
        name = key[:1].lower() + key[1:]
        if name not in shape.members or key[:1].islower():
            raise _fault(f"Encountered unsupported property {key} in {place}")
        translated[name] = _translate(shape.members[name], item, f"{place}.{key}")
    return translated


def _of_type(kind: type, value: Any, place: str) -> Any:
    if not isinstance(value, kind):
        raise _fault(f"{place} must be a {kind.__name__}, got {value!r}")
    return value


def _fault(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
