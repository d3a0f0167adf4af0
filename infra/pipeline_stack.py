"""The pipeline with its projects and roles."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.artifact_store import ArtifactStore
from infra.deployment_role import DeploymentRole
from infra.foundation_stack import FoundationStack
from infra.model_pipeline import ModelPipeline
from infra.pipeline_projects import PipelineProjects
from infra.pipeline_role import PipelineRole
from infra.pull_request_builds import PullRequestBuilds
from infra.rollout_record import RolloutRecord
from settings import Settings


class PipelineStack(Stack):
    """Everything that acts; it holds nothing and can be deleted and deployed again."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, overlay: str, foundation: FoundationStack
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=f"{settings.name}-pipeline",
            description="Slipway: the pipeline and its roles",
        )
        artifacts = ArtifactStore(foundation.artifact_bucket, foundation.key, pipeline_name=settings.name)
        projects = PipelineProjects(
            self, "Projects", settings=settings, overlay=overlay, foundation=foundation, artifacts=artifacts
        )
        deployment_roles: dict[str, iam.IRole] = {
            environment: DeploymentRole(
                self,
                f"{environment.capitalize()}Deployment",
                project=settings.name,
                environment=environment,
                endpoint_role=foundation.execution_roles.endpoint,
                key=foundation.key,
                vpc_config=foundation.vpc_config,
                endpoint=endpoint,
            ).role
            for environment, endpoint in settings.endpoints.of_environments().items()
        }
        pipeline_role = PipelineRole(
            self,
            "PipelineRole",
            project=settings.name,
            foundation=foundation,
            artifacts=artifacts,
            projects=projects.all,
            deployment_roles=deployment_roles,
        )
        ModelPipeline(
            self,
            "Pipeline",
            settings=settings,
            foundation=foundation,
            artifacts=artifacts,
            projects=projects,
            role=pipeline_role.role,
            deployment_roles=deployment_roles,
        )
        RolloutRecord(self, "RolloutRecord", project=settings.name, foundation=foundation)
        if settings.pull_requests != "none":
            PullRequestBuilds(self, "PullRequests", settings=settings, overlay=overlay, foundation=foundation)
        CfnOutput(self, "PipelineName", value=settings.name)
