"""A CloudFormation stack under an action: start something, wait for its end, say why it failed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun, Place

_GOOD_ENDS = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_NO_UPDATES = "No updates are to be performed"
_FOLLOWING_FROM_ANOTHER = ("Resource creation cancelled", "Resource update cancelled")


class Stack:
    """The stack that an action's configuration names."""

    def __init__(self, run: ActionRun) -> None:
        self.name = run.configuration["StackName"]
        self.client = run.client("cloudformation")
        self._run = run

    def status(self) -> str | None:
        """The stack's status; None when there is no stack, or nothing but a change set for a new one."""
        try:
            status: str = self.description()["StackStatus"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if status in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else status

    def description(self, stack_id: str | None = None) -> dict[str, Any]:
        stack: dict[str, Any] = self.client.describe_stacks(StackName=stack_id or self.name)["Stacks"][0]
        return stack

    def create(self, request: Mapping[str, Any]) -> str | None:
        self.wait(self.client.create_stack(**request)["StackId"])
        return None

    def update(self, request: Mapping[str, Any]) -> str | None:
        """Update the stack; an update that changes nothing is a success, and the summary says so."""
        try:
            stack_id: str = self.client.update_stack(**request)["StackId"]
        except ClientError as error:
            if _NO_UPDATES not in str(error):
                raise
            self.report(self.description()["StackId"])
            return f"{_NO_UPDATES}."
        self.wait(stack_id)
        return None

    def delete(self) -> None:
        if self.status() is None:
            return
        stack_id = self.description()["StackId"]
        role = {"RoleARN": self._run.configuration["RoleArn"]} if "RoleArn" in self._run.configuration else {}
        self.client.delete_stack(StackName=self.name, **role)
        status = self._settled(stack_id)["StackStatus"]
        if status != "DELETE_COMPLETE":
            raise ActionFailedError("JobFailed", self._failure(stack_id, status))

    def wait(self, stack_id: str) -> None:
        """Wait until CloudFormation is done with the stack.

        Raises:
            ActionFailedError: it ended badly; the message has the first failed resource and its reason.
        """
        self.report(stack_id)
        self._require_good_end(self._settled(stack_id))

    def require_settled(self) -> None:
        """Judge the stack after a restart of the server, which ended whatever CloudFormation was doing.

        Raises:
            ActionFailedError: the stack ended badly, or was cut off, or is gone.
        """
        status = self.status()
        if status is None or status.endswith("_IN_PROGRESS"):
            state = "is gone" if status is None else f"was left in {status}"
            message = f"The server stopped while CloudFormation worked on the stack {self.name}, which {state}. "
            raise ActionFailedError("JobFailed", message + "Retry the stage.")
        self._require_good_end(self.description())

    def report(self, stack_id: str) -> None:
        region = self._run.cloud.region
        place = Place(region, self._run.cloud.account_id)
        path = f"home?region={region}#/stacks/events?stackId={quote(stack_id, safe='')}"
        self._run.report(external_execution_id=stack_id, external_execution_url=place.console("cloudformation", path))

    def _settled(self, stack_id: str) -> dict[str, Any]:
        def read() -> dict[str, Any] | None:
            description = self.description(stack_id)
            return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

        return self._run.poll(read)

    def _require_good_end(self, description: Mapping[str, Any]) -> None:
        status = description["StackStatus"]
        if status not in _GOOD_ENDS:
            raise ActionFailedError("JobFailed", self._failure(description["StackId"], status))

    def _failure(self, stack_id: str, status: str) -> str:
        events: list[dict[str, Any]] = []
        for page in self.client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            events += page["StackEvents"]
        return failure_message(self.name, status, events)


def failure_message(stack_name: str, status: str, events: list[dict[str, Any]]) -> str:
    """Why the latest operation on a stack failed.

    Args:
        stack_name: the stack's name.
        status: how it ended.
        events: its events, the newest first, as DescribeStackEvents gives them.
    """
    text = f"Stack {stack_name} ended in {status}"
    failed = _first_failure(events)
    if failed is None:
        return text
    reason = failed.get("ResourceStatusReason", failed["ResourceStatus"])
    return f"{text}. {failed['LogicalResourceId']} ({failed['ResourceType']}): {reason}"


def _first_failure(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    latest_operation: list[dict[str, Any]] = []
    for event in events:
        latest_operation.append(event)
        if event.get("PhysicalResourceId") == event["StackId"] and event["ResourceStatus"] in _BEGINNINGS:
            break
    failures = [
        event
        for event in reversed(latest_operation)
        if event["ResourceStatus"].endswith("_FAILED")
        and not event.get("ResourceStatusReason", "").startswith(_FOLLOWING_FROM_ANOTHER)
    ]
    return next(iter(failures), None)
