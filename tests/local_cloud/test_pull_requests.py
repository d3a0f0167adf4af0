"""Pull requests and the comments on them, driven by boto3 and real git."""

import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codecommit_support import Events, WorkingCopy, error_code
from fidelity_support import pages
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

STATE_CHANGE = "CodeCommit Pull Request State Change"
COMMENT = "CodeCommit Comment on Pull Request"


class Review:
    """A repository with the branches main and change, and a pull request between them."""

    def __init__(self, server: CloudServer, folder: Path) -> None:
        self.server = server
        self.client = server.client("codecommit")
        self.name = f"review-{uuid.uuid4().hex[:8]}"
        made = self.client.create_repository(repositoryName=self.name)["repositoryMetadata"]
        self.arn = made["Arn"]
        self.work = WorkingCopy(folder, made["cloneUrlHttp"], server)
        self.base = self.work.commit("file", b"1")
        self.work.git("push", "--quiet", "origin", "main")
        self.work.git("checkout", "--quiet", "-b", "change")
        self.tip = self.push(b"2")
        self.number = self.create()["pullRequestId"]

    def push(self, content: bytes, branch: str = "change") -> str:
        commit = self.work.commit("file", content)
        self.work.git("push", "--quiet", "origin", branch)
        return commit

    def create(self, **members: Any) -> dict[str, Any]:
        target = {"repositoryName": self.name, "sourceReference": "change", "destinationReference": "main"}
        request = {"title": "A change", "targets": [target]} | members
        return self.client.create_pull_request(**request)["pullRequest"]

    def get(self) -> dict[str, Any]:
        return self.client.get_pull_request(pullRequestId=self.number)["pullRequest"]

    def target(self) -> dict[str, Any]:
        return self.get()["pullRequestTargets"][0]

    def comment_request(self, content: str, **members: Any) -> dict[str, Any]:
        return {
            "pullRequestId": self.number, "repositoryName": self.name, "beforeCommitId": self.base,
            "afterCommitId": self.tip, "content": content,
        } | members  # fmt: skip

    def comment(self, content: str, **members: Any) -> dict[str, Any]:
        return self.client.post_comment_for_pull_request(**self.comment_request(content, **members))["comment"]

    def contents(self) -> list[str | None]:
        """Of all comments; None of a deleted one."""
        data = self.client.get_comments_for_pull_request(pullRequestId=self.number)["commentsForPullRequestData"]
        return [comment.get("content") for one in data for comment in one["comments"]]


@pytest.fixture
def review(cloud_server: CloudServer, tmp_path: Path) -> Review:
    return Review(cloud_server, tmp_path / "work")


def of_kind(events: list[dict[str, Any]], detail_type: str) -> list[dict[str, Any]]:
    return [event["detail"] for event in events if event["detail-type"] == detail_type]


def test_a_pull_request_says_what_is_to_be_merged_into_what(review: Review) -> None:
    found = review.get()
    assert (found["title"], found["pullRequestStatus"]) == ("A change", "OPEN")
    assert found["authorArn"] == review.server.caller_arn
    assert review.target() == {
        "repositoryName": review.name, "sourceReference": "refs/heads/change", "sourceCommit": review.tip,
        "destinationReference": "refs/heads/main", "destinationCommit": review.base, "mergeBase": review.base,
        "mergeMetadata": {"isMerged": False},
    }  # fmt: skip


def test_without_a_destination_it_is_the_default_branch(review: Review) -> None:
    review.work.git("push", "--quiet", "origin", "change:other")
    made = review.create(targets=[{"repositoryName": review.name, "sourceReference": "refs/heads/other"}])
    assert made["pullRequestTargets"][0]["destinationReference"] == "refs/heads/main"


def test_a_push_to_the_source_moves_the_pull_request_and_is_an_event_as_aws_documents_it(review: Review) -> None:
    events, before = Events(review.server, review.arn), review.get()
    tip = review.push(b"3")
    after = review.get()
    assert review.target()["sourceCommit"] == tip
    assert after["revisionId"] != before["revisionId"]
    (told,) = of_kind(events.received(2), STATE_CHANGE)
    assert told.pop("notificationBody").startswith("A pull request event occurred in the following AWS CodeCommit")
    assert told.pop("creationDate").endswith(" UTC " + str(before["creationDate"].year))
    assert told.pop("lastModifiedDate")
    assert told == {
        "event": "pullRequestSourceBranchUpdated", "author": review.server.caller_arn,
        "callerUserArn": review.server.caller_arn, "pullRequestId": review.number, "title": "A change",
        "pullRequestStatus": "Open", "isMerged": "False", "repositoryNames": [review.name],
        "revisionId": after["revisionId"], "sourceCommit": tip, "sourceReference": "refs/heads/change",
        "destinationCommit": review.base, "destinationReference": "refs/heads/main",
    }  # fmt: skip


