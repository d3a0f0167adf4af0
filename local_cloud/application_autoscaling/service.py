"""The parts of Application Auto Scaling put together."""

from types import SimpleNamespace

from botocore import xform_name

from local_cloud.application_autoscaling.activities import ScalingActivities
from local_cloud.application_autoscaling.authorization import rules
from local_cloud.application_autoscaling.endpoint_variants import EndpointVariants
from local_cloud.application_autoscaling.policies import ScalingPolicies
from local_cloud.application_autoscaling.targets import ScalableTargets
from local_cloud.application_autoscaling.tracking import TargetTracking
from local_cloud.cloud import Cloud
from local_cloud.wire import JsonService, service_model

_NAME = "application-autoscaling"
_TRACKING = "TargetTrackingScalingPolicyConfiguration"

NOT_SERVED = {
    "PutScalingPolicy": (
        "PolicyType=PredictiveScaling", "PolicyType=StepScaling", "PredictiveScalingPolicyConfiguration",
        "StepScalingPolicyConfiguration", f"{_TRACKING}.CustomizedMetricSpecification",
        f"{_TRACKING}.PredefinedMetricSpecification.ResourceLabel",
    ),
}  # fmt: skip


class ApplicationAutoScaling:
    """Application Auto Scaling in one cloud, for the variants of SageMaker's endpoints."""

    def __init__(self, cloud: Cloud) -> None:
        table = cloud.store.table("application-autoscaling.targets")
        variants = EndpointVariants(cloud)
        activities = ScalingActivities(cloud.store.table("application-autoscaling.activities"), variants)
        policies = ScalingPolicies(
            cloud.region, cloud.account_id, cloud.store.table("application-autoscaling.policies"), table, variants
        )
        place = f"arn:aws:{_NAME}:{cloud.region}:{cloud.account_id}"
        targets = ScalableTargets(place, cloud.account_id, table, variants, policies, activities)
        self.tracking = TargetTracking(variants, targets, policies, activities)
        asked = rules(
            cloud.region, cloud.account_id,
            target_arn_of=lambda resource_id: (table.get(resource_id) or {}).get("ScalableTargetARN"),
            config_name_of=variants.config_name, role_exists=variants.role_exists,
        )  # fmt: skip
        self.api = JsonService(_NAME, _as_one(targets, policies, activities), asked, not_served=NOT_SERVED)


def _as_one(*parts: object) -> object:
    """One object with the operations of all parts."""
    names = {xform_name(name) for name in service_model(_NAME).operation_names}
    return SimpleNamespace(**{name: getattr(part, name) for part in parts for name in names if hasattr(part, name)})
