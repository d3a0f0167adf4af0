"""Which ARNs a pattern can mean, and what it leaves open."""

import pytest

from audit import arns
from audit.faults import AuditError

BUCKET = "arn:${Partition}:s3:::${BucketName}"
OBJECT = "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
MODEL = "arn:${Partition}:sagemaker:${Region}:${Account}:model/${ModelName}"
VERSION = "arn:${Partition}:sagemaker:${Region}:${Account}:model-package/${ModelPackageName}"
GROUP = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}"
PIPELINE = "arn:${Partition}:codepipeline:${Region}:${Account}:${PipelineName}"
WEBHOOK = "arn:${Partition}:codepipeline:${Region}:${Account}:webhook:${WebhookName}"
STREAM = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:log-stream:${LogStreamName}"


@pytest.mark.parametrize(
    ("pattern", "arn_format", "matches"),
    [
        ("arn:aws:s3:::mine", BUCKET, True),
        ("arn:aws:s3:::mine", OBJECT, False),
        ("arn:aws:s3:::mine/raw/*", OBJECT, True),
        ("arn:aws:s3:::mine/raw/*", BUCKET, False),
        ("arn:aws:s3:::mine*", BUCKET, True),
        ("arn:aws:s3:::mine*", OBJECT, True),
        ("arn:aws:s3:::", BUCKET, False),
        ("arn:aws:s3:::m?ne", BUCKET, True),
        ("*", MODEL, True),
        ("arn:aws:sagemaker:region:account:model/x-*", MODEL, True),
        ("arn:aws:sagemaker:region:account:endpoint/x-*", MODEL, False),
        ("arn:aws:sagemaker:region:account:model/x-*", VERSION, False),
        ("arn:aws:sagemaker:region:account:model*", VERSION, True),
        ("arn:aws:sagemaker:region:account:model-package/group/*", VERSION, True),
        ("arn:aws:logs:region:account:log-group:/aws/x:*", STREAM, True),
        ("arn:aws:logs:region:account:log-group:/aws/x:*", GROUP, False),
        ("arn:aws:logs:region:account:log-group:/aws/x:log-stream:job-*", GROUP, False),
        ("arn:aws:logs:region:account:log-group:/aws/x:log-stream:job-*", STREAM, True),
        ("arn:aws:logs:region:account:log-group:/aws/x", GROUP, True),
        ("arn:aws:sagemaker:region:account:model/*:x", MODEL, False),
    ],
)
def test_a_pattern_matches_the_formats_that_have_an_arn_in_common_with_it(
    pattern: str, arn_format: str, matches: bool
) -> None:
    assert arns.can_match(pattern, arn_format) is matches


@pytest.mark.parametrize(
    ("resource", "types", "arn"),
    [
        ("<Data.Arn>/raw/*", {"Data": "AWS::S3::Bucket"}, "arn:aws:s3:::data/raw/*"),
        ("<Log.Arn>", {"Log": "AWS::Logs::LogGroup"}, "arn:aws:logs:region:account:log-group:log:*"),
        ("<Topic>", {"Topic": "AWS::SNS::Topic"}, "arn:aws:sns:region:account:topic"),
        ("arn:<AWS::Partition>:iam::<AWS::AccountId>:role/x", {}, "arn:aws:iam::account:role/x"),
        ("arn:aws:codepipeline:<AWS::Region>:1:<Line>", {"Line": "Other"}, "arn:aws:codepipeline:region:1:line"),
        ("*", {}, "*"),
    ],
)
def test_references_become_possible_arns(resource: str, types: dict[str, str], arn: str) -> None:
    assert arns.arn(resource, types) == arn


def test_an_attribute_without_a_known_arn_is_told_where_to_add() -> None:
    with pytest.raises(AuditError, match=r"Arn of AWS::SQS::Queue \(Queue\).*audit/arns\.py"):
        arns.arn("<Queue.Arn>", {"Queue": "AWS::SQS::Queue"})


@pytest.mark.parametrize(
    ("pattern", "formats", "opened"),
    [
        ("*", [], "everything"),
        ("arn:aws:s3:*:*", [OBJECT], "everything"),
        ("arn:aws:codepipeline:region:account:webhook:*", [PIPELINE, WEBHOOK], "name"),
        ("arn:aws:sagemaker:*:account:model/x-*", [MODEL], "region"),
        ("arn:aws:sagemaker:region:*:model/x-*", [MODEL], "account"),
        ("arn:aws:sagemaker:region:account:model/*", [MODEL], "name"),
        ("arn:aws:sagemaker:region:account:model/x*", [MODEL], ""),
        ("arn:aws:sagemaker:region:account:*", [MODEL], "name"),
        ("arn:aws:s3:::mine/*", [OBJECT], ""),
        ("arn:aws:s3:::*", [BUCKET, OBJECT], "name"),
        ("arn:aws:logs:region:account:log-group:/aws/x:log-stream:*", [STREAM], ""),
        ("arn:aws:logs:region:account:log-group:*", [GROUP, STREAM], "name"),
    ],
)
def test_what_a_pattern_leaves_open_is_named(pattern: str, formats: list[str], opened: str) -> None:
    assert arns.open_part(pattern, formats) == opened
