"""Grants are one action on one resource of one statement, wherever a template writes them."""

from pathlib import Path
from typing import Any

import pytest
from audit_support import BUCKET, BUCKET_ARN, READER, allowed, assemble, noted, role

from audit.faults import AuditError
from audit.grants import Grant, Place, Role, RoleId, Trust, read_roles, short, together

OBJECTS = {"Fn::Join": ["", [BUCKET_ARN, "/raw/*"]]}


def read(tmp_path: Path, resource: dict[str, Any], **others: Any) -> Role:
    (found,) = read_roles(assemble(tmp_path, {**BUCKET, READER.logical_id: resource, **others}))
    return found


def test_each_action_on_each_resource_is_a_grant_at_its_place(tmp_path: Path) -> None:
    one = allowed(["s3:GetObject", "s3:PutObject"], [OBJECTS, "arn:aws:s3:::other/*"])
    found = read(tmp_path, role(one, allowed("s3:GetBucketAcl", BUCKET_ARN)))

    assert found.grants == {
        Place(READER, "Permissions", 0, "s3:GetObject", 0): Grant(READER, "s3:GetObject", "<DataBucket.Arn>/raw/*"),
        Place(READER, "Permissions", 0, "s3:GetObject", 1): Grant(READER, "s3:GetObject", "arn:aws:s3:::other/*"),
        Place(READER, "Permissions", 0, "s3:PutObject", 0): Grant(READER, "s3:PutObject", "<DataBucket.Arn>/raw/*"),
        Place(READER, "Permissions", 0, "s3:PutObject", 1): Grant(READER, "s3:PutObject", "arn:aws:s3:::other/*"),
        Place(READER, "Permissions", 1, "s3:GetBucketAcl", 0): Grant(READER, "s3:GetBucketAcl", "<DataBucket.Arn>"),
    }


def test_a_policy_beside_the_role_counts_as_the_roles(tmp_path: Path) -> None:
    document = {"Statement": [allowed("s3:GetObject", OBJECTS)]}
    own = {"PolicyName": "Beside", "PolicyDocument": document, "Roles": [{"Ref": READER.logical_id}]}
    others = {"PolicyName": "Not", "PolicyDocument": document, "Roles": [{"Ref": "OtherRole"}]}
    found = read(
        tmp_path,
        role(),
        Own={"Type": "AWS::IAM::Policy", "Properties": own},
        Others={"Type": "AWS::IAM::Policy", "Properties": others},
    )

    assert list(found.grants) == [Place(READER, "Beside", 0, "s3:GetObject", 0)]


def test_a_condition_is_part_of_the_grant(tmp_path: Path) -> None:
    condition = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    found = read(tmp_path, role(allowed("iam:PassRole", "*", Condition=condition)))

    (grant,) = found.grants.values()
    assert grant.condition_keys == ("iam:PassedToService",)
    assert str(grant) == "iam:PassRole on * if iam:PassedToService StringEquals sagemaker.amazonaws.com"


def test_who_may_assume_a_role_is_told_with_the_condition(tmp_path: Path) -> None:
    resource = role()
    (statement,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    statement["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    statement["Principal"]["AWS"] = "arn:aws:iam::1:root"
    condition = ("aws:SourceAccount StringEquals <AWS::AccountId>", ("aws:SourceAccount",))

    found = read(tmp_path, resource)

    assert found.trusted == {
        Trust("codebuild.amazonaws.com", *condition),
        Trust("AWS arn:aws:iam::1:root", *condition),
    }


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "*"},
    ],
    ids=["denied", "all other actions", "all other resources"],
)
def test_a_statement_that_lists_no_grants_cannot_be_audited(tmp_path: Path, statement: dict[str, Any]) -> None:
    with pytest.raises(AuditError, match="ReaderRole, statement 1"):
        read(tmp_path, role(allowed("s3:GetObject", "*"), statement))


@pytest.mark.parametrize("kind", ["ManagedPolicy", "RolePolicy", "User", "Group"])
def test_what_else_can_grant_cannot_be_audited(tmp_path: Path, kind: str) -> None:
    with pytest.raises(AuditError, match=f"AWS::IAM::{kind}"):
        read(tmp_path, role(), Other={"Type": f"AWS::IAM::{kind}", "Properties": {}})


def test_managed_policies_cannot_be_audited(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="ReaderRole has managed policies"):
        read(tmp_path, role(ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]))


def test_the_templates_reasons_belong_to_the_grants_that_they_name(tmp_path: Path) -> None:
    reasons = {"Wildcard": "many objects", "Unused": {"s3:PutObject": "rarely"}}
    reason = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": [OBJECTS], **reasons}
    statement = allowed(["s3:GetObject", "s3:PutObject"], [OBJECTS, BUCKET_ARN])
    (found,) = together([("isolated", [read(tmp_path, noted(role(statement), reason))])])
    get, put = (Grant(READER, f"s3:{verb}Object", "<DataBucket.Arn>/raw/*") for verb in ("Get", "Put"))

    assert (found.wildcard_reason(get), found.wildcard_reason(put)) == ("many objects", "many objects")
    assert (found.unused_reason(get), found.unused_reason(put)) == (None, "rarely")
    assert found.unused_reason(Grant(READER, "s3:PutObject", "<DataBucket.Arn>")) is None


def test_a_grant_of_several_variants_counts_once_and_knows_its_networks(tmp_path: Path) -> None:
    less = read(tmp_path / "isolated", role(allowed("s3:GetObject", OBJECTS)))
    more = read(tmp_path / "vpc", role(allowed(["s3:GetObject", "s3:PutObject"], OBJECTS)))

    (found,) = together([("isolated", [less]), ("vpc", [more])])

    assert {grant.action: networks for grant, networks in found.grants.items()} == {
        "s3:GetObject": {"isolated", "vpc"},
        "s3:PutObject": {"vpc"},
    }


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        ("arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:model/x-*", "sagemaker:model/x-*"),
        ("arn:<AWS::Partition>:sns:*:<AWS::AccountId>:x", "arn:<AWS::Partition>:sns:*:<AWS::AccountId>:x"),
        ("<DataBucket.Arn>/raw/*", "<DataBucket.Arn>/raw/*"),
        ("*", "*"),
    ],
    ids=["ours", "any region", "reference", "everything"],
)
def test_only_resources_of_the_own_account_and_region_are_shortened(resource: str, shown: str) -> None:
    assert short(resource) == shown


def test_a_role_is_shown_by_its_name() -> None:
    assert str(RoleId("line-pipeline", "ReaderRole0A1B2C3D")) == "ReaderRole"
