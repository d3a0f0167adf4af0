"""What IAM is asked before CodePipeline acts.

Source: the service authorization reference (resources, condition keys, and in its table of operations the TagResource
of CreatePipeline and the services to which CreatePipeline and UpdatePipeline pass roles).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from local_cloud.authorization import Check, Rules, pass_role

_PIPELINE = "{pipelineName}"
_STAGE = "{pipelineName}/{stageName}"
_ACTION = "{pipelineName}/{stageName}/{actionName}"
_NAME = "{name}"

# The last part of each operation's resource, filled from its request.
_RESOURCES: Mapping[str, str] = {
    "DeletePipeline": _NAME,
    "DisableStageTransition": _STAGE,
    "EnableStageTransition": _STAGE,
    "GetPipeline": _NAME,
    "GetPipelineExecution": _PIPELINE,
    "GetPipelineState": _NAME,
    "ListActionExecutions": _PIPELINE,
    "ListPipelineExecutions": _PIPELINE,
    "PutApprovalResult": _ACTION,
    "RetryStageExecution": _STAGE,
    "StartPipelineExecution": _NAME,
    "StopPipelineExecution": _PIPELINE,
}


def rules(region: str, account_id: str) -> Rules:
    """What each served operation asks IAM for."""
    place = f"arn:aws:codepipeline:{region}:{account_id}:"
    other: dict[str, Callable[..., Iterator[Check]]] = {
        "CreatePipeline": _on_declaration,
        "UpdatePipeline": _on_declaration,
        "ListPipelines": _on_anything,
        "ListTagsForResource": _on_tags,
        "TagResource": _on_tags,
        "UntagResource": _on_tags,
    }
    asked = dict.fromkeys(_RESOURCES, _on_resource) | other
    return {operation: partial(ask, operation, place) for operation, ask in asked.items()}


class _Absent(dict[str, Any]):
    """A request in which a member that is missing is empty: a name that no resource has."""

    def __missing__(self, member: str) -> str:
        return ""


def _on_resource(operation: str, place: str, request: Mapping[str, Any]) -> Iterator[Check]:
    yield Check(f"codepipeline:{operation}", place + _RESOURCES[operation].format_map(_Absent(request)))


def _on_anything(operation: str, place: str, request: Mapping[str, Any]) -> Iterator[Check]:
    yield Check(f"codepipeline:{operation}", "*")


def _on_tags(operation: str, place: str, request: Mapping[str, Any]) -> Iterator[Check]:
    yield Check(f"codepipeline:{operation}", request.get("resourceArn") or place, _tags(request))


def _on_declaration(operation: str, place: str, request: Mapping[str, Any]) -> Iterator[Check]:
    """The pipeline, its role, and the roles that its actions hand to CloudFormation.

    An action's own roleArn is not passed: the pipeline's role assumes it, in another account as well (API reference,
    PipelineDeclaration.roleArn). That its creator is asked nothing for it is a guess.
    """
    pipeline = request.get("pipeline") or {}
    resource = place + pipeline.get("name", "")
    context = _tags(request)
    yield Check(f"codepipeline:{operation}", resource, context)
    if request.get("tags"):
        yield Check("codepipeline:TagResource", resource, context)
    yield pass_role(pipeline.get("roleArn", ""), "codepipeline.amazonaws.com")
    for stage in pipeline.get("stages", []):
        for action in stage.get("actions", []):
            role_arn = action.get("configuration", {}).get("RoleArn")
            if role_arn is not None and action["actionTypeId"]["provider"] == "CloudFormation":
                yield pass_role(role_arn, "cloudformation.amazonaws.com")


def _tags(request: Mapping[str, Any]) -> dict[str, str | list[str]]:
    tags = {tag["key"]: tag["value"] for tag in request.get("tags") or []}
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    keys = [*tags, *request.get("tagKeys", [])]
    return context | ({"aws:TagKeys": keys} if keys else {})
