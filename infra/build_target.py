"""Starts a build for an event of another service."""

from collections.abc import Mapping

from aws_cdk import Aws
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra import permissions


def build_target(
    scope: Construct,
    project: codebuild.IProject,
    rule_name: str,
    told: Mapping[str, str],
    *,
    source_version: str | None = None,
) -> targets.CodeBuildProject:
    """What a rule starts, by a role that may start this project and nothing else.

    Args:
        told: variables of the build, each with the member of the event's detail that it is given.
        source_version: the member that says which source is built; None for the project's own.
    """
    rule_arn = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{rule_name}"
    role = permissions.role(
        scope,
        "StartRole",
        assumed_by=permissions.service("events.amazonaws.com", source_arn=rule_arn),
        statements=[permissions.allow("codebuild:StartBuild", on=project.project_arn)],
    )
    build = {
        **({} if source_version is None else {"sourceVersion": _of_detail(source_version)}),
        "environmentVariablesOverride": [
            {"name": name, "type": "PLAINTEXT", "value": _of_detail(member)} for name, member in told.items()
        ],
    }
    event = events.RuleTargetInput.from_object(build)
    return targets.CodeBuildProject(project, event=event, event_role=role.without_policy_updates())


def _of_detail(member: str) -> str:
    return events.EventField.from_path(f"$.detail.{member}")
