"""What CodeCommit asks IAM for, against AWS's service authorization reference."""

from typing import Any

import pytest
from authorization_reference import (
    check_request,
    condition_keys,
    fits_resource,
    is_exact,
    missing_resources,
    wrong_conditions,
)
from botocore import xform_name

from local_cloud.authorization import Check
from local_cloud.codecommit.authorization import git_checks, rules, upload_archive
from local_cloud.codecommit.operations import Operations
from local_cloud.wire import service_model

TAXI = "arn:aws:codecommit:eu-west-1:111122223333:taxi"
COMMIT = "0" * 40
TAGS = {"project": "taxi", "owner": "me"}
TAG_CONDITIONS = {"aws:RequestTag/project": "taxi", "aws:RequestTag/owner": "me", "aws:TagKeys": ["project", "owner"]}

# A request of each served operation that carries all that IAM can be asked about.
REQUESTS: dict[str, dict[str, Any]] = {
    "BatchGetRepositories": {"repositoryNames": ["taxi", "flights"]},
    "CreateBranch": {"repositoryName": "taxi", "branchName": "main", "commitId": COMMIT},
    "CreateCommit": {"repositoryName": "taxi", "branchName": "main"},
    "CreatePullRequest": {
        "title": "t", "targets": [{"repositoryName": "taxi", "sourceReference": "s", "destinationReference": "main"}],
    },
    "CreateRepository": {"repositoryName": "taxi", "tags": TAGS},
    "DeleteBranch": {"repositoryName": "taxi", "branchName": "main"},
    "DeleteCommentContent": {"commentId": "a:b"},
    "DeleteRepository": {"repositoryName": "taxi"},
    "GetBranch": {"repositoryName": "taxi", "branchName": "main"},
    "GetComment": {"commentId": "a:b"},
    "GetCommentsForPullRequest": {"pullRequestId": "7"},
    "GetCommit": {"repositoryName": "taxi", "commitId": COMMIT},
    "GetDifferences": {"repositoryName": "taxi", "afterCommitSpecifier": "main"},
    "GetFile": {"repositoryName": "taxi", "filePath": "README.md"},
    "GetFolder": {"repositoryName": "taxi", "folderPath": "/"},
    "GetPullRequest": {"pullRequestId": "7"},
    "GetRepository": {"repositoryName": "taxi"},
    "ListBranches": {"repositoryName": "taxi"},
    "ListPullRequests": {"repositoryName": "taxi"},
    "ListRepositories": {},
    "ListTagsForResource": {"resourceArn": TAXI},
    "MergePullRequestByFastForward": {"repositoryName": "taxi", "pullRequestId": "7"},
    "PostCommentForPullRequest": {
        "repositoryName": "taxi", "pullRequestId": "7", "beforeCommitId": COMMIT, "afterCommitId": COMMIT,
        "content": "c",
    },
    "TagResource": {"resourceArn": TAXI, "tags": TAGS},
    "UntagResource": {"resourceArn": TAXI, "tagKeys": ["owner"]},
    "UpdateComment": {"commentId": "a:b", "content": "c"},
    "UpdateDefaultBranch": {"repositoryName": "taxi", "defaultBranchName": "main"},
    "UpdatePullRequestDescription": {"pullRequestId": "7", "description": "d"},
    "UpdatePullRequestStatus": {"pullRequestId": "7", "pullRequestStatus": "CLOSED"},
    "UpdatePullRequestTitle": {"pullRequestId": "7", "title": "t"},
    "UpdateRepositoryDescription": {"repositoryName": "taxi"},
    "UpdateRepositoryEncryptionKey": {"repositoryName": "taxi", "kmsKeyId": "alias/taxi"},
    "UpdateRepositoryName": {"oldName": "taxi", "newName": "flights"},
}  # fmt: skip
GIT_PULL, GIT_PUSH = git_checks("eu-west-1", "111122223333")


class Owners:
    """One pull request, 7, with one comment."""

    def repository(self, member: str, identifier: str) -> str:
        return "taxi" if (member, identifier) in (("pullRequestId", "7"), ("commentId", "a:b")) else ""

    def destination(self, number: str) -> str:
        return "refs/heads/main" if number == "7" else ""


def asked(operation: str, request: dict[str, Any] | None = None) -> list[Check]:
    table = rules("eu-west-1", "111122223333", Owners())
    return list(table[operation](REQUESTS[operation] if request is None else request))


