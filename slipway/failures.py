"""Find out why an action failed: from the build's log, or from the stack's events and the endpoint's alarms."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from slipway.alarms import alarms_during
from slipway.build_logs import build_log, end_of_log, failure_line, last_words
from slipway.executions import Action, Execution, with_reasons
from slipway.target import Target

_STATE = "Build terminated with state: FAILED. "
_ENDPOINT = "AWS::SageMaker::Endpoint)"
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")


def explained(target: Target, execution: Execution) -> Execution:
    """The execution with the best reason there is for each failed action."""
    reasons: dict[str, str] = {}
    for action in execution.failed_actions:
        reason = _reason(target, action)
        if reason is not None:
            reasons[action.path] = reason
    return with_reasons(execution, reasons)


def build_failure(lines: Sequence[str], message: str | None) -> str | None:
    """Why a build failed: what its step says, else the last words of its commands with CodeBuild's message.

    Args:
        lines: the end of its log.
        message: CodePipeline's, which names the phase and the command, or None.
    """
    reason, words = failure_line(lines), last_words(lines)
    if reason is not None or words is None:
        return reason
    return f"{words} ({message.removeprefix(_STATE)})" if message else words


def stack_failure(events: Sequence[Mapping[str, Any]], since: datetime | None) -> str | None:
    """The first failure of a stack's last operation: what came after it are consequences.

    Args:
        events: as DescribeStackEvents gives them, the newest first.
        since: when the operation started; older events belong to earlier ones.
    """
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        recent = since is None or event["Timestamp"] >= since
        if recent and event.get("ResourceStatus", "").endswith("_FAILED") and reason not in _CONSEQUENCES:
            resource = f"{event['LogicalResourceId']} ({event.get('ResourceType', '')})"
            return f"{resource}: {reason or event['ResourceStatus']}"
    return None


def stack_events(target: Target, action: Action) -> list[Mapping[str, Any]]:
    """The events of the stack that an action deploys, the newest first; none when the stack does not exist."""
    stack = action.configuration.get("StackName")
    if stack is None:
        return []
    try:
        answer = target.client("cloudformation").describe_stack_events(StackName=stack)
    except ClientError:  # no such stack: the action failed before it made one
        return []
    return list(answer["StackEvents"])


def _reason(target: Target, action: Action) -> str | None:
    if action.provider == "CodeBuild" and action.external_id:
        place = build_log(target.client("codebuild"), action.external_id)
        return build_failure(end_of_log(target.client("logs"), place), action.reason) if place else None
    if action.provider == "CloudFormation":
        reason = stack_failure(stack_events(target, action), action.started)
        if reason is None or _ENDPOINT not in reason:
            return reason
        alarms = alarms_during(target, action.configuration["StackName"], reason, action.started, action.ended)
        return "; ".join([reason, *alarms])
    return None