def test_a_push_to_the_destination_is_known_and_no_event_of_the_pull_request(review: Review) -> None:
    review.work.git("checkout", "--quiet", "main")
    events = Events(review.server, review.arn)
    moved = review.push(b"4", "main")
    assert (review.target()["destinationCommit"], review.get()["pullRequestStatus"]) == (moved, "OPEN")
    review.client.update_pull_request_status(pullRequestId=review.number, pullRequestStatus="CLOSED")
    told = of_kind(events.received(2), STATE_CHANGE)
    assert [(one["event"], one["pullRequestStatus"]) for one in told] == [("pullRequestStatusChanged", "Closed")]


def test_a_pull_request_is_created_and_closed_with_an_event_each(review: Review) -> None:
    events = Events(review.server, review.arn)
    made = review.create(title="Another", description="because")
    review.client.update_pull_request_status(pullRequestId=made["pullRequestId"], pullRequestStatus="CLOSED")
    told = of_kind(events.received(2), STATE_CHANGE)
    assert [one["event"] for one in told] == ["pullRequestCreated", "pullRequestStatusChanged"]
    assert (told[0]["description"], told[0]["isMerged"]) == ("because", "False")


def test_a_fast_forward_merge_moves_the_destination_and_closes_the_pull_request(review: Review) -> None:
    events = Events(review.server, review.arn)
    merged = review.client.merge_pull_request_by_fast_forward(
        pullRequestId=review.number, repositoryName=review.name, sourceCommitId=review.tip
    )["pullRequest"]
    assert merged["pullRequestStatus"] == "CLOSED"
    assert merged["pullRequestTargets"][0]["mergeMetadata"] == {
        "isMerged": True, "mergedBy": review.server.caller_arn, "mergeCommitId": review.tip,
        "mergeOption": "FAST_FORWARD_MERGE",
    }  # fmt: skip
    main = review.client.get_branch(repositoryName=review.name, branchName="main")["branch"]
    assert main["commitId"] == review.tip
    pushed, told = events.received(2)
    assert (pushed["detail"]["event"], pushed["detail"]["referenceName"]) == ("referenceUpdated", "main")
    assert (told["detail"]["event"], told["detail"]["isMerged"]) == ("pullRequestMergeStatusUpdated", "True")
    assert (told["detail-type"], told["detail"]["mergeOption"]) == (STATE_CHANGE, "FAST_FORWARD_MERGE")


def test_a_merge_by_git_closes_the_pull_request_as_merged(review: Review) -> None:
    review.work.git("push", "--quiet", "origin", "change:main")
    assert (review.get()["pullRequestStatus"], review.target()["mergeMetadata"]["isMerged"]) == ("CLOSED", True)


@pytest.mark.parametrize("branch", ["change", "base"])
def test_a_branch_that_is_deleted_closes_its_pull_requests(review: Review, branch: str) -> None:
    review.work.git("push", "--quiet", "origin", "main:base")
    target = {"repositoryName": review.name, "sourceReference": "change", "destinationReference": "base"}
    number = review.create(targets=[target])["pullRequestId"]
    review.work.git("push", "--quiet", "origin", f":{branch}")
    closed = review.client.get_pull_request(pullRequestId=number)["pullRequest"]
    assert closed["pullRequestStatus"] == "CLOSED"
    assert closed["pullRequestTargets"][0]["mergeMetadata"] == {"isMerged": False}
    assert review.get()["pullRequestStatus"] == ("CLOSED" if branch == "change" else "OPEN")


def test_title_and_description_of_an_open_pull_request_change(review: Review) -> None:
    review.client.update_pull_request_title(pullRequestId=review.number, title="Better")
    review.client.update_pull_request_description(pullRequestId=review.number, description="why")
    assert (review.get()["title"], review.get()["description"]) == ("Better", "why")
    review.client.update_pull_request_status(pullRequestId=review.number, pullRequestStatus="CLOSED")
    update = review.client.update_pull_request_title
    assert error_code(update, pullRequestId=review.number, title="x") == "PullRequestAlreadyClosedException"


