"""Notes on the model package what became of its rollout, whichever way the pipeline's Production stage ended."""

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from constructs import Construct

from infra import buildspecs, names, permissions
from infra.build_project import build_environment, build_log, build_role, common_options
from infra.build_target import build_target
from infra.foundation_stack import FoundationStack

_ENDED = "CodePipeline Action Execution State Change"


class RolloutRecord(Construct):
    """A build that CodePipeline's own events start: an action that failed cannot run the next one.

    As in RecordApproval, nothing of the commit is run, for the build may change a version.
    """

    def __init__(self, scope: Construct, construct_id: str, *, project: str, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        self._pipeline, self._name = project, f"{project}-record-rollout"
        key, log = foundation.key, build_log(self, self._name, foundation.key)
        role = build_role(self, self._name, log, permissions.record_rollouts(project))
        variables = {
            "PIPELINE_NAME": project,
            "ALARM_NAMES": " ".join(names.alarm_names(project, names.PRODUCTION)),
            "ROLLOUT_NOTE": buildspecs.ROLLOUT_NOTE,
        }
        self._project = codebuild.Project(
            self,
            "Project",
            description="Notes on the model package what became of its rollout",
            environment=build_environment(variables),
            timeout=Duration.minutes(15),
            **common_options(name=self._name, role=role, buildspec=buildspecs.record_rollout(), key=key, log=log),
        )
        self._start_when_a_rollout_ends()

    def _start_when_a_rollout_ends(self) -> None:
        """The build is told the ids and words of CodePipeline alone, no text that anybody wrote."""
        told = {"EXECUTION_ID": "execution-id", "ACTION": "action", "STATE": "state"}
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
            targets=[build_target(self, self._project, self._name, told)],
        )
