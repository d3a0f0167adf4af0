"""CodeBuild: builds that really run, each in a shell and with a Python of its own, on this machine."""

from local_cloud.cloud import Cloud
from local_cloud.codebuild.cloudformation import ProjectHandler, ReportGroupHandler
from local_cloud.codebuild.operations import Operations
from local_cloud.codebuild.toolchain import Toolchain
from local_cloud.ministack import Platform
from local_cloud.wire import JsonService


def register(cloud: Cloud, platform: Platform) -> None:
    """Serve CodeBuild on this platform, in the place of ministack's own."""
    operations = Operations(cloud, Toolchain(cloud))
    service = JsonService("codebuild", operations, validation_code="InvalidInputException")
    platform.add_service(service)
    platform.add_resource("AWS::CodeBuild::Project", ProjectHandler(service, operations))
    platform.add_resource("AWS::CodeBuild::ReportGroup", ReportGroupHandler(service, operations))


def resume(cloud: Cloud) -> None:
    """End what was left of the builds that a killed server ran."""
    Operations(cloud, Toolchain(cloud)).fail_interrupted()
