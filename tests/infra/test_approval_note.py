"""Who approved, and why, is noted on the version; what an approver wrote and what the commit brought runs nowhere."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from infra import buildspecs
from infra.approval_note import request

PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/flight-delays/4"
ANN = "arn:aws:iam::111122223333:user/ann"


NEXT_ONE = {"stageStates": [{"actionStates": [{"actionName": "Approve", "latestExecution": {"token": "x"}}]}]}


def action(category: str, status: str = "Succeeded", *, summary: str | None = None, by: str | None = None) -> Any:
    """An action as ListActionExecutions tells it."""
    return {
        "actionName": category,
        "actionExecutionId": f"id-of-{category}",
        "status": status,
        "lastUpdateTime": "2026-11-21T13:00:00+00:00",
        "input": {"actionTypeId": {"category": category, "owner": "AWS", "provider": "x", "version": "1"}},
        "output": {"executionResult": {"externalExecutionSummary": summary} if summary is not None else {}},
        **({"updatedBy": by} if by else {}),
    }


def state(**latest: str) -> Any:
    """The pipeline's state while the approval of `action` is the last one."""
    execution = {"actionExecutionId": "id-of-Approval", "status": "Succeeded", **latest}
    others = [{"actionName": "Source"}, {"actionName": "Build", "latestExecution": {"actionExecutionId": "other"}}]
    return {"stageStates": [{"actionStates": others}, {"actionStates": [{"latestExecution": execution}]}]}


def noted(actions: list[Any], pipeline: Any = NEXT_ONE) -> str:
    made = request(actions, pipeline, PACKAGE)
    assert made is not None
    text: str = made["ApprovalDescription"]
    return text


def test_the_request_names_approver_and_comment_and_changes_nothing_else() -> None:
    actions = [action("Build", summary="built", by="x"), action("Approval", summary=f"Approved by {ANN}")]

    assert request(actions, state(summary="better at night", lastUpdatedBy=ANN), PACKAGE) == {
        "ModelPackageArn": PACKAGE,
        "ApprovalDescription": f"{ANN}: better at night",
        "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved"},
    }


@pytest.mark.parametrize(
    ("approval", "expected"),
    [
        (action("Approval", summary="better", by=ANN), f"{ANN}: better"),
        (action("Approval", by=ANN), ANN),
        (action("Approval", summary=f"Approved by {ANN}"), f"Approved by {ANN}"),
        (action("Approval", summary="one\ntwo\x1b[2J\u2028three", by=ANN), f"{ANN}: one two [2J three"),
    ],
    ids=["both", "without a comment", "without an approver", "several lines and control characters"],
)
def test_when_the_next_execution_asks_already_the_history_tells(approval: Any, expected: str) -> None:
    assert noted([approval]) == expected


def test_without_a_comment_the_state_names_the_approver() -> None:
    assert noted([action("Approval")], state(lastUpdatedBy=ANN)) == ANN


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Abandoned"])
def test_what_is_not_approved_is_not_noted(status: str) -> None:
    assert request([action("Approval", status, summary="no", by=ANN), action("Build")], NEXT_ONE, PACKAGE) is None


def test_the_latest_approval_counts() -> None:
    early, late = (action("Approval", summary=text, by=ANN) for text in ("early", "late"))
    late["lastUpdateTime"] = "2026-11-21T14:00:00+00:00"

    assert noted([late, early]) == noted([early, late]) == f"{ANN}: late"


def test_the_request_keeps_the_limits_of_sagemakers_own_model() -> None:
    made = request([action("Approval", summary="x" * 2000, by=ANN)], NEXT_ONE, PACKAGE)

    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("UpdateModelPackage")
    assert not ParamValidator().validate(made, shape.input_shape).has_errors()
    assert made is not None
    limits = shape.input_shape.members["ApprovalDescription"].metadata
    assert len(made["ApprovalDescription"]) == limits["max"] == 1024


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """Runs the commands of the build in the folder of a hostile commit, with an aws command that plays AWS."""
    commit, tools, sent, canary = (tmp_path / name for name in ("commit", "tools", "sent.json", "canary"))
    commit.mkdir()
    for name in ("json.py", "os.py", "pathlib.py", "sitecustomize.py"):
        (commit / name).write_text(f"open({str(canary)!r}, 'w')")
    (commit / ".python-version").write_text("../../commit")
    tools.mkdir()
    aws = tools / "aws"
    aws.write_text(
        f"""#!/bin/sh
echo "$@" >> "{tmp_path}/asked"
case "$2" in
  list-action-executions) cat "{tmp_path}/actions.json" ;;
  get-pipeline-state) cat "{tmp_path}/state.json" ;;
  update-model-package) cp "${{4#file://}}" "{sent}" ;;
esac
"""
    )
    aws.chmod(0o755)

    def run(actions: list[Any]) -> tuple[subprocess.CompletedProcess[str], Any]:
        (tmp_path / "actions.json").write_text(json.dumps({"actionExecutionDetails": actions}))
        (tmp_path / "state.json").write_text(json.dumps(NEXT_ONE))
        commands = buildspecs.record_approval()["phases"]["build"]["commands"]
        variables = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PIPELINE_NAME": "flight-delays",
            "APPROVAL_NOTE": buildspecs.APPROVAL_NOTE,
            "EXECUTION_ID": "3f2a91c0-1111-2222-3333-444455556666",
            "MODEL_PACKAGE_ARN": PACKAGE,
        }
        script = "set -e\n" + "\n".join(commands)
        done = subprocess.run(["sh", "-c", script], cwd=commit, env=variables, capture_output=True, text=True)
        assert not canary.exists(), "something of the commit was run"
        return done, json.loads(sent.read_text()) if sent.exists() else None

    return run


def test_the_build_notes_a_comment_that_a_shell_would_run_as_text(build: Any, tmp_path: Path) -> None:
    comment = f"$(touch {tmp_path}/canary) `touch {tmp_path}/canary` '\"; $APPROVAL_NOTE"

    done, sent = build([action("Approval", summary=comment, by=ANN)])

    assert done.returncode == 0, done.stderr
    assert sent["ApprovalDescription"] == f"{ANN}: {comment}"
    assert sent["ModelPackageArn"] == PACKAGE
    assert (tmp_path / "asked").read_text().splitlines() == [
        "codepipeline list-action-executions --pipeline-name flight-delays "
        "--filter pipelineExecutionId=3f2a91c0-1111-2222-3333-444455556666 --output json",
        "codepipeline get-pipeline-state --name flight-delays --output json",
        "sagemaker update-model-package --cli-input-json file://request.json",
    ]


def test_the_program_leaves_room_for_the_builds_other_variables() -> None:
    """CodeBuild user guide, "Environment variables in build environments": 5,500 characters together."""
    assert len(buildspecs.APPROVAL_NOTE) < 4000


def test_the_build_fails_with_a_reason_when_nobody_has_approved(build: Any) -> None:
    done, sent = build([action("Build")])

    assert done.returncode == 1
    assert done.stderr.endswith("slipway: FAILED this execution has no approval, so there is none to record\n")
    assert sent is None
