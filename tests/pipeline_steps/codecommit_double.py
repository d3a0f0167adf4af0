"""CodeCommit's comments on pull requests, in memory: moto has none."""

from typing import Any

AUTHOR = "arn:aws:sts::123456789012:assumed-role/commenter/slipway"


class FakeCodeCommit:
    """A client whose caller is AUTHOR; comments come one to a page."""

    def __init__(self, *comments: dict[str, Any]) -> None:
        self.comments = [{"commentId": str(number), **comment} for number, comment in enumerate(comments)]
        self.posted: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> "FakeCodeCommit":
        assert operation == "get_comments_for_pull_request"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        assert request == {"pullRequestId": "7", "repositoryName": "flight-delays"}
        return [{"commentsForPullRequestData": [{"comments": [comment]}]} for comment in self.comments]

    def post_comment_for_pull_request(self, **request: str) -> None:
        self.posted.append(request)
        made = {"commentId": str(len(self.comments)), "authorArn": AUTHOR, "content": request["content"]}
        self.comments.append(made)

    def update_comment(self, *, commentId: str, content: str) -> None:  # noqa: N803 - as of boto3
        (comment,) = [one for one in self.comments if one["commentId"] == commentId]
        assert comment["authorArn"] == AUTHOR
        comment["content"] = content

    @property
    def texts(self) -> list[str]:
        return [comment["content"] for comment in self.comments]
