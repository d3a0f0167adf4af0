"""The CloudFormation resource types of SageMaker; they call the same operations as the API's clients do."""

import json
import logging
import secrets
import string
from collections.abc import Mapping
from typing import Any

from local_cloud.sagemaker.endpoints import Endpoints
from local_cloud.template_values import as_api
from local_cloud.wire import JsonService, ServiceError

logger = logging.getLogger(__name__)

_NAME_CHARACTERS = 63
_RANDOM_CHARACTERS = 12


class NamedResource:
    """A type `AWS::SageMaker::X` with the operations CreateX, DescribeX and DeleteX; Ref gives its ARN.

    Args:
        noun: X.
        fixed: the properties that only a replacement changes; the others are its tags.
        readable: what Fn::GetAtt gives, as members of what DescribeX answers.
    """

    def __init__(self, service: JsonService, noun: str, fixed: frozenset[str], readable: tuple[str, ...]) -> None:
        self.replace_on = fixed
        self._service = service
        self._noun = noun
        self._readable = readable

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name_property = f"{self._noun}Name"
        named = {name_property: properties.get(name_property) or _generated_name(logical_id)}
        arn = self._call(f"Create{self._noun}", self._request("Create", properties | named))[f"{self._noun}Arn"]
        try:
            return arn, self._created(arn)
        except ServiceError:
            self._undo(arn)
            raise

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        self._update_tags(physical_id, old, new)
        return self._attributes(physical_id)

    def delete(self, physical_id: str, properties: dict[str, Any]) -> None:
        if self._exists(physical_id):
            self._delete(physical_id)

    def _created(self, arn: str) -> dict[str, Any]:
        """What the resource is like once it is made."""
        return self._attributes(arn)

    def _undo(self, arn: str) -> None:
        """Delete what was made in vain: the stack never learns of it, so it could not roll it back."""
        try:
            self._delete(arn)
        except ServiceError as error:
            logger.warning("%s is left behind: %s", arn, error.message)

    def _delete(self, arn: str) -> None:
        self._call(f"Delete{self._noun}", {f"{self._noun}Name": _name(arn)})

    def _exists(self, arn: str) -> bool:
        try:
            self._attributes(arn)
        except ServiceError as error:
            if error.code.startswith("AccessDenied"):
                raise
            return False
        return True

    def _attributes(self, arn: str) -> dict[str, Any]:
        described = self._call(f"Describe{self._noun}", {f"{self._noun}Name": _name(arn)})
        return {name: described[name] for name in self._readable}

    def _request(self, verb: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The API's request that the properties of a template make.

        Raises:
            ServiceError: a property is unknown, or of a type that cannot be read as the API's.
        """
        shape = self._service.model.operation_model(f"{verb}{self._noun}").input_shape
        request = as_api(shape, dict(properties), "#")
        assert isinstance(request, dict)
        return request

    def _update_tags(self, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        wanted = new.get("Tags", [])
        gone = [tag["Key"] for tag in old.get("Tags", []) if tag["Key"] not in {tag["Key"] for tag in wanted}]
        if gone:
            self._call("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
        if wanted:
            self._call("AddTags", {"ResourceArn": arn, "Tags": wanted})

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._service.call(operation, json.dumps(request).encode())


class EndpointResource(NamedResource):
    """`AWS::SageMaker::Endpoint`: made and updated when it is in service, and not before."""

    _ONLY_FOR_UPDATES = ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "RetainDeploymentConfig")

    def __init__(self, service: JsonService, endpoints: Endpoints) -> None:
        super().__init__(service, "Endpoint", frozenset({"EndpointName"}), ("EndpointName", "EndpointArn"))
        self._endpoints = endpoints

    def create(self, logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        create_only = {name: value for name, value in properties.items() if name not in self._ONLY_FOR_UPDATES}
        return super().create(logical_id, create_only, stack_name)

    def update(self, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        self._update_tags(physical_id, old, new)
        wanted = new["EndpointConfigName"]
        if self._config_name(physical_id) != wanted:
            changes = {name: value for name, value in new.items() if name not in ("Tags", "EndpointName")}
            self._call("UpdateEndpoint", self._request("Update", changes | {"EndpointName": _name(physical_id)}))
            self._wait(physical_id)
            if self._config_name(physical_id) != wanted:
                raise _not_stabilized(physical_id, self._endpoints.existing(_name(physical_id)))
        return self._attributes(physical_id)

    def _created(self, arn: str) -> dict[str, Any]:
        attributes = super()._created(arn)
        self._wait(arn)
        return attributes

    def _delete(self, arn: str) -> None:
        self._endpoints.wait_until_settled(_name(arn))
        super()._delete(arn)
        self._endpoints.wait_until_settled(_name(arn))

    def _config_name(self, arn: str) -> str:
        return str(self._endpoints.existing(_name(arn))["EndpointConfigName"])

    def _wait(self, arn: str) -> None:
        endpoint = self._endpoints.wait_until_settled(_name(arn))
        if endpoint is None or endpoint["EndpointStatus"] != "InService":
            raise _not_stabilized(arn, endpoint or {})


def _not_stabilized(arn: str, endpoint: Mapping[str, Any]) -> ServiceError:
    return ServiceError(
        "NotStabilized",
        f'Endpoint "{arn}" did not come into service: {endpoint.get("FailureReason", "it was deleted")}',
    )


def _name(arn: str) -> str:
    return arn.partition("/")[2]


def _generated_name(logical_id: str) -> str:
    """LOGICALID-RANDOM, as CloudFormation names these types."""
    ending = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_RANDOM_CHARACTERS))
    return f"{logical_id[: _NAME_CHARACTERS - _RANDOM_CHARACTERS - 1]}-{ending}"