def test_pull_requests_are_listed_by_author_and_status_in_pages(review: Review) -> None:
    second, third = (review.create(title=title)["pullRequestId"] for title in ("second", "third"))
    review.client.update_pull_request_status(pullRequestId=second, pullRequestStatus="CLOSED")
    listed = review.client.list_pull_requests
    repository = {"repositoryName": review.name}
    assert pages(listed, "pullRequestIds", repository) == [third, second, review.number]
    assert listed(**repository, pullRequestStatus="OPEN")["pullRequestIds"] == [third, review.number]
    assert listed(**repository, authorArn="arn:aws:iam::000000000000:user/other")["pullRequestIds"] == []
    assert len({int(number) for number in (review.number, second, third)}) == 3


def test_a_repeated_request_makes_nothing_twice(review: Review) -> None:
    made = review.create(clientRequestToken=review.name)
    assert review.create(clientRequestToken=review.name)["pullRequestId"] == made["pullRequestId"]
    posted = review.comment("once", clientRequestToken="token")
    assert review.comment("once", clientRequestToken="token")["commentId"] == posted["commentId"]
    assert review.contents() == ["once"]
    again = review.client.post_comment_for_pull_request
    request = review.comment_request("other", clientRequestToken="token")
    assert error_code(again, **request) == "IdempotencyParameterMismatchException"
    with pytest.raises(review.client.exceptions.IdempotencyParameterMismatchException):
        review.create(clientRequestToken=review.name, title="other")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"title": ""}, "TitleRequiredException"),
        ({"title": "x" * 151}, "InvalidTitleException"),
        ({"description": "x" * 10_241}, "InvalidDescriptionException"),
        ({"targets": []}, "TargetsRequiredException"),
        ({"sourceReference": "absent"}, "ReferenceDoesNotExistException"),
        ({"destinationReference": "refs/heads/absent"}, "ReferenceDoesNotExistException"),
        ({"sourceReference": "a..b"}, "InvalidReferenceNameException"),
        ({"sourceReference": "v1"}, "ReferenceTypeNotSupportedException"),
        ({"sourceReference": "refs/tags/v1"}, "ReferenceTypeNotSupportedException"),
        ({"sourceReference": "main"}, "SourceAndDestinationAreSameException"),
        ({"repositoryName": "absent"}, "RepositoryDoesNotExistException"),
        ({"clientRequestToken": ""}, "InvalidClientRequestTokenException"),
    ],
)
def test_what_cannot_be_a_pull_request_is_refused(review: Review, members: dict[str, Any], code: str) -> None:
    review.work.git("push", "--quiet", "origin", "change:refs/tags/v1")
    target = {"repositoryName": review.name, "sourceReference": "change", "destinationReference": "main"}
    of_target = {name: value for name, value in members.items() if name in target}
    of_request = {name: value for name, value in members.items() if name not in target}
    request = {"title": "t", "targets": [target | of_target]} | of_request
    assert error_code(review.client.create_pull_request, **request) == code


def test_a_pull_request_has_one_target(review: Review) -> None:
    target = {"repositoryName": review.name, "sourceReference": "change"}
    create = review.client.create_pull_request
    assert error_code(create, title="t", targets=[target, target]) == "InvalidTargetsException"
    elsewhere = [target, target | {"repositoryName": "other"}]
    assert error_code(create, title="t", targets=elsewhere) == "MultipleRepositoriesInPullRequestException"


def test_what_cannot_be_merged_is_refused(review: Review) -> None:
    merge = review.client.merge_pull_request_by_fast_forward
    request = {"pullRequestId": review.number, "repositoryName": review.name}
    assert error_code(merge, **request, sourceCommitId=review.base) == "TipOfSourceReferenceIsDifferentException"
    review.work.git("checkout", "--quiet", "main")
    review.push(b"4", "main")
    assert error_code(merge, **request) == "ManualMergeRequiredException"
    other = review.client.create_repository(repositoryName=f"{review.name}-other")["repositoryMetadata"]
    elsewhere = request | {"repositoryName": other["repositoryName"]}
    assert error_code(merge, **elsewhere) == "RepositoryNotAssociatedWithPullRequestException"
    review.client.update_pull_request_status(pullRequestId=review.number, pullRequestStatus="CLOSED")
    assert error_code(merge, **request) == "PullRequestAlreadyClosedException"


