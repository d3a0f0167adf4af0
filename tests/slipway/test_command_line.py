import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from typer.testing import CliRunner, Result

from slipway import command_line, session
from slipway.command_line import app
from slipway.project import Project
from slipway.session import Session, Surroundings
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import EXECUTION, OLDER, Recording, trained

NOT_FOUND = Refusal("ValidationException", "Could not find endpoint")


def run(folder: Path, *arguments: str, given: str | None = None, **environment: str) -> Result:
    surroundings = Surroundings({"PATH": os.environ["PATH"], "HOME": str(folder), **environment}, folder)
    return CliRunner().invoke(app, list(arguments), obj=surroundings, input=given, env={"COLUMNS": "80"})


def said(result: Result) -> str:
    """What was printed, without line breaks."""
    return " ".join(result.output.split())


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets the commands speak to recorded answers; returns them, to look at the calls."""

    def answer(answers: Mapping[str, Any]) -> AnsweringAws:
        answering = AnsweringAws(answers)
        monkeypatch.setattr(Session, "target", answering.target())
        return answering

    return answer


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["watch"],
        ["logs"],
        ["approve"],
        ["reject", "--reason", "no"],
        ["invoke"],
        ["env"],
        ["releases"],
        ["report"],
    ],
    ids=lambda command: command[0],
)
def test_without_a_local_cloud_every_command_says_slipway_up(project: Project, command: list[str]) -> None:
    result = run(project.root, *command)

    assert result.exit_code == 1
    assert result.output == "Error: the local cloud is not running\nNext:  slipway up\n"


def test_a_record_of_a_killed_local_cloud_means_that_it_does_not_run(project: Project) -> None:
    folder = project.state_dir / "local-cloud"
    folder.mkdir(parents=True)
    record = {"pid": os.getpid(), "port": 1, "endpoint_url": "https://127.0.0.1:1", "account_id": "0" * 12,
              "ca_bundle": "ca.pem", "ca_folder": "trusted", "credentials_file": "credentials"}  # fmt: skip
    (folder / "server.json").write_text(json.dumps({**record, "region": "us-east-1", "started_at": "now"}))

    result = run(project.root, "status")

    assert result.exit_code == 1
    assert "the local cloud is not running" in result.output


def test_up_on_a_port_in_use_says_by_whom_and_how_to_choose_another(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        result = run(project.root, "up", "--port", str(port))

    assert result.exit_code == 1
    assert f"port {port} of 127.0.0.1 is in use by process {os.getpid()}" in said(result)
    assert f"slipway up --port {port + 1}" in said(result)


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_up_refuses_what_is_no_port(project: Project, port: str) -> None:
    result = run(project.root, "up", "--port", port)

    assert result.exit_code == 2
    assert "--port" in said(result)


def test_outside_a_project_it_says_where_it_looked(tmp_path: Path) -> None:
    result = run(tmp_path, "status")

    assert result.exit_code == 1
    assert f"no slipway.yaml in {tmp_path} or above it" in said(result)


def test_a_faulty_slipway_yaml_is_reported_with_its_faults(project: Project) -> None:
    text = (project.root / "slipway.yaml").read_text()
    (project.root / "slipway.yaml").write_text(text.replace("name: flight-delays", "name: Flight Delays"))

    result = run(project.root, "status")

    assert result.exit_code == 1
    assert "Flight Delays" in said(result)
    assert "correct slipway.yaml" in said(result)


def test_the_project_is_found_from_a_folder_below(project: Project) -> None:
    below = project.root / "a" / "b"
    below.mkdir(parents=True)

    assert "the local cloud is not running" in run(below, "status").output


def test_a_reason_that_is_too_long_is_refused_with_its_length(project: Project, aws: Any) -> None:
    answering = aws(trained().waiting("numbers").answers())

    result = run(project.root, "reject", "--reason", "x" * 513)

    assert result.exit_code == 1
    assert "the comment has 513 characters, CodePipeline takes 512 at most" in said(result)
    assert answering.calls == []


def test_a_rejection_needs_a_reason(project: Project, aws: Any) -> None:
    aws(trained().waiting("numbers").answers())

    assert run(project.root, "reject").exit_code == 2
    assert "needs a reason" in run(project.root, "reject", "--reason", "  ").output


def test_with_nothing_to_approve_it_says_where_the_execution_is(project: Project, aws: Any) -> None:
    aws(Recording().passed("Source", "Source").running("Test", "Test").answers())

    result = run(project.root, "approve")

    assert result.exit_code == 1
    assert "nothing waits for an approval: execution 3f2a91c0 is InProgress in Test/Test" in said(result)


def test_with_no_execution_at_all_there_is_nothing_to_approve(project: Project, aws: Any) -> None:
    aws({"ListPipelineExecutions": {"pipelineExecutionSummaries": []}, "GetPipelineState": Recording().state()})

    assert "the pipeline has not run yet" in said(run(project.root, "approve"))


def _decided_late(waiting: Recording) -> dict[str, Any]:
    """The approval looks as if it waited when it is looked for and read, and once more after the decision."""
    return {"PutApprovalResult": {}, "GetPipelineState": [*[waiting.state()] * 4, trained().state()]}


def test_approve_shows_what_an_approver_sees_and_decides(project: Project, aws: Any) -> None:
    waiting = trained().waiting("roc_auc 0.64, champion 0.63")
    answering = aws(waiting.answers() | _decided_late(waiting))

    result = run(project.root, "approve", "--comment", "better")

    assert result.exit_code == 0
    assert "roc_auc 0.64, champion 0.63" in result.output
    assert "slipway watch 3f2a91c0" in result.output
    assert len(answering.called("GetPipelineState")) == 5  # until nothing waits any more
    assert answering.called("PutApprovalResult")[0]["result"] == {"status": "Approved", "summary": "better"}


def test_what_waits_for_a_decision_is_shown_with_the_command_that_opens_its_report(project: Project, aws: Any) -> None:
    registered = trained().passed("Train", "RegisterModel", {"MODEL_PACKAGE_VERSION": "4"})
    waiting = registered.waiting("numbers")
    aws(waiting.answers() | {"DescribeEndpoint": NOT_FOUND})
    status = run(project.root, "status")
    aws(waiting.answers() | _decided_late(waiting))
    approval = run(project.root, "approve")

    assert "Next: slipway report 4, then slipway approve, or slipway reject --reason TEXT" in said(status)
    assert "the whole evaluation: slipway report 4" in approval.output


def test_reject_gives_the_reason_on(project: Project, aws: Any) -> None:
    waiting = trained().waiting("numbers")
    answering = aws(waiting.answers() | _decided_late(waiting))

    result = run(project.root, "reject", "--reason", "night flights [bold]")

    assert result.exit_code == 0
    assert answering.called("PutApprovalResult")[0]["result"] == {
        "status": "Rejected",
        "summary": "night flights [bold]",
    }
    assert "night flights [bold]" in result.output


@pytest.mark.parametrize(
    ("recording", "status", "code"),
    [
        pytest.param(Recording().passed("Source", "Source"), "Succeeded", 0, id="succeeded"),
        pytest.param(Recording().failed("Source", "Source", "no branch"), "Failed", 1, id="failed"),
        pytest.param(Recording(), "Stopped", 1, id="stopped"),
        pytest.param(Recording(), "Superseded", 1, id="superseded"),
        pytest.param(trained().waiting("numbers"), "InProgress", 3, id="waits"),
        pytest.param(trained().waiting("numbers", OLDER).queued("Approve"), "InProgress", 3, id="held"),
    ],
)
def test_the_exit_code_of_watch_tells_how_it_ended(
    project: Project, aws: Any, recording: Recording, status: str, code: int
) -> None:
    aws(recording.answers(status))

    assert run(project.root, "watch", EXECUTION[:8]).exit_code == code


def test_watch_prints_the_whole_reason_of_a_failure(project: Project, aws: Any) -> None:
    reason = "roc_auc 0.55 is below the limit 0.60; " * 5
    aws(Recording().failed("Source", "Source", reason.strip()).answers("Failed"))

    assert f"Source/Source failed: {reason.strip()}" in said(run(project.root, "watch", EXECUTION[:8]))


def test_status_is_complete_before_the_first_execution(project: Project, aws: Any) -> None:
    aws({"ListPipelineExecutions": {"pipelineExecutionSummaries": []}, "DescribeEndpoint": NOT_FOUND})

    result = run(project.root, "status")

    assert result.exit_code == 0
    assert "has not run yet" in said(result)
    assert "git push slipway HEAD:main" in said(result)
    assert said(result).count("none yet") == 2


def test_status_as_json_can_be_read_by_programs(project: Project, aws: Any) -> None:
    aws(trained().waiting("roc_auc 0.64").answers() | {"DescribeEndpoint": NOT_FOUND})

    document = json.loads(run(project.root, "status", "--json").stdout)

    assert document["execution"]["approval"]["text"] == "roc_auc 0.64"
    assert "token" not in document["execution"]["approval"]
    assert document["execution"]["stages"][0]["actions"][0]["started"] == "2026-11-21T07:00:00+00:00"
    assert document["serving"] == {"staging": None, "production": None}


def test_an_unknown_action_is_answered_with_those_that_there_are(project: Project, aws: Any) -> None:
    aws(trained().answers())

    result = run(project.root, "logs", "Trane")

    assert result.exit_code == 1
    assert "there is no action Trane; there are Source/Source, Test/Test" in said(result)


def test_an_ambiguous_action_is_answered_with_the_choices(project: Project, aws: Any) -> None:
    aws(trained().passed("Staging", "Verify").answers())

    assert "verify is ambiguous: Staging/Verify or Production/Verify" in said(run(project.root, "logs", "verify"))


def test_logs_without_a_name_prints_the_log_of_the_failed_action(project: Project, aws: Any) -> None:
    line = {"timestamp": 1, "ingestionTime": 1, "message": "a long line " * 20 + "[red]"}
    pages = [
        {"events": [line], "nextForwardToken": "f", "nextBackwardToken": "b"},
        {"events": [], "nextForwardToken": "f", "nextBackwardToken": "b"},
    ]
    recording = Recording().failed("Test", "Test", "exit status 1", external_id="build:1")
    build = {"id": "build:1", "logs": {"groupName": "g", "streamName": "s"}}
    aws(recording.answers("Failed") | {"BatchGetBuilds": {"builds": [build]}, "GetLogEvents": pages})

    result = run(project.root, "logs")

    assert result.stdout == line["message"] + "\n"
    assert "Test/Test of execution 3f2a91c0" in result.stderr


def test_an_action_without_a_log_says_so(project: Project, aws: Any) -> None:
    aws(trained().answers())

    assert "Source/Source (CodeCommit) writes no log" in said(run(project.root, "logs", "Source/Source"))


def test_invoke_refuses_a_record_that_is_not_json(project: Project, aws: Any) -> None:
    aws({})

    result = run(project.root, "invoke", "{carrier: AA}")

    assert result.exit_code == 1
    assert "the record is not JSON" in said(result)


def test_invoke_shows_the_containers_refusal(project: Project, aws: Any) -> None:
    refusal = {"error": {"field": "distance", "value": "far", "allowed": "a number"}}
    aws({"InvokeEndpoint": Refusal("ModelError", "Received 400", {"OriginalMessage": json.dumps(refusal)})})

    result = run(project.root, "invoke", '{"distance": "far"}')

    assert result.exit_code == 1
    assert "flight-delays-production refused the request: field: distance value: far allowed: a number" in said(result)


def test_invoke_on_an_endpoint_that_is_not_there_says_so(project: Project, aws: Any) -> None:
    aws({"DescribeEndpoint": NOT_FOUND})

    assert "the endpoint flight-delays-staging does not exist" in said(
        run(project.root, "invoke", "--endpoint", "staging")
    )


def test_down_without_a_local_cloud_is_no_error(project: Project) -> None:
    result = run(project.root, "down")

    assert result.exit_code == 0
    assert "did not run" in result.output


def test_purge_asks_first_and_keeps_everything_without_a_yes(project: Project) -> None:
    kept = project.state_dir / "local-cloud" / "state.db"
    kept.parent.mkdir(parents=True)
    kept.write_text("data")

    result = run(project.root, "down", "--purge", given="n\n")

    assert result.exit_code == 1
    assert "nothing was deleted" in result.output
    assert kept.exists()


def test_purge_deletes_the_state_when_told_to(project: Project) -> None:
    kept = project.state_dir / "local-cloud" / "state.db"
    kept.parent.mkdir(parents=True)
    kept.write_text("data")

    assert run(project.root, "down", "--purge", "--yes").exit_code == 0
    assert not kept.parent.exists()


def test_the_demo_does_not_touch_an_account(project: Project) -> None:
    result = run(project.root, "--target", "aws", "demo")

    assert result.exit_code == 1
    assert "on the local cloud only" in result.output


def test_the_target_is_taken_from_the_environment_too(project: Project) -> None:
    surroundings = Surroundings({"PATH": os.environ["PATH"]}, project.root)
    result = CliRunner().invoke(app, ["env"], obj=surroundings, env={"SLIPWAY_TARGET": "aws"})

    assert "for an AWS account there is nothing to set" in said(result)


def test_an_account_is_taken_down_with_purge_only(project: Project, aws: Any) -> None:
    answering = aws({})

    result = run(project.root, "--target", "aws", "down")

    assert result.exit_code == 1
    assert "slipway --target aws down --purge" in said(result)
    assert answering.calls == []


def test_an_account_is_kept_when_the_name_is_mistyped(project: Project, aws: Any) -> None:
    answering = aws({"DescribeStacks": Refusal("ValidationError", "does not exist")})

    result = run(project.root, "--target", "aws", "down", "--purge", given="flight-delay\n")

    assert result.exit_code == 1
    assert "nothing was deleted" in said(result)
    assert answering.called("DeleteStack") == []


def test_missing_credentials_are_said_in_one_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_credentials(environment: Mapping[str, str]) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(session, "aws_target", without_credentials)
    result = run(project.root, "--target", "aws", "status")

    assert result.exit_code == 1
    assert "AWS credentials cannot be used" in said(result)
    assert "Traceback" not in result.output


def test_a_local_cloud_that_dies_meanwhile_is_said_in_one_line(project: Project, aws: Any) -> None:
    def dies(request: dict[str, Any]) -> Any:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    aws({"ListPipelineExecutions": dies})
    result = run(project.root, "status")

    assert result.exit_code == 1
    assert "the local cloud stopped answering" in said(result)
    assert "Next: slipway up" in said(result)


def test_a_refusal_of_aws_names_the_call(project: Project, aws: Any) -> None:
    aws({"ListPipelineExecutions": Refusal("AccessDeniedException", "you may not")})

    assert "AWS answered ListPipelineExecutions with AccessDeniedException: you may not" in said(
        run(project.root, "status")
    )


def test_an_unforeseen_error_leaves_its_traceback_in_a_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "read_status", lambda *_: 1 / 0)
    monkeypatch.setattr(Session, "target", AnsweringAws({}).target())

    result = run(project.root, "status")

    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.output
    assert "Traceback" not in result.output
    kept = next((project.root / ".slipway" / "logs").glob("error-*.log"))
    assert "Traceback" in kept.read_text()


def test_ctrl_c_is_one_line_and_exit_code_130(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "target", AnsweringAws({}).target())
    monkeypatch.setattr(command_line, "read_status", interrupted)
    monkeypatch.setattr(command_line, "newest_execution", interrupted)

    assert (run(project.root, "status").exit_code, run(project.root, "status").output) == (130, "Interrupted.\n")
    watched = run(project.root, "watch")
    assert watched.exit_code == 130
    assert "the pipeline goes on" in watched.output


def test_every_command_has_one_sentence_and_an_example() -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert set(names) == {
        "up", "status", "watch", "logs", "approve", "reject", "invoke", "down", "env", "demo", "releases", "report",
        "experiment", "experiments",
    }  # fmt: skip
    for command in app.registered_commands:
        assert command.callback is not None
        assert command.callback.__doc__ is not None
        assert "\n" not in command.callback.__doc__
        assert "Example" in (command.epilog or "")


def test_python_m_slipway_works_as_the_script_does() -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "slipway", "--help"], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "Usage: slipway" in done.stdout
    assert done.stderr == ""
