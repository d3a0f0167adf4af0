"""A grant is at fault when AWS does not know it, does not check it, or it is wider than it must be."""

import pytest
from audit_support import READER, audited, note

from audit import policies
from audit.grants import AuditedRole, Grant, Trust

TYPES = {"Data": "AWS::S3::Bucket"}
MODELS = "arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:model/line-*"


def whats(role: AuditedRole) -> list[str]:
    return [fault.what for fault in policies.faults(role, TYPES)]


@pytest.mark.parametrize(
    "grant",
    [
        Grant(READER, "s3:GetBucketLocation", "<Data.Arn>"),
        Grant(READER, "iam:PassRole", "arn:aws:iam::1:role/x", "x", ("iam:PassedToService",)),
    ],
)
def test_an_exact_grant_needs_no_reason(grant: Grant) -> None:
    assert whats(audited(grant)) == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [("s3:GetObject", "<Data.Arn>/raw/*"), ("ecr:GetAuthorizationToken", "*"), ("sagemaker:CreateModel", MODELS)],
)
def test_a_wildcard_needs_a_reason(action: str, resource: str) -> None:
    grant = Grant(READER, action, resource)

    assert len(whats(audited(grant))) == 1
    assert whats(audited(grant))[0].endswith("has no reason for its wildcard")
    assert whats(audited(grant, notes=[note(action, resource, wildcard="it must be")])) == []


@pytest.mark.parametrize(
    ("grant", "what"),
    [
        (Grant(READER, "s3:Get*", "<Data.Arn>"), "s3:Get* is a wildcard"),
        (Grant(READER, "s3:GetObjekt", "<Data.Arn>"), "AWS has no action s3:GetObjekt"),
        (Grant(READER, "s3:GetObject", "<Data.Arn>"), "s3:GetObject is never checked against <Data.Arn>"),
        (
            Grant(READER, "ecr:GetAuthorizationToken", "<Data.Arn>"),
            "ecr:GetAuthorizationToken is never checked against <Data.Arn>",
        ),
        (
            Grant(READER, "s3:GetBucketLocation", "<Data.Arn>", "s3:prefix StringLike raw/", ("s3:prefix",)),
            "s3:GetBucketLocation has no condition key s3:prefix",
        ),
    ],
    ids=["wildcard action", "unknown action", "wrong type", "no type", "condition key"],
)
def test_what_aws_does_not_check_is_at_fault(grant: Grant, what: str) -> None:
    assert whats(audited(grant)) == [what]


def test_everything_is_at_fault_for_an_action_that_has_resources_even_with_a_reason() -> None:
    grant = Grant(READER, "s3:ListBucket", "*")

    assert whats(audited(grant, notes=[note("s3:ListBucket", "*", wildcard="easier")])) == [
        "s3:ListBucket on all resources"
    ]


def test_the_next_step_names_the_resource_types_that_aws_checks() -> None:
    (fault,) = policies.faults(audited(Grant(READER, "sagemaker:DescribeModel", "<Data.Arn>")), TYPES)

    assert fault.move == "remove it there; AWS checks it against model"


@pytest.mark.parametrize(
    ("trusted", "faults"),
    [
        (Trust("codebuild.amazonaws.com"), []),
        (Trust("codebuild.amazonaws.com", "aws:SourceAccount StringEquals 1", ("aws:SourceAccount",)), []),
        (Trust("AWS arn:aws:iam::1:root"), ["AWS arn:aws:iam::1:root may assume it"]),
        (Trust("AWS *", "x Bool true", ("x",)), ["AWS * if x Bool true may assume it"]),
        (Trust("AWS <Role.Arn>"), ["AWS <Role.Arn> may assume it"]),
        (Trust("AWS <Role.Arn>", "sts:RoleSessionName StringEquals one", ("sts:RoleSessionName",)), []),
        (
            Trust("AWS *", "sts:RoleSessionName StringEquals one", ("sts:RoleSessionName",)),
            ["AWS * if sts:RoleSessionName StringEquals one may assume it"],
        ),
    ],
)
def test_only_services_of_aws_and_one_session_of_a_role_of_ours_may_assume_a_role(
    trusted: Trust, faults: list[str]
) -> None:
    assert whats(audited(trusted=trusted)) == faults


@pytest.mark.parametrize(
    ("action", "resource", "opened"),
    [
        ("sagemaker:CreateModel", MODELS, ""),
        ("sagemaker:CreateModel", MODELS.replace("line-", ""), "name"),
        ("sagemaker:CreateModel", MODELS.replace("<AWS::Region>", "*"), "region"),
        ("ecr:GetAuthorizationToken", "*", "everything"),
        ("s3:GetObject", "<Data.Arn>/*", ""),
    ],
)
def test_what_a_grant_leaves_open_is_told(action: str, resource: str, opened: str) -> None:
    assert policies.open_part(Grant(READER, action, resource), TYPES) == opened
