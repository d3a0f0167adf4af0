"""What actions do on their own: wait, time out, ask CodeBuild, explain a failure."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local_cloud.codepipeline.actions.action import ActionEndedError, ActionFailedError, ActionRun
from local_cloud.codepipeline.actions.codebuild import failure_message as build_failure
from local_cloud.codepipeline.actions.codebuild import start_request
from local_cloud.codepipeline.actions.stack import failure_message as stack_failure
from local_cloud.codepipeline.records import Artifact, now
from local_cloud.codepipeline.runner import deadline

NOTHING: Any = None


def a_run(**fields: Any) -> ActionRun:
    run = ActionRun(
        cloud=NOTHING, pipeline="flights", stage="Build", name="Synth", id="a-1",
        configuration={"ProjectName": "p"}, role_arn="arn:role", inputs=(Artifact("Source", "bucket", "f/Source/1"),),
        outputs=(), encryption_key=None, commit_id=None, commit_ids={}, token=None, external_execution_id=None,
        resumed=False, deadline=None, approval=lambda: None, report=lambda **fields: None, wake=threading.Event(),
        ended=lambda: False,
    )  # fmt: skip
    return replace(run, **fields)


def test_an_action_whose_time_is_over_fails() -> None:
    run = a_run(deadline=now() - timedelta(seconds=1))

    with pytest.raises(ActionFailedError, match="The action Synth has timed out"):
        run.pause(3600)


def test_an_action_that_is_ended_stops_waiting_at_once() -> None:
    ended = threading.Event()
    run = a_run(ended=ended.is_set)
    threading.Timer(0.05, lambda: (ended.set(), run.wake.set())).start()
    begin = time.monotonic()

    with pytest.raises(ActionEndedError):
        run.poll(lambda: None)

    assert time.monotonic() - begin < 5


def test_an_approval_fails_after_seven_days_and_a_declared_time_counts_for_all() -> None:
    begin = now()
    build = {"actionTypeId": {"category": "Build"}}
    approval = {"actionTypeId": {"category": "Approval"}}

    assert deadline(approval, begin) == begin + timedelta(days=7)
    assert deadline({**approval, "timeoutInMinutes": 60}, begin) == begin + timedelta(hours=1)
    assert deadline(build, begin) is None
    assert deadline({**build, "timeoutInMinutes": 5}, begin) == begin + timedelta(minutes=5)


def test_a_build_gets_its_sources_variables_and_the_place_of_its_artifact() -> None:
    run = a_run(
        configuration={
            "ProjectName": "p", "PrimarySource": "Source",
            "EnvironmentVariables": '[{"name": "A", "value": "1", "type": "PLAINTEXT"}]',
        },
        inputs=(Artifact("Evaluation", "bucket", "f/Evaluation/2"), Artifact("Source", "bucket", "f/Source/1")),
        outputs=(Artifact("Templates", "bucket", "flights/Templates/3"),),
        commit_ids={"Source": "abc"},
    )  # fmt: skip

    request = start_request(run)

    assert request["sourceLocationOverride"] == "bucket/f/Source/1"
    assert request["secondarySourcesOverride"] == [
        {"type": "S3", "location": "bucket/f/Evaluation/2", "sourceIdentifier": "Evaluation"}
    ]
    assert request["artifactsOverride"] == {
        "type": "S3", "location": "bucket", "path": "flights/Templates", "name": "3", "namespaceType": "NONE",
        "packaging": "ZIP", "overrideArtifactName": False,
    }  # fmt: skip
    assert request["secondaryArtifactsOverride"] == []
    variables = {variable["name"]: variable["value"] for variable in request["environmentVariablesOverride"]}
    assert variables == {
        "A": "1", "CODEBUILD_INITIATOR": "codepipeline/flights", "CODEBUILD_RESOLVED_SOURCE_VERSION": "abc",
    }  # fmt: skip


def test_a_build_failure_names_the_first_failed_phase() -> None:
    message = "Error while executing command: pytest. Reason: exit status 1"
    build = {
        "buildStatus": "FAILED",
        "phases": [
            {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED", "contexts": []},
            {"phaseType": "BUILD", "phaseStatus": "FAILED",
             "contexts": [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}]},
            {"phaseType": "POST_BUILD", "phaseStatus": "SUCCEEDED"},
            {"phaseType": "COMPLETED"},
        ],
    }  # fmt: skip

    assert build_failure(build) == (
        f"Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: {message}"
    )
    assert build_failure({"buildStatus": "STOPPED"}) == "Build terminated with state: STOPPED"


def test_a_stack_failure_is_the_first_of_the_latest_operation() -> None:
    def event(logical_id: str, status: str, reason: str = "") -> dict[str, Any]:
        stack_id = "arn:stack"
        physical = stack_id if logical_id == "s" else "x"
        return {"StackId": stack_id, "StackName": "s", "LogicalResourceId": logical_id, "PhysicalResourceId": physical,
                "ResourceType": "AWS::X::Y", "ResourceStatus": status, "ResourceStatusReason": reason}  # fmt: skip

    oldest_first = [
        event("s", "CREATE_IN_PROGRESS"), event("Old", "CREATE_FAILED", "long ago"), event("s", "ROLLBACK_COMPLETE"),
        event("s", "UPDATE_IN_PROGRESS"), event("Other", "UPDATE_FAILED", "Resource update cancelled"),
        event("Endpoint", "UPDATE_FAILED", "the container did not answer"), event("After", "UPDATE_FAILED", "follows"),
        event("s", "UPDATE_ROLLBACK_COMPLETE"),
    ]  # fmt: skip

    assert stack_failure("s", "UPDATE_ROLLBACK_COMPLETE", oldest_first[::-1]) == (
        "Stack s ended in UPDATE_ROLLBACK_COMPLETE. Endpoint (AWS::X::Y): the container did not answer"
    )
