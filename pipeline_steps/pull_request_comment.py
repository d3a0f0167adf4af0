"""The one comment on a pull request, which each build for it updates in place."""

import re
from dataclasses import dataclass
from typing import Any

from pipeline_steps.aws import Client, translated
from pipeline_steps.progress import say

LONGEST_COMMENT = 10_240
"""CodeCommit's limit, in characters."""

_MARK = re.compile(r"\*\*Slipway\*\*, build (\d+): ")


@dataclass(frozen=True, kw_only=True)
class PullRequestComment:
    """Where the comment goes.

    Attributes:
        codecommit: a client that acts as the author.
        author_arn: of all comments that this may update; CodeCommit lets only the author do so.
        build_number: the builds of one pull request may end in another order than they began; the last one counts.
    """

    codecommit: Client
    author_arn: str
    repository: str
    pull_request_id: str
    base_commit_id: str
    commit_id: str
    build_number: int

    @property
    def first_line(self) -> str:
        """The line by which the comment is found again."""
        return f"**Slipway**, build {self.build_number}: commit {self.commit_id[:12]}"

    def put(self, text: str) -> None:
        """Post the comment, or update the one that is there, unless that one is of a later build.

        Args:
            text: what stands below the first line; what is too long is cut.
        """
        content = f"{self.first_line}\n\n{text}"[:LONGEST_COMMENT]
        found = self._find()
        if found is None:
            self._post(content)
            return
        later = int(_number(found["content"]))
        if later > self.build_number:
            say(f"the comment on pull request {self.pull_request_id} is of build {later}, a later one: it stays")
            return
        with translated(f"update the comment on pull request {self.pull_request_id}"):
            self.codecommit.update_comment(commentId=found["commentId"], content=content)
        say(f"the comment on pull request {self.pull_request_id} is updated")

    def _post(self, content: str) -> None:
        with translated(f"comment on pull request {self.pull_request_id}"):
            self.codecommit.post_comment_for_pull_request(
                pullRequestId=self.pull_request_id,
                repositoryName=self.repository,
                beforeCommitId=self.base_commit_id,
                afterCommitId=self.commit_id,
                content=content,
            )
        say(f"pull request {self.pull_request_id} has a comment")

    def _find(self) -> dict[str, Any] | None:
        with translated(f"read the comments on pull request {self.pull_request_id}"):
            pages = self.codecommit.get_paginator("get_comments_for_pull_request").paginate(
                pullRequestId=self.pull_request_id, repositoryName=self.repository
            )
            comments = [
                comment
                for page in pages
                for compared in page["commentsForPullRequestData"]
                for comment in compared["comments"]
            ]
        own = (one for one in comments if one.get("authorArn") == self.author_arn and not one.get("deleted"))
        return next((one for one in own if _MARK.match(one.get("content", ""))), None)


def _number(content: str) -> str:
    found = _MARK.match(content)
    assert found is not None, "only such comments are found"
    return found[1]
