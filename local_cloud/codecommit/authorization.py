"""What IAM is asked before CodeCommit acts.

Sources: the service authorization reference (resources, condition keys, and in its table of operations the
TagResource of CreateRepository) and CodeCommit's user guide, "Limit pushes and merges to branches".
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from local_cloud.authorization import Check, Rules

_ANY = ""  # of operations without a resource


class Owners(Protocol):
    """Looks up what a request names by an id alone; empty for what does not exist."""

    def repository(self, member: str, identifier: str) -> str:
        """The repository of a pull request (`pullRequestId`) or a comment (`commentId`)."""

    def destination(self, number: str) -> str:
        """The full name of the branch that a pull request is to be merged into."""


# The member of each operation's request that names the repository, or the repositories, or something of one.
_REPOSITORY: Mapping[str, str] = {
    "BatchGetRepositories": "repositoryNames",
    "CreateBranch": "repositoryName",
    "CreateCommit": "repositoryName",
    "CreatePullRequest": "targets",
    "CreateRepository": "repositoryName",
    "DeleteBranch": "repositoryName",
    "DeleteCommentContent": "commentId",
    "DeleteRepository": "repositoryName",
    "GetBranch": "repositoryName",
    "GetComment": "commentId",
    "GetCommentsForPullRequest": "pullRequestId",
    "GetCommit": "repositoryName",
    "GetDifferences": "repositoryName",
    "GetFile": "repositoryName",
    "GetFolder": "repositoryName",
    "GetPullRequest": "pullRequestId",
    "GetRepository": "repositoryName",
    "ListBranches": "repositoryName",
    "ListPullRequests": "repositoryName",
    "ListRepositories": _ANY,
    "ListTagsForResource": "resourceArn",
    "MergePullRequestByFastForward": "repositoryName",
    "PostCommentForPullRequest": "repositoryName",
    "TagResource": "resourceArn",
    "UntagResource": "resourceArn",
    "UpdateComment": "commentId",
    "UpdateDefaultBranch": "repositoryName",
    "UpdatePullRequestDescription": "pullRequestId",
    "UpdatePullRequestStatus": "pullRequestId",
    "UpdatePullRequestTitle": "pullRequestId",
    "UpdateRepositoryDescription": "repositoryName",
    "UpdateRepositoryEncryptionKey": "repositoryName",
    "UpdateRepositoryName": "oldName",
}
_OF_A_REPOSITORY = ("pullRequestId", "commentId")
_CHANGING_A_BRANCH = frozenset({"CreateBranch", "CreateCommit", "DeleteBranch"})


def rules(region: str, account_id: str, owners: Owners) -> Rules:
    """What each served operation asks IAM for."""
    return {operation: partial(_checks, operation, _arn(region, account_id), owners) for operation in _REPOSITORY}


def git_checks(region: str, account_id: str) -> tuple[Callable[[str], Check], Callable[..., Check]]:
    """What git asks IAM for: to pull from a repository, and to push to it.

    Pushing is asked once without a reference, before CodeCommit knows what comes, and may then be asked for each
    reference: `git_push(name, "refs/heads/main")`.
    """
    arn = _arn(region, account_id)

    def git_pull(name: str) -> Check:
        return Check("codecommit:GitPull", arn(name))

    def git_push(name: str, reference: str = "") -> Check:
        return Check("codecommit:GitPush", arn(name), {"codecommit:References": reference} if reference else {})

    return git_pull, git_push


def upload_archive(name: str, region: str, account_id: str) -> list[Check]:
    """What CodePipeline's source action asks IAM for when CodeCommit hands it the files of a commit."""
    resource = _arn(region, account_id)(name)
    return [Check(f"codecommit:{action}", resource) for action in ("UploadArchive", "GetUploadArchiveStatus")]


def _arn(region: str, account_id: str) -> Callable[[str], str]:
    """Makes a repository's ARN from its name; with an empty name it is no repository's."""
    return f"arn:aws:codecommit:{region}:{account_id}:{{}}".format


def _checks(operation: str, arn: Callable[[str], str], owners: Owners, request: Mapping[str, Any]) -> Iterator[Check]:
    resources = list(_resources(_REPOSITORY[operation], arn, owners, request))
    context = _context(operation, owners, request)
    for resource in resources:
        yield Check(f"codecommit:{operation}", resource, context)
    if operation == "CreateRepository" and request.get("tags"):
        yield Check("codecommit:TagResource", resources[0], context)


def _resources(member: str, arn: Callable[[str], str], owners: Owners, request: Mapping[str, Any]) -> Iterator[str]:
    if member == _ANY:
        yield "*"
    elif member == "resourceArn":
        yield request.get(member) or arn("")
    elif member in _OF_A_REPOSITORY:
        yield arn(owners.repository(member, request.get(member) or ""))
    elif member == "targets":
        yield from (arn(target.get("repositoryName", "")) for target in request.get(member) or [{}])
    else:
        named = request.get(member) or ""
        yield from map(arn, named if isinstance(named, list) else [named])


def _context(operation: str, owners: Owners, request: Mapping[str, Any]) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {}
    if operation in _CHANGING_A_BRANCH:
        context["codecommit:References"] = f"refs/heads/{request.get('branchName', '')}"
    if operation == "MergePullRequestByFastForward":
        context["codecommit:References"] = owners.destination(request.get("pullRequestId") or "")
    tags = request.get("tags") or {}
    context |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    keys = [*tags, *request.get("tagKeys", [])]
    return context | ({"aws:TagKeys": keys} if keys else {})
