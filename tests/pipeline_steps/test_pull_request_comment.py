"""One comment on a pull request, found again and updated in place."""

import pytest

from pipeline_steps.pull_request_comment import LONGEST_COMMENT, PullRequestComment
from tests.pipeline_steps.codecommit_double import AUTHOR, FakeCodeCommit
from tests.pipeline_steps.doubles import COMMIT_ID

BASE = "b" * 40
OTHER = "arn:aws:iam::123456789012:user/other"


def comment(codecommit: FakeCodeCommit, build_number: int = 12) -> PullRequestComment:
    return PullRequestComment(
        codecommit=codecommit, author_arn=AUTHOR, repository="flight-delays", pull_request_id="7",
        base_commit_id=BASE, commit_id=COMMIT_ID, build_number=build_number,
    )  # fmt: skip


def test_the_first_build_posts_the_comment_on_the_commits_that_it_is_about() -> None:
    codecommit = FakeCodeCommit()
    comment(codecommit).put("all is well")
    assert codecommit.posted == [
        {
            "pullRequestId": "7", "repositoryName": "flight-delays", "beforeCommitId": BASE,
            "afterCommitId": COMMIT_ID, "content": "**Slipway**, build 12: commit 3b1f6c2a9d8e\n\nall is well",
        }
    ]  # fmt: skip


def test_the_next_build_updates_it_in_place() -> None:
    codecommit = FakeCodeCommit({"authorArn": OTHER, "content": "looks good"})
    comment(codecommit, 12).put("first")
    comment(codecommit, 13).put("second")
    assert codecommit.texts == ["looks good", "**Slipway**, build 13: commit 3b1f6c2a9d8e\n\nsecond"]


@pytest.mark.parametrize(
    "other",
    [
        {"authorArn": OTHER, "content": "**Slipway**, build 1: commit abc"},
        {"authorArn": AUTHOR, "content": "something else"},
        {"authorArn": AUTHOR, "content": "quoted: **Slipway**, build 1: commit abc"},
        {"authorArn": AUTHOR, "deleted": True},
    ],
    ids=["of-another-author", "of-another-kind", "quoted", "deleted"],
)
def test_another_comment_is_not_taken_for_it(other: dict[str, object]) -> None:
    codecommit = FakeCodeCommit(other)
    comment(codecommit).put("new")
    assert len(codecommit.posted) == 1


@pytest.mark.parametrize(("there", "stays"), [(12, False), (13, True)])
def test_a_build_that_ends_late_leaves_the_comment_of_a_later_one(there: int, stays: bool) -> None:
    codecommit = FakeCodeCommit({"authorArn": AUTHOR, "content": f"**Slipway**, build {there}: commit abc"})
    comment(codecommit, 12).put("new")
    assert codecommit.texts[0].endswith("commit abc") is stays
    assert codecommit.posted == []


def test_a_comment_keeps_to_the_limit_of_codecommit() -> None:
    codecommit = FakeCodeCommit()
    comment(codecommit).put("x" * LONGEST_COMMENT)
    assert len(codecommit.texts[0]) == 10_240
