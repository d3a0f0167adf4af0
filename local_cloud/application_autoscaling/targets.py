"""Scalable targets: which variants are scaled, and between which bounds."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.application_autoscaling.activities import ScalingActivities
from local_cloud.application_autoscaling.endpoint_variants import EndpointVariants, role_arn
from local_cloud.application_autoscaling.listing import page_of
from local_cloud.application_autoscaling.policies import ScalingPolicies
from local_cloud.application_autoscaling.resource_ids import EndpointVariant, invalid, not_found
from local_cloud.store import Table
from local_cloud.wire import ServiceError

_NOT_SUSPENDED = {
    "DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False,
}  # fmt: skip


class ScalableTargets:
    """RegisterScalableTarget and what can be done with a scalable target."""

    def __init__(
        self, place: str, account_id: str, table: Table, variants: EndpointVariants, policies: ScalingPolicies,
        activities: ScalingActivities,
    ) -> None:  # fmt: skip
        """
        Args:
            place: what the ARNs begin with, up to the account.
        """
        self._place = place
        self._role_arn = role_arn(account_id)
        self._table = table
        self._variants = variants
        self._policies = policies
        self._activities = activities

    def register_scalable_target(self, request: dict[str, Any]) -> dict[str, Any]:
        resource = EndpointVariant.of(request)
        self._variants.ensure_role()
        capacity = self._variants.capacity(resource)
        if capacity is None:
            raise invalid(f"SageMaker endpoint variant doesn't exist: {resource.resource_id}")
        if capacity.serverless:
            raise invalid(f"SageMaker endpoint variant is serverless, so it has no instances: {resource.resource_id}")
        target = self._table.get(resource.resource_id) or {
            **resource.members(), "RoleARN": self._role_arn, "CreationTime": datetime.now(UTC),
            "ScalableTargetARN": f"{self._place}:scalable-target/{secrets.token_hex(18)[:35]}",
            "SuspendedState": _NOT_SUSPENDED,
        }  # fmt: skip
        target |= {name: request[name] for name in ("MinCapacity", "MaxCapacity") if name in request}
        target["Tags"] = target.get("Tags", {}) | request.get("Tags", {})
        target["SuspendedState"] = target["SuspendedState"] | request.get("SuspendedState", {})
        _check_bounds(target)
        self._table.put(resource.resource_id, target)
        if capacity.status == "InService":
            self._bring_inside(resource, target, capacity.desired)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def deregister_scalable_target(self, request: dict[str, Any]) -> dict[str, Any]:
        resource = EndpointVariant.of(request)
        if self._table.get(resource.resource_id) is None:
            raise not_found(f"No scalable target registered for {resource}")
        self._policies.delete_of(resource)
        self._table.delete(resource.resource_id)
        return {}

    def describe_scalable_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = [
            target for target in self.all()
            if target["ServiceNamespace"] == request["ServiceNamespace"]
            and target["ResourceId"] in request.get("ResourceIds", [target["ResourceId"]])
        ]  # fmt: skip
        return page_of("ScalableTargets", wanted, request, identity="ResourceId")

    def tag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        target = self._of_arn(request["ResourceARN"])
        self._table.put(target["ResourceId"], target | {"Tags": target.get("Tags", {}) | request["Tags"]})
        return {}

    def untag_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        target = self._of_arn(request["ResourceARN"])
        kept = {key: value for key, value in target.get("Tags", {}).items() if key not in request["TagKeys"]}
        self._table.put(target["ResourceId"], target | {"Tags": kept})
        return {}

    def list_tags_for_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._of_arn(request["ResourceARN"]).get("Tags", {})}

    def _of_arn(self, arn: str) -> dict[str, Any]:
        for target in self.all():
            if target["ScalableTargetARN"] == arn:
                return target
        raise ServiceError("ResourceNotFoundException", f"The resource {arn} does not exist")

    def all(self) -> list[dict[str, Any]]:
        return [target for _, target in self._table.items()]

    def _bring_inside(self, resource: EndpointVariant, target: Mapping[str, Any], count: int) -> None:
        """Registering brings the capacity between its bounds at once."""
        bound = "minimum" if count < target["MinCapacity"] else "maximum"
        wanted = min(max(count, target["MinCapacity"]), target["MaxCapacity"])
        if wanted == count:
            return
        self._activities.begin(resource, f"{bound} capacity was set to {wanted}", count, wanted)


def _check_bounds(target: Mapping[str, Any]) -> None:
    missing = [name for name in ("MinCapacity", "MaxCapacity") if name not in target]
    if missing:
        raise invalid(f"{' and '.join(missing)} must be specified when a new scalable target is registered")
    if target["MinCapacity"] < 1:
        raise invalid(f"MinCapacity of an endpoint variant must be 1 or more, got {target['MinCapacity']}")
    if target["MaxCapacity"] < target["MinCapacity"]:
        raise invalid(
            "Maximum capacity cannot be less than minimum capacity: "
            f"MaxCapacity is {target['MaxCapacity']}, MinCapacity {target['MinCapacity']}"
        )
