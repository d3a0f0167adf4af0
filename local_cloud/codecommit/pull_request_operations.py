"""The part of CodeCommit's API that is about pull requests."""

import json
from collections.abc import Callable
from typing import Any

from local_cloud.authorization import caller_arn
from local_cloud.codecommit.git import GitError, GitRepository
from local_cloud.codecommit.pull_requests import PullRequests
from local_cloud.codecommit.repositories import Repositories, check_branch_name, check_not_a_tag
from local_cloud.paging import page
from local_cloud.wire import ServiceError

Request = dict[str, Any]

_BRANCHES = "refs/heads/"
_DEFAULT_PAGE = 100


class PullRequestOperations:
    """CreatePullRequest and its kin."""

    def __init__(
        self, repositories: Repositories, pull_requests: PullRequests, note_change: Callable[[str], None]
    ) -> None:
        """`note_change` is told the name of a repository whose branches were changed."""
        self._of_repositories = repositories
        self._pull_requests = pull_requests
        self._note_merge = note_change

    def create_pull_request(self, request: Request) -> Request:
        if not request["title"]:
            raise ServiceError("TitleRequiredException", "The title must not be empty")
        target = _only_target(request["targets"])
        name = target["repositoryName"]
        git = self._of_repositories.git(name)
        given = target.get("destinationReference") or self._of_repositories.get(name)["defaultBranch"] or "HEAD"
        ends = {
            "sourceReference": _branch(git, target["sourceReference"]),
            "destinationReference": _branch(git, given),
        }
        if len(set(ends.values())) == 1:
            message = f"{ends['sourceReference']} cannot be merged into itself"
            raise ServiceError("SourceAndDestinationAreSameException", message)
        token = request.get("clientRequestToken")
        check_token(token)
        members = {"title": request["title"], "description": request.get("description"), "clientRequestToken": token,
                   "request": fingerprint(request), **ends}  # fmt: skip
        return {"pullRequest": self._pull_requests.create(name, members, caller_arn())}

    def get_pull_request(self, request: Request) -> Request:
        return {"pullRequest": self._pull_requests.get(request["pullRequestId"])}

    def list_pull_requests(self, request: Request) -> Request:
        author = request.get("authorArn")
        if author is not None and not author.startswith("arn:"):
            raise ServiceError("InvalidAuthorArnException", f"{author[:100]!r} is no ARN")
        numbers = self._pull_requests.numbers(request["repositoryName"], author, request.get("pullRequestStatus"))
        found, token = paged(numbers, request, str)
        return {"pullRequestIds": found, "nextToken": token}

    def update_pull_request_title(self, request: Request) -> Request:
        if not request["title"]:
            raise ServiceError("TitleRequiredException", "The title must not be empty")
        return {"pullRequest": self._pull_requests.describe(request["pullRequestId"], title=request["title"])}

    def update_pull_request_description(self, request: Request) -> Request:
        described = self._pull_requests.describe(request["pullRequestId"], description=request["description"])
        return {"pullRequest": described}

    def update_pull_request_status(self, request: Request) -> Request:
        number = request["pullRequestId"]
        self._pull_requests.get(number)
        if request["pullRequestStatus"] != "CLOSED":
            message = "The only valid update is from OPEN to CLOSED"
            raise ServiceError("InvalidPullRequestStatusUpdateException", message)
        return {"pullRequest": self._pull_requests.close(number, caller_arn())}

    def merge_pull_request_by_fast_forward(self, request: Request) -> Request:
        """The destination branch is moved; that it has reached the source closes the pull request, as after a push."""
        number, name = request["pullRequestId"], request["repositoryName"]
        git = self._of_repositories.git(name)
        target = own_target(self._pull_requests.require_open(number), name)
        source, destination = target["sourceCommit"], target["destinationCommit"]
        if request.get("sourceCommitId", source) != source:
            message = f"The tip of {target['sourceReference']} is {source}, not {request['sourceCommitId'][:100]}"
            raise ServiceError("TipOfSourceReferenceIsDifferentException", message)
        if git.merge_base(source, destination) != destination:
            message = f"{target['destinationReference']} has commits of its own: merge by git, then push"
            raise ServiceError("ManualMergeRequiredException", message)
        try:
            git.move_reference(target["destinationReference"], source, destination)
        except GitError as error:
            message = f"{target['destinationReference']} has moved on: {error}"
            raise ServiceError("ConcurrentReferenceUpdateException", message) from error
        self._note_merge(name)
        return {"pullRequest": self._pull_requests.get(number)}


def own_target(pull_request: Request, repository: str) -> Request:
    """The target of a pull request, which is in this repository.

    Raises:
        ServiceError: RepositoryNotAssociatedWithPullRequestException.
    """
    target: Request
    (target,) = pull_request["pullRequestTargets"]
    if target["repositoryName"] != repository:
        message = f"The pull request {pull_request['pullRequestId']} is not one of {repository}"
        raise ServiceError("RepositoryNotAssociatedWithPullRequestException", message)
    return target


def fingerprint(request: Request) -> str:
    """What tells a repeated request from another one with the same token."""
    return json.dumps(request, sort_keys=True)


def check_token(token: str | None) -> None:
    """Raises:
    ServiceError: InvalidClientRequestTokenException.
    """
    if token == "":
        raise ServiceError("InvalidClientRequestTokenException", "The clientRequestToken must not be empty")


def paged(items: list[Any], request: Request, identity: Callable[[Any], str]) -> tuple[list[Any], str | None]:
    """One page of a list, and the token of the next.

    Raises:
        ServiceError: InvalidMaxResultsException, InvalidContinuationTokenException.
    """
    most = request.get("maxResults", 1)
    if most < 1:
        raise ServiceError("InvalidMaxResultsException", f"maxResults must be 1 or more, got {most}")
    return page(items, request, identity, _DEFAULT_PAGE, "InvalidContinuationTokenException")


def _only_target(targets: list[Request]) -> Request:
    if not targets:
        raise ServiceError("TargetsRequiredException", "targets must name a repository and its branches")
    if len({target["repositoryName"] for target in targets}) > 1:
        message = "A pull request is of one repository, its targets name several"
        raise ServiceError("MultipleRepositoriesInPullRequestException", message)
    if len(targets) > 1:
        raise ServiceError("InvalidTargetsException", f"A pull request has one target, got {len(targets)}")
    return targets[0]


def _branch(git: GitRepository, reference: str) -> str:
    """The full name of a branch that exists, of its name or its full name."""
    branch = reference.removeprefix(_BRANCHES)
    try:
        check_branch_name(git, branch)
    except ServiceError as error:
        raise ServiceError("InvalidReferenceNameException", f"{reference[:100]!r} is no name of a branch") from error
    if branch in git.branches():
        return f"{_BRANCHES}{branch}"
    try:
        check_not_a_tag(git, branch.removeprefix("refs/tags/"))
    except ServiceError as error:
        raise ServiceError("ReferenceTypeNotSupportedException", f"{branch[:100]} is a tag; name a branch") from error
    raise ServiceError("ReferenceDoesNotExistException", f"The branch {branch[:100]} does not exist")
