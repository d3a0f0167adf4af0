"""Comments on pull requests."""

import itertools
import re
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from local_cloud.authorization import caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codecommit.contents import check_commit_id
from local_cloud.codecommit.pull_request_events import PullRequestEvents
from local_cloud.codecommit.pull_request_operations import check_token, fingerprint, own_target, paged
from local_cloud.codecommit.pull_requests import PullRequests
from local_cloud.codecommit.repositories import Repositories
from local_cloud.wire import ServiceError

Document = dict[str, Any]

_LONGEST_CONTENT = 10_240
_ID = re.compile(r"[0-9a-f-]{36}:[0-9a-f-]{36}")
_OF_A_COMPARISON = ("pullRequestId", "repositoryName", "beforeCommitId", "afterCommitId")


class Comments:
    """Comments by id, in the order in which they were made."""

    def __init__(self, cloud: Cloud) -> None:
        self.table = cloud.store.table("codecommit.comments")

    def of_pull_request(self, number: str) -> list[Document]:
        return [document for _, document in self.table.items() if document["pullRequestId"] == number]

    def get(self, comment_id: str) -> Document:
        """Raises:
        ServiceError: InvalidCommentIdException, CommentDoesNotExistException, CommentDeletedException.
        """
        if not _ID.fullmatch(comment_id):
            raise ServiceError("InvalidCommentIdException", f"{comment_id[:100]!r} is no id of a comment")
        document = self.table.get(comment_id)
        if document is None:
            raise ServiceError("CommentDoesNotExistException", f"The comment {comment_id} does not exist")
        if document["deleted"]:
            raise ServiceError("CommentDeletedException", f"The comment {comment_id} was deleted")
        return document

    def pull_request_of(self, comment_id: str) -> str:
        """The pull request that a comment is on; empty when there is no such comment."""
        document = self.table.get(comment_id)
        return "" if document is None else str(document["pullRequestId"])

    def forget(self, repository_id: str) -> None:
        """Drop those of a deleted repository."""
        for comment_id, document in self.table.items():
            if document["repositoryId"] == repository_id:
                self.table.delete(comment_id)