def test_every_served_operation_has_a_rule_and_a_request_here() -> None:
    served = {name for name in service_model("codecommit").operation_names if hasattr(Operations, xform_name(name))}
    assert served == set(REQUESTS) == set(rules("r", "a", Owners()))


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_requests_here_are_of_the_services_model(operation: str) -> None:
    check_request("codecommit", operation, REQUESTS[operation])


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_reference_knows_every_action_with_its_resources_and_conditions(operation: str) -> None:
    checks = asked(operation)
    assert missing_resources(f"codecommit:{operation}", checks) == []
    for check in checks:
        assert fits_resource(check), check
        assert wrong_conditions(check) == [], check


@pytest.mark.parametrize("operation", REQUESTS)
def test_every_condition_key_of_the_reference_is_given(operation: str) -> None:
    given = asked(operation)[0].context
    for key, pattern in condition_keys(f"codecommit:{operation}").items():
        # Tags of a repository that exists are not of the request.
        assert key.startswith("aws:ResourceTag/") or any(map(pattern.fullmatch, given)), key


@pytest.mark.parametrize("operation", [name for name in REQUESTS if name != "ListRepositories"])
def test_without_a_name_the_resource_is_none_of_an_exact_policy(operation: str) -> None:
    checks = asked(operation, {})
    assert checks
    assert not [check for check in checks if is_exact(check)]


@pytest.mark.parametrize(
    ("operation", "request_", "checks"),
    [
        ("ListRepositories", {}, [Check("codecommit:ListRepositories", "*")]),
        ("GetBranch", {"repositoryName": "taxi"}, [Check("codecommit:GetBranch", TAXI)]),
        (
            "BatchGetRepositories", {"repositoryNames": ["taxi", "taxi-2"]},
            [Check("codecommit:BatchGetRepositories", TAXI), Check("codecommit:BatchGetRepositories", f"{TAXI}-2")],
        ),
        (
            "CreateCommit", {"repositoryName": "taxi", "branchName": "feature/x"},
            [Check("codecommit:CreateCommit", TAXI, {"codecommit:References": "refs/heads/feature/x"})],
        ),
        ("CreateRepository", {"repositoryName": "taxi"}, [Check("codecommit:CreateRepository", TAXI)]),
        (
            "CreateRepository", {"repositoryName": "taxi", "tags": TAGS},
            [Check("codecommit:CreateRepository", TAXI, TAG_CONDITIONS),
             Check("codecommit:TagResource", TAXI, TAG_CONDITIONS)],
        ),
        ("TagResource", {"resourceArn": TAXI, "tags": TAGS}, [Check("codecommit:TagResource", TAXI, TAG_CONDITIONS)]),
        (
            "UntagResource", {"resourceArn": TAXI, "tagKeys": ["owner"]},
            [Check("codecommit:UntagResource", TAXI, {"aws:TagKeys": ["owner"]})],
        ),
        (
            "CreatePullRequest", {"targets": [{"repositoryName": "taxi"}]},
            [Check("codecommit:CreatePullRequest", TAXI)],
        ),
        ("GetPullRequest", {"pullRequestId": "7"}, [Check("codecommit:GetPullRequest", TAXI)]),
        ("UpdateComment", {"commentId": "a:b"}, [Check("codecommit:UpdateComment", TAXI)]),
        (
            "MergePullRequestByFastForward", {"repositoryName": "taxi", "pullRequestId": "7"},
            [Check("codecommit:MergePullRequestByFastForward", TAXI, {"codecommit:References": "refs/heads/main"})],
        ),
        (
            "UpdateRepositoryName", {"oldName": "taxi", "newName": "flights"},
            [Check("codecommit:UpdateRepositoryName", TAXI)],
        ),
    ],
)  # fmt: skip
def test_an_operation_asks(operation: str, request_: dict[str, Any], checks: list[Check]) -> None:
    assert asked(operation, request_) == checks


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        (GIT_PULL("taxi"), Check("codecommit:GitPull", TAXI)),
        (GIT_PUSH("taxi"), Check("codecommit:GitPush", TAXI)),
        (
            GIT_PUSH("taxi", "refs/tags/v1"),
            Check("codecommit:GitPush", TAXI, {"codecommit:References": "refs/tags/v1"}),
        ),
    ],
    ids=["pull", "push", "push of a tag"],
)
def test_git_asks(check: Check, wanted: Check) -> None:
    assert check == wanted
    assert fits_resource(check)
    assert wrong_conditions(check) == []


def test_an_archive_for_codepipeline_asks_for_upload_and_status() -> None:
    checks = upload_archive("taxi", "eu-west-1", "111122223333")
    assert checks == [Check("codecommit:UploadArchive", TAXI), Check("codecommit:GetUploadArchiveStatus", TAXI)]
    assert all(map(fits_resource, checks))