@pytest.mark.parametrize("status", ["OPEN", "CLOSED"])
def test_a_closed_pull_request_stays_closed(review: Review, status: str) -> None:
    update = review.client.update_pull_request_status
    update(pullRequestId=review.number, pullRequestStatus="CLOSED")
    request = {"pullRequestId": review.number, "pullRequestStatus": status}
    assert error_code(update, **request) == "InvalidPullRequestStatusUpdateException"


@pytest.mark.parametrize("number", ["x", "", "-1", "1.5", "../1"])
def test_the_number_of_a_pull_request_is_one(review: Review, number: str) -> None:
    assert error_code(review.client.get_pull_request, pullRequestId=number) == "InvalidPullRequestIdException"


def test_a_comment_is_updated_in_place_and_both_are_events_as_aws_documents_them(review: Review) -> None:
    events = Events(review.server, review.arn)
    posted = review.comment("first")
    updated = review.client.update_comment(commentId=posted["commentId"], content="second")["comment"]
    assert (updated["commentId"], updated["content"]) == (posted["commentId"], "second")
    assert updated["lastModifiedDate"] >= posted["lastModifiedDate"] == posted["creationDate"]
    assert review.client.get_comment(commentId=posted["commentId"])["comment"]["content"] == "second"
    assert review.contents() == ["second"]
    made, changed = of_kind(events.received(2), COMMENT)
    assert made.pop("notificationBody")
    assert made == {
        "event": "commentOnPullRequestCreated", "callerUserArn": review.server.caller_arn,
        "commentId": posted["commentId"], "pullRequestId": review.number, "beforeCommitId": review.base,
        "afterCommitId": review.tip, "repositoryName": review.name,
        "repositoryId": review.client.get_repository(repositoryName=review.name)["repositoryMetadata"]["repositoryId"],
    }  # fmt: skip
    assert (changed["event"], changed["commentId"]) == ("commentOnPullRequestUpdated", posted["commentId"])


def test_only_the_author_updates_a_comment_and_another_session_of_a_role_is_another_author(review: Review) -> None:
    role = make_role(review.server, "account", EVERYTHING)
    sts = review.server.client("sts")

    def as_session(name: str) -> Any:
        keys = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        return review.server.client(
            "codecommit", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )  # fmt: skip

    posted = as_session("one").post_comment_for_pull_request(**review.comment_request("by one"))["comment"]
    assert posted["authorArn"].endswith("/one")
    request = {"commentId": posted["commentId"], "content": "by another"}
    for client in (review.client, as_session("two")):
        assert error_code(client.update_comment, **request) == "CommentNotCreatedByCallerException"
    as_session("one").update_comment(**request | {"content": "by one again"})
    assert review.contents() == ["by one again"]


def test_comments_come_in_pages_and_by_the_commits_that_they_are_on(review: Review) -> None:
    review.comment("a")
    review.comment("b")
    before, review.tip = review.tip, review.push(b"3")
    review.comment("c")
    get = review.client.get_comments_for_pull_request
    found = pages(get, "commentsForPullRequestData", {"pullRequestId": review.number})
    assert [one["comments"][0]["content"] for one in found] == ["a", "b", "c"]
    whole = get(pullRequestId=review.number)["commentsForPullRequestData"]
    assert [(one["afterCommitId"], len(one["comments"])) for one in whole] == [(before, 2), (review.tip, 1)]
    commits = {"beforeCommitId": review.base, "afterCommitId": before}
    of_one = get(pullRequestId=review.number, repositoryName=review.name, **commits)["commentsForPullRequestData"]
    assert [comment["content"] for comment in of_one[0]["comments"]] == ["a", "b"]
    assert error_code(get, pullRequestId=review.number, **commits) == "RepositoryNameRequiredException"
    one = {"beforeCommitId": review.base, "repositoryName": review.name}
    assert error_code(get, pullRequestId=review.number, **one) == "CommitIdRequiredException"
    assert error_code(get, pullRequestId=review.number, maxResults=0) == "InvalidMaxResultsException"
    assert error_code(get, pullRequestId=review.number, nextToken="x") == "InvalidContinuationTokenException"


