"""A pull request starts one build, of a reviewed buildspec, whose role can write nothing but a comment."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from infra_support import Deployment

import settings

PROJECT = "AWS::CodeBuild::Project"
RULE = "AWS::Events::Rule"
NAME = "flight-delays-pull-request"


@pytest.fixture(scope="module")
def tests_alone(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    return synthesize(example.model_copy(update={"pull_requests": "tests"}))


@pytest.fixture(scope="module")
def without(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    return synthesize(example.model_copy(update={"pull_requests": "none"}))


@pytest.fixture(scope="module")
def project(deployment: Deployment) -> dict[str, Any]:
    return deployment.properties("pipeline", PROJECT, "PullRequestsProject")


def variables(deployment: Deployment) -> dict[str, str]:
    entries = deployment.properties("pipeline", PROJECT, "PullRequestsProject")["Environment"]["EnvironmentVariables"]
    return {entry["Name"]: entry["Value"] for entry in entries}


def test_the_project_builds_the_repository_by_a_buildspec_that_a_branch_cannot_change(project: dict[str, Any]) -> None:
    assert (project["Name"], project["ServiceRole"]) == (NAME, "<PullRequestsRole.Arn>")
    assert (project["Source"]["Type"], project["Source"]["Location"]) == ("CODECOMMIT", "<Repository.CloneUrlHttp>")
    assert project["Artifacts"] == {"Type": "NO_ARTIFACTS"}
    assert project["Environment"]["PrivilegedMode"] is False
    assert project["LogsConfig"]["CloudWatchLogs"] == {"Status": "ENABLED", "GroupName": "<PullRequestsLog>"}
    buildspec = json.loads(project["Source"]["BuildSpec"])
    assert buildspec["phases"]["build"]["commands"] == [
        'export EXECUTION_ID="${CODEBUILD_BUILD_ID##*:}"',
        "python -m pipeline_steps judge_pull_request --exports exports.sh",
    ]
    assert set(buildspec["reports"]) == {"pytest", "coverage"}


@pytest.mark.parametrize("wanted", ["sample", "tests"])
def test_the_build_is_told_what_the_deployed_settings_say(
    deployment: Deployment, tests_alone: Deployment, wanted: str
) -> None:
    assert variables({"sample": deployment, "tests": tests_alone}[wanted]) == {
        "SLIPWAY_OVERLAY": "", "PULL_REQUESTS": wanted, "REPOSITORY": "<Repository.Name>",
        "DATA_BUCKET": "<DataBucket>", "MODEL_PACKAGE_GROUP": "flight-delays",
        "PRODUCTION_ENDPOINT": "flight-delays-production", "COMMENT_ROLE_ARN": "<PullRequestsCommentRole.Arn>",
        "COMMENT_SESSION": "slipway",
    }  # fmt: skip


def test_a_pull_request_to_the_pipelines_branch_and_each_push_to_it_start_a_build(deployment: Deployment) -> None:
    rule = deployment.properties("pipeline", RULE, "PullRequestsPullRequest")
    assert (rule["Name"], rule["State"]) == (NAME, "ENABLED")
    assert rule["EventPattern"] == {
        "source": ["aws.codecommit"],
        "resources": ["<Repository.Arn>"],
        "detail-type": ["CodeCommit Pull Request State Change"],
        "detail": {
            "event": ["pullRequestCreated", "pullRequestSourceBranchUpdated"],
            "destinationReference": ["refs/heads/main"],
        },
    }
    (target,) = rule["Targets"]
    assert (target["Arn"], target["RoleArn"]) == ("<PullRequestsProject.Arn>", "<PullRequestsStartRole.Arn>")


def test_what_people_write_is_not_in_what_the_build_is_told(deployment: Deployment) -> None:
    """EventBridge puts values into a template as they are: a quotation mark in one would end its text."""
    (target,) = deployment.properties("pipeline", RULE, "PullRequestsPullRequest")["Targets"]
    transformer = target["InputTransformer"]
    assert set(transformer["InputPathsMap"].values()) == {
        "$.detail.sourceCommit", "$.detail.destinationCommit", "$.detail.pullRequestId",
    }  # fmt: skip
    for name in transformer["InputPathsMap"]:
        transformer["InputTemplate"] = transformer["InputTemplate"].replace(f"<{name}>", f'"{name}"')
    assert json.loads(transformer["InputTemplate"]) == {
        "sourceVersion": "detail-sourceCommit",
        "environmentVariablesOverride": [
            {"name": "PULL_REQUEST_ID", "type": "PLAINTEXT", "value": "detail-pullRequestId"},
            {"name": "COMMIT_ID", "type": "PLAINTEXT", "value": "detail-sourceCommit"},
            {"name": "BASE_COMMIT_ID", "type": "PLAINTEXT", "value": "detail-destinationCommit"},
        ],
    }


def test_the_branch_is_that_of_the_settings(customized: Deployment) -> None:
    rule = customized.properties("pipeline", RULE, "PullRequestsPullRequest")
    assert rule["Name"] == "a-name-of-23-characters-pull-request"
    assert rule["EventPattern"]["detail"]["destinationReference"] == ["refs/heads/release/one"]


def test_a_build_of_the_tests_alone_reads_no_data_and_no_model(deployment: Deployment, tests_alone: Deployment) -> None:
    less = deployment.grants("pipeline", "PullRequestsRole") - tests_alone.grants("pipeline", "PullRequestsRole")
    assert {grant.split(":")[0] for grant in less} == {"s3", "kms", "sagemaker"}
    left = {grant.split(" ")[0] for grant in tests_alone.grants("pipeline", "PullRequestsRole")}
    assert left == {
        "logs:CreateLogStream", "logs:PutLogEvents", "codecommit:GitPull", "sts:AssumeRole",
        "codebuild:BatchPutTestCases",
        "codebuild:BatchPutCodeCoverages", "codebuild:CreateReport", "codebuild:CreateReportGroup",
        "codebuild:UpdateReport",
    }  # fmt: skip


def test_without_builds_of_pull_requests_there_is_nothing_of_them(without: Deployment) -> None:
    assert not [name for name in without.pipeline["Resources"] if name.startswith("PullRequests")]
