"""The change set modes of the CloudFormation action."""

from typing import Any

from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun, Outcome
from local_cloud.codepipeline.actions.stack import Stack
from local_cloud.codepipeline.actions.stack_request import stack_request

_NOTHING_TO_CHANGE = ("didn't contain changes", "No updates are to be performed")


def replace_change_set(run: ActionRun, stack: Stack) -> Outcome:
    """Make the change set of the configuration's name; one that changes nothing is a success.

    Raises:
        ActionFailedError: CloudFormation refuses the changes.
    """
    name = run.configuration["ChangeSetName"]
    kind = "CREATE" if stack.status() is None else "UPDATE"
    if kind == "UPDATE":
        stack.client.delete_change_set(StackName=stack.name, ChangeSetName=name)
    answer = stack.client.create_change_set(**stack_request(run), ChangeSetName=name, ChangeSetType=kind)
    stack.report(answer["StackId"])
    change_set = run.poll(lambda: _settled(stack, answer["Id"]))
    reason = change_set.get("StatusReason", "")
    if change_set["Status"] == "FAILED" and not any(text in reason for text in _NOTHING_TO_CHANGE):
        raise ActionFailedError("JobFailed", f"Change set {name} of stack {stack.name} failed: {reason}")
    return Outcome(reason or None)


def execute_change_set(run: ActionRun, stack: Stack) -> str | None:
    """Carry out the change set; one without changes has nothing to do, and the summary says so."""
    name = run.configuration["ChangeSetName"]
    change_set = stack.client.describe_change_set(StackName=stack.name, ChangeSetName=name)
    if change_set["Status"] == "FAILED":
        reason: str = change_set.get("StatusReason", "")
        stack.report(change_set["StackId"])
        return reason
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName=name)
    stack.wait(change_set["StackId"])
    return None


def _settled(stack: Stack, change_set_id: str) -> dict[str, Any] | None:
    answer: dict[str, Any] = stack.client.describe_change_set(StackName=stack.name, ChangeSetName=change_set_id)
    return answer if answer["Status"] in ("CREATE_COMPLETE", "FAILED") else None
