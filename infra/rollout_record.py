"""Notes on the model package what became of its rollout, whichever way the pipeline's Production stage ended."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra import buildspecs, names, permissions
from infra.build_project import build_environment, build_log
from infra.foundation_stack import FoundationStack

_ENDED = "CodePipeline Action Execution State Change"


class RolloutRecord(Construct):
    """A build that CodePipeline's own events start: an action that failed cannot run the next one.

    As in RecordApproval, nothing of the commit is run, for the build may change a version.
    """

    def __init__(self, scope: Construct, construct_id: str, *, project: str, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        self._pipeline, self._name = project, f"{project}-record-rollout"
        log = build_log(self, self._name, foundation.key)
        own_arn = f"arn:{Aws.PARTITION}:codebuild:{Aws.REGION}:{Aws.ACCOUNT_ID}:project/{self._name}"
        role = permissions.role(
            self,
            "Role",
            assumed_by=permissions.service("codebuild.amazonaws.com", source_arn=own_arn),
            statements=[
                permissions.allow("logs:CreateLogStream", "logs:PutLogEvents", on=log.log_group_arn),
                *permissions.record_rollouts(project),
            ],
        )
        self._project = codebuild.Project(
            self,
            "Project",
            project_name=self._name,
            description="Notes on the model package what became of its rollout",
            role=role.without_policy_updates(),
            build_spec=codebuild.BuildSpec.from_object(buildspecs.record_rollout()),
            environment=build_environment(
                {
                    "PIPELINE_NAME": project,
                    "ALARM_NAMES": " ".join(names.alarm_names(project, names.PRODUCTION)),
                    "ROLLOUT_NOTE": buildspecs.ROLLOUT_NOTE,
                }
            ),
            encryption_key=foundation.key,
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log)),
            timeout=Duration.minutes(15),
            queued_timeout=Duration.hours(1),
        )
        self._start_when_a_rollout_ends()

    def _start_when_a_rollout_ends(self) -> None:
        """The build is told the ids and words of CodePipeline alone, no text that anybody wrote."""
        rule_arn = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{self._name}"
        role = permissions.role(
            self,
            "StartRole",
            assumed_by=permissions.service("events.amazonaws.com", source_arn=rule_arn),
            statements=[permissions.allow("codebuild:StartBuild", on=self._project.project_arn)],
        )
        told = {"EXECUTION_ID": "execution-id", "ACTION": "action", "STATE": "state"}
        build = {
            "environmentVariablesOverride": [
                {"name": name, "type": "PLAINTEXT", "value": events.EventField.from_path(f"$.detail.{member}")}
                for name, member in told.items()
            ]
        }
        events.Rule(
            self,
            "Ended",
            rule_name=self._name,
            description="A rollout that was verified, or failed, is noted on its model package",
            event_pattern=events.EventPattern(
                source=["aws.codepipeline"],
                detail_type=[_ENDED],
                detail={
                    "pipeline": [self._pipeline],
                    "stage": ["Production"],
                    "$or": [
                        {"action": ["Deploy"], "state": ["FAILED"]},
                        {"action": ["Verify"], "state": ["SUCCEEDED", "FAILED"]},
                    ],
                },
            ),
            targets=[
                targets.CodeBuildProject(
                    self._project,
                    event=events.RuleTargetInput.from_object(build),
                    event_role=role.without_policy_updates(),
                )
            ],
        )
