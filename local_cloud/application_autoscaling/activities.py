"""Scaling activities: what was scaled, why, and how it ended."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.application_autoscaling.endpoint_variants import EndpointVariants
from local_cloud.application_autoscaling.listing import page_of
from local_cloud.application_autoscaling.resource_ids import EndpointVariant
from local_cloud.store import Table

_KEPT = 200
_OPEN = "InProgress"
_WAITING = "Successfully set desired instance count to {}. Waiting for change to be fulfilled by sagemaker."
_FULFILLED = "Successfully set desired instance count to {}. Change successfully fulfilled by sagemaker."


class ScalingActivities:
    """The activities of all scalable targets, in the order in which they began.

    An activity's document holds, besides what is described, `From` and `To`, the capacities.
    """

    def __init__(self, table: Table, variants: EndpointVariants) -> None:
        self._table = table
        self._variants = variants

    def describe_scaling_activities(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = [
            activity for activity in reversed(self._all())
            if request.get("ResourceId") in (None, activity["ResourceId"])
            and activity["ServiceNamespace"] == request["ServiceNamespace"]
            and (request.get("IncludeNotScaledActivities") or "NotScaledReasons" not in activity)
        ]  # fmt: skip
        return page_of("ScalingActivities", wanted, request, identity="ActivityId")

    def begin(self, resource: EndpointVariant, cause: str, capacity: int, wanted: int) -> None:
        """Bring a variant to another capacity."""
        started, failure = datetime.now(UTC), None
        try:
            self._variants.set_capacity(resource, wanted)
        except ClientError as error:
            failure = error.response["Error"]["Message"]
        activity = self._add(resource, cause, {
            "Description": f"Setting desired instance count to {wanted}.", "StartTime": started,
            "StatusCode": _OPEN, "StatusMessage": _WAITING.format(wanted), "From": capacity, "To": wanted,
        })  # fmt: skip
        if failure is not None:
            self.end(activity, failure)

    def end(self, activity: Mapping[str, Any], failure: str | None = None) -> None:
        """Note how an activity has ended; without a failure it has succeeded."""
        message = _FULFILLED.format(activity["To"])
        if failure is not None:
            message = f"Failed to set desired instance count to {activity['To']}. Reason: {failure}"
        self._table.put(activity["ActivityId"], {
            **activity,
            "EndTime": datetime.now(UTC),
            "StatusCode": "Successful" if failure is None else "Failed",
            "StatusMessage": message,
        })  # fmt: skip

    def not_scaled(self, resource: EndpointVariant, cause: str, reason: Mapping[str, Any]) -> None:
        """Note why a variant was not scaled, once for as long as nothing else happens to it."""
        last = self._last(resource)
        if last is None or last.get("NotScaledReasons") != [reason]:
            self._add(resource, cause, {
                "Description": "Attempting to scale due to alarm triggered", "StatusCode": "Failed",
                "NotScaledReasons": [reason], "EndTime": datetime.now(UTC),
            })  # fmt: skip

    def open(self, resource: EndpointVariant) -> dict[str, Any] | None:
        """The activity of a variant that is under way."""
        last = self.last_scaled(resource)
        return last if last is not None and last["StatusCode"] == _OPEN else None

    def last_scaled(self, resource: EndpointVariant) -> dict[str, Any] | None:
        """The last activity that has scaled a variant, or tried to."""
        return self._last(resource, scaled=True)

    def _add(self, resource: EndpointVariant, cause: str, details: Mapping[str, Any]) -> dict[str, Any]:
        activity = {
            "ActivityId": str(uuid.uuid4()), **resource.members(), "Cause": cause, "StartTime": datetime.now(UTC),
            **details,
        }  # fmt: skip
        self._table.put(activity["ActivityId"], activity)
        for activity_id, _ in self._table.items()[:-_KEPT]:
            self._table.delete(activity_id)
        return activity

    def _last(self, resource: EndpointVariant, *, scaled: bool = False) -> dict[str, Any] | None:
        own = (activity for activity in reversed(self._all()) if activity["ResourceId"] == resource.resource_id)
        return next((activity for activity in own if not (scaled and "NotScaledReasons" in activity)), None)

    def _all(self) -> list[dict[str, Any]]:
        return [activity for _, activity in self._table.items()]
