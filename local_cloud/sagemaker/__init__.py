"""SageMaker: jobs as processes with the container contract, a model registry, and endpoints that really serve."""

from local_cloud.cloud import Cloud
from local_cloud.ministack import Platform
from local_cloud.sagemaker.service import SageMaker

_services: dict[str, SageMaker] = {}


def register(cloud: Cloud, platform: Platform) -> None:
    """Add SageMaker, sagemaker-runtime and the CloudFormation types of SageMaker to the platform."""
    service = _services[cloud.endpoint_url] = SageMaker(cloud)
    platform.add_service(service.api)
    platform.add_signed_route(*service.runtime_route(), "sagemaker")
    for type_name, handler in service.resources().items():
        platform.add_resource(type_name, handler)


def resume(cloud: Cloud) -> None:
    """Fail the jobs that a stopped server left behind, and start its endpoints again."""
    _services[cloud.endpoint_url].resume()
