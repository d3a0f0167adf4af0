"""A CodeBuild project of the pipeline with its role and its log; and what all our projects have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
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
        access = artifacts.access(reads=reads, writes=writes)
        role = build_role(self, name, log, [*access, *statements])
        self.project = codebuild.PipelineProject(
            self,
            "Project",
            description=description,
            environment=build_environment(variables, privileged=privileged),
            timeout=timeout,
            **common_options(name=name, role=role, buildspec=buildspec, key=artifacts.key, log=log),
        )


def build_role(scope: Construct, name: str, log: logs.ILogGroup, statements: Sequence[Permission]) -> iam.Role:
    """The role of the project of a name: it writes the project's log, and does what is listed."""
    own_arn = f"arn:{Aws.PARTITION}:codebuild:{Aws.REGION}:{Aws.ACCOUNT_ID}:project/{name}"
    write_log = permissions.allow("logs:CreateLogStream", "logs:PutLogEvents", on=log.log_group_arn)
    trusted = permissions.service("codebuild.amazonaws.com", source_arn=own_arn)
    return permissions.role(scope, "Role", assumed_by=trusted, statements=[write_log, *statements])


def common_options(
    *, name: str, role: iam.Role, buildspec: Mapping[str, Any], key: kms.IKey, log: logs.ILogGroup
) -> dict[str, Any]:
    """What all projects are given, whoever starts them."""
    return {
        "project_name": name,
        "role": role.without_policy_updates(),
        "build_spec": codebuild.BuildSpec.from_object(dict(buildspec)),
        "encryption_key": key,
        "grant_report_group_permissions": False,
        "logging": codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log)),
        "queued_timeout": Duration.hours(1),
    }


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
