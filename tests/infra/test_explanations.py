"""A role answers for its wildcards and for what it never uses: in its template, and to cdk-nag."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra import permissions

CODEBUILD = iam.ServicePrincipal("codebuild.amazonaws.com")


def synthesize(folder: Path, *wanted: permissions.Permission) -> tuple[Any, set[str]]:
    """The metadata of a role with these permissions, and the rules that are acknowledged for it."""
    app = App(outdir=str(folder), analytics_reporting=False, builtin_cloud_formation_validation=False)
    permissions.role(Stack(app, "Line"), "Role", assumed_by=CODEBUILD, statements=wanted)
    return read(app, folder)


def read(app: App, folder: Path) -> tuple[Any, set[str]]:
    app.synth()
    resources = json.loads((folder / "Line.template.json").read_text())["Resources"].values()
    (role,) = (resource for resource in resources if resource["Type"] == "AWS::IAM::Role")
    entries = json.loads((folder / "Line.metadata.json").read_text()).get("/Line/Role", [])
    rules = {rule for entry in entries if entry["type"] == "aws:cdk:acknowledged-rules" for rule in entry["data"]}
    return role.get("Metadata", {}).get("Slipway"), rules


def acknowledged(resource: str) -> str:
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{resource}]"


def test_the_reason_of_a_wildcard_is_in_the_template_and_acknowledges_the_finding(tmp_path: Path) -> None:
    reading = permissions.allow(
        "s3:GetObject", on=["arn:aws:s3:::a/*", "arn:aws:s3:::a/b"], wildcard="objects are many"
    )
    metadata, rules = synthesize(tmp_path, reading)

    resources = ["arn:aws:s3:::a/*", "arn:aws:s3:::a/b"]
    assert metadata == {"Grants": [{"Action": ["s3:GetObject"], "Resource": resources, "Wildcard": "objects are many"}]}
    assert rules == {acknowledged("arn:aws:s3:::a/*")}


def test_the_reason_of_an_unused_action_is_in_the_template(tmp_path: Path) -> None:
    unused = {"s3:PutObjectAcl": "written by hand"}
    metadata, rules = synthesize(
        tmp_path, permissions.allow("s3:PutObject", "s3:PutObjectAcl", on="arn:aws:s3:::a/b", unused=unused)
    )

    assert metadata["Grants"][0]["Unused"] == unused
    assert rules == set()


def test_a_role_that_has_nothing_to_explain_has_no_metadata(tmp_path: Path) -> None:
    assert synthesize(tmp_path, permissions.allow("s3:GetObject", on="arn:aws:s3:::a/b")) == (None, set())


def test_two_reasons_for_one_resource_are_both_told(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), analytics_reporting=False, builtin_cloud_formation_validation=False)
    wanted = [
        permissions.allow("ecr:GetAuthorizationToken", on="*", wildcard="one"),
        permissions.allow("cloudwatch:PutMetricData", on="*", wildcard="two"),
        permissions.allow("ec2:DescribeVpcs", on="*", wildcard="one"),
    ]
    permissions.role(Stack(app, "Line"), "Role", assumed_by=CODEBUILD, statements=wanted)
    read(app, tmp_path)

    entries = json.loads((tmp_path / "Line.metadata.json").read_text())["/Line/Role"]
    assert {acknowledged("*"): "one; two"} in [entry["data"] for entry in entries]


def test_a_resource_of_another_stack_is_acknowledged_as_the_import_that_it_becomes(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), analytics_reporting=False, builtin_cloud_formation_validation=False)
    bucket = s3.Bucket(Stack(app, "Foundation"), "Data")
    reading = permissions.allow("s3:GetObject", on=bucket.arn_for_objects("raw/*"), wildcard="objects are many")
    permissions.role(Stack(app, "Line"), "Role", assumed_by=CODEBUILD, statements=[reading])
    _, rules = read(app, tmp_path)

    (rule,) = rules
    assert rule.startswith("AwsSolutions::AwsSolutions-IAM5[Resource::Foundation:ExportsOutput")
    assert rule.endswith("/raw/*]")


@pytest.mark.parametrize(
    ("resource", "wildcard", "unused"),
    [
        ("arn:aws:s3:::a/*", None, {}),
        ("arn:aws:s3:::a/?", None, {}),
        ("arn:aws:s3:::a/b", "there is none", {}),
        ("arn:aws:s3:::a/b", None, {"s3:PutObject": "not among the actions"}),
    ],
    ids=["wildcard without a reason", "one character", "reason without a wildcard", "another action"],
)
def test_reasons_stand_beside_what_they_explain_and_nowhere_else(
    resource: str, wildcard: str | None, unused: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="s3:"):
        permissions.allow("s3:GetObject", on=resource, wildcard=wildcard, unused=unused)
