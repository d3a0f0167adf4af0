"""`slipway logs`: what an action's build, a stack's deployment or an endpoint has written."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slipway.build_logs import LogFollower, build_log, endpoint_logs
from slipway.errors import PipelineError
from slipway.executions import IN_PROGRESS, NOT_STARTED, Action, Execution
from slipway.failures import stack_events
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.target import Target

_ENDPOINT_LINES = 100


def chosen_action(execution: Execution, name: str | None) -> Action:
    """The action that is meant by `Action` or `Stage/Action`; case does not matter.

    Without a name: the failed one, else the one that runs, else the last build that ran.

    Raises:
        PipelineError: there is no such action, more than one, or it has not started.
    """
    if name is None:
        builds = [action for action in execution.actions if action.provider == "CodeBuild" and action.started]
        candidates = execution.failed_actions[:1] or execution.running_actions[-1:] or tuple(builds[-1:])
        if not candidates:
            raise PipelineError(f"execution {execution.id[:8]} has not run a build yet", "slipway status")
        return candidates[0]
    found = [a for a in execution.actions if name.lower() in (a.name.lower(), a.path.lower())]
    if not found:
        known = ", ".join(action.path for action in execution.actions)
        raise PipelineError(f"there is no action {name}; there are {known}")
    if len(found) > 1:
        raise PipelineError(f"{name} is ambiguous: {' or '.join(action.path for action in found)}")
    if found[0].status == NOT_STARTED:
        raise PipelineError(f"{found[0].path} has not started in execution {execution.id[:8]}", "slipway status")
    return found[0]


def print_action_log(
    target: Target,
    pipeline: Pipeline,
    execution: Execution,
    action: Action,
    *,
    follow: bool,
    say: Callable[[str], None],
) -> None:
    """Print the log of an action, a line at a time.

    Args:
        follow: go on until the action has ended.

    Raises:
        PipelineError: that kind of action has no log.
    """
    if action.provider == "CloudFormation":
        for event in reversed(stack_events(target, action)):
            say(_stack_line(event))
        return
    if action.provider != "CodeBuild" or action.external_id is None:
        raise PipelineError(f"{action.path} ({action.provider}) writes no log", "slipway status")
    place = build_log(target.client("codebuild"), action.external_id)
    if place is None:
        raise PipelineError(f"the build of {action.path} has not written anything yet", "slipway logs --follow")
    follower = LogFollower(target.client("logs"), place)
    while True:
        runs = follow and _runs(pipeline, execution, action)
        for line in follower.new_lines():
            say(line)
        if not runs:
            return
        time.sleep(target.poll_seconds)


def print_endpoint_log(
    target: Target, project: Project, environment: str, *, follow: bool, say: Callable[[str], None]
) -> None:
    """Print the last lines of an endpoint's containers, in the order of their times.

    Args:
        follow: go on until somebody presses Ctrl-C.
    """
    logs = target.client("logs")
    places = endpoint_logs(logs, project.endpoint(environment))
    followers = [LogFollower(logs, place, tail=_ENDPOINT_LINES) for place in places]
    while True:
        for line in _merged(followers):
            say(line)
        if not follow:
            return
        time.sleep(target.poll_seconds)


def _stack_line(event: Mapping[str, Any]) -> str:
    told = f"{event['Timestamp']:%H:%M:%S} {event['ResourceStatus']} {event['LogicalResourceId']}"
    return f"{told} {event.get('ResourceStatusReason', '')}".rstrip()


def _merged(followers: Sequence[LogFollower]) -> list[str]:
    events = [event for follower in followers for event in follower.new_events()]
    return [line for _, line in sorted(events, key=lambda event: event[0])]


def _runs(pipeline: Pipeline, execution: Execution, action: Action) -> bool:
    current = pipeline.read(execution.id)
    return any(a.path == action.path and a.status == IN_PROGRESS for a in current.actions)
