from collections.abc import Sequence
from io import StringIO
from types import TracebackType
from typing import Any, Self

import pytest
from rich.console import Console

from slipway.errors import PipelineError
from slipway.executions import Execution
from slipway.following import LogLine, PlainView, follow, newest_execution, refuse_unfinished, view_for
from slipway.pipeline import Pipeline
from slipway.project import Project
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import COMMIT, EXECUTION, NAME, OLDER, TOKEN, Recording, summary, trained

BUILD = "flight-delays-train-model:1"
LOGS = {
    "BatchGetBuilds": {"builds": [{"id": BUILD, "logs": {"groupName": "g", "streamName": "s"}}]},
}


class Seen:
    """A view that remembers."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.lines: list[LogLine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, execution: Execution, lines: Sequence[LogLine]) -> None:
        self.statuses.append(execution.status)
        self.lines += lines


def played(*moments: tuple[Recording, str]) -> dict[str, Any]:
    """The answers at one look after the other."""
    answers = [recording.answers(status) for recording, status in moments]
    return {operation: [answer[operation] for answer in answers] for operation in answers[0]}


def followed(answers: dict[str, Any], view: Any = None, decided: str | None = None) -> Execution:
    aws = AnsweringAws(answers)
    with view or Seen() as entered:
        return follow(aws.target(), Pipeline(aws.client("codepipeline"), NAME), EXECUTION, entered, decided=decided)


def log(*lines: str, token: str) -> dict[str, Any]:
    events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines]
    return {"events": events, "nextForwardToken": token, "nextBackwardToken": "b"}


def test_an_execution_is_followed_until_it_has_succeeded() -> None:
    seen = Seen()
    running, done = Recording().running("Source", "Source"), Recording().passed("Source", "Source")

    execution = followed(played((running, "InProgress"), (running, "InProgress"), (done, "Succeeded")), seen)

    assert execution.status == "Succeeded"
    assert seen.statuses == ["InProgress", "InProgress", "Succeeded"]


def test_following_ends_where_a_person_must_decide() -> None:
    execution = followed(trained().waiting("numbers").answers())

    assert execution.approval is not None


def test_an_approval_that_has_just_been_decided_is_not_waited_for_again() -> None:
    answers = played((trained().waiting("numbers"), "InProgress"), (trained().decided("Succeeded", "ok"), "Succeeded"))

    assert followed(answers, decided=TOKEN).status == "Succeeded"


def test_following_ends_behind_an_execution_that_waits_for_a_person() -> None:
    execution = followed(trained().waiting("numbers", execution=OLDER).queued("Approve").answers())

    assert execution.held_by == OLDER
    with pytest.raises(PipelineError, match="waits behind aaaabbbb"):
        refuse_unfinished(execution)


def test_a_failed_execution_is_refused_with_its_reason_and_the_command_for_its_log() -> None:
    execution = followed(Recording().failed("Test", "Test", "two tests failed").answers("Failed"))

    with pytest.raises(PipelineError, match="Test/Test: two tests failed") as raised:
        refuse_unfinished(execution)

    assert raised.value.next_step == "slipway logs Test/Test --execution 3f2a91c0"


def test_a_stopped_execution_is_refused() -> None:
    with pytest.raises(PipelineError, match="3f2a91c0 stopped"):
        refuse_unfinished(followed(Recording().answers("Stopped")))


def test_the_running_builds_log_is_shown_to_its_last_line_without_codebuilds_remarks() -> None:
    seen = Seen()
    running = Recording().running("Train", "TrainModel", external_id=BUILD)
    done = Recording().passed("Train", "TrainModel")
    done.details[0]["output"]["executionResult"] = {"externalExecutionId": BUILD}
    lines = [
        log("[Container] Running command", "[1] auc:0.70", token="f/1"),
        log(token="f/1"),
        log("[2] auc:0.74", token="f/2"),
        log(token="f/2"),
    ]

    followed(played((running, "InProgress"), (done, "Succeeded")) | LOGS | {"GetLogEvents": lines}, seen)

    assert seen.lines == [("Train/TrainModel", "[1] auc:0.70"), ("Train/TrainModel", "[2] auc:0.74")]


def test_without_a_terminal_every_change_is_one_line() -> None:
    out = StringIO()
    running = Recording().passed("Source", "Source").running("Test", "Test")
    failed = Recording().passed("Source", "Source").failed("Test", "Test", "two tests failed")
    view = view_for(Console(file=out, width=80), NAME)

    followed(played((running, "InProgress"), (running, "InProgress"), (failed, "Failed")), view)

    assert isinstance(view, PlainView)
    lines = [line[10:] for line in out.getvalue().splitlines()]
    assert lines == [
        "flight-delays  execution 3f2a91c0  commit 01234567",
        "Source/Source: Succeeded after 8 s",
        "Test/Test: InProgress",
        "Test/Test: Failed after 8 s (two tests failed)",
    ]


def test_on_a_terminal_the_last_view_stays_without_the_log() -> None:
    out = StringIO()
    console = Console(file=out, width=80, height=30, force_terminal=True, color_system=None)
    running = Recording().running("Train", "TrainModel", external_id=BUILD)
    answers = played((running, "InProgress"), (trained(), "Succeeded")) | LOGS
    answers["GetLogEvents"] = [log("[1] auc:0.70", token="f/1"), log(token="f/1")]

    followed(answers, view_for(console, NAME))

    last = out.getvalue().rpartition("execution 3f2a91c0")[2]
    assert "[1] auc:0.70" in out.getvalue()
    assert "auc" not in last
    assert "RegisterModel" in last


class TestNewest:
    """Which execution `slipway watch` shows."""

    def newest(self, project: Project, answers: dict[str, Any], seconds: float = 5.0) -> str:
        aws = AnsweringAws(answers)
        return newest_execution(aws.target(), Pipeline(aws.client("codepipeline"), NAME), project, seconds)

    def executions(self, *summaries: dict[str, Any]) -> dict[str, Any]:
        return {"pipelineExecutionSummaries": list(summaries)}

    def branch(self, commit: str) -> dict[str, Any]:
        return {"branch": {"branchName": "main", "commitId": commit}}

    def test_it_is_the_newest_when_that_has_the_branchs_commit(self, project: Project) -> None:
        answers = {"ListPipelineExecutions": self.executions(summary()), "GetBranch": self.branch(COMMIT)}

        assert self.newest(project, answers) == EXECUTION

    def test_after_a_push_the_execution_that_the_push_starts_is_awaited(self, project: Project) -> None:
        old = summary("Succeeded", OLDER, sourceRevisions=[{"actionName": "Source", "revisionId": "f" * 40}])
        pushed = self.executions(summary(), old)
        answers = {
            "ListPipelineExecutions": [self.executions(old), self.executions(old), pushed],
            "GetBranch": self.branch(COMMIT),
        }

        assert self.newest(project, answers) == EXECUTION

    def test_a_push_that_starts_nothing_shows_the_last_one(self, project: Project) -> None:
        old = summary("Succeeded", OLDER, sourceRevisions=[{"actionName": "Source", "revisionId": "f" * 40}])
        answers = {"ListPipelineExecutions": self.executions(old), "GetBranch": self.branch(COMMIT)}

        assert self.newest(project, answers, seconds=0.05) == OLDER

    def test_an_execution_that_is_about_to_read_its_source_is_taken(self, project: Project) -> None:
        started = summary(sourceRevisions=[])
        answers = {"ListPipelineExecutions": self.executions(started), "GetBranch": self.branch(COMMIT)}

        assert self.newest(project, answers) == EXECUTION

    def test_without_a_push_it_says_how_to_push(self, project: Project) -> None:
        answers = {"ListPipelineExecutions": self.executions(), "GetBranch": Refusal("BranchDoesNotExistException")}

        with pytest.raises(PipelineError, match="nothing is on its branch main") as raised:
            self.newest(project, answers)

        assert raised.value.next_step == "git push slipway HEAD:main"

    def test_a_first_push_that_starts_nothing_is_said_after_a_while(self, project: Project) -> None:
        answers = {"ListPipelineExecutions": self.executions(), "GetBranch": self.branch(COMMIT)}

        with pytest.raises(PipelineError, match="no execution started"):
            self.newest(project, answers, seconds=0.05)
