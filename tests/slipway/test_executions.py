from datetime import timedelta

import pytest

from slipway.executions import (
    NOT_STARTED,
    SUCCEEDED,
    WAITING,
    Execution,
    read_execution,
    read_summary,
    stage_ends,
    summarize,
    with_reasons,
)
from tests.slipway.recorded import COMMIT, EXECUTION, OLDER, START, TOKEN, Recording, at, declaration, summary, trained


def read(recording: Recording, status: str = "InProgress") -> Execution:
    return read_execution(declaration(), read_summary(summary(status)), recording.details, recording.state())


def test_stages_that_have_not_started_are_part_of_the_view() -> None:
    execution = read(Recording().passed("Source", "Source").running("Test", "Test"))

    assert [stage.name for stage in execution.stages] == [
        "Source", "Test", "Build", "Train", "Staging", "Approve", "Production",
    ]  # fmt: skip
    assert [stage.status for stage in execution.stages[:3]] == [SUCCEEDED, "InProgress", NOT_STARTED]
    assert [action.path for action in execution.running_actions] == ["Test/Test"]


def test_the_commit_is_shown_with_the_first_line_of_its_message() -> None:
    execution = read(Recording())

    assert (execution.commit, execution.message) == (COMMIT, "Add a feature")


def test_the_message_is_found_in_the_json_of_a_connection() -> None:
    revision = {"actionName": "Source", "revisionId": COMMIT, "revisionSummary": '{"CommitMessage": "From GitHub"}'}

    assert read_summary(summary(sourceRevisions=[revision])).message == "From GitHub"


def test_an_execution_that_has_not_read_its_source_has_no_commit() -> None:
    assert read_summary(summary(sourceRevisions=[])).commit is None


def test_the_latest_attempt_of_a_retried_action_counts() -> None:
    recording = Recording().failed("Test", "Test", "first try").passed("Test", "Test")

    action = read(recording).actions[1]

    assert (action.status, action.reason) == (SUCCEEDED, None)
    assert action.started == at(10)


def test_a_stage_between_two_actions_is_in_progress() -> None:
    recording = Recording().passed("Train", "PrepareData").passed("Train", "TrainModel")

    train = read(recording).stages[3]

    assert train.status == "InProgress"
    assert train.ended is None


def test_an_action_that_runs_has_no_end_and_its_duration_grows() -> None:
    action = read(Recording().running("Source", "Source")).actions[0]

    assert action.ended is None
    assert action.duration(at(33)) == timedelta(seconds=33)


def test_an_approval_that_waits_carries_its_text_and_token() -> None:
    execution = read(trained().waiting("roc_auc 0.64, champion 0.63"))

    assert execution.approval is not None
    assert (execution.approval.text, execution.approval.token) == ("roc_auc 0.64, champion 0.63", TOKEN)
    assert execution.stages[5].status == WAITING
    assert execution.stages[5].actions[0].ended is None


def test_the_approval_of_another_execution_is_not_this_ones() -> None:
    execution = read(Recording().waiting("numbers", execution=OLDER))

    assert execution.approval is None
    assert execution.held_by is None


def test_an_execution_behind_one_that_waits_for_an_approval_is_held_by_it() -> None:
    execution = read(trained().waiting("numbers", execution=OLDER).queued("Approve"))

    assert (execution.queued_before, execution.held_by) == ("Approve", OLDER)


def test_an_execution_behind_one_that_runs_is_queued_and_not_held() -> None:
    execution = read(Recording().queued("Train"))

    assert (execution.queued_before, execution.held_by) == ("Train", None)


def test_the_approvers_comment_is_the_reason_of_a_rejection() -> None:
    execution = read(trained().decided("Failed", "recall on night flights"), "Failed")

    assert [(a.path, a.reason) for a in execution.failed_actions] == [("Approve/Approve", "recall on night flights")]


def test_the_approvers_comment_is_the_summary_of_an_approval() -> None:
    approve = read(trained().decided("Succeeded", "well done")).stages[5].actions[0]

    assert (approve.status, approve.summary, approve.reason) == (SUCCEEDED, "well done", None)


def test_reasons_are_given_to_the_actions_that_they_belong_to() -> None:
    execution = read(Recording().failed("Staging", "Verify", "exit status 1").failed("Test", "Test", "exit status 1"))

    explained = with_reasons(execution, {"Staging/Verify": "p99 is 900 ms"})

    assert {a.path: a.reason for a in explained.failed_actions} == {
        "Test/Test": "exit status 1",
        "Staging/Verify": "p99 is 900 ms",
    }


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        pytest.param(
            {"VERDICT": "Accepted", "SUMMARY": "Accepted: roc_auc 0.64"}, "Accepted: roc_auc 0.64", id="summary"
        ),
        pytest.param(
            {"MODEL_PACKAGE_ARN": "arn", "MODEL_PACKAGE_VERSION": "3"}, "model package version 3", id="package"
        ),
        pytest.param({"DATA_VERSION": "0123456789abcdef"}, "data version 0123456789ab", id="data"),
        pytest.param({"IMAGE_URI": "r/x@sha256:0123456789abcdef0"}, "image sha256:0123456789ab", id="image"),
        pytest.param({}, "by CodePipeline", id="nothing exported"),
    ],
)
def test_what_an_action_exported_is_its_summary(variables: dict[str, str], told: str) -> None:
    output = {"outputVariables": variables, "executionResult": {"externalExecutionSummary": "by CodePipeline"}}

    assert summarize({"output": output}) == told


def test_the_times_of_the_stages_add_up_to_the_whole() -> None:
    execution = read(trained())

    shares = stage_ends(execution, START - timedelta(seconds=2))

    assert [name for name, _ in shares] == ["Source", "Test", "Build", "Train"]
    assert shares[0][1] == timedelta(seconds=10)  # 2 s until it started, 8 s that it took
    assert sum((share for _, share in shares), timedelta()) == at(78) - START + timedelta(seconds=2)
    assert execution.id == EXECUTION
