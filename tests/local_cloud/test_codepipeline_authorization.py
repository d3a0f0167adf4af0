"""What CodePipeline asks IAM for, against AWS's service authorization reference."""

from typing import Any

import pytest
from authorization_reference import (
    check_request,
    condition_keys,
    fits_resource,
    is_exact,
    missing_resources,
    wrong_conditions,
)
from botocore import xform_name
from codepipeline_support import action, approval, deploy, stage

from local_cloud.authorization import Check, pass_role
from local_cloud.codepipeline.authorization import rules
from local_cloud.codepipeline.operations import Operations
from local_cloud.wire import service_model

TAXI = "arn:aws:codepipeline:eu-west-1:111122223333:taxi"
EXECUTION = "12345678-1234-1234-1234-123456789012"
ROLE = "arn:aws:iam::111122223333:role/pipeline"
STAGING, PRODUCTION = (f"arn:aws:iam::111122223333:role/deploy-{name}" for name in ("staging", "production"))
TAGS = [{"key": "project", "value": "taxi"}, {"key": "owner", "value": "me"}]
TAG_CONDITIONS = {"aws:RequestTag/project": "taxi", "aws:RequestTag/owner": "me", "aws:TagKeys": ["project", "owner"]}
PIPELINE = {
    "name": "taxi", "roleArn": ROLE, "artifactStore": {"type": "S3", "location": "bucket"},
    "stages": [
        stage("Source", action("Source", "Source", "CodeCommit", roleArn="arn:aws:iam::111122223333:role/source")),
        stage("Staging", deploy("Deploy", "taxi-staging", "t.json", configuration={"RoleArn": STAGING}),
              deploy("Seed", "taxi-seed", "t.json"), approval("Review", RoleArn="of no CloudFormation action")),
        stage("Production", deploy("Deploy", "taxi", "t.json", configuration={"RoleArn": PRODUCTION})),
    ],
}  # fmt: skip
PASSED = [
    pass_role(ROLE, "codepipeline.amazonaws.com"),
    pass_role(STAGING, "cloudformation.amazonaws.com"),
    pass_role(PRODUCTION, "cloudformation.amazonaws.com"),
]
TRANSITION = {"pipelineName": "taxi", "stageName": "Staging", "transitionType": "Inbound"}

# A request of each served operation that carries all that IAM can be asked about.
REQUESTS: dict[str, dict[str, Any]] = {
    "CreatePipeline": {"pipeline": PIPELINE, "tags": TAGS},
    "DeletePipeline": {"name": "taxi"},
    "DisableStageTransition": {**TRANSITION, "reason": "freeze"},
    "EnableStageTransition": TRANSITION,
    "GetPipeline": {"name": "taxi"},
    "GetPipelineExecution": {"pipelineName": "taxi", "pipelineExecutionId": EXECUTION},
    "GetPipelineState": {"name": "taxi"},
    "ListActionExecutions": {"pipelineName": "taxi"},
    "ListPipelineExecutions": {"pipelineName": "taxi"},
    "ListPipelines": {},
    "ListTagsForResource": {"resourceArn": TAXI},
    "PutApprovalResult": {
        "pipelineName": "taxi", "stageName": "Staging", "actionName": "Review", "token": "t",
        "result": {"status": "Approved", "summary": "fine"},
    },
    "RetryStageExecution": {
        "pipelineName": "taxi", "stageName": "Staging", "pipelineExecutionId": EXECUTION,
        "retryMode": "FAILED_ACTIONS",
    },
    "StartPipelineExecution": {"name": "taxi"},
    "StopPipelineExecution": {"pipelineName": "taxi", "pipelineExecutionId": EXECUTION},
    "TagResource": {"resourceArn": TAXI, "tags": TAGS},
    "UntagResource": {"resourceArn": TAXI, "tagKeys": ["owner"]},
    "UpdatePipeline": {"pipeline": PIPELINE},
}  # fmt: skip


def asked(operation: str, request: dict[str, Any] | None = None) -> list[Check]:
    table = rules("eu-west-1", "111122223333")
    return list(table[operation](REQUESTS[operation] if request is None else request))


def test_every_served_operation_has_a_rule_and_a_request_here() -> None:
    served = {name for name in service_model("codepipeline").operation_names if hasattr(Operations, xform_name(name))}
    assert served == set(REQUESTS) == set(rules("r", "a"))


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_requests_here_are_of_the_services_model(operation: str) -> None:
    check_request("codepipeline", operation, REQUESTS[operation])


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_reference_knows_every_action_with_its_resources_and_conditions(operation: str) -> None:
    checks = asked(operation)
    assert missing_resources(f"codepipeline:{operation}", checks) == []
    for check in checks:
        assert fits_resource(check), check
        assert wrong_conditions(check) == [], check


@pytest.mark.parametrize("operation", REQUESTS)
def test_every_condition_key_of_the_reference_is_given(operation: str) -> None:
    given = asked(operation)[0].context
    for key, pattern in condition_keys(f"codepipeline:{operation}").items():
        assert any(map(pattern.fullmatch, given)), key


@pytest.mark.parametrize("operation", [name for name in REQUESTS if name != "ListPipelines"])
def test_without_a_name_the_resource_is_none_of_an_exact_policy(operation: str) -> None:
    checks = asked(operation, {})
    assert checks
    assert not [check for check in checks if is_exact(check)]


@pytest.mark.parametrize("absent", ["stageName", "actionName"])
def test_an_approval_without_stage_or_action_is_none_of_an_exact_policy(absent: str) -> None:
    request = {key: value for key, value in REQUESTS["PutApprovalResult"].items() if key != absent}
    assert not [check for check in asked("PutApprovalResult", request) if is_exact(check)]


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        ("ListPipelines", "*"),
        ("GetPipelineState", TAXI),
        ("GetPipelineExecution", TAXI),
        ("ListActionExecutions", TAXI),
        ("StartPipelineExecution", TAXI),
        ("StopPipelineExecution", TAXI),
        ("DisableStageTransition", f"{TAXI}/Staging"),
        ("EnableStageTransition", f"{TAXI}/Staging"),
        ("RetryStageExecution", f"{TAXI}/Staging"),
        ("PutApprovalResult", f"{TAXI}/Staging/Review"),
    ],
)
def test_an_operation_asks_on_the_pipeline_the_stage_or_the_action(operation: str, resource: str) -> None:
    assert asked(operation) == [Check(f"codepipeline:{operation}", resource)]


def test_creating_a_pipeline_asks_for_its_tags_and_for_the_roles_that_it_passes() -> None:
    assert asked("CreatePipeline") == [
        Check("codepipeline:CreatePipeline", TAXI, TAG_CONDITIONS),
        Check("codepipeline:TagResource", TAXI, TAG_CONDITIONS),
        *PASSED,
    ]


def test_updating_a_pipeline_asks_for_the_roles_that_it_passes() -> None:
    assert asked("UpdatePipeline") == [Check("codepipeline:UpdatePipeline", TAXI), *PASSED]


def test_tagging_asks_on_the_arn_with_the_tags() -> None:
    assert asked("TagResource") == [Check("codepipeline:TagResource", TAXI, TAG_CONDITIONS)]
    assert asked("UntagResource") == [Check("codepipeline:UntagResource", TAXI, {"aws:TagKeys": ["owner"]})]
