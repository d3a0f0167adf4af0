"""A server that is killed in the middle of an execution, and the one that comes after it."""

import json
import signal
import uuid
from collections.abc import Callable

from codepipeline_support import PipelineUnderTest, approval, deploy, saved, stage, topic_template
from eventually import eventually
from local_cloud_server import CloudServer


def test_an_approval_waits_over_a_killed_server_with_the_same_token(start_cloud: Callable[[], CloudServer]) -> None:
    server = start_cloud()
    pipeline = PipelineUnderTest(server)
    first = pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Last")))
    token = pipeline.token("Approve", "Review")
    second = pipeline.start()
    eventually(lambda: pipeline.stage("Approve")["inboundExecutions"])

    server.stop(signal.SIGKILL)
    pipeline.move_to(start_cloud())

    assert pipeline.status(first) == "InProgress"
    assert pipeline.action("Approve", "Review")["token"] == token
    assert pipeline.stage("Approve")["inboundExecution"]["pipelineExecutionId"] == second
    pipeline.put_result("Approve", "Review", token)
    pipeline.put_result("After", "Last", pipeline.token("After", "Last", first))
    assert pipeline.ended(first) == "Succeeded"
    pipeline.put_result("Approve", "Review", pipeline.token("Approve", "Review", second))
    pipeline.put_result("After", "Last", pipeline.token("After", "Last", second))
    assert pipeline.ended(second) == "Succeeded"
    assert pipeline.details(first)[0]["output"]["outputVariables"]["CommitId"] == pipeline.commit_id


def test_history_and_tags_are_there_after_a_killed_server(start_cloud: Callable[[], CloudServer]) -> None:
    server = start_cloud()
    pipeline = PipelineUnderTest(server)
    execution_id = pipeline.create(stage("Approve", approval("Review")))
    pipeline.answer("Approve", "Review", "Rejected", "not yet")
    assert pipeline.ended(execution_id) == "Failed"
    arn = pipeline.client.get_pipeline(name=pipeline.name)["metadata"]["pipelineArn"]
    pipeline.client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "flights"}])
    pipeline.client.disable_stage_transition(
        pipelineName=pipeline.name, stageName="Approve", transitionType="Inbound", reason="freeze"
    )

    server.stop(signal.SIGKILL)
    pipeline.move_to(start_cloud())

    assert pipeline.executions()[0]["status"] == "Failed"
    assert pipeline.action("Approve", "Review")["summary"] == "not yet"
    assert pipeline.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "flights"}]
    assert pipeline.stage("Approve")["inboundTransitionState"]["disabledReason"] == "freeze"


def test_a_deployment_that_was_cut_off_fails_with_a_reason_and_can_be_retried(
    start_cloud: Callable[[], CloudServer],
) -> None:
    """The stack waits for a signal that nobody sends, so it is in progress when the server dies."""
    server = start_cloud()
    name = f"cut-{uuid.uuid4().hex[:8]}"
    waiting = {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600", "Count": 1},
            },
        }
    }
    pipeline = PipelineUnderTest(server, {"t.json": json.dumps(waiting), "good.json": topic_template(name)})
    execution_id = pipeline.create(stage("Deploy", deploy("Stack", name, "t.json")))
    eventually(lambda: pipeline.action("Deploy", "Stack").get("externalExecutionId"))
    eventually(lambda: saved(server, name) and saved(server, pipeline.role_arn))

    server.stop(signal.SIGKILL)
    pipeline.move_to(start_cloud())

    assert pipeline.ended(execution_id) == "Failed"
    assert name in pipeline.action("Deploy", "Stack")["errorDetails"]["message"]
    pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Deploy", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )
    assert len(pipeline.details(execution_id)) == 3
