"""The EventBridge events of branches and tags that appear, move and vanish."""

import threading
from collections.abc import Iterator
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codecommit.pull_requests import PullRequests
from local_cloud.codecommit.repositories import Repositories

_TYPES = {"refs/heads/": "branch", "refs/tags/": "tag"}


class ReferenceEvents:
    """Publishes each change of a reference; what is published is remembered durably.

    The remembered references, not those of before a push, are what a repository is compared with. So pushes side by
    side do not tell of each other's changes twice, and a change taken in by a server that was killed is told of by the
    next one.
    """

    _publishing = threading.Lock()

    def __init__(self, cloud: Cloud, repositories: Repositories, pull_requests: PullRequests) -> None:
        self._cloud = cloud
        self._repositories = repositories
        self._pull_requests = pull_requests
        self._published = cloud.store.table("codecommit.published-references")

    def publish_changes(self, name: str, by: str) -> None:
        """Publish "CodeCommit Repository State Change" for each reference of a repository that has changed.

        The pull requests between those references follow.

        Args:
            name: of the repository.
            by: ARN of who has changed them.
        """
        with self._publishing:
            repository = self._repositories.get(name)
            before: dict[str, str] = self._published.get(repository["repositoryId"]) or {}
            after = self._repositories.git(name).references()
            for change in _changes(before, after):
                self._cloud.publish(
                    "aws.codecommit",
                    "CodeCommit Repository State Change",
                    self._detail(repository, change, by),
                    [repository["Arn"]],
                )
            if after != before:
                self._published.put(repository["repositoryId"], after)
            self._pull_requests.follow(name, by)

    def forget(self, repository_id: str) -> None:
        """Drop what is remembered of a deleted repository."""
        self._published.delete(repository_id)

    def _detail(self, repository: dict[str, Any], change: dict[str, str], by: str) -> dict[str, str]:
        return {
            **change,
            "repositoryName": repository["repositoryName"],
            "repositoryId": repository["repositoryId"],
            "callerUserArn": by,
        }


def _changes(before: dict[str, str], after: dict[str, str]) -> Iterator[dict[str, str]]:
    for reference in sorted(before.keys() | after.keys()):
        old, new = before.get(reference), after.get(reference)
        if old == new:
            continue
        prefix = next(prefix for prefix in _TYPES if reference.startswith(prefix))
        change = {
            "referenceType": _TYPES[prefix],
            "referenceName": reference.removeprefix(prefix),
            "referenceFullName": reference,
        }
        if new is None:
            yield {"event": "referenceDeleted", **change, "oldCommitId": str(old)}
        elif old is None:
            yield {"event": "referenceCreated", **change, "commitId": new}
        else:
            yield {"event": "referenceUpdated", **change, "commitId": new, "oldCommitId": old}
