"""The CloudFormation types AWS::ApplicationAutoScaling::ScalableTarget and ScalingPolicy."""

import json
from collections.abc import Mapping
from typing import Any

from local_cloud.application_autoscaling.resource_ids import invalid
from local_cloud.template_values import as_api
from local_cloud.wire import JsonService, ServiceError

Properties = dict[str, Any]

_IDENTITY = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalableTargetResource:
    """Ref is `RESOURCEID|DIMENSION|NAMESPACE`."""

    replace_on = frozenset(_IDENTITY)

    def __init__(self, service: JsonService) -> None:
        self._service = service

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
        self._register(properties, _tags(properties))
        target_id = "|".join(properties[name] for name in _IDENTITY)
        return target_id, {"Id": target_id}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Properties:
        self._register(new, {})
        self._update_tags(physical_id, _tags(old), _tags(new))
        return {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        _delete(self._service, "DeregisterScalableTarget", _identity_of(physical_id))

    def _register(self, properties: Properties, tags: dict[str, str]) -> None:
        if properties.get("ScheduledActions"):
            raise invalid(
                "The local cloud does not serve ScheduledActions of AWS::ApplicationAutoScaling::ScalableTarget"
            )
        request = {name: value for name, value in properties.items() if name not in ("ScheduledActions", "Tags")}
        _call(self._service, "RegisterScalableTarget", request | ({"Tags": tags} if tags else {}))

    def _update_tags(self, physical_id: str, old: dict[str, str], new: dict[str, str]) -> None:
        gone = [key for key in old if key not in new]
        if old == new:
            return
        identity = _identity_of(physical_id)
        described = {"ServiceNamespace": identity["ServiceNamespace"], "ResourceIds": [identity["ResourceId"]]}
        (target,) = _call(self._service, "DescribeScalableTargets", described)["ScalableTargets"]
        arn = {"ResourceARN": target["ScalableTargetARN"]}
        if gone:
            _call(self._service, "UntagResource", arn | {"TagKeys": gone})
        if new:
            _call(self._service, "TagResource", arn | {"Tags": new})


class ScalingPolicyResource:
    """Ref is the policy's ARN."""

    replace_on = frozenset({*_IDENTITY, "PolicyName", "ScalingTargetId"})

    def __init__(self, service: JsonService) -> None:
        self._service = service

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
        arn: str = self._put(properties)["PolicyARN"]
        return arn, {"Arn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Properties:
        self._put(new)
        return {"Arn": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        request = _with_identity(properties)
        wanted = {name: request[name] for name in (*_IDENTITY, "PolicyName")}
        _delete(self._service, "DeleteScalingPolicy", wanted)

    def _put(self, properties: Properties) -> dict[str, Any]:
        return _call(self._service, "PutScalingPolicy", _with_identity(properties))


def _tags(properties: Properties) -> dict[str, str]:
    """A template has them as a list, the API as a map."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags", [])}


def _with_identity(properties: Properties) -> Properties:
    """The properties, with what ScalingTargetId names, where that stands for the three others."""
    rest = {name: value for name, value in properties.items() if name != "ScalingTargetId"}
    if "ScalingTargetId" in properties:
        return rest | _identity_of(properties["ScalingTargetId"])
    if not all(name in properties for name in _IDENTITY):
        raise invalid(f"Either ScalingTargetId or all three of [{', '.join(_IDENTITY)}] must be specified")
    return rest


def _identity_of(target_id: str) -> dict[str, str]:
    return dict(zip(_IDENTITY, target_id.split("|"), strict=False))


def _call(service: JsonService, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    request = as_api(service.model.operation_model(operation).input_shape, dict(properties), "#")
    return service.call(operation, json.dumps(request).encode())


def _delete(service: JsonService, operation: str, request: Mapping[str, Any]) -> None:
    """An absent resource is no error; so a policy that has gone with its target is none."""
    try:
        service.call(operation, json.dumps(request).encode())
    except ServiceError as error:
        if error.code != "ObjectNotFoundException":
            raise