class CommentOperations:
    """The part of CodeCommit's API that is about comments."""

    _posting = threading.Lock()

    def __init__(
        self, cloud: Cloud, repositories: Repositories, pull_requests: PullRequests, comments: Comments
    ) -> None:
        self._commented_repositories = repositories
        self._commented_pull_requests = pull_requests
        self._comments = comments
        self._comment_events = PullRequestEvents(cloud)

    def post_comment_for_pull_request(self, request: Document) -> Document:
        name, number = request["repositoryName"], request["pullRequestId"]
        repository = self._commented_repositories.get(name)
        own_target(self._commented_pull_requests.get(number), name)
        check_token(request.get("clientRequestToken"))
        self._check_commits(request)
        _check_content(request["content"])
        with self._posting:
            known = self._posted(request)
            comment = known or _new(request, repository["repositoryId"], caller_arn())
            self._comments.table.put(comment["commentId"], comment)
        if known is None:
            self._comment_events.publish_comment("commentOnPullRequestCreated", repository, comment, caller_arn())
        return {member: request[member] for member in _OF_A_COMPARISON} | {"comment": _shown(comment)}

    def get_comments_for_pull_request(self, request: Document) -> Document:
        pull_request = self._commented_pull_requests.get(request["pullRequestId"])
        commits = {member: request[member] for member in _OF_A_COMPARISON[2:] if member in request}
        if commits:
            self._check_comparison(request, commits)
        name = request.get("repositoryName", pull_request["pullRequestTargets"][0]["repositoryName"])
        self._commented_repositories.get(name)
        own_target(pull_request, name)
        comments = [
            one | {"repositoryName": name}
            for one in self._comments.of_pull_request(request["pullRequestId"])
            if all(one[member] == wanted for member, wanted in commits.items())
        ]
        found, token = paged(comments, request, lambda one: str(one["commentId"]))
        return {"commentsForPullRequestData": list(_by_comparison(found)), "nextToken": token}

    def get_comment(self, request: Document) -> Document:
        return {"comment": _shown(self._comments.get(request["commentId"]))}

    def update_comment(self, request: Document) -> Document:
        """The author is who signs as the same user, or, an assumption, as the same session of the same role."""
        comment, by = self._comments.get(request["commentId"]), caller_arn()
        _check_content(request["content"])
        if comment["authorArn"] != by:
            message = f"The comment {comment['commentId']} is by {comment['authorArn']}; only its author may change it"
            raise ServiceError("CommentNotCreatedByCallerException", message)
        with self._comments.table.change(comment["commentId"]) as changed:
            changed.update(content=request["content"], lastModifiedDate=datetime.now(UTC))
        target = self._commented_pull_requests.get(comment["pullRequestId"])["pullRequestTargets"][0]
        repository = self._commented_repositories.get(target["repositoryName"])
        self._comment_events.publish_comment("commentOnPullRequestUpdated", repository, changed, by)
        return {"comment": _shown(changed)}

    def delete_comment_content(self, request: Document) -> Document:
        comment = self._comments.get(request["commentId"])
        with self._comments.table.change(comment["commentId"]) as changed:
            changed.update(content=None, deleted=True, lastModifiedDate=datetime.now(UTC))
        return {"comment": _shown(changed)}

    def _posted(self, request: Document) -> Document | None:
        """The comment that a request with this token has made already."""
        token = request.get("clientRequestToken")
        for one in self._comments.of_pull_request(request["pullRequestId"]):
            if token is not None and one["clientRequestToken"] == token:
                if one["request"] != fingerprint(request):
                    message = "The clientRequestToken was used with other parameters"
                    raise ServiceError("IdempotencyParameterMismatchException", message)
                return one
        return None

    def _check_commits(self, request: Document) -> None:
        git = self._commented_repositories.git(request["repositoryName"])
        before, after = request["beforeCommitId"], request["afterCommitId"]
        for commit_id in (before, after):
            check_commit_id(commit_id)
            if git.resolve_commit(commit_id) != commit_id:
                raise ServiceError("CommitDoesNotExistException", f"Commit {commit_id} does not exist")
        if before == after:
            message = f"beforeCommitId and afterCommitId are both {before}"
            raise ServiceError("BeforeCommitIdAndAfterCommitIdAreSameException", message)

    def _check_comparison(self, request: Document, commits: Document) -> None:
        """Both commits are named or none, and then the repository, too."""
        if "repositoryName" not in request:
            raise ServiceError("RepositoryNameRequiredException", "repositoryName is needed beside the commits")
        if len(commits) == 1:
            raise ServiceError("CommitIdRequiredException", "beforeCommitId and afterCommitId belong together")
        for commit_id in commits.values():
            check_commit_id(commit_id)


def _new(request: Document, repository_id: str, by: str) -> Document:
    now = datetime.now(UTC)
    kept = {member: request[member] for member in ("content", "pullRequestId", "beforeCommitId", "afterCommitId")}
    return kept | {
        "commentId": f"{uuid.uuid4()}:{uuid.uuid4()}", "repositoryId": repository_id, "authorArn": by,
        "creationDate": now, "lastModifiedDate": now, "deleted": False,
        "clientRequestToken": request.get("clientRequestToken"), "request": fingerprint(request),
    }  # fmt: skip


def _check_content(content: str) -> None:
    if not content:
        raise ServiceError("CommentContentRequiredException", "The content must not be empty")
    if len(content) > _LONGEST_CONTENT:
        message = f"The content has {len(content)} characters, the most is {_LONGEST_CONTENT}"
        raise ServiceError("CommentContentSizeLimitExceededException", message)


def _by_comparison(comments: list[Document]) -> Iterator[Document]:
    """CommentsForPullRequest: the comments that were made on the same two commits."""
    for key, group in itertools.groupby(comments, lambda one: [one[member] for member in _OF_A_COMPARISON]):
        yield dict(zip(_OF_A_COMPARISON, key, strict=True)) | {"comments": [_shown(one) for one in group]}


def _shown(comment: Document) -> Document:
    return comment | {"callerReactions": [], "reactionCounts": {}}
