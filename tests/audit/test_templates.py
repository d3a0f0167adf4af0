"""Templates: every stack is found, and references become one line that names what they mean."""

from pathlib import Path
from typing import Any

import pytest
from audit_support import BUCKET, BUCKET_ARN, assemble

from audit.faults import AuditError
from audit.templates import Assembly, as_list, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("arn:aws:s3:::mine", "arn:aws:s3:::mine"),
        ({"Ref": "DataBucketE3889A50"}, "<DataBucket>"),
        ({"Ref": "AWS::Region"}, "<AWS::Region>"),
        (BUCKET_ARN, "<DataBucket.Arn>"),
        ({"Fn::Join": ["", [BUCKET_ARN, "/raw/*"]]}, "<DataBucket.Arn>/raw/*"),
        ({"Fn::Join": [":", ["one", {"Fn::Join": ["/", ["two", "three"]]}]]}, "one:two/three"),
    ],
    ids=["text", "reference", "pseudo parameter", "attribute", "joined", "joined within"],
)
def test_a_value_is_written_on_one_line(tmp_path: Path, value: Any, text: str) -> None:
    assert assemble(tmp_path, BUCKET).text(value) == text


def test_an_import_is_followed_to_what_another_stack_exports(tmp_path: Path) -> None:
    export = {"Bucket": {"Value": BUCKET_ARN, "Export": {"Name": "foundation:Bucket"}}, "Name": {"Value": "unexported"}}
    assemble(tmp_path / "foundation", BUCKET, stack="line-foundation", Outputs=export)
    assemble(tmp_path / "pipeline", {})

    text = Assembly.read(tmp_path).text({"Fn::Join": ["", [{"Fn::ImportValue": "foundation:Bucket"}, "/*"]]})

    assert text == "<DataBucket.Arn>/*"


def test_a_function_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"Fn::Select.*audit/templates\.py"):
        assemble(tmp_path, {}).text({"Fn::Select": [0, ["a"]]})


def test_the_stacks_of_nested_assemblies_are_read_too(tmp_path: Path) -> None:
    assemble(tmp_path, BUCKET, stack="line-foundation")
    assemble(tmp_path / "assembly-Staging", {"Endpoint": {"Type": "AWS::SageMaker::Endpoint"}}, stack="line-staging")

    assembly = Assembly.read(tmp_path)

    assert {template.stack_name for template in assembly.templates} == {"line-foundation", "line-staging"}
    assert assembly.types == {"DataBucket": "AWS::S3::Bucket", "Endpoint": "AWS::SageMaker::Endpoint"}


@pytest.mark.parametrize(
    ("logical_id", "name"),
    [("DataBucketE3889A50", "DataBucket"), ("Endpoint", "Endpoint"), ("linestagingmodel", "linestagingmodel")],
)
def test_the_cdks_hash_is_no_part_of_a_name(logical_id: str, name: str) -> None:
    assert plain(logical_id) == name


@pytest.mark.parametrize("value", ["one", ["one"]])
def test_a_single_item_may_stand_for_its_list(value: Any) -> None:
    assert as_list(value) == ["one"]
