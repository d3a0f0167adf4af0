"""CodeBuild's API."""

from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codebuild.builds import BuildOperations
from local_cloud.codebuild.projects import ProjectOperations, Projects
from local_cloud.codebuild.report_groups import ReportGroups, ReportOperations
from local_cloud.codebuild.toolchain import Toolchain


class Operations(ProjectOperations, BuildOperations, ReportOperations):
    """One method for each operation that is served, in three parts."""

    def __init__(self, cloud: Cloud, toolchain: Toolchain) -> None:
        projects = Projects(cloud)
        report_groups = ReportGroups(cloud)
        ProjectOperations.__init__(self, projects, toolchain.prepare_in_background)
        BuildOperations.__init__(self, cloud, projects, toolchain, report_groups)
        ReportOperations.__init__(self, report_groups)

    def redefine_project(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replace the definition of an existing project (what CloudFormation's update does); not of AWS's API."""
        self._projects.get(request["name"])
        return self._projects.define(request)
