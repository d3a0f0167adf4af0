"""The role as which CodePipeline runs all actions."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import names, permissions
from infra.artifact_store import ArtifactStore
from infra.foundation_stack import FoundationStack
from infra.permission import Permission


class PipelineRole(Construct):
    """Moves artifacts, starts the pipeline's builds and deploys each of its two stacks as its deployment role.

    One role for all actions: CodePipeline alone can assume it, and a role an action would guard nothing more.

    Attributes:
        role: the role, for CodePipeline.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        foundation: FoundationStack,
        artifacts: ArtifactStore,
        projects: Sequence[codebuild.IProject],
        deployment_roles: Mapping[str, iam.IRole],
    ) -> None:
        super().__init__(scope, construct_id)
        stacks = {
            environment: names.stack_arn(names.endpoint_name(project, environment))
            for environment in names.ENVIRONMENTS
        }
        role = permissions.role(
            self,
            "Role",
            # AWS does not say that CodePipeline names the account for which it assumes a role, so the trust cannot ask
            # for it. Only who may pass the role, and so belongs to this account, can give it to a pipeline.
            assumed_by=iam.ServicePrincipal("codepipeline.amazonaws.com"),
            statements=[
                *artifacts.full_access(),
                self._read_source(foundation),
                self._run_builds(projects),
                self._deploy(list(stacks.values())),
                self._replace(stacks[names.STAGING]),
                *(permissions.pass_role(one, to="cloudformation.amazonaws.com") for one in deployment_roles.values()),
                permissions.allow("sns:Publish", on=foundation.approval_topic.topic_arn),
            ],
        )
        # By its ARN, so that the pipeline's own wildcard grants are not added to what is listed here.
        self.role = iam.Role.from_role_arn(self, "Listed", role.role_arn, mutable=False)

    @staticmethod
    def _read_source(foundation: FoundationStack) -> Permission:
        return permissions.allow(
            "codecommit:CancelUploadArchive",
            "codecommit:GetBranch",
            "codecommit:GetCommit",
            "codecommit:GetUploadArchiveStatus",
            "codecommit:UploadArchive",
            on=foundation.repository.repository_arn,
            unused={"codecommit:CancelUploadArchive": "an execution that is stopped while its source is uploaded"},
        )

    @staticmethod
    def _run_builds(projects: Sequence[codebuild.IProject]) -> Permission:
        actions = ("codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild")
        stop = {"codebuild:StopBuild": "an action that exceeds its time, or is stopped, stops its build"}
        return permissions.allow(*actions, on=[project.project_arn for project in projects], unused=stop)

    @staticmethod
    def _replace(stack: str) -> Permission:
        replaced = {"cloudformation:DeleteStack": "REPLACE_ON_FAILURE: a stack that could not be created is replaced"}
        wildcard = names.STACKS_END_WITH_AN_ID
        return permissions.allow("cloudformation:DeleteStack", on=stack, wildcard=wildcard, unused=replaced)

    @staticmethod
    def _deploy(stacks: Sequence[str]) -> Permission:
        read = ("cloudformation:DescribeStackResources", "cloudformation:GetTemplate")
        return permissions.allow(
            "cloudformation:CreateStack",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "cloudformation:UpdateStack",
            *read,
            on=stacks,
            wildcard=names.STACKS_END_WITH_AN_ID,
            unused=dict.fromkeys(
                read, "the CDK gives it to CloudFormation actions; the local cloud does not ask for it"
            ),
        )
