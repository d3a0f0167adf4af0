"""Starts a pipeline for an EventBridge rule that has it as target."""

import logging
from typing import Any

from local_cloud.codepipeline.control import Control, StartRequest
from local_cloud.codepipeline.records import Declaration
from local_cloud.codepipeline.repository import Repository
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)


class EventTrigger:
    """Takes the events of rules whose target is a pipeline's ARN."""

    def __init__(self, repository: Repository, control: Control) -> None:
        self._repository = repository
        self._control = control

    def start(self, target_arn: str, event: dict[str, Any], rule_arn: str) -> None:
        """Start an execution of the target; a pushed commit is what its source action then delivers."""
        name = target_arn.rpartition(":")[2]
        try:
            revisions = pushed_revisions(self._repository.declaration(name), event)
            self._control.start(name, StartRequest("CloudWatchEvent", rule_arn, source_revisions=revisions))
        except ServiceError as error:
            logger.warning("the event rule %s could not start the pipeline %s: %s", rule_arn, name, error.message)


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
