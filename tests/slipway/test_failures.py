import json
from typing import Any

import pytest

from slipway.build_logs import LogFollower, LogPlace, failure_line
from slipway.executions import read_execution, read_summary
from slipway.failures import explained, stack_failure
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import Recording, at, declaration, summary

BUILD = "flight-delays-evaluate-model:1234"
BUILD_ANSWER = {"builds": [{"id": BUILD, "logs": {"groupName": "/aws/codebuild/x", "streamName": "1234"}}]}


def reason(recording: Recording, answers: dict[str, Any]) -> str | None:
    execution = read_execution(declaration(), read_summary(summary("Failed")), recording.details, recording.state())
    return explained(AnsweringAws(answers).target(), execution).failed_actions[0].reason


def log(*lines: str) -> dict[str, Any]:
    events = [{"timestamp": number, "message": line, "ingestionTime": number} for number, line in enumerate(lines)]
    return {"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}


NO_MORE = {"events": [], "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}


def test_a_step_tells_its_reason_in_its_log() -> None:
    recording = Recording().failed("Train", "EvaluateModel", "Build terminated with state: FAILED", external_id=BUILD)
    lines = ["evaluating", "slipway: FAILED roc_auc 0.55 is below the limit 0.60", "[Container] Phase BUILD: FAILED"]

    told = reason(recording, {"BatchGetBuilds": BUILD_ANSWER, "GetLogEvents": [log(*lines), NO_MORE]})

    assert told == "roc_auc 0.55 is below the limit 0.60"


def test_a_build_that_has_no_reason_of_its_own_tells_its_last_words_and_the_command() -> None:
    message = "Build terminated with state: FAILED. Phase: INSTALL, Message: Error while executing command: uv"
    recording = Recording().failed("Test", "Test", message, external_id=BUILD)
    lines = ["error: File not found: requirements.txt", " ", "[Container] Phase complete: INSTALL State: FAILED"]

    told = reason(recording, {"BatchGetBuilds": BUILD_ANSWER, "GetLogEvents": [log(*lines), NO_MORE]})

    assert told == (
        "error: File not found: requirements.txt (Phase: INSTALL, Message: Error while executing command: uv)"
    )


def test_a_build_that_wrote_nothing_leaves_codepipelines_message() -> None:
    recording = Recording().failed("Train", "EvaluateModel", "Build terminated with state: FAULT", external_id=BUILD)
    lines = ["[Container] Running on the local cloud"]

    told = reason(recording, {"BatchGetBuilds": BUILD_ANSWER, "GetLogEvents": [log(*lines), NO_MORE]})

    assert told == "Build terminated with state: FAULT"


def test_a_build_without_a_log_leaves_codepipelines_message() -> None:
    recording = Recording().failed("Test", "Test", "no capacity", external_id=BUILD)

    assert reason(recording, {"BatchGetBuilds": {"builds": [{"id": BUILD}]}}) == "no capacity"


def test_a_failed_deployment_tells_the_first_failure_of_its_stack() -> None:
    recording = Recording().passed("Source", "Source").failed("Staging", "Deploy", "stack failed", stack="s")
    events = [
        event("flight-delays-staging", "UPDATE_ROLLBACK_IN_PROGRESS", 16, "The following resource(s) failed"),
        event("Endpoint", "CREATE_FAILED", 15, "the container did not answer /ping"),
        event("Model", "CREATE_FAILED", 14, "Resource creation cancelled"),
        event("Config", "CREATE_FAILED", 3, "of an earlier deployment"),
    ]

    answers = {"DescribeStackEvents": {"StackEvents": events}, "DescribeAlarms": {"MetricAlarms": []}}
    told = reason(recording, answers)

    assert told == "Endpoint (AWS::SageMaker::Endpoint): the container did not answer /ping"


ERRORS, LATENCY = "p-production-server-errors", "p-production-latency"
ALARMS = {
    "MetricAlarms": [
        {"AlarmName": ERRORS, "MetricName": "Invocation5XXErrors", "Statistic": "Average", "Threshold": 0.01},
        {"AlarmName": LATENCY, "MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": 500000.0},
    ]
}


def update(name: str, seconds: float, state: str, *seen: float) -> dict[str, Any]:
    """An alarm's change."""
    new = {"stateValue": state, "stateReasonData": {"recentDatapoints": list(seen)}}
    return {"AlarmName": name, "Timestamp": at(seconds), "HistoryData": json.dumps({"newState": new})}


def rolled_back(why: str, *history: dict[str, Any]) -> str | None:
    """The reason of a deployment that ran from 0 to 8 s, with the alarms' history, the newest first."""
    recording = Recording().failed("Production", "Deploy", "stack failed", stack="p-production")
    return reason(
        recording,
        {
            "DescribeStackEvents": {"StackEvents": [event("Endpoint", "UPDATE_FAILED", 7, why)]},
            "DescribeAlarms": ALARMS,
            "DescribeAlarmHistory": lambda asked: {
                "AlarmHistoryItems": [one for one in history if one["AlarmName"] == asked["AlarmName"]]
            },
        },
    )


def test_a_rollout_that_was_taken_back_names_the_alarm_its_value_and_its_limit() -> None:
    told = rolled_back(
        f"rolled back, for {ERRORS} went off",
        update(LATENCY, 6, "ALARM", 900000.0), update(ERRORS, 6, "OK", 0.0), update(ERRORS, 5, "ALARM", 0.02, 0.125),
    )  # fmt: skip

    assert told == (
        f"Endpoint (AWS::SageMaker::Endpoint): rolled back, for {ERRORS} went off; the alarm {ERRORS} went off: "
        "Invocation5XXErrors (Average) was 12.5 %, its limit is 1 %"
    )


def test_when_sagemaker_names_no_alarm_those_that_went_off_meanwhile_are_told() -> None:
    told = rolled_back("rolled back", update(LATENCY, 6, "ALARM", 900000.0), update(ERRORS, 9, "ALARM", 1.0))

    assert told is not None
    assert told.endswith(f"; the alarm {LATENCY} went off: ModelLatency (p99) was 900 ms, its limit is 500 ms")
    assert ERRORS not in told


def test_alarms_that_were_over_before_have_no_part_in_it() -> None:
    told = rolled_back("rolled back", update(ERRORS, -2, "OK", 0.0), update(ERRORS, -5, "ALARM", 1.0))

    assert told == "Endpoint (AWS::SageMaker::Endpoint): rolled back"


def test_an_alarm_that_is_named_is_told_with_its_limit_even_when_its_history_is_gone() -> None:
    told = rolled_back(f"because of {ERRORS}")

    assert told is not None
    assert told.endswith(f"; the limit of the alarm {ERRORS} is 1 % of Invocation5XXErrors (Average)")


def test_who_may_not_look_at_alarms_sees_sagemakers_reason() -> None:
    recording = Recording().failed("Production", "Deploy", "stack failed", stack="p-production")
    answers = {
        "DescribeStackEvents": {"StackEvents": [event("Endpoint", "UPDATE_FAILED", 7, "rolled back")]},
        "DescribeAlarms": Refusal("AccessDenied"),
    }

    assert reason(recording, answers) == "Endpoint (AWS::SageMaker::Endpoint): rolled back"


def test_a_deployment_that_never_made_a_stack_leaves_codepipelines_message() -> None:
    recording = Recording().failed("Staging", "Deploy", "the template is invalid", stack="s")

    told = reason(recording, {"DescribeStackEvents": Refusal("ValidationError", "Stack [s] does not exist")})

    assert told == "the template is invalid"


def event(logical_id: str, status: str, seconds: float, why: str) -> dict[str, Any]:
    return {
        "StackId": "s", "EventId": f"{logical_id}-{seconds}", "StackName": "s", "LogicalResourceId": logical_id,
        "ResourceType": "AWS::SageMaker::Endpoint", "Timestamp": at(seconds), "ResourceStatus": status,
        "ResourceStatusReason": why,
    }  # fmt: skip


def test_a_stack_without_a_failure_has_no_reason() -> None:
    assert stack_failure([event("Endpoint", "CREATE_COMPLETE", 1, "")], at(0)) is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param(["a", "slipway: FAILED one", "slipway: FAILED two"], "two", id="the last one"),
        pytest.param(["2026-11-21 slipway: FAILED late"], "late", id="after a time"),
        pytest.param(["slipway: all is well"], None, id="none"),
        pytest.param([], None, id="empty"),
    ],
)
def test_the_last_failure_line_of_a_log_counts(lines: list[str], found: str | None) -> None:
    assert failure_line(lines) == found


def test_a_log_is_followed_without_repeating_a_line() -> None:
    second = {**log("c"), "nextForwardToken": "f/2"}
    end = {**NO_MORE, "nextForwardToken": "f/2"}
    aws = AnsweringAws({"GetLogEvents": [log("a", "b"), NO_MORE, second, end]})
    follower = LogFollower(aws.client("logs"), LogPlace("group", "stream"))

    assert follower.new_lines() == ["a", "b"]
    assert follower.new_lines() == ["c"]
    assert [request.get("nextToken") for request in aws.called("GetLogEvents")] == [None, "f/1", "f/1", "f/2"]


def test_a_stream_that_does_not_exist_yet_has_no_lines() -> None:
    aws = AnsweringAws({"GetLogEvents": Refusal("ResourceNotFoundException")})

    assert LogFollower(aws.client("logs"), LogPlace("group", "stream")).new_lines() == []
