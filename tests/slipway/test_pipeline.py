import json

import boto3
import pytest
from moto import mock_aws

from slipway.errors import PipelineError
from slipway.pipeline import Pipeline
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import COMMIT, EXECUTION, NAME, OLDER, TOKEN, Recording, declaration, summary, trained


def pipeline(aws: AnsweringAws) -> Pipeline:
    return Pipeline(aws.client("codepipeline"), NAME)


def test_an_undeployed_pipeline_says_what_to_type() -> None:
    aws = AnsweringAws({"ListPipelineExecutions": Refusal("PipelineNotFoundException")})

    with pytest.raises(PipelineError, match="not deployed") as raised:
        pipeline(aws).recent()

    assert raised.value.next_step == "slipway up"


def test_an_execution_is_found_by_the_beginning_of_its_id() -> None:
    summaries = [summary(execution=EXECUTION), summary(execution=OLDER)]
    aws = AnsweringAws({"ListPipelineExecutions": {"pipelineExecutionSummaries": summaries}})

    assert pipeline(aws).find("aaaabbbb").id == OLDER
    assert pipeline(aws).find(None).id == EXECUTION


def test_an_unknown_execution_is_refused_with_the_known_ones() -> None:
    aws = AnsweringAws({"ListPipelineExecutions": {"pipelineExecutionSummaries": [summary()]}})

    with pytest.raises(PipelineError, match="no execution begins with ffff; the last ones are 3f2a91c0"):
        pipeline(aws).find("ffff")


def test_an_ambiguous_beginning_is_refused() -> None:
    summaries = [summary(execution=EXECUTION), summary(execution=EXECUTION.replace("1111", "2222"))]
    aws = AnsweringAws({"ListPipelineExecutions": {"pipelineExecutionSummaries": summaries}})

    with pytest.raises(PipelineError, match="more than one"):
        pipeline(aws).find("3f2a")


def test_the_waiting_execution_is_found_by_its_approval() -> None:
    execution = pipeline(AnsweringAws(trained().waiting("numbers").answers())).waiting()

    assert execution is not None
    assert execution.approval is not None
    assert execution.approval.text == "numbers"


def test_an_approval_that_begins_between_two_looks_is_not_shown_without_its_text() -> None:
    before, after = trained().answers(), trained().waiting("numbers").answers()
    aws = AnsweringAws({})
    looks = {
        name: lambda request, name=name: (after if len(aws.calls) > 1 else before)[name]
        for name in ("ListActionExecutions", "GetPipelineState")
    }
    aws._answers = {name: [answer] for name, answer in {**after, **looks}.items()}
    line = pipeline(aws)
    aws.calls.clear()

    approval = line.read(EXECUTION).approval

    assert approval is None or approval.text == "numbers"


def test_nothing_waits_when_no_approval_has_a_token() -> None:
    assert pipeline(AnsweringAws(Recording().running("Test", "Test").answers())).waiting() is None


def test_a_decision_carries_token_and_comment() -> None:
    aws = AnsweringAws(trained().waiting("numbers").answers() | {"PutApprovalResult": {}})
    execution = pipeline(aws).waiting()
    assert execution is not None
    assert execution.approval is not None

    pipeline(aws).decide(execution.approval, "Rejected", "too slow")

    assert aws.called("PutApprovalResult") == [
        {
            "pipelineName": NAME, "stageName": "Approve", "actionName": "Approve", "token": TOKEN,
            "result": {"summary": "too slow", "status": "Rejected"},
        }
    ]  # fmt: skip


def test_a_decision_that_comes_too_late_says_so() -> None:
    aws = AnsweringAws(
        trained().waiting("numbers").answers() | {"PutApprovalResult": Refusal("ApprovalAlreadyCompletedException")}
    )
    execution = pipeline(aws).waiting()
    assert execution is not None
    assert execution.approval is not None

    with pytest.raises(PipelineError, match="decided meanwhile"):
        pipeline(aws).decide(execution.approval, "Approved", "yes")


@pytest.mark.parametrize("length", [512, 513])
def test_a_comment_may_have_512_characters(length: int) -> None:
    aws = AnsweringAws(trained().waiting("numbers").answers() | {"PutApprovalResult": {}})
    execution = pipeline(aws).waiting()
    assert execution is not None
    assert execution.approval is not None

    if length > 512:
        with pytest.raises(PipelineError, match="has 513 characters"):
            pipeline(aws).decide(execution.approval, "Approved", "x" * length)
    else:
        pipeline(aws).decide(execution.approval, "Approved", "x" * length)


def test_an_execution_older_than_the_recent_ones_can_be_read() -> None:
    revision = {"name": "Source", "revisionId": COMMIT, "revisionSummary": "Old"}
    old = {"pipelineName": NAME, "pipelineExecutionId": OLDER, "status": "Succeeded", "artifactRevisions": [revision]}
    answers = Recording().passed("Source", "Source").answers() | {"GetPipelineExecution": {"pipelineExecution": old}}

    execution = pipeline(AnsweringAws(answers)).read(OLDER)

    assert (execution.id, execution.status, execution.commit) == (OLDER, "Succeeded", COMMIT)


@mock_aws
def test_an_execution_is_started_and_listed() -> None:
    client = boto3.client("codepipeline")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]}  # fmt: skip
    role = boto3.client("iam").create_role(RoleName="pipeline", AssumeRolePolicyDocument=json.dumps(trust))
    client.create_pipeline(
        pipeline={
            **declaration(),
            "roleArn": role["Role"]["Arn"],
            "artifactStore": {"type": "S3", "location": "bucket"},
        }
    )

    pipeline = Pipeline(client, NAME)
    started = pipeline.start()

    assert started in [found.id for found in pipeline.recent()]


@mock_aws
def test_a_pipeline_that_aws_does_not_know_is_not_deployed() -> None:
    with pytest.raises(PipelineError, match="no pipeline flight-delays here"):
        Pipeline(boto3.client("codepipeline"), NAME).recent()
