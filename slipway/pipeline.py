"""Read and steer the deployed pipeline through CodePipeline's API."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from slipway.errors import PipelineError
from slipway.executions import (
    Approval,
    Execution,
    ExecutionSummary,
    read_execution,
    read_summary,
    waiting_execution_ids,
)

SUMMARY_CHARACTERS = 512
_RECENT = 20


class Pipeline:
    """The pipeline of a project.

    Args:
        client: boto3's `codepipeline` client.
        name: the pipeline's name.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    @cached_property
    def _declaration(self) -> dict[str, Any]:
        try:
            declaration: dict[str, Any] = self._client.get_pipeline(name=self.name)["pipeline"]
        except self._client.exceptions.PipelineNotFoundException as error:
            raise PipelineError(f"there is no pipeline {self.name} here: it is not deployed", "slipway up") from error
        return declaration

    def recent(self) -> list[ExecutionSummary]:
        """The last executions, the newest first.

        Raises:
            PipelineError: the pipeline is not deployed.
        """
        try:
            answer = self._client.list_pipeline_executions(pipelineName=self.name, maxResults=_RECENT)
        except self._client.exceptions.PipelineNotFoundException as error:
            raise PipelineError(f"there is no pipeline {self.name} here: it is not deployed", "slipway up") from error
        return [read_summary(summary) for summary in answer["pipelineExecutionSummaries"]]

    def find(self, prefix: str | None) -> ExecutionSummary:
        """The execution whose id begins with `prefix`; the newest without one.

        Raises:
            PipelineError: there is none, or more than one.
        """
        recent = self.recent()
        if not recent:
            raise PipelineError(f"the pipeline {self.name} has not run yet", "git push slipway HEAD:main")
        if prefix is None:
            return recent[0]
        found = [summary for summary in recent if summary.id.startswith(prefix)]
        if len(found) != 1:
            known = ", ".join(summary.id[:8] for summary in recent)
            problem = "no execution begins" if not found else "more than one execution begins"
            raise PipelineError(f"{problem} with {prefix}; the last ones are {known}")
        return found[0]

    def read(self, execution_id: str) -> Execution:
        """One execution, whole."""
        # The state first: what has begun since is then among the actions, such as an approval with its text.
        state = self._client.get_pipeline_state(name=self.name)
        details: list[dict[str, Any]] = []
        pages = self._client.get_paginator("list_action_executions").paginate(
            pipelineName=self.name, filter={"pipelineExecutionId": execution_id}
        )
        for page in pages:
            details += page["actionExecutionDetails"]
        summary = next((found for found in self.recent() if found.id == execution_id), None)
        return read_execution(self._declaration, summary or self._old_summary(execution_id), details, state)

    def waiting(self) -> Execution | None:
        """The oldest execution that waits for an approval, or None."""
        waiting = waiting_execution_ids(self._client.get_pipeline_state(name=self.name))
        return self.read(waiting[-1]) if waiting else None

    def decide(self, approval: Approval, status: str, comment: str) -> None:
        """Answer an approval.

        Args:
            status: `Approved` or `Rejected`.
            comment: at most 512 characters, which is the API's limit.

        Raises:
            PipelineError: somebody else was faster, or the comment is too long.
        """
        refuse_long_comment(comment)
        try:
            self._client.put_approval_result(
                pipelineName=self.name,
                stageName=approval.stage,
                actionName=approval.action,
                token=approval.token,
                result={"summary": comment, "status": status},
            )
        except (
            self._client.exceptions.ApprovalAlreadyCompletedException,
            self._client.exceptions.InvalidApprovalTokenException,
        ) as error:
            raise PipelineError("this approval has been decided meanwhile", "slipway status") from error

    def start(self, variables: Mapping[str, str] = MappingProxyType({})) -> str:
        """Start an execution of the branch as it is; returns its id.

        Args:
            variables: of the pipeline; those that are left out have their defaults.

        Raises:
            PipelineError: the pipeline that is deployed does not know a variable.
        """
        given = (
            {"variables": [{"name": name, "value": value} for name, value in variables.items()]} if variables else {}
        )
        if variables:
            self._require_variables(variables)
        return str(self._client.start_pipeline_execution(name=self.name, **given)["pipelineExecutionId"])

    def _require_variables(self, names: Iterable[str]) -> None:
        unknown = set(names) - {variable["name"] for variable in self._declaration.get("variables", [])}
        if unknown:
            raise PipelineError(
                f"the pipeline {self.name} was deployed without the variable {', '.join(sorted(unknown))}", "slipway up"
            )

    def _old_summary(self, execution_id: str) -> ExecutionSummary:
        try:
            found = self._client.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution_id)
        except ClientError as error:
            raise PipelineError(f"there is no execution {execution_id} of {self.name}") from error
        execution = found["pipelineExecution"]
        return read_summary({**execution, "sourceRevisions": execution.get("artifactRevisions", [])})


def refuse_long_comment(comment: str) -> None:
    """Raise PipelineError when CodePipeline would not take a comment because of its length."""
    if len(comment) > SUMMARY_CHARACTERS:
        raise PipelineError(
            f"the comment has {len(comment)} characters, CodePipeline takes {SUMMARY_CHARACTERS} at most", "shorten it"
        )
