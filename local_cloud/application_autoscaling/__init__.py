"""Application Auto Scaling: the instance counts of endpoints' variants follow their load."""

from local_cloud.application_autoscaling.cloudformation import ScalableTargetResource, ScalingPolicyResource
from local_cloud.application_autoscaling.service import ApplicationAutoScaling
from local_cloud.cloud import Cloud
from local_cloud.ministack import Platform

_services: dict[str, ApplicationAutoScaling] = {}


def register(cloud: Cloud, platform: Platform) -> None:
    """Add Application Auto Scaling and its CloudFormation types to the platform."""
    service = _services[cloud.endpoint_url] = ApplicationAutoScaling(cloud)
    platform.add_service(service.api)
    platform.add_resource("AWS::ApplicationAutoScaling::ScalableTarget", ScalableTargetResource(service.api))
    platform.add_resource("AWS::ApplicationAutoScaling::ScalingPolicy", ScalingPolicyResource(service.api))


def resume(cloud: Cloud) -> None:
    """Follow the policies that are there, and those to come."""
    cloud.background(_services[cloud.endpoint_url].tracking.follow_for_ever, "target tracking")
