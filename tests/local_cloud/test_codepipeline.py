"""Executions of pipelines, driven by boto3: order, approvals, retry, stop, waiting, state."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from codepipeline_support import FAILING_TEMPLATE, PipelineUnderTest, action, approval, deploy, stage, topic_template
from eventually import eventually
from local_cloud_server import CloudServer


@pytest.fixture
def pipeline(cloud_server: CloudServer) -> PipelineUnderTest:
    return PipelineUnderTest(cloud_server)


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_execution_goes_from_source_to_its_last_stage(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review", CustomData="look at #{Source.CommitId}")))

    pipeline.answer("Approve", "Review", summary="looks good")

    assert pipeline.ended(execution_id) == "Succeeded"
    source, review = pipeline.details(execution_id)
    assert source["output"]["outputVariables"]["CommitId"] == pipeline.commit_id
    assert source["output"]["outputVariables"]["CommitMessage"] == "first commit"
    assert source["output"]["executionResult"]["externalExecutionId"] == pipeline.commit_id
    artifact = source["output"]["outputArtifacts"][0]["s3location"]
    assert artifact["bucket"] == pipeline.bucket
    assert artifact["key"].startswith(f"{pipeline.name[:20]}/Source/")
    assert review["input"]["configuration"]["CustomData"] == "look at #{Source.CommitId}"
    assert review["input"]["resolvedConfiguration"]["CustomData"] == f"look at {pipeline.commit_id}"
    [summary] = pipeline.executions()
    caller = pipeline.server.caller_arn
    assert summary["trigger"] == {"triggerType": "CreatePipeline", "triggerDetail": caller}
    assert summary["sourceRevisions"][0]["revisionId"] == pipeline.commit_id
    assert summary["sourceRevisions"][0]["revisionSummary"] == "first commit"
    assert pipeline.execution(execution_id)["artifactRevisions"][0]["revisionId"] == pipeline.commit_id


def test_the_state_shows_every_stage_as_it_is_now(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Last")))
    token = pipeline.token("Approve", "Review")

    source, approve, after = pipeline.client.get_pipeline_state(name=pipeline.name)["stageStates"]

    assert source["latestExecution"] == {"pipelineExecutionId": execution_id, "status": "Succeeded", "type": "STANDARD"}
    assert source["actionStates"][0]["currentRevision"]["revisionId"] == pipeline.commit_id
    assert pipeline.name in source["actionStates"][0]["entityUrl"]
    assert approve["latestExecution"]["status"] == "InProgress"
    assert approve["actionStates"][0]["latestExecution"]["status"] == "InProgress"
    assert approve["actionStates"][0]["latestExecution"]["token"] == token
    assert "latestExecution" not in after
    assert "latestExecution" not in after["actionStates"][0]
    assert after["inboundTransitionState"] == {"enabled": True}


def test_actions_of_one_run_order_run_side_by_side_and_the_next_group_waits_for_all(
    pipeline: PipelineUnderTest,
) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Left", 1), approval("Right", 1), approval("Then", 2)))
    left = pipeline.token("Approve", "Left")
    right = pipeline.token("Approve", "Right")

    pipeline.put_result("Approve", "Left", left)
    eventually(lambda: pipeline.action("Approve", "Left")["status"] == "Succeeded")
    assert pipeline.action("Approve", "Then") == {}
    pipeline.put_result("Approve", "Right", right)
    pipeline.answer("Approve", "Then")

    assert pipeline.ended(execution_id) == "Succeeded"


def test_an_approver_is_known_by_name_and_reason(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")))
    pipeline.answer("Approve", "Review", summary="better than the champion")
    assert pipeline.ended(execution_id) == "Succeeded"

    review = pipeline.action("Approve", "Review")

    assert review["status"] == "Succeeded"
    assert review["summary"] == "better than the champion"
    assert review["lastUpdatedBy"] == pipeline.server.caller_arn
    assert "token" not in review


def test_a_rejection_fails_the_stage_and_the_execution_with_its_reason(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Never")))

    pipeline.answer("Approve", "Review", "Rejected", "the recall is too low")

    assert pipeline.ended(execution_id) == "Failed"
    assert pipeline.stage("Approve")["latestExecution"]["status"] == "Failed"
    review = pipeline.action("Approve", "Review")
    assert review["status"] == "Failed"
    assert review["summary"] == "the recall is too low"
    assert "the recall is too low" in review["errorDetails"]["message"]
    assert pipeline.action("After", "Never") == {}


def test_an_approval_takes_its_own_token_once(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Last")))
    token = pipeline.token("Approve", "Review")

    assert refused(pipeline.put_result, stage_name="Approve", action_name="Review", token=str(uuid.uuid4()))[0] == (
        "InvalidApprovalTokenException"
    )
    assert pipeline.action("Approve", "Review")["status"] == "InProgress"
    pipeline.put_result("Approve", "Review", token)
    code, _ = refused(pipeline.put_result, stage_name="Approve", action_name="Review", token=token, status="Rejected")

    assert code == "ApprovalAlreadyCompletedException"
    assert pipeline.token("After", "Last") != token
    assert pipeline.action("Approve", "Review")["status"] == "Succeeded"
    assert refused(pipeline.put_result, stage_name="Nowhere", action_name="Review", token=token)[0] == (
        "StageNotFoundException"
    )
    assert refused(pipeline.put_result, stage_name="Approve", action_name="Nothing", token=token)[0] == (
        "ActionNotFoundException"
    )


def test_a_failed_action_lets_its_siblings_finish_before_the_stage_fails(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Good"), approval("Bad"), approval("Never", 2)))

    pipeline.answer("Approve", "Bad", "Rejected")
    eventually(lambda: pipeline.action("Approve", "Bad")["status"] == "Failed")
    assert pipeline.status(execution_id) == "InProgress"
    assert pipeline.stage("Approve")["latestExecution"]["status"] == "InProgress"
    pipeline.answer("Approve", "Good")

    assert pipeline.ended(execution_id) == "Failed"
    assert pipeline.action("Approve", "Good")["status"] == "Succeeded"
    assert pipeline.action("Approve", "Never") == {}


def test_a_retry_of_failed_actions_keeps_what_succeeded(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Good"), approval("Bad"), approval("Then", 2)))
    pipeline.answer("Approve", "Good")
    pipeline.answer("Approve", "Bad", "Rejected")
    assert pipeline.ended(execution_id) == "Failed"

    retried = pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Approve", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )
    assert retried["pipelineExecutionId"] == execution_id
    assert pipeline.status(execution_id) == "InProgress"
    assert pipeline.action("Approve", "Good")["status"] == "Succeeded"
    pipeline.answer("Approve", "Bad")
    pipeline.answer("Approve", "Then")

    assert pipeline.ended(execution_id) == "Succeeded"
    names = [detail["actionName"] for detail in pipeline.details(execution_id)]
    assert names == ["Source", "Good", "Bad", "Bad", "Then"]
    latest = pipeline.client.list_action_executions(
        pipelineName=pipeline.name,
        filter={"latestInPipelineExecution": {"pipelineExecutionId": execution_id, "startTimeRange": "Latest"}},
    )["actionExecutionDetails"]
    assert [detail["status"] for detail in latest if detail["actionName"] == "Bad"] == ["Succeeded"]


def test_a_retry_of_all_actions_runs_the_whole_stage_again(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Good"), approval("Bad")))
    pipeline.answer("Approve", "Good")
    pipeline.answer("Approve", "Bad", "Rejected")
    assert pipeline.ended(execution_id) == "Failed"

    pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Approve", pipelineExecutionId=execution_id, retryMode="ALL_ACTIONS"
    )
    pipeline.answer("Approve", "Good")
    pipeline.answer("Approve", "Bad")

    assert pipeline.ended(execution_id) == "Succeeded"


def test_only_a_failed_stage_of_its_latest_execution_can_be_retried(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    retry = pipeline.client.retry_stage_execution
    request = {"pipelineName": pipeline.name, "stageName": "Approve", "retryMode": "FAILED_ACTIONS"}
    pipeline.token("Approve", "Review")
    assert refused(retry, **request, pipelineExecutionId=first)[0] == "StageNotRetryableException"
    pipeline.answer("Approve", "Review", "Rejected")
    assert pipeline.ended(first) == "Failed"

    second = pipeline.start()
    pipeline.token("Approve", "Review", second)

    assert refused(retry, **request, pipelineExecutionId=first)[0] == "NotLatestPipelineExecutionException"
    assert refused(retry, **{**request, "stageName": "Nowhere"}, pipelineExecutionId=first)[0] == (
        "StageNotFoundException"
    )


def test_a_stage_whose_structure_has_changed_cannot_be_retried(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")))
    pipeline.answer("Approve", "Review", "Rejected")
    assert pipeline.ended(execution_id) == "Failed"
    changed = pipeline.declaration(stage("Approve", approval("Review"), approval("SecondLook")))
    assert pipeline.client.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2

    code, message = refused(
        pipeline.client.retry_stage_execution, pipelineName=pipeline.name, stageName="Approve",
        pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS",
    )  # fmt: skip

    assert code == "StageNotRetryableException"
    assert "structure" in message


def test_stopping_waits_for_the_actions_in_progress(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Never")))
    pipeline.token("Approve", "Review")
    stop = {"pipelineName": pipeline.name, "pipelineExecutionId": execution_id, "reason": "wrong commit"}

    pipeline.client.stop_pipeline_execution(**stop)

    assert pipeline.status(execution_id) == "Stopping"
    assert pipeline.stage("Approve")["latestExecution"]["status"] == "Stopping"
    assert refused(pipeline.client.stop_pipeline_execution, **stop)[0] == "DuplicatedStopRequestException"
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(execution_id) == "Stopped"
    assert pipeline.execution(execution_id)["statusSummary"] == "wrong commit"
    assert pipeline.executions()[0]["stopTrigger"] == {"reason": "wrong commit"}
    assert pipeline.action("After", "Never") == {}
    assert refused(pipeline.client.stop_pipeline_execution, **stop)[0] == "PipelineExecutionNotStoppableException"


def test_abandoning_stops_at_once_and_the_stage_can_be_retried(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review")))
    token = pipeline.token("Approve", "Review")

    pipeline.client.stop_pipeline_execution(
        pipelineName=pipeline.name, pipelineExecutionId=execution_id, abandon=True, reason="changed my mind"
    )

    assert pipeline.status(execution_id) == "Stopped"
    assert pipeline.action("Approve", "Review")["status"] == "Abandoned"
    assert refused(pipeline.put_result, stage_name="Approve", action_name="Review", token=token)[0] == (
        "ApprovalAlreadyCompletedException"
    )
    pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Approve", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(execution_id) == "Succeeded"


def test_queued_executions_go_through_a_stage_one_at_a_time_and_in_order(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    pipeline.token("Approve", "Review", first)
    second, third = pipeline.start(), pipeline.start()
    eventually(lambda: len(pipeline.stage("Approve")["inboundExecutions"]) == 2)

    waiting = [e["pipelineExecutionId"] for e in pipeline.stage("Approve")["inboundExecutions"]]
    assert waiting == [second, third]
    assert pipeline.stage("Approve")["latestExecution"]["pipelineExecutionId"] == first
    for execution_id in (first, second, third):
        pipeline.put_result("Approve", "Review", pipeline.token("Approve", "Review", execution_id))
        assert pipeline.ended(execution_id) == "Succeeded"

    assert [e["pipelineExecutionId"] for e in pipeline.executions()] == [third, second, first]


def test_a_waiting_execution_is_stopped_without_having_run(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    pipeline.token("Approve", "Review", first)
    second = pipeline.start()
    eventually(lambda: pipeline.stage("Approve")["inboundExecutions"])

    pipeline.client.stop_pipeline_execution(pipelineName=pipeline.name, pipelineExecutionId=second)

    assert pipeline.status(second) == "Stopped"
    assert pipeline.status(first) == "InProgress"
    assert pipeline.stage("Approve")["inboundExecutions"] == []


def test_in_mode_superseded_the_newest_waiting_execution_takes_the_place_of_older_ones(
    pipeline: PipelineUnderTest,
) -> None:
    first = pipeline.create(stage("Approve", approval("Review")), mode="SUPERSEDED")
    pipeline.token("Approve", "Review", first)
    second = pipeline.start()
    eventually(lambda: pipeline.stage("Approve").get("inboundExecution", {}).get("pipelineExecutionId") == second)
    third = pipeline.start()

    assert pipeline.ended(second) == "Superseded"
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(first) == "Succeeded"
    pipeline.put_result("Approve", "Review", pipeline.token("Approve", "Review", third))
    assert pipeline.ended(third) == "Succeeded"


def test_in_mode_parallel_executions_do_not_wait_for_each_other(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")), mode="PARALLEL")
    pipeline.token("Approve", "Review", first)
    second = pipeline.start()

    pipeline.put_result("Approve", "Review", pipeline.token("Approve", "Review", second))

    assert pipeline.ended(second) == "Succeeded"
    assert pipeline.status(first) == "InProgress"


def test_a_closed_transition_holds_executions_until_it_is_opened(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")), stage("After", approval("Last")))
    inbound = {"pipelineName": pipeline.name, "stageName": "After", "transitionType": "Inbound"}
    pipeline.client.disable_stage_transition(**inbound, reason="freeze over the holidays")
    pipeline.answer("Approve", "Review")

    state = eventually(lambda: (s := pipeline.stage("After"))["inboundExecutions"] and s)
    assert state["inboundExecution"]["pipelineExecutionId"] == first
    assert state["inboundTransitionState"]["enabled"] is False
    assert state["inboundTransitionState"]["disabledReason"] == "freeze over the holidays"
    assert state["inboundTransitionState"]["lastChangedBy"] == pipeline.server.caller_arn
    pipeline.client.enable_stage_transition(**inbound)
    pipeline.answer("After", "Last")

    assert pipeline.ended(first) == "Succeeded"


def test_pipeline_variables_are_given_at_the_start_or_have_a_default(pipeline: PipelineUnderTest) -> None:
    text = "release #{variables.ModelPackageVersion} of #{codepipeline.PipelineExecutionId}"
    first = pipeline.create(
        stage("Approve", approval("Review", CustomData=text)),
        variables=[{"name": "ModelPackageVersion", "defaultValue": "newest"}],
    )
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(first) == "Succeeded"
    second = pipeline.start(variables=[{"name": "ModelPackageVersion", "value": "7"}])
    pipeline.token("Approve", "Review", second)

    def shown(execution_id: str) -> str:
        return str(pipeline.detail(execution_id, "Review")["input"]["resolvedConfiguration"]["CustomData"])

    assert shown(first) == f"release newest of {first}"
    assert shown(second) == f"release 7 of {second}"
    assert pipeline.execution(second)["variables"] == [{"name": "ModelPackageVersion", "resolvedValue": "7"}]
    code, message = refused(pipeline.start, variables=[{"name": "Modle", "value": "7"}])
    assert code == "ValidationException"
    assert "Modle" in message


def test_a_variable_that_no_action_has_put_out_fails_the_action_by_name(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Approve", approval("Review", CustomData="#{Source.Colour}")))

    assert pipeline.ended(execution_id) == "Failed"

    message = pipeline.action("Approve", "Review")["errorDetails"]["message"]
    assert "one or more variables could not be resolved: Action name=Review" in message
    assert "#{Source.Colour}" in message


def test_a_start_with_the_same_token_is_the_same_execution(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")))
    token = uuid.uuid4().hex

    first = pipeline.start(clientRequestToken=token)

    assert pipeline.start(clientRequestToken=token) == first
    assert pipeline.start(clientRequestToken=uuid.uuid4().hex) != first
    assert len(pipeline.executions()) == 3


def test_an_execution_can_be_started_for_an_older_commit(pipeline: PipelineUnderTest) -> None:
    older = pipeline.commit_id
    pipeline.commit({"README.md": "newer"}, "second commit")
    pipeline.create(stage("Approve", approval("Review")))

    def revision(value: str) -> list[dict[str, str]]:
        return [{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": value}]

    execution_id = pipeline.start(sourceRevisions=revision(older))
    lost = pipeline.start(sourceRevisions=revision("0" * 40))

    eventually(lambda: pipeline.executions()[1].get("sourceRevisions"))
    assert pipeline.execution(execution_id)["artifactRevisions"][0]["revisionId"] == older
    assert pipeline.ended(lost) == "Failed"
    assert pipeline.detail(lost, "Source")["output"]["executionResult"]["errorDetails"]["code"] == "RevisionUnavailable"


def test_artifacts_are_encrypted_with_the_key_of_the_artifact_store(pipeline: PipelineUnderTest) -> None:
    key = pipeline.server.client("kms").create_key()["KeyMetadata"]["Arn"]
    declaration = pipeline.declaration(stage("Approve", approval("Review")))
    declaration["artifactStore"]["encryptionKey"] = {"id": key, "type": "KMS"}
    pipeline.client.create_pipeline(pipeline=declaration)
    pipeline.token("Approve", "Review")

    place = pipeline.detail(pipeline.executions()[0]["pipelineExecutionId"], "Source")["output"]["outputArtifacts"][0]

    location = place["s3location"]
    head = pipeline.server.client("s3").head_object(Bucket=location["bucket"], Key=location["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_branch_without_a_commit_fails_the_source_action_as_on_aws(pipeline: PipelineUnderTest) -> None:
    declaration = pipeline.declaration(stage("Approve", approval("Review")))
    declaration["stages"][0]["actions"][0]["configuration"]["BranchName"] = "absent"
    pipeline.client.create_pipeline(pipeline=declaration)

    assert pipeline.ended(pipeline.executions()[0]["pipelineExecutionId"]) == "Failed"

    details = pipeline.action("Source", "Source")["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "no branch named absent was found in the selected AWS CodeCommit repository" in details["message"]


def test_an_unknown_pipeline_is_named_in_the_error(cloud_server: CloudServer) -> None:
    client = cloud_server.client("codepipeline")

    for call, request in (
        (client.get_pipeline, {"name": "nowhere"}),
        (client.get_pipeline_state, {"name": "nowhere"}),
        (client.start_pipeline_execution, {"name": "nowhere"}),
        (client.list_pipeline_executions, {"pipelineName": "nowhere"}),
        (client.list_action_executions, {"pipelineName": "nowhere"}),
    ):
        code, message = refused(call, **request)
        assert code == "PipelineNotFoundException"
        assert "nowhere" in message
    client.delete_pipeline(name="nowhere")


def test_an_unknown_execution_is_named_in_the_error(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")))
    unknown = str(uuid.uuid4())

    code, message = refused(
        pipeline.client.get_pipeline_execution, pipelineName=pipeline.name, pipelineExecutionId=unknown
    )

    assert code == "PipelineExecutionNotFoundException"
    assert unknown in message


def test_an_operation_that_is_not_served_says_which_are(cloud_server: CloudServer) -> None:
    code, message = refused(cloud_server.client("codepipeline").list_webhooks)

    assert code == "UnknownOperationException"
    assert "StartPipelineExecution" in message


def test_a_pipeline_is_made_read_changed_and_deleted(pipeline: PipelineUnderTest) -> None:
    declaration = pipeline.declaration(stage("Approve", approval("Review")))
    created = pipeline.client.create_pipeline(pipeline=declaration, tags=[{"key": "team", "value": "flights"}])
    assert created["pipeline"]["version"] == 1
    assert refused(pipeline.client.create_pipeline, pipeline=declaration)[0] == "PipelineNameInUseException"

    changed = pipeline.declaration(stage("Approve", approval("SecondLook")))
    assert pipeline.client.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2

    answer = pipeline.client.get_pipeline(name=pipeline.name)
    arn = answer["metadata"]["pipelineArn"]
    assert answer["pipeline"]["stages"] == changed["stages"]
    assert pipeline.client.get_pipeline(name=pipeline.name, version=1)["pipeline"]["stages"] == declaration["stages"]
    assert refused(pipeline.client.get_pipeline, name=pipeline.name, version=3)[0] == "PipelineVersionNotFoundException"
    assert pipeline.name in [p["name"] for p in pipeline.client.list_pipelines()["pipelines"]]
    pipeline.client.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])
    pipeline.client.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert pipeline.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "test"}]

    pipeline.client.delete_pipeline(name=pipeline.name)
    assert refused(pipeline.client.get_pipeline, name=pipeline.name)[0] == "PipelineNotFoundException"
    assert refused(pipeline.client.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFoundException"


def test_a_pipeline_that_is_made_anew_has_no_history(pipeline: PipelineUnderTest) -> None:
    first = pipeline.create(stage("Approve", approval("Review")))
    pipeline.token("Approve", "Review")
    pipeline.client.delete_pipeline(name=pipeline.name)

    second = pipeline.create(stage("Approve", approval("Review")))

    assert second != first
    assert [e["pipelineExecutionId"] for e in pipeline.executions()] == [second]
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(second) == "Succeeded"


def test_a_faulty_pipeline_is_refused_with_every_fault(pipeline: PipelineUnderTest) -> None:
    wrong = pipeline.declaration(stage("Ship", action("Ship", "Deploy", "Spinnaker"), approval("Ship")))

    code, message = refused(pipeline.client.create_pipeline, pipeline=wrong)

    assert code == "InvalidStageDeclarationException"
    assert "'Ship' occurs more than once" in message
    assert "Provider: 'Spinnaker'" in message
    assert "Deploy/CloudFormation" in message
    assert refused(pipeline.client.get_pipeline, name=pipeline.name)[0] == "PipelineNotFoundException"


def test_lists_come_in_pages(pipeline: PipelineUnderTest) -> None:
    pipeline.create(stage("Approve", approval("Review")), mode="PARALLEL")
    started = [pipeline.start() for _ in range(4)]
    paginator = pipeline.client.get_paginator("list_pipeline_executions")

    pages = list(paginator.paginate(pipelineName=pipeline.name, PaginationConfig={"PageSize": 2}))

    assert [len(page["pipelineExecutionSummaries"]) for page in pages] == [2, 2, 1]
    ids = [e["pipelineExecutionId"] for page in pages for e in page["pipelineExecutionSummaries"]]
    assert ids[:4] == started[::-1]
    assert refused(pipeline.client.list_pipeline_executions, pipelineName=pipeline.name, nextToken="made-up")[0] == (
        "InvalidNextTokenException"
    )


def test_a_failed_deployment_is_retried_without_the_one_that_succeeded(cloud_server: CloudServer) -> None:
    name = f"retry-{uuid.uuid4().hex[:8]}"
    pipeline = PipelineUnderTest(cloud_server, {"good.json": topic_template(name), "bad.json": FAILING_TEMPLATE})
    execution_id = pipeline.create(
        stage("Deploy", deploy("Good", f"{name}-good", "good.json"), deploy("Bad", f"{name}-bad", "bad.json"))
    )
    assert pipeline.ended(execution_id) == "Failed"

    cloud_server.client("cloudformation").delete_stack(StackName=f"{name}-bad")
    pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Deploy", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )

    assert pipeline.ended(execution_id) == "Failed"
    names = [detail["actionName"] for detail in pipeline.details(execution_id)]
    assert (names.count("Good"), names.count("Bad")) == (1, 2)
