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
    "CreateRepository": {"repositoryName": "taxi", "tags": TAGS},
    "DeleteBranch": {"repositoryName": "taxi", "branchName": "main"},
    "DeleteRepository": {"repositoryName": "taxi"},
    "GetBranch": {"repositoryName": "taxi", "branchName": "main"},
    "GetCommit": {"repositoryName": "taxi", "commitId": COMMIT},
    "GetDifferences": {"repositoryName": "taxi", "afterCommitSpecifier": "main"},
    "GetFile": {"repositoryName": "taxi", "filePath": "README.md"},
    "GetFolder": {"repositoryName": "taxi", "folderPath": "/"},
    "GetRepository": {"repositoryName": "taxi"},
    "ListBranches": {"repositoryName": "taxi"},
    "ListRepositories": {},
    "ListTagsForResource": {"resourceArn": TAXI},
    "TagResource": {"resourceArn": TAXI, "tags": TAGS},
    "UntagResource": {"resourceArn": TAXI, "tagKeys": ["owner"]},
    "UpdateDefaultBranch": {"repositoryName": "taxi", "defaultBranchName": "main"},
    "UpdateRepositoryDescription": {"repositoryName": "taxi"},
    "UpdateRepositoryEncryptionKey": {"repositoryName": "taxi", "kmsKeyId": "alias/taxi"},
    "UpdateRepositoryName": {"oldName": "taxi", "newName": "flights"},
}
GIT_PULL, GIT_PUSH = git_checks("eu-west-1", "111122223333")


def asked(operation: str, request: dict[str, Any] | None = None) -> list[Check]:
    table = rules("eu-west-1", "111122223333")
    return list(table[operation](REQUESTS[operation] if request is None else request))


def test_every_served_operation_has_a_rule_and_a_request_here() -> None:
    served = {name for name in service_model("codecommit").operation_names if hasattr(Operations, xform_name(name))}
    assert served == set(REQUESTS) == set(rules("r", "a"))


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
