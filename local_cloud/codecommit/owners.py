"""Which repository a pull request or a comment belongs to: IAM is asked about that one."""

from dataclasses import dataclass

from local_cloud.codecommit.comments import Comments
from local_cloud.codecommit.pull_requests import PullRequests


@dataclass(frozen=True)
class Owners:
    """Looks up what a request names by an id alone; empty for what does not exist."""

    pull_requests: PullRequests
    comments: Comments

    def repository(self, member: str, identifier: str) -> str:
        """The name of the repository.

        Args:
            member: `pullRequestId` or `commentId`.
            identifier: its value.
        """
        number = self.comments.pull_request_of(identifier) if member == "commentId" else identifier
        return self.pull_requests.repository_and_destination(number)[0]

    def destination(self, number: str) -> str:
        """The full name of the branch that a pull request is to be merged into."""
        return self.pull_requests.repository_and_destination(number)[1]
