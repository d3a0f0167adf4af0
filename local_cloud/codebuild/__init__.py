"""CodeBuild: builds that really run, each in a shell and with a Python of its own, on this machine."""

from local_cloud.cloud import Cloud
from local_cloud.codebuild.authorization import rules
from local_cloud.codebuild.cloudformation import ProjectHandler, ReportGroupHandler
from local_cloud.codebuild.event_target import EventTarget
from local_cloud.codebuild.operations import Operations
from local_cloud.codebuild.toolchain import Toolchain
from local_cloud.codebuild.unserved import NOT_SERVED
from local_cloud.ministack import Platform
from local_cloud.wire import JsonService


def register(cloud: Cloud, platform: Platform) -> None:
    """Serve CodeBuild on this platform, in the place of ministack's own."""
    operations = Operations(cloud, Toolchain(cloud))
    asked = rules(cloud.region, cloud.account_id)
    service = JsonService(
        "codebuild", operations, asked, validation_code="InvalidInputException",
        also_required={"RetryBuild": ("id",)}, not_served=NOT_SERVED,
    )  # fmt: skip
    platform.add_service(service)
    platform.add_resource("AWS::CodeBuild::Project", ProjectHandler(service, operations, asked))
    platform.add_resource("AWS::CodeBuild::ReportGroup", ReportGroupHandler(service))
    platform.add_event_target("codebuild", EventTarget(service, operations, asked).start, "codebuild:StartBuild")


def resume(cloud: Cloud) -> None:
    """End what was left of the builds that a killed server ran."""
    Operations(cloud, Toolchain(cloud)).fail_interrupted()
