"""Deploy action: creates, updates or deletes a CloudFormation stack from a template in an input artifact.

CREATE_UPDATE        create the stack, or update it
REPLACE_ON_FAILURE   the same; a stack that has failed is deleted first
DELETE_ONLY          delete the stack
CHANGE_SET_REPLACE   make a change set, in place of one of the same name
CHANGE_SET_EXECUTE   carry a change set out
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from local_cloud.codepipeline import artifacts
from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun, ActionType, Outcome, Place
from local_cloud.codepipeline.actions.change_set import execute_change_set, replace_change_set
from local_cloud.codepipeline.actions.stack import Stack
from local_cloud.codepipeline.actions.stack_request import stack_request
from local_cloud.codepipeline.variables import REFERENCE

_REPLACEABLE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
_NEEDED = {
    "CREATE_UPDATE": ("TemplatePath",),
    "REPLACE_ON_FAILURE": ("TemplatePath",),
    "DELETE_ONLY": (),
    "CHANGE_SET_REPLACE": ("TemplatePath", "ChangeSetName"),
    "CHANGE_SET_EXECUTE": ("ChangeSetName",),
}


def _perform(run: ActionRun) -> Outcome:
    stack = Stack(run)
    if run.external_execution_id is not None:
        stack.require_settled()
        return _outcome(run, stack, None)
    mode = run.configuration["ActionMode"]
    if mode == "DELETE_ONLY":
        stack.delete()
        return Outcome()
    if mode == "CHANGE_SET_REPLACE":
        return replace_change_set(run, stack)
    if mode == "CHANGE_SET_EXECUTE":
        return _outcome(run, stack, execute_change_set(run, stack))
    if mode == "REPLACE_ON_FAILURE" and stack.status() in _REPLACEABLE:
        stack.delete()
    return _outcome(run, stack, _create_or_update(run, stack))


def _create_or_update(run: ActionRun, stack: Stack) -> str | None:
    status = stack.status()
    if status in _REPLACEABLE:
        message = (
            f"Stack:{stack.description()['StackId']} is in {status} state and can not be updated. Delete the stack "
            f"{stack.name} and retry the stage, or use the action mode REPLACE_ON_FAILURE, which does so by itself."
        )
        raise ActionFailedError("JobFailed", message)
    request = stack_request(run)
    return stack.create(request) if status is None else stack.update(request)


def _outcome(run: ActionRun, stack: Stack, summary: str | None) -> Outcome:
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.description().get("Outputs", [])}
    if run.outputs:
        file_name = run.configuration["OutputFileName"]
        artifacts.write_file(run, run.outputs[0], file_name, json.dumps(outputs).encode())
    return Outcome(summary, outputs)


def _faults(configuration: Mapping[str, str]) -> list[str]:
    mode = configuration.get("ActionMode", "")
    if mode not in _NEEDED:
        return [f"ActionMode must be one of {', '.join(_NEEDED)}, got {mode or 'nothing'}"]
    faults = [f"ActionMode {mode} needs {key}" for key in _NEEDED[mode] if key not in configuration]
    overrides = configuration.get("ParameterOverrides")
    if overrides is not None and not _is_map_of_strings(overrides):
        faults.append('ParameterOverrides must be a JSON map of strings like {"Parameter": "value"}')
    return faults


def _is_map_of_strings(text: str) -> bool:
    try:
        document: Any = json.loads(REFERENCE.sub("0", text))
    except ValueError:
        return False
    return isinstance(document, dict) and all(isinstance(value, str) for value in document.values())


def _entity_url(configuration: Mapping[str, str], place: Place) -> str:
    name = quote(configuration["StackName"])
    return place.console("cloudformation", f"home?region={place.region}#/stacks?filteringText={name}")


CLOUDFORMATION = ActionType(
    provider="CloudFormation",
    categories=("Deploy",),
    required=frozenset({"ActionMode", "StackName"}),
    optional=frozenset(
        {
            "TemplatePath",
            "TemplateConfiguration",
            "ParameterOverrides",
            "Capabilities",
            "RoleArn",
            "OutputFileName",
            "ChangeSetName",
        }
    ),
    inputs=range(0, 11),
    outputs=range(0, 2),
    perform=_perform,
    faults=_faults,
    entity_url=_entity_url,
)
