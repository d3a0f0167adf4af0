"""What starts a pipeline, and what a pipeline tells: pushes, EventBridge events, approval notifications."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from codepipeline_support import PipelineUnderTest, approval, stage
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_server import CloudServer


@pytest.fixture
def pipeline(cloud_server: CloudServer) -> PipelineUnderTest:
    return PipelineUnderTest(cloud_server)


def target_of(pipeline: PipelineUnderTest) -> dict[str, str]:
    """The pipeline as a target of a rule, with a role that may do no more than start it."""
    server = pipeline.server
    arn = f"arn:aws:codepipeline:{server.region}:{server.account_id}:{pipeline.name}"
    role_arn = make_role(server, "events", {"Action": "codepipeline:StartPipelineExecution", "Resource": arn})
    return {"Id": "Target0", "Arn": arn, "RoleArn": role_arn}


def start_on_push(pipeline: PipelineUnderTest) -> str:
    """The rule that the CDK makes for a CodeCommit source; returns its ARN."""
    events = pipeline.server.client("events")
    place = f"{pipeline.server.region}:{pipeline.server.account_id}"
    pattern = {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [f"arn:aws:codecommit:{place}:{pipeline.name}"],
        "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]},
    }
    arn = events.put_rule(Name=pipeline.name, EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule=pipeline.name, Targets=[target_of(pipeline)])
    return str(arn)


class Queue:
    """An SQS queue that reads what a topic or a rule sends."""

    def __init__(self, server: CloudServer, name: str) -> None:
        self._client = server.client("sqs")
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]
        services = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
        allowed = {"Effect": "Allow", "Principal": services, "Action": "sqs:SendMessage", "Resource": self.arn}
        policy = json.dumps({"Statement": [allowed]})
        self._client.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self.messages: list[Any] = []

    def read(self) -> list[Any]:
        """All messages so far."""
        answer = self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.messages.append(json.loads(message["Body"]))
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self.messages


def test_a_push_starts_the_pipeline_with_the_pushed_commit(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(first) == "Succeeded"
    rule_arn = start_on_push(pipeline)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "NO_PROXY": "127.0.0.1",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", **pipeline.server.environment(),
    }  # fmt: skip

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("clone", "--quiet", f"{pipeline.server.endpoint_url}/v1/repos/{pipeline.name}", "work")
    (tmp_path / "work" / "model.py").write_text("trees = 200\n")
    git("-C", "work", "add", "model.py")
    git("-C", "work", "commit", "--quiet", "--message", "more trees")
    git("-C", "work", "push", "--quiet", "origin", "HEAD:main")
    commit_id = git("-C", "work", "rev-parse", "HEAD")

    eventually(lambda: len(pipeline.executions()) == 2)
    execution_id = pipeline.executions()[0]["pipelineExecutionId"]
    pipeline.put_result("Approve", "Review", pipeline.token("Approve", "Review", execution_id))
    assert pipeline.ended(execution_id) == "Succeeded"
    summary = pipeline.executions()[0]
    assert summary["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule_arn}
    assert summary["sourceRevisions"][0]["revisionId"] == commit_id
    assert summary["sourceRevisions"][0]["revisionSummary"] == "more trees"


def test_two_pushes_give_two_executions_each_with_its_own_commit(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")))
    start_on_push(pipeline)
    gate = {"pipelineName": pipeline.name, "stageName": "Source", "transitionType": "Inbound"}
    pipeline.client.disable_stage_transition(**gate, reason="both pushes come before the first source action")
    commits = [pipeline.commit({"a.txt": str(number)}, f"number {number}") for number in range(2)]
    eventually(lambda: len(pipeline.executions()) == 3)
    pipeline.client.enable_stage_transition(**gate)

    eventually(lambda: len(pipeline.executions()) == 3 and all(e["sourceRevisions"] for e in pipeline.executions()))

    revisions = [e["sourceRevisions"][0]["revisionId"] for e in pipeline.executions()]
    assert sorted(revisions[:2]) == sorted(commits)


def test_a_push_to_another_branch_starts_nothing(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    start_on_push(pipeline)

    pipeline.commit({"a.txt": "1"}, "an experiment", branch="experiment")
    pipeline.commit({"a.txt": "2"}, "on main")

    eventually(lambda: len(pipeline.executions()) > 1)
    summaries = [(e["sourceRevisions"] or [{}])[0].get("revisionSummary") for e in pipeline.executions()]
    assert "an experiment" not in summaries
    assert pipeline.executions()[1]["pipelineExecutionId"] == first


def test_a_scheduled_or_custom_event_starts_the_pipeline_with_the_newest_commit(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")))
    newest = pipeline.commit({"README.md": "newer"}, "newer")
    events = pipeline.server.client("events")
    events.put_rule(Name=pipeline.name, EventPattern=json.dumps({"source": [pipeline.name]}))
    events.put_targets(Rule=pipeline.name, Targets=[target_of(pipeline)])

    events.put_events(Entries=[{"Source": pipeline.name, "DetailType": "Drift", "Detail": "{}"}])

    eventually(lambda: len(pipeline.executions()) == 2 and pipeline.executions()[0]["sourceRevisions"])
    assert pipeline.executions()[0]["sourceRevisions"][0]["revisionId"] == newest


def test_every_change_of_state_is_an_event(pipeline: PipelineUnderTest) -> None:
    queue = Queue(pipeline.server, pipeline.name)
    events = pipeline.server.client("events")
    pattern = {"source": ["aws.codepipeline"], "detail": {"pipeline": [pipeline.name]}}
    events.put_rule(Name=f"{pipeline.name}-watch", EventPattern=json.dumps(pattern))
    events.put_targets(Rule=f"{pipeline.name}-watch", Targets=[{"Id": "1", "Arn": queue.arn}])
    execution_id = pipeline.create(stage("Approve", approval("Review")))
    pipeline.answer("Approve", "Review", "Rejected", "too slow")
    assert pipeline.ended(execution_id) == "Failed"

    def seen() -> set[tuple[str, str, str]]:
        return {
            (
                event["detail-type"].split()[1],
                event["detail"].get("action") or event["detail"].get("stage") or "",
                event["detail"]["state"],
            )
            for event in queue.read()
        }

    wanted = {
        ("Pipeline", "", "STARTED"), ("Pipeline", "", "FAILED"),
        ("Stage", "Source", "STARTED"), ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "Approve", "STARTED"), ("Stage", "Approve", "FAILED"),
        ("Action", "Source", "STARTED"), ("Action", "Source", "SUCCEEDED"),
        ("Action", "Review", "STARTED"), ("Action", "Review", "FAILED"),
    }  # fmt: skip
    eventually(lambda: seen() >= wanted)
    failed = next(
        e for e in queue.messages if e["detail"].get("action") == "Review" and e["detail"]["state"] == "FAILED"
    )
    assert failed["detail"]["execution-id"] == execution_id
    assert failed["detail"]["type"] == {"owner": "AWS", "provider": "Manual", "category": "Approval", "version": "1"}
    assert "too slow" in failed["detail"]["execution-result"]["external-execution-summary"]
    assert failed["resources"] == [f"arn:aws:codepipeline:us-east-1:000000000000:{pipeline.name}"]


def test_approvers_are_told_with_the_token_and_the_evidence(pipeline: PipelineUnderTest) -> None:
    queue = Queue(pipeline.server, pipeline.name)
    sns = pipeline.server.client("sns")
    topic = sns.create_topic(Name=pipeline.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)

    pipeline.create(
        stage(
            "Approve",
            approval(
                "Review",
                NotificationArn=topic,
                CustomData="commit #{Source.CommitId}",
                ExternalEntityLink="https://example.com/#{Source.BranchName}",
            ),
        )
    )

    eventually(queue.read)
    notification = queue.messages[0]
    assert notification["Subject"].startswith("APPROVAL NEEDED: AWS CodePipeline")
    message = json.loads(notification["Message"])
    asked = message["approval"]
    assert asked["token"] == pipeline.token("Approve", "Review")
    assert asked["customData"] == f"commit {pipeline.commit_id}"
    assert asked["externalEntityLink"] == "https://example.com/main"
    assert (asked["pipelineName"], asked["stageName"], asked["actionName"]) == (pipeline.name, "Approve", "Review")
    assert asked["approvalReviewLink"].endswith(f"/Approve/Review/approve/{asked['token']}")
    assert pipeline.name in message["consoleLink"]
    assert message["region"] == "us-east-1"


def test_a_topic_that_does_not_exist_fails_the_approval(pipeline: PipelineUnderTest) -> None:
    topic = f"arn:aws:sns:us-east-1:000000000000:absent-{uuid.uuid4().hex[:8]}"

    execution_id = pipeline.create(stage("Approve", approval("Review", NotificationArn=topic)))

    assert pipeline.ended(execution_id) == "Failed"
    assert topic in pipeline.action("Approve", "Review")["errorDetails"]["message"]
