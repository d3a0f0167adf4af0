"""Pull requests: a document each, which follows its two branches as they move."""

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codecommit.pull_request_events import PullRequestEvents
from local_cloud.codecommit.repositories import Repositories
from local_cloud.wire import ServiceError

Document = dict[str, Any]

_MOST_OPEN = 1_000
_COUNTER = "pull-requests"
_NOT_MERGED = {"isMerged": False}
_ENDS = ("source", "destination")


class PullRequests:
    """Pull requests by number. What changes a branch calls `follow` afterwards, also after a server was killed."""

    _numbering = threading.Lock()

    def __init__(self, cloud: Cloud, repositories: Repositories) -> None:
        self._repositories = repositories
        self._events = PullRequestEvents(cloud)
        self._table = cloud.store.table("codecommit.pull-requests")
        self._counters = cloud.store.table("codecommit.counters")

    def create(self, repository: str, members: Document, by: str) -> Document:
        """Open a pull request between two branches that exist.

        Args:
            repository: its name.
            members: title, description, token, `request` (which tells repeated requests apart) and both references.
            by: ARN of the author.

        Raises:
            ServiceError: MaximumOpenPullRequestsExceededException; the token was used with another request.
        """
        with self._numbering:
            known = self._repeated(members)
            if known is not None:
                return self._shown(known)
            document = self._new(repository, members, by)
            self._table.put(document["pullRequestId"], document)
        self._publish("pullRequestCreated", document, by)
        return self._shown(document)

    def get(self, number: str) -> Document:
        """A pull request (PullRequest of the API).

        Raises:
            ServiceError: InvalidPullRequestIdException, PullRequestDoesNotExistException.
        """
        return self._shown(self._document(number))

    def numbers(self, repository: str, author_arn: str | None, status: str | None) -> list[str]:
        """The numbers of a repository's pull requests, the newest first."""
        wanted = {"authorArn": author_arn, "pullRequestStatus": status}
        return [
            document["pullRequestId"]
            for document in reversed(list(self._of_repository(self._repositories.get(repository)["repositoryId"])))
            if all(value in (None, document[member]) for member, value in wanted.items())
        ]

    def describe(self, number: str, **members: str) -> Document:
        """Give an open pull request another title or description.

        Raises:
            ServiceError: PullRequestAlreadyClosedException; or as for `get`.
        """
        self.require_open(number)
        with self._table.change(number) as document:
            document.update(members, lastActivityDate=datetime.now(UTC))
        return self._shown(document)

    def require_open(self, number: str) -> Document:
        """
        Raises:
            ServiceError: PullRequestAlreadyClosedException; or as for `get`.
        """
        document = self._document(number)
        if document["pullRequestStatus"] != "OPEN":
            raise ServiceError("PullRequestAlreadyClosedException", f"The pull request {number} is closed")
        return self._shown(document)

    def close(self, number: str, by: str) -> Document:
        """Close an open pull request without a merge.

        Raises:
            ServiceError: InvalidPullRequestStatusUpdateException; or as for `get`.
        """
        self._document(number)
        with self._table.change(number) as document:
            if document["pullRequestStatus"] != "OPEN":
                message = f"The pull request {number} is closed; the only valid update is from OPEN to CLOSED"
                raise ServiceError("InvalidPullRequestStatusUpdateException", message)
            _close(document, _NOT_MERGED)
        self._publish("pullRequestStatusChanged", document, by)
        return self._shown(document)

    def follow(self, repository: str, by: str) -> None:
        """Let the open pull requests of a repository know where its branches are, and tell what that means for each.

        User guide, "Merge a pull request": one whose branch is deleted is closed, and so is one whose source is
        reached by a push to its destination.
        """
        git = self._repositories.git(repository)
        references = git.references()
        for found in list(self._of_repository(self._repositories.get(repository)["repositoryId"])):
            source, destination = (references.get(found["target"][f"{end}Reference"]) for end in _ENDS)
            known = tuple(found["target"][f"{end}Commit"] for end in _ENDS)
            if found["pullRequestStatus"] != "OPEN" or (source, destination) == known:
                continue
            base = git.merge_base(source, destination) if source and destination else None
            with self._table.change(found["pullRequestId"]) as document:
                event = _move(document, source, destination, base, by)
            if event is not None:
                self._publish(event, document, by)

    def repository_and_destination(self, number: str) -> tuple[str, str]:
        """The repository's name and the destination's reference; empty when there is no such pull request."""
        document = self._table.get(number)
        if document is None:
            return "", ""
        return self._repository(document)["repositoryName"], document["target"]["destinationReference"]

    def forget(self, repository_id: str) -> None:
        """Drop those of a deleted repository; their numbers are not given again."""
        for document in list(self._of_repository(repository_id)):
            self._table.delete(document["pullRequestId"])

    def _repeated(self, members: Document) -> Document | None:
        token = members["clientRequestToken"]
        known = (document for _, document in self._table.items() if document["clientRequestToken"] == token)
        document = next(known, None) if token is not None else None
        if document is not None and document["request"] != members["request"]:
            message = "The clientRequestToken was used with other parameters"
            raise ServiceError("IdempotencyParameterMismatchException", message)
        return document

    def _new(self, repository: str, members: Document, by: str) -> Document:
        repository_id = self._repositories.get(repository)["repositoryId"]
        if sum(one["pullRequestStatus"] == "OPEN" for one in self._of_repository(repository_id)) >= _MOST_OPEN:
            message = f"{repository} has {_MOST_OPEN} open pull requests: close one or more of them"
            raise ServiceError("MaximumOpenPullRequestsExceededException", message)
        git, now = self._repositories.git(repository), datetime.now(UTC)
        references = git.references()
        ends = [members["sourceReference"], members["destinationReference"]]
        source, destination = (references[end] for end in ends)
        number = (self._counters.get(_COUNTER) or {"last": 0})["last"] + 1
        self._counters.put(_COUNTER, {"last": number})
        target = {
            "sourceReference": ends[0], "destinationReference": ends[1], "sourceCommit": source,
            "destinationCommit": destination, "mergeBase": git.merge_base(source, destination),
            "mergeMetadata": _NOT_MERGED,
        }  # fmt: skip
        kept = {key: members[key] for key in ("title", "description", "clientRequestToken", "request")}
        return kept | {
            "pullRequestId": str(number), "repositoryId": repository_id, "authorArn": by, "creationDate": now,
            "lastActivityDate": now, "pullRequestStatus": "OPEN", "revisionId": secrets.token_hex(32), "target": target,
        }  # fmt: skip

    def _document(self, number: str) -> Document:
        if not (number.isascii() and number.isdigit()):
            raise ServiceError("InvalidPullRequestIdException", f"{number[:100]!r} is not the number of a pull request")
        document = self._table.get(number)
        if document is None:
            raise ServiceError("PullRequestDoesNotExistException", f"The pull request {number[:100]} does not exist")
        return document

    def _of_repository(self, repository_id: str) -> Iterator[Document]:
        return (document for _, document in self._table.items() if document["repositoryId"] == repository_id)

    def _repository(self, document: Document) -> Document:
        wanted = document["repositoryId"]
        return next(one for one in self._repositories.all() if one["repositoryId"] == wanted)

    def _shown(self, document: Document) -> Document:
        target = {"repositoryName": self._repository(document)["repositoryName"], **document["target"]}
        return document | {"pullRequestTargets": [target], "approvalRules": []}

    def _publish(self, event: str, document: Document, by: str) -> None:
        self._events.publish(event, self._repository(document), self._shown(document), by)


def _move(document: Document, source: str | None, destination: str | None, base: str | None, by: str) -> str | None:
    """Note where the branches of an open pull request are; answers the event that this is, if it is one."""
    target = document["target"]
    if document["pullRequestStatus"] != "OPEN":
        return None
    if source is None or destination is None:
        _close(document, _NOT_MERGED)
        return "pullRequestStatusChanged"
    moved = source != target["sourceCommit"]
    target.update(sourceCommit=source, destinationCommit=destination, mergeBase=base)
    if base == source and not moved:
        merge = {"isMerged": True, "mergedBy": by, "mergeCommitId": source, "mergeOption": "FAST_FORWARD_MERGE"}
        _close(document, merge)
        return "pullRequestMergeStatusUpdated"
    if not moved:
        return None
    document.update(revisionId=secrets.token_hex(32), lastActivityDate=datetime.now(UTC))
    return "pullRequestSourceBranchUpdated"


def _close(document: Document, merge: Document) -> None:
    document.update(pullRequestStatus="CLOSED", lastActivityDate=datetime.now(UTC))
    document["target"]["mergeMetadata"] = merge
