"""What became of a rollout is noted on the version: since when production serves it, or which alarm took it back."""

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from infra import rollout_note
from infra.rollout_note import request

PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/flight-delays/4"
CHAMPION = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/flight-delays/3"
ERRORS, LATENCY = "flight-delays-production-server-errors", "flight-delays-production-latency"
ALARMS = [
    {"AlarmName": ERRORS, "MetricName": "Invocation5XXErrors", "Statistic": "Average", "Threshold": 0.01},
    {"AlarmName": LATENCY, "MetricName": "ModelLatency", "ExtendedStatistic": "p99", "Threshold": 500000.0},
]
TEXT = Path(rollout_note.__file__).read_text(encoding="utf-8")


def action(stage: str, name: str, minute: int = 0, **output: Any) -> dict[str, Any]:
    """An action that ran for two minutes, as ListActionExecutions tells it."""
    return {
        "stageName": stage,
        "actionName": name,
        "startTime": f"2026-11-21T13:{minute:02}:00.250000+00:00",
        "lastUpdateTime": f"2026-11-21T15:{minute + 2:02}:00.750000+02:00",
        "output": {"executionResult": {}, **output},
    }


def execution(*others: dict[str, Any], challenger: str = "none", package: str = PACKAGE) -> list[Any]:
    """The newest first: registered, planned, deployed from 13:10 to 13:12, verified from 13:20 to 13:22."""
    plan = {"MODEL_PACKAGE_ARN": package, "CHALLENGER_MODEL_PACKAGE_ARN": challenger}
    failed = {"executionResult": {"errorDetails": {"message": "the stack's update failed"}}}
    return [
        *others,
        action("Production", "Verify", 20, executionResult={"errorDetails": {"message": "it disagrees, by 2 %"}}),
        action("Production", "Deploy", 10, **failed),
        action("Production", "PlanRelease", outputVariables=plan),
        action("Staging", "Deploy", 5),
        action("Train", "RegisterModel", outputVariables={"MODEL_PACKAGE_ARN": PACKAGE}),
    ]


def update(name: str, minute: int, state: str, *seen: float) -> dict[str, Any]:
    """An alarm's change as DescribeAlarmHistory tells it."""
    new = {"stateValue": state, "stateReasonData": {"recentDatapoints": list(seen)} if seen else {}}
    return {
        "AlarmName": name,
        "Timestamp": f"2026-11-21T13:{minute:02}:30+00:00",
        "HistoryData": json.dumps({"version": "1.0", "newState": new}),
    }


def noted(history: list[Any], name: str = "Deploy", state: str = "FAILED", **more: Any) -> dict[str, str]:
    made = request(execution(**more), ALARMS, history, name, state)
    assert made["ModelPackageArn"] == PACKAGE
    assert set(made) == {"ModelPackageArn", "CustomerMetadataProperties"}
    properties: dict[str, str] = made["CustomerMetadataProperties"]
    return properties


def test_a_version_that_was_verified_in_production_is_noted_with_the_time() -> None:
    assert noted([], "Verify", "SUCCEEDED") == {"released_at": "2026-11-21T13:22:00+00:00"}


def test_times_are_read_as_version_1_of_the_aws_command_tells_them() -> None:
    actions = execution()
    for one in actions:
        for name in ("startTime", "lastUpdateTime"):
            one[name] = datetime.fromisoformat(one[name]).timestamp()
    alarmed = update(ERRORS, 11, "ALARM", 0.1)
    alarmed["Timestamp"] = "2026-11-21T13:11:30Z"

    made = request(actions, ALARMS, [alarmed], "Deploy", "FAILED")["CustomerMetadataProperties"]

    assert made["rollout_failed_at"] == "2026-11-21T13:12:00+00:00"
    assert made["rollout_failure"].startswith(ERRORS)


def test_a_challenger_is_not_released_yet() -> None:
    found = noted([], "Verify", "SUCCEEDED", package=CHAMPION, challenger=PACKAGE)

    assert found == {"challenger_since": "2026-11-21T13:22:00+00:00"}


def test_a_rollout_that_an_alarm_took_back_is_noted_with_value_and_limit() -> None:
    history = [update(ERRORS, 11, "OK"), update(ERRORS, 10, "ALARM", 0.02, 0.1), update(LATENCY, 5, "OK")]

    assert noted(history) == {
        "rollout_failed_at": "2026-11-21T13:12:00+00:00",
        "rollout_failure": f"{ERRORS}: Invocation5XXErrors Average was 0.1 with a limit of 0.01",
    }


