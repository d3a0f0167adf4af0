"""The EventBridge events of pull requests and of the comments on them.

Their members are those of CodeCommit's user guide, "Monitoring CodeCommit events". There the detail type of a merge
is written `CodeCommit PullRequest State Change`; what is delivered has the one of the other events.
"""

from datetime import datetime
from typing import Any

from local_cloud.cloud import Cloud

_STATE_CHANGE = "CodeCommit Pull Request State Change"
_COMMENT = "CodeCommit Comment on Pull Request"
_WORDS = {
    "pullRequestCreated": "The pull request was created",
    "pullRequestSourceBranchUpdated": "The pull request was updated with one or more commits to the source branch",
    "pullRequestStatusChanged": "The pull request status has been updated. The status is closed",
    "pullRequestMergeStatusUpdated": "The pull request merge status has been updated. The status is merged",
    "commentOnPullRequestCreated": "The user made a comment or replied to a comment",
    "commentOnPullRequestUpdated": "The user updated a comment or replied to a comment",
}

Document = dict[str, Any]


class PullRequestEvents:
    """Publishes what happens to pull requests."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def publish(self, event: str, repository: Document, pull_request: Document, by: str) -> None:
        """Tell of a change of a pull request.

        Args:
            event: such as `pullRequestCreated`.
            repository: RepositoryMetadata of the API, pull_request: PullRequest.
            by: ARN of who has done it.
        """
        (target,) = pull_request["pullRequestTargets"]
        merge = target["mergeMetadata"]
        detail = {
            "event": event,
            "author": pull_request["authorArn"],
            "callerUserArn": by,
            "pullRequestId": pull_request["pullRequestId"],
            "title": pull_request["title"],
            "description": pull_request["description"],
            "pullRequestStatus": pull_request["pullRequestStatus"].capitalize(),
            "isMerged": str(merge["isMerged"]),
            "mergeOption": merge.get("mergeOption"),
            "repositoryNames": [repository["repositoryName"]],
            "revisionId": pull_request["revisionId"],
            "creationDate": _date(pull_request["creationDate"]),
            "lastModifiedDate": _date(pull_request["lastActivityDate"]),
            **{member: target[member] for member in _OF_THE_TARGET},
            "notificationBody": self._told(event, repository, pull_request["pullRequestId"], by),
        }
        self._publish(_STATE_CHANGE, repository, detail)

    def publish_comment(self, event: str, repository: Document, comment: Document, by: str) -> None:
        """Tell of a comment, as it is stored."""
        detail = {
            "event": event,
            "callerUserArn": by,
            "repositoryId": repository["repositoryId"],
            "repositoryName": repository["repositoryName"],
            **{member: comment[member] for member in _OF_THE_COMMENT},
            "notificationBody": self._told(event, repository, comment["pullRequestId"], by),
        }
        self._publish(_COMMENT, repository, detail)

    def _publish(self, detail_type: str, repository: Document, detail: Document) -> None:
        given = {member: value for member, value in detail.items() if value is not None}
        self._cloud.publish("aws.codecommit", detail_type, given, [repository["Arn"]])

    def _told(self, event: str, repository: Document, number: str, by: str) -> str:
        name, region = repository["repositoryName"], self._cloud.region
        console = f"https://{region}.console.aws.amazon.com/codesuite/codecommit/repositories/{name}"
        return (
            f"A pull request event occurred in the following AWS CodeCommit repository: {name}. User: {by}. "
            f"Pull request: {number}. {_WORDS[event]}. For more information, go to the AWS CodeCommit console "
            f"{console}/pull-requests/{number}?region={region}"
        )


_OF_THE_TARGET = ("sourceReference", "sourceCommit", "destinationReference", "destinationCommit")
_OF_THE_COMMENT = ("commentId", "pullRequestId", "beforeCommitId", "afterCommitId")


def _date(time: datetime) -> str:
    """Such as `Tue Jun 18 10:34:20 UTC 2019`."""
    return time.strftime("%a %b %d %H:%M:%S UTC %Y")
