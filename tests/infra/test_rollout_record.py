"""The build that notes what became of a rollout: what starts it, what it is told, what it runs."""

import json
from typing import Any

import pytest
from infra_support import Deployment

from infra import buildspecs


@pytest.fixture(scope="module")
def project(deployment: Deployment) -> dict[str, Any]:
    return deployment.properties("pipeline", "AWS::CodeBuild::Project", "RolloutRecordProject")


@pytest.fixture(scope="module")
def rule(deployment: Deployment) -> dict[str, Any]:
    return deployment.properties("pipeline", "AWS::Events::Rule", "RolloutRecordEnded")


def test_a_rollout_that_failed_or_was_verified_is_noted(rule: dict[str, Any]) -> None:
    assert rule["Name"] == "flight-delays-record-rollout"
    assert rule["EventPattern"] == {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Action Execution State Change"],
        "detail": {
            "pipeline": ["flight-delays"],
            "stage": ["Production"],
            "$or": [
                {"action": ["Deploy"], "state": ["FAILED"]},
                {"action": ["Verify"], "state": ["SUCCEEDED", "FAILED"]},
            ],
        },
    }


def test_the_build_is_told_which_execution_and_how_it_ended_and_no_text_of_anybody(rule: dict[str, Any]) -> None:
    (target,) = rule["Targets"]
    transformer = target["InputTransformer"]

    assert target["Arn"] == "<RolloutRecordProject.Arn>"
    assert target["RoleArn"] == "<RolloutRecordStartRole.Arn>"
    assert set(transformer["InputPathsMap"].values()) == {"$.detail.execution-id", "$.detail.action", "$.detail.state"}
    told = json.loads(transformer["InputTemplate"].replace(":<", ':"<').replace(">}", '>"}'))
    assert list(told) == ["environmentVariablesOverride"]
    paths = transformer["InputPathsMap"]
    assert {one["name"]: paths[one["value"].strip("<>")] for one in told["environmentVariablesOverride"]} == {
        "EXECUTION_ID": "$.detail.execution-id",
        "ACTION": "$.detail.action",
        "STATE": "$.detail.state",
    }


def test_the_build_knows_the_pipeline_the_alarms_and_its_program(project: dict[str, Any]) -> None:
    assert {one["Name"]: one["Value"] for one in project["Environment"]["EnvironmentVariables"]} == {
        "PIPELINE_NAME": "flight-delays",
        "ALARM_NAMES": "flight-delays-production-server-errors flight-delays-production-refused "
        "flight-delays-production-latency",
        "ROLLOUT_NOTE": buildspecs.ROLLOUT_NOTE,
    }


def test_nothing_of_the_commit_is_run(project: dict[str, Any]) -> None:
    buildspec = json.loads(project["Source"]["BuildSpec"])

    assert project["Source"]["Type"] == "NO_SOURCE"
    assert list(buildspec["phases"]) == ["build"]
    commands = buildspec["phases"]["build"]["commands"]
    assert commands[0] == 'folder="$(mktemp -d)" && cd "$folder"'
    assert 'python3 -I -c "$ROLLOUT_NOTE" > request.json' in commands


def test_its_log_is_encrypted_and_goes_with_the_stack(deployment: Deployment, project: dict[str, Any]) -> None:
    log = deployment.resources("pipeline", "AWS::Logs::LogGroup")["RolloutRecordLog"]

    assert project["LogsConfig"]["CloudWatchLogs"]["GroupName"] == "<RolloutRecordLog>"
    assert log["Properties"]["LogGroupName"] == "/aws/codebuild/flight-delays-record-rollout"
    assert log["Properties"]["KmsKeyId"] == "<Key.Arn>"
    assert log["DeletionPolicy"] == "Delete"
