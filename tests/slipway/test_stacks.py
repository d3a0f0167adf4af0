import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway import down
from slipway.data_bucket import is_empty
from slipway.errors import DeployError
from slipway.project import Project
from slipway.stacks import Stacks
from slipway.target import Target, aws_target
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import START


@pytest.fixture
def account() -> Iterator[Target]:
    with mock_aws():
        yield aws_target({})


def template(policy: str | None = None, **outputs: Any) -> str:
    bucket: dict[str, Any] = {"Type": "AWS::S3::Bucket", "Properties": {}}
    if policy is not None:
        bucket["DeletionPolicy"] = policy
    resources = {"Data": bucket, "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}}}
    return json.dumps({"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}})


def make(target: Target, name: str, body: str) -> None:
    target.client("cloudformation").create_stack(StackName=name, TemplateBody=body)


def bucket_of(target: Target, stack: str) -> str:
    return next(
        resource["PhysicalResourceId"]
        for resource in Stacks(target).resources(stack)
        if resource["ResourceType"] == "AWS::S3::Bucket"
    )


def test_the_outputs_of_a_stack_are_read_by_name(account: Target) -> None:
    make(account, "s", template(DataBucketName={"Ref": "Data"}))

    assert Stacks(account).outputs("s") == {"DataBucketName": bucket_of(account, "s")}


def test_a_stack_that_does_not_exist_says_what_to_type(account: Target) -> None:
    with pytest.raises(DeployError, match="the stack s does not exist") as raised:
        Stacks(account).outputs("s")

    assert raised.value.next_step == "slipway up"


@pytest.mark.parametrize(("version", "enough"), [("5", False), ("6", True), ("33", True)])
def test_the_bootstrap_must_be_new_enough(account: Target, version: str, enough: bool) -> None:
    make(account, "CDKToolkit", template(BootstrapVersion=version))

    assert Stacks(account).bootstrapped() is enough


def test_an_account_without_a_bootstrap_is_not_bootstrapped(account: Target) -> None:
    assert not Stacks(account).bootstrapped()


def described(status: str) -> dict[str, Any]:
    output = {"OutputKey": "BootstrapVersion", "OutputValue": "33"}
    return {"Stacks": [{"StackName": "s", "StackStatus": status, "CreationTime": START, "Outputs": [output]}]}


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED", "CREATE_IN_PROGRESS"])
def test_a_bootstrap_that_was_broken_off_is_done_again(status: str) -> None:
    assert not Stacks(AnsweringAws({"DescribeStacks": described(status)}).target()).bootstrapped()


def test_a_stack_that_is_still_busy_is_waited_for() -> None:
    answers = [described("UPDATE_IN_PROGRESS"), described("UPDATE_IN_PROGRESS"), described("UPDATE_COMPLETE")]
    aws = AnsweringAws({"DescribeStacks": answers})

    Stacks(aws.target()).wait_until_settled("s")

    assert len(aws.called("DescribeStacks")) == 3


def test_a_stack_that_stays_busy_is_an_error() -> None:
    aws = AnsweringAws({"DescribeStacks": described("UPDATE_IN_PROGRESS")})

    with pytest.raises(DeployError, match="has been UPDATE_IN_PROGRESS for 0 s"):
        Stacks(aws.target()).wait_until_settled("s", seconds=0)


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "CREATE_COMPLETE"])
def test_a_stack_that_is_only_planned_is_not_waited_for(status: str) -> None:
    Stacks(AnsweringAws({"DescribeStacks": described(status)}).target()).wait_until_settled("s", seconds=0)


def test_a_stack_that_cannot_be_deleted_tells_the_reason() -> None:
    failed = described("DELETE_FAILED")
    failed["Stacks"][0] |= {"StackId": "id", "StackStatusReason": "the bucket is not empty"}
    aws = AnsweringAws({"DescribeStacks": failed, "DeleteStack": {}})

    with pytest.raises(DeployError, match="could not be deleted: the bucket is not empty"):
        Stacks(aws.target()).delete("s", print)


def test_a_full_bucket_is_emptied_with_all_its_versions_and_its_stack_deleted(
    account: Target, project: Project
) -> None:
    make(account, project.foundation_stack, template("Delete"))
    s3, bucket = account.client("s3"), bucket_of(account, project.foundation_stack)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", b"new"):
        s3.put_object(Bucket=bucket, Key="raw/a", Body=body)
    s3.delete_object(Bucket=bucket, Key="raw/a")
    told: list[str] = []

    down.purge_account(account, project, told.append)

    assert Stacks(account).describe(project.foundation_stack) is None
    assert bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert told == [
        f"emptying AWS::S3::Bucket {bucket}",
        "deleting flight-delays-foundation",
        "flight-delays-foundation  DELETE_COMPLETE",
    ]


def test_what_empties_a_bucket_is_not_logged_into_the_next(account: Target, project: Project) -> None:
    make(account, project.foundation_stack, template("Delete"))
    s3, bucket = account.client("s3"), bucket_of(account, project.foundation_stack)
    s3.put_object(Bucket=bucket, Key="raw/a", Body=b"data")
    asked: list[tuple[str, object]] = []
    for operation in ("PutBucketLogging", "DeleteObjects"):
        s3.meta.events.register(
            f"provide-client-params.s3.{operation}",
            lambda params, model, **_: asked.append((model.name, params.get("BucketLoggingStatus"))),
        )

    down.purge_account(account, project, print)

    assert asked == [("PutBucketLogging", {}), ("DeleteObjects", None)]


def test_what_is_retained_is_named_and_its_content_kept(account: Target, project: Project) -> None:
    make(account, project.foundation_stack, template("Retain"))
    s3, bucket = account.client("s3"), bucket_of(account, project.foundation_stack)
    s3.put_object(Bucket=bucket, Key="raw/a", Body=b"data")

    assert down.retained_resources(account, project) == [f"AWS::S3::Bucket {bucket}"]
    down.purge_account(account, project, print)

    assert s3.get_object(Bucket=bucket, Key="raw/a")["Body"].read() == b"data"
    assert Stacks(account).describe(project.foundation_stack) is None


def test_endpoints_go_before_the_pipeline_that_their_deployment_role_belongs_to(
    account: Target, project: Project
) -> None:
    for name in reversed(project.stacks):
        make(account, name, json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}}))
    told: list[str] = []

    down.purge_account(account, project, told.append)

    assert [line.split()[1] for line in told if line.startswith("deleting")] == [
        "flight-delays-production", "flight-delays-staging", "flight-delays-pipeline", "flight-delays-foundation",
    ]  # fmt: skip


def test_an_error_of_another_kind_is_not_taken_for_an_absent_stack() -> None:
    aws = AnsweringAws({"DescribeStacks": Refusal("AccessDenied", "you may not")})

    with pytest.raises(boto3.exceptions.botocore.exceptions.ClientError, match="you may not"):
        Stacks(aws.target()).describe("s")


def test_a_prefix_is_empty_until_something_lies_below_it(account: Target) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="datasets/a", Body=b"x")

    assert is_empty(account, "data", "raw/")
    s3.put_object(Bucket="data", Key="raw/a", Body=b"x")
    assert not is_empty(account, "data", "raw/")