def test_a_deleted_comment_has_no_content(review: Review) -> None:
    posted = review.comment("secret")["commentId"]
    deleted = review.client.delete_comment_content(commentId=posted)["comment"]
    assert (deleted["deleted"], "content" in deleted) == (True, False)
    assert review.contents() == [None]
    for call in (review.client.get_comment, review.client.delete_comment_content):
        assert error_code(call, commentId=posted) == "CommentDeletedException"
    assert error_code(review.client.update_comment, commentId=posted, content="x") == "CommentDeletedException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"content": ""}, "CommentContentRequiredException"),
        ({"content": "x" * 10_241}, "CommentContentSizeLimitExceededException"),
        ({"beforeCommitId": "main"}, "InvalidCommitIdException"),
        ({"afterCommitId": "0" * 40}, "CommitDoesNotExistException"),
        ({"pullRequestId": "999999"}, "PullRequestDoesNotExistException"),
        ({"repositoryName": "absent"}, "RepositoryDoesNotExistException"),
        ({"location": {"filePath": "file"}}, "ValidationException"),
    ],
)
def test_what_cannot_be_a_comment_is_refused(review: Review, members: dict[str, Any], code: str) -> None:
    request = review.comment_request("x") | members
    assert error_code(review.client.post_comment_for_pull_request, **request) == code


def test_a_comment_has_10240_characters_at_most_and_is_on_two_commits(review: Review) -> None:
    longest = "ü" * 10_240
    posted = review.comment(longest)
    assert review.contents() == [longest]
    update = review.client.update_comment
    too_long = {"commentId": posted["commentId"], "content": f"{longest}x"}
    assert error_code(update, **too_long) == "CommentContentSizeLimitExceededException"
    post = review.client.post_comment_for_pull_request
    same = review.comment_request("x", afterCommitId=review.base)
    assert error_code(post, **same) == "BeforeCommitIdAndAfterCommitIdAreSameException"
    assert error_code(review.client.get_comment, commentId="x") == "InvalidCommentIdException"


def test_iam_is_asked_about_the_repository_of_a_pull_request_and_of_a_comment(review: Review) -> None:
    elsewhere = make_role(review.server, "account", {"Action": "codecommit:*", "Resource": f"{review.arn}-other"})
    own = make_role(review.server, "account", {"Action": "codecommit:*", "Resource": review.arn})
    posted = review.comment("x")["commentId"]
    for role, allowed in ((elsewhere, False), (own, True)):
        client = review.server.client("codecommit", **review.server.role_keys(role))
        for call, request in (
            (client.get_pull_request, {"pullRequestId": review.number}),
            (client.get_comments_for_pull_request, {"pullRequestId": review.number}),
            (client.get_comment, {"commentId": posted}),
        ):
            if allowed:
                call(**request)
            else:
                with pytest.raises(client.exceptions.ClientError, match=f"on resource: {review.arn} "):
                    call(**request)


def test_with_a_repository_its_pull_requests_go_and_their_numbers_are_not_given_again(review: Review) -> None:
    posted = review.comment("x")["commentId"]
    review.client.delete_repository(repositoryName=review.name)
    missing = error_code(review.client.get_pull_request, pullRequestId=review.number)
    assert missing == "PullRequestDoesNotExistException"
    assert error_code(review.client.get_comment, commentId=posted) == "CommentDoesNotExistException"
    other = Review(review.server, review.work.path.with_name("other"))
    assert int(other.number) > int(review.number)


def test_a_killed_server_has_kept_what_it_acknowledged(start_cloud: Callable[[], CloudServer], tmp_path: Path) -> None:
    review = Review(start_cloud(), tmp_path / "work")
    posted = review.comment("first")["commentId"]
    review.client.update_comment(commentId=posted, content="second")
    review.push(b"3")
    before = review.get()
    review.server.stop(signal.SIGKILL)
    client = start_cloud().client("codecommit")
    assert client.get_pull_request(pullRequestId=review.number)["pullRequest"] == before
    assert client.get_comment(commentId=posted)["comment"]["content"] == "second"


def test_a_push_that_a_killed_server_took_in_moves_the_pull_request_when_the_next_one_starts(
    start_cloud: Callable[[], CloudServer], tmp_path: Path
) -> None:
    review = Review(start_cloud(), tmp_path / "work")
    review.server.stop(signal.SIGKILL)
    commit = review.work.commit("file", b"3")
    review.work.git("push", "--quiet", f"{review.server.state_dir}/codecommit/{review.name}.git", "change")
    client = start_cloud().client("codecommit")
    found = client.get_pull_request(pullRequestId=review.number)["pullRequest"]
    assert found["pullRequestTargets"][0]["sourceCommit"] == commit
