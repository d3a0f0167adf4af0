"""What IAM is asked before an operation of Application Auto Scaling runs.

Sources: the service authorization reference (resource, condition keys); Application Auto Scaling's user guide,
"Permissions required for API actions on target services and CloudWatch" and "Service-linked roles": whoever sets up
scaling needs the actions of the target service and of CloudWatch as well. Which operation needs which is a guess.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from local_cloud.application_autoscaling.endpoint_variants import LINKED_SERVICE, role_arn
from local_cloud.authorization import Check, Rules

_SERVICE = "application-autoscaling"

_ON_A_TARGET = (
    "DeleteScalingPolicy", "DeregisterScalableTarget", "PutScalingPolicy", "RegisterScalableTarget",
)  # fmt: skip
_ON_TAGS = ("ListTagsForResource", "TagResource", "UntagResource")
_ON_ANYTHING = ("DescribeScalableTargets", "DescribeScalingActivities", "DescribeScalingPolicies")
_ALARMS = {
    "PutScalingPolicy": ("PutMetricAlarm", "DescribeAlarms"),
    "DeleteScalingPolicy": ("DeleteAlarms",),
    "DeregisterScalableTarget": ("DeleteAlarms",),
}

Request = Mapping[str, Any]


def rules(
    region: str, account_id: str, *, target_arn_of: Callable[[str], str | None],
    config_name_of: Callable[[str], str | None], role_exists: Callable[[], bool],
) -> Rules:  # fmt: skip
    """What each served operation asks IAM for.

    Args:
        region: of the ARNs, as is the account.
        account_id: of the ARNs.
        target_arn_of: the ARN of the scalable target of a resource ID; None when it is not registered.
        config_name_of: the endpoint config of an endpoint; None when there is no such endpoint.
        role_exists: whether the service-linked role does.
    """

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{region}:{account_id}:{resource}"

    def on_a_target(operation: str, request: Request) -> Iterator[Check]:
        resource_id = str(request.get("ResourceId", ""))
        target = target_arn_of(resource_id) or arn(_SERVICE, "scalable-target/*")
        yield Check(f"application-autoscaling:{operation}", target, {
            "application-autoscaling:service-namespace": str(request.get("ServiceNamespace", "")),
            "application-autoscaling:scalable-dimension": str(request.get("ScalableDimension", "")),
        })  # fmt: skip
        for action in _ALARMS.get(operation, ()):
            yield Check(f"cloudwatch:{action}", arn("cloudwatch", f"alarm:TargetTracking-{resource_id}-*"))

    def register(operation: str, request: Request) -> Iterator[Check]:
        yield from on_a_target(operation, request)
        if request.get("Tags"):
            target = target_arn_of(str(request.get("ResourceId", "")))
            yield from on_tags("TagResource", {"ResourceARN": target or arn(_SERVICE, "scalable-target/*"), **request})
        endpoint = (*str(request.get("ResourceId", "")).split("/"), "")[1]
        config_name = config_name_of(endpoint)
        for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
            yield Check(f"sagemaker:{action}", arn("sagemaker", f"endpoint/{endpoint.lower()}"))
        if config_name is not None:
            yield Check("sagemaker:DescribeEndpointConfig", arn("sagemaker", f"endpoint-config/{config_name.lower()}"))
        if not role_exists():
            yield Check("iam:CreateServiceLinkedRole", role_arn(account_id), {"iam:AWSServiceName": LINKED_SERVICE})

    def on_tags(operation: str, request: Request) -> Iterator[Check]:
        tags = request.get("Tags") or {}
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        keys = [*tags, *request.get("TagKeys", ())]
        if keys:
            context["aws:TagKeys"] = keys
        yield Check(f"application-autoscaling:{operation}", str(request.get("ResourceARN", "")), context)

    def on_anything(operation: str, request: Request) -> Iterator[Check]:
        yield Check(f"application-autoscaling:{operation}", "*")

    asked = dict.fromkeys(_ON_A_TARGET, on_a_target) | dict.fromkeys(_ON_ANYTHING, on_anything)
    asked |= dict.fromkeys(_ON_TAGS, on_tags)
    asked["RegisterScalableTarget"] = register
    return {operation: partial(ask, operation) for operation, ask in asked.items()}
