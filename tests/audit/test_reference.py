"""The service authorization reference answers for the actions that we grant."""

import pytest

from audit import reference


@pytest.mark.parametrize("name", ["s3:GetObjekt", "s4:GetObject", "s3:getobject", "s3:Get*", "GetObject"])
def test_an_action_that_aws_does_not_have_is_unknown(name: str) -> None:
    assert reference.action(name) is None


@pytest.mark.parametrize("name", ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"])
def test_some_actions_can_be_granted_on_everything_only(name: str) -> None:
    action = reference.action(name)

    assert action is not None
    assert action.arns == {}


def test_an_action_knows_its_resource_types_and_their_arns() -> None:
    action = reference.action("sagemaker:CreateEndpoint")

    assert action is not None
    assert {kind: arns[0].rpartition(":")[2] for kind, arns in action.arns.items()} == {
        "endpoint": "endpoint/${EndpointName}",
        "endpoint-config": "endpoint-config/${EndpointConfigName}",
    }


def test_a_log_group_is_also_written_with_its_streams_behind_it() -> None:
    action = reference.action("logs:DescribeLogStreams")

    assert action is not None
    plain, with_streams = action.arns["log-group"]
    assert with_streams == f"{plain}:*"


@pytest.mark.parametrize(
    ("name", "key", "taken"),
    [
        ("iam:PassRole", "iam:PassedToService", True),
        ("iam:PassRole", "iam:passedtoservice", True),
        ("s3:GetObject", "iam:PassedToService", False),
        ("s3:GetObject", "aws:SecureTransport", True),
        ("s3:GetObject", "s3:ExistingObjectTag/colour", True),
        ("sagemaker:CreateModel", "aws:RequestTag/project", True),
        ("s3:GetObject", "aws:RequestTag/project", False),
        ("codebuild:StartBuild", "aws:ResourceTag/team", True),
        ("s3:ListBucket", "s3:prefix", True),
        ("s3:GetObject", "s3:prefix", False),
        ("sagemaker:CreateTrainingJob", "sagemaker:NetworkIsolation", True),
    ],
)
def test_an_action_takes_its_own_condition_keys_and_the_global_ones(name: str, key: str, taken: bool) -> None:
    action = reference.action(name)

    assert action is not None
    assert action.takes_condition(key) is taken
