"""A CodeBuild project of the pipeline with its role and its log; and what all our projects have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import names, permissions
from infra.artifact_store import ArtifactStore
from infra.permission import Permission


class BuildProject(Construct):
    """A project that CodePipeline starts, whose role may do what is listed here and nothing else.

    Attributes:
        project: the CodeBuild project.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        buildspec: Mapping[str, Any],
        variables: Mapping[str, str],
        artifacts: ArtifactStore,
        reads: Sequence[str],
        writes: Sequence[str],
        statements: Sequence[Permission],
        timeout: Duration,
        privileged: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        log = build_log(self, name, artifacts.key)
        write_log = permissions.allow("logs:CreateLogStream", "logs:PutLogEvents", on=log.log_group_arn)
        access = artifacts.access(reads=reads, writes=writes)
        own_arn = f"arn:{Aws.PARTITION}:codebuild:{Aws.REGION}:{Aws.ACCOUNT_ID}:project/{name}"
        role = permissions.role(
            self,
            "Role",
            assumed_by=permissions.service("codebuild.amazonaws.com", source_arn=own_arn),
            statements=[write_log, *access, *statements],
        )
        self.project = codebuild.PipelineProject(
            self,
            "Project",
            project_name=name,
            description=description,
            role=role.without_policy_updates(),
            build_spec=codebuild.BuildSpec.from_object(dict(buildspec)),
            environment=build_environment(variables, privileged=privileged),
            encryption_key=artifacts.key,
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log)),
            timeout=timeout,
            queued_timeout=Duration.hours(1),
        )


def build_log(scope: Construct, project_name: str, key: kms.IKey) -> logs.LogGroup:
    """The log group of a project."""
    return logs.LogGroup(
        scope,
        "Log",
        log_group_name=names.build_log_group(project_name),
        encryption_key=key,
        retention=logs.RetentionDays.THREE_MONTHS,
        # One that outlived its stack would keep the stack from being deployed again under the same names.
        removal_policy=RemovalPolicy.DESTROY,
    )


def build_environment(variables: Mapping[str, str], *, privileged: bool = False) -> codebuild.BuildEnvironment:
    """Where builds run, and what they are told."""
    return codebuild.BuildEnvironment(
        build_image=codebuild.LinuxBuildImage.STANDARD_7_0,
        compute_type=codebuild.ComputeType.SMALL,
        privileged=privileged,
        environment_variables={
            key: codebuild.BuildEnvironmentVariable(value=value) for key, value in variables.items()
        },
    )
