"""The CloudFormation types AWS::CodeBuild::Project and AWS::CodeBuild::ReportGroup.

Templates write the API's names with a capital letter (`BuildSpec`, `TimeoutInMinutes`); the API's own shapes say which
member is meant and which type its value has.
"""

import json
import uuid
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_cloud.authorization import Rules, authorize
from local_cloud.codebuild.operations import Operations
from local_cloud.wire import JsonService, ServiceError, service_model

Properties = dict[str, Any]


class ProjectHandler:
    """Ref is the project's name."""

    replace_on = frozenset({"Name"})

    def __init__(self, service: JsonService, operations: Operations, rules: Rules) -> None:
        self._service = service
        self._operations = operations
        self._rules = rules

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
        """Make the project."""
        name = properties.get("Name") or f"{logical_id}-{uuid.uuid4().hex[:12]}"
        request = _project_request(properties, name)
        project = self._service.call("CreateProject", json.dumps(request).encode())["project"]
        return name, _project_attributes(project)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Properties:
        """Give the project its new definition; a property that was removed gets its default."""
        request = self._service.read("CreateProject", json.dumps(_project_request(new, physical_id)).encode())
        authorize(self._rules["UpdateProject"](request))
        return _project_attributes(self._operations.redefine_project(request))

    def delete(self, physical_id: str, properties: Properties) -> None:
        self._service.call("DeleteProject", json.dumps({"name": physical_id}).encode())


class ReportGroupHandler:
    """Ref is the report group's ARN."""

    replace_on = frozenset({"Name", "Type"})

    def __init__(self, service: JsonService) -> None:
        self._service = service

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
        """Make the report group."""
        request = _request("CreateReportGroup", _without(properties, "DeleteReports"))
        request.setdefault("name", f"{logical_id}-{uuid.uuid4().hex[:12]}")
        group = self._service.call("CreateReportGroup", json.dumps(request).encode())["reportGroup"]
        return group["arn"], {"Arn": group["arn"]}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Properties:
        """Change tags and the export."""
        changing = {key: value for key, value in new.items() if key in ("ExportConfig", "Tags")}
        request = _request("UpdateReportGroup", changing) | {"arn": physical_id}
        self._service.call("UpdateReportGroup", json.dumps(request).encode())
        return {"Arn": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        delete_reports = str(properties.get("DeleteReports", "false")).lower() == "true"
        request = {"arn": physical_id, "deleteReports": delete_reports}
        self._service.call("DeleteReportGroup", json.dumps(request).encode())


def _project_request(properties: Properties, name: str) -> Properties:
    if properties.get("Visibility", "PRIVATE") != "PRIVATE":
        raise ServiceError("InvalidInputException", "The local cloud serves private projects only (Visibility)")
    return _request("CreateProject", _without(properties, "Visibility")) | {"name": name}


def _project_attributes(project: Properties) -> Properties:
    return {"Arn": project["arn"], "Id": project["name"]}


def _without(properties: Properties, name: str) -> Properties:
    return {key: value for key, value in properties.items() if key != name}


def _request(operation: str, properties: Properties) -> Properties:
    shape = service_model("codebuild").operation_model(operation).input_shape
    translated: Properties = _translate(shape, properties, operation.removeprefix("Create"))
    return translated


def _translate(shape: Shape | None, value: Any, path: str) -> Any:
    """A template's value in the API's form."""
    if isinstance(shape, StructureShape):
        return _translate_structure(shape, value, path)
    if isinstance(shape, ListShape):
        return [_translate(shape.member, item, f"{path}[{n}]") for n, item in enumerate(value)]
    if isinstance(shape, MapShape):
        return {key: _translate(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    assert shape is not None
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if shape.type_name in ("integer", "long"):
        return int(value)
    return str(value)


def _translate_structure(shape: StructureShape, value: Properties, path: str) -> Properties:
    members = {member.lower(): member for member in shape.members}
    found = {}
    for name, item in value.items():
        member = members.get(name.lower())
        if member is None:
            known = ", ".join(sorted(shape.members))
            raise ServiceError(
                "InvalidInputException", f"{path}.{name} is not served by the local cloud; served are: {known}"
            )
        found[member] = _translate(shape.members[member], item, f"{path}.{name}")
    return found
