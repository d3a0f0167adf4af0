"""Target tracking, followed: the capacity of variants is changed when the alarms of their policies say so."""

import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.application_autoscaling.activities import ScalingActivities
from local_cloud.application_autoscaling.endpoint_variants import Capacity, EndpointVariants
from local_cloud.application_autoscaling.policies import (
    PERIOD_SECONDS,
    ScalingPolicies,
    cooldown_seconds,
    metric,
    target_value,
)
from local_cloud.application_autoscaling.resource_ids import EndpointVariant
from local_cloud.application_autoscaling.targets import ScalableTargets
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LATE_SECONDS = 2.0  # SageMaker's metrics are published once a second


class TargetTracking:
    """Follows all policies of a cloud."""

    def __init__(
        self, variants: EndpointVariants, targets: ScalableTargets, policies: ScalingPolicies,
        activities: ScalingActivities,
    ) -> None:  # fmt: skip
        self._variants = variants
        self._targets = targets
        self._policies = policies
        self._activities = activities
        self._judged: dict[str, float] = {}

    def follow_for_ever(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            try:
                self._look()
            except (ServiceError, ClientError, BotoCoreError) as error:
                logger.warning("target tracking could not look at its alarms: %s", error)
            except Exception:
                logger.exception("target tracking failed inside the local cloud")

    def _look(self) -> None:
        policies = {policy["ResourceId"]: policy for policy in self._policies.all()}
        names = [alarm["AlarmName"] for policy in policies.values() for alarm in policy["Alarms"]]
        in_alarm = self._variants.alarms_in_alarm(names)
        for target in self._targets.all():
            resource = EndpointVariant.of(target)
            try:
                self._conclude(resource)
                self._follow(resource, target, policies.get(resource.resource_id), in_alarm)
            except (ServiceError, ClientError, BotoCoreError) as error:
                logger.warning("%s could not be scaled: %s", resource.resource_id, error)

    def _follow(
        self, resource: EndpointVariant, target: Mapping[str, Any], policy: Mapping[str, Any] | None, in_alarm: set[str]
    ) -> None:
        alarms = [] if policy is None else [alarm["AlarmName"] for alarm in policy["Alarms"]]
        alarm = next((name for name in alarms if name in in_alarm), None)
        if policy is None or alarm is None or self._activities.open(resource) or not self._due(resource):
            return
        capacity = self._variants.capacity(resource)
        if capacity is not None and self._scale(resource, target, policy, alarm, capacity):
            self._judged[resource.resource_id] = time.monotonic()

    def _due(self, resource: EndpointVariant) -> bool:
        """An alarm that stays on has its say once a period."""
        return time.monotonic() - self._judged.get(resource.resource_id, -math.inf) >= PERIOD_SECONDS

    def _conclude(self, resource: EndpointVariant) -> None:
        """Note the end of the activity that is under way, if it has come."""
        activity = self._activities.open(resource)
        if activity is None:
            return
        capacity = self._variants.capacity(resource)
        if capacity is None:
            self._activities.end(activity, "The endpoint variant does not exist any more.")
        elif capacity.status in ("InService", "Failed"):
            reached = capacity.current == activity["To"]
            self._activities.end(activity, None if reached else capacity.failure or "It was changed meanwhile.")

    def _scale(
        self, resource: EndpointVariant, target: Mapping[str, Any], policy: Mapping[str, Any], alarm: str,
        capacity: Capacity,
    ) -> bool:  # fmt: skip
        """Change the capacity as an alarm says; False when its metric has no data yet."""
        direction = "Out" if "-AlarmHigh-" in alarm else "In"
        cause = f"monitor alarm {alarm} in state ALARM triggered policy {policy['PolicyName']}"
        if target["SuspendedState"][f"DynamicScaling{direction}Suspended"]:
            return True
        if capacity.status != "InService":
            self._activities.not_scaled(resource, cause, {"Code": "TargetServicePutResourceAsUnscalable"})
            return True
        value = self._variants.last_sum(metric(policy), PERIOD_SECONDS, _LATE_SECONDS)
        if value is None:
            return False
        wanted = self._wanted(resource, policy, direction, capacity.desired, value)
        reason = _bound(direction, capacity.desired, target)
        if wanted is not None and reason is not None:
            self._activities.not_scaled(resource, cause, reason)
        elif wanted is not None:
            wanted = min(max(wanted, target["MinCapacity"]), target["MaxCapacity"])
            self._activities.begin(resource, cause, capacity.desired, wanted)
        return True

    def _wanted(
        self, resource: EndpointVariant, policy: Mapping[str, Any], direction: str, count: int, value: float
    ) -> int | None:
        """The capacity that brings the metric to its target; None when that is none, or when it has to wait."""
        last = self._activities.last_scaled(resource)
        cooling = None
        if last is not None and last["StatusCode"] == "Successful":
            cooldown = cooldown_seconds(policy, "Out" if last["To"] > last["From"] else "In")
            if (datetime.now(UTC) - last["EndTime"]).total_seconds() < cooldown:
                cooling = last
        return wanted_capacity(direction, count, value / target_value(policy), cooling)


def wanted_capacity(direction: str, count: int, ratio: float, cooling: Mapping[str, Any] | None) -> int | None:
    """What a target tracking policy makes of its metric.

    During the cooldown of a scale-out, what that one has added counts as part of the next, so that only a larger one
    comes through; during the cooldown of a scale-in nothing is taken away, and a scale-out comes at once. Source:
    Application Auto Scaling's user guide, "Define cooldown periods". That as much is taken away at once as the metric
    allows is a guess; the guide says that it is done more gradually than adding.

    Args:
        direction: Out or In.
        count: the capacity.
        ratio: the metric, by its target.
        cooling: the activity whose cooldown is in effect, with its capacities From and To; None for none.

    Returns:
        None when the capacity is not to be changed in this direction.
    """
    has_added = cooling is not None and cooling["To"] > cooling["From"]
    if direction == "In" and cooling is not None and not has_added:
        return None
    base = cooling["From"] if direction == "Out" and cooling is not None and has_added else count
    wanted = math.ceil(round(base * ratio, 6))
    return wanted if (wanted > count if direction == "Out" else wanted < count) else None


def _bound(direction: str, count: int, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """Why nothing more can be done in a direction."""
    if direction == "Out" and count >= target["MaxCapacity"]:
        return {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": target["MaxCapacity"]}
    if direction == "In" and count <= target["MinCapacity"]:
        return {"Code": "AlreadyAtMinCapacity", "MinCapacity": target["MinCapacity"]}
    return None