def test_all_alarms_that_went_off_are_named() -> None:
    history = [update(ERRORS, 11, "ALARM", 1.0), update(LATENCY, 11, "ALARM", 900000.5)]

    assert noted(history)["rollout_failure"] == (
        f"{ERRORS}: Invocation5XXErrors Average was 1.0 with a limit of 0.01 and "
        f"{LATENCY}: ModelLatency p99 was 900000.5 with a limit of 500000.0"
    )


@pytest.mark.parametrize(
    ("history", "is_named"),
    [
        pytest.param([update(ERRORS, 9, "ALARM", 1.0)], True, id="in alarm when it began"),
        pytest.param([update(ERRORS, 9, "OK"), update(ERRORS, 8, "ALARM", 1.0)], False, id="over before it began"),
        pytest.param([update(ERRORS, 12, "ALARM", 1.0)], False, id="went off after its end"),
        pytest.param([], False, id="never went off"),
    ],
)
def test_an_alarm_counts_while_the_deployment_runs(history: list[Any], is_named: bool) -> None:
    told = noted(history)["rollout_failure"]

    assert (ERRORS in told) == is_named
    if not is_named:
        assert told == "Deploy: the stack s update failed"


def test_a_failed_verification_is_noted_with_its_reason_and_no_alarm() -> None:
    history = [update(ERRORS, 21, "ALARM", 1.0)]

    assert noted(history, "Verify")["rollout_failure"] == "Verify: it disagrees by 2"


def test_of_a_stage_that_was_retried_the_last_attempt_counts() -> None:
    again = action("Production", "Deploy", 40, executionResult={"errorDetails": {"message": "again"}})

    for actions in (execution(again), [*execution(), again]):
        made = request(
            actions, ALARMS, [update(ERRORS, 11, "ALARM", 1.0), update(ERRORS, 13, "OK")], "Deploy", "FAILED"
        )
        assert made["CustomerMetadataProperties"] == {
            "rollout_failed_at": "2026-11-21T13:42:00+00:00",
            "rollout_failure": "Deploy: again",
        }


def test_the_request_keeps_the_limits_of_sagemakers_own_model() -> None:
    long = action("Production", "Deploy", 40, executionResult={"errorDetails": {"message": "1,5 % (x)\n" * 90}})
    made = request(execution(long), ALARMS, [], "Deploy", "FAILED")

    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("UpdateModelPackage")
    assert not ParamValidator().validate(made, shape.input_shape).has_errors()
    value = shape.input_shape.members["CustomerMetadataProperties"].value.metadata
    text = made["CustomerMetadataProperties"]["rollout_failure"]
    assert len(text) == value["max"] == 256
    assert re.fullmatch(r"[\w\s.:/=+\-@]*", text)


def test_the_program_runs_by_itself_on_what_the_aws_command_prints(tmp_path: Path) -> None:
    (tmp_path / "actions.json").write_text(json.dumps({"actionExecutionDetails": execution()}))
    for alarm in ALARMS:
        described = {"CompositeAlarms": [], "MetricAlarms": [alarm]}
        (tmp_path / f"alarm-{alarm['AlarmName']}.json").write_text(json.dumps(described))
    for name in (ERRORS, LATENCY):
        history = {"AlarmHistoryItems": [update(name, 11, "ALARM", 7.0)]}
        (tmp_path / f"history-{name}.json").write_text(json.dumps(history))
    (tmp_path / "json.py").write_text("raise SystemExit('of the commit')")

    done = subprocess.run(
        [sys.executable, "-I", "-c", TEXT], cwd=tmp_path, env={"ACTION": "Deploy", "STATE": "FAILED"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    made = json.loads(done.stdout)
    assert made["ModelPackageArn"] == PACKAGE
    assert all(name in made["CustomerMetadataProperties"]["rollout_failure"] for name in (ERRORS, LATENCY))


def test_the_program_leaves_room_for_the_builds_other_variables() -> None:
    """CodeBuild user guide, "Environment variables in build environments": 5,500 characters together."""
    assert len(TEXT) < 4500
