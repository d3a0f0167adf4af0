"""Starts a pipeline for an EventBridge rule that has it as target."""

import logging
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.cloud import Cloud
from local_cloud.codepipeline.control import Control, StartRequest
from local_cloud.codepipeline.records import Declaration
from local_cloud.codepipeline.repository import Repository
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)


class EventTrigger:
    """Takes the events of rules whose target is a pipeline's ARN."""

    def __init__(self, cloud: Cloud, repository: Repository, control: Control) -> None:
        self._cloud = cloud
        self._repository = repository
        self._control = control

    def start(self, target_arn: str, event: dict[str, Any]) -> None:
        """Start an execution of the target; a pushed commit is what its source action then delivers."""
        name = target_arn.rpartition(":")[2]
        rule = self._rule_arn(target_arn)
        try:
            revisions = pushed_revisions(self._repository.declaration(name), event)
            self._control.start(name, StartRequest("CloudWatchEvent", rule, source_revisions=revisions))
        except ServiceError as error:
            logger.warning("the event rule %s could not start the pipeline %s: %s", rule, name, error.message)

    def _rule_arn(self, target_arn: str) -> str:
        """The rule behind an event, which the event does not name; of several rules for one target, the first."""
        try:
            names = self._cloud.client("events").list_rule_names_by_target(TargetArn=target_arn)["RuleNames"]
        except ClientError as error:
            logger.warning("the rules with the target %s are not known: %s", target_arn, error)
            names = []
        return f"arn:aws:events:{self._cloud.region}:{self._cloud.account_id}:rule/{names[0]}" if names else target_arn


def pushed_revisions(declaration: Declaration, event: dict[str, Any]) -> dict[str, str]:
    """The commit that a CodeCommit event tells of, for the source actions that follow its branch."""
    detail = event.get("detail") or {}
    if event.get("source") != "aws.codecommit" or not detail.get("commitId"):
        return {}
    return {
        action["name"]: detail["commitId"]
        for action in declaration["stages"][0]["actions"]
        if action["actionTypeId"]["provider"] == "CodeCommit"
        and action["configuration"]["RepositoryName"] == detail.get("repositoryName")
        and action["configuration"]["BranchName"] == detail.get("referenceName")
        and detail.get("referenceType") == "branch"
    }
