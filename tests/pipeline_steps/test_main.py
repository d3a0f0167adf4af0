"""The command ends with a usable exit code and one line that says why."""

import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps import __main__ as command
from pipeline_steps.aws import Aws
from pipeline_steps.errors import JobError, UsageError
from pipeline_steps.steps import train_model
from settings import Settings
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    KEY_ARN,
    ROLE_ARN,
    put_model,
    record,
    script,
)

VARIABLES = {
    "EXECUTION_ID": EXECUTION_ID,
    "COMMIT_ID": COMMIT_ID,
    "IMAGE_URI": IMAGE_URI,
    "DATASET_URI": f"s3://{BUCKET}/datasets/{EXECUTION_ID}/",
    "DATA_BUCKET": BUCKET,
    "TRAINING_ROLE_ARN": ROLE_ARN,
    "KEY_ARN": KEY_ARN,
}


@pytest.fixture
def exports(aws: Aws, monkeypatch: pytest.MonkeyPatch, settings_file: Path) -> Path:
    """The exports file of a train_model that could be run, in the directory of slipway.yaml."""
    put_model(aws)
    monkeypatch.chdir(settings_file.parent)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return settings_file.parent / "exports.sh"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets train_model fail with an error."""

    def fail_with(error: BaseException) -> None:
        def run(*_: object) -> dict[str, str]:
            raise error

        monkeypatch.setattr(train_model, "run", run)

    return fail_with


def run(exports: Path, step: str = "train_model") -> int:
    return command.main([step, "--exports", str(exports)])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_a_step_exports_its_results_to_the_shell(exports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exports.write_text("export EARLIER=1\n")

    assert run(exports) == 0

    values = subprocess.run(
        ["sh", "-c", '. "$0"; echo "$EARLIER $TRAINING_JOB_NAME"', str(exports)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert values.stdout == "1 flight-delays-train-0f9e8d7c\n"
    output = capsys.readouterr().out
    assert output.startswith(f"train_model for commit {COMMIT_ID}, execution {EXECUTION_ID}\n")
    assert "TRAINING_JOB_NAME = flight-delays-train-0f9e8d7c\n" in output
    assert output.splitlines()[-1].startswith("train_model took ")


def test_a_value_cannot_run_as_a_command(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = '\'; touch pwned; echo $(touch pwned) "`touch pwned`" #'
    monkeypatch.setattr(train_model, "run", lambda *_: {"SUMMARY": hostile})

    assert run(exports) == 0

    echo = ["sh", "-c", f'. {shlex.quote(str(exports))}; printf %s "$SUMMARY"']
    assert subprocess.run(echo, capture_output=True, text=True, check=True).stdout == hostile
    assert not (exports.parent / "pwned").exists()


def test_missing_variables_are_all_named_at_once(
    exports: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("IMAGE_URI")
    monkeypatch.setenv("KEY_ARN", "")
    monkeypatch.delenv("AWS_REGION")

    assert run(exports) == 2
    assert (
        last_line(capsys) == "slipway: FAILED these environment variables must be set: KEY_ARN, IMAGE_URI, AWS_REGION"
    )


def test_a_variable_that_not_every_pipeline_sets_is_taken_where_it_is_set(
    exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def take(_aws: Aws, _settings: Settings, inputs: train_model.Inputs) -> dict[str, str]:
        taken.append(inputs.subnet_ids)
        return {}

    monkeypatch.setattr(train_model, "run", take)

    assert run(exports) == 0
    monkeypatch.setenv("SUBNET_IDS", "subnet-1,subnet-2")
    assert run(exports) == 0

    assert taken == ["", "subnet-1,subnet-2"]


def test_an_unknown_step_names_those_there_are(exports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(exports, "deploy_model")

    assert ended.value.code == 2
    error = capsys.readouterr().err
    for step in command.STEPS:
        assert step in error


def test_faulty_settings_are_all_told(exports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exports.parent / "slipway.yaml"
    file.write_text(file.read_text().replace("goal: maximize", "goal: big").replace("volume_gib: 30", "volume_gib: 0"))

    assert run(exports) == 1
    line = last_line(capsys)
    assert line.startswith("slipway: FAILED slipway.yaml: ")
    assert "training.volume_gib" in line
    assert "evaluation.primary.goal" in line


def test_the_overlay_that_the_project_names_is_used(exports: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with (exports.parent / "slipway.yaml").open("a") as file:
        file.write("local: {training: {volume_gib: 5}}\n")
    monkeypatch.setenv("SLIPWAY_OVERLAY", "local")

    assert run(exports) == 0
    job = aws.sagemaker.describe_training_job(TrainingJobName="flight-delays-train-0f9e8d7c")
    assert job["ResourceConfig"]["VolumeSizeInGB"] == 5


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        pytest.param(JobError("no column x\n  at line 3\n"), 1, "slipway: FAILED no column x at line 3", id="our own"),
        pytest.param(UsageError("EXECUTION_ID must be"), 2, "slipway: FAILED EXECUTION_ID must be", id="usage"),
        pytest.param(KeyError("ModelArtifacts"), 1, "slipway: FAILED KeyError: 'ModelArtifacts'", id="a bug"),
    ],
)
def test_the_last_line_says_why_in_one_line(
    exports: Path, failing: Any, capsys: pytest.CaptureFixture[str], error: Exception, code: int, line: str
) -> None:
    failing(error)

    assert run(exports) == code
    assert last_line(capsys) == line
    assert not exports.exists()


def test_a_reason_of_several_paragraphs_is_shown_in_full_before_its_first_one(
    exports: Path, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(JobError("the training job x Failed: AlgorithmError: no column dest\n\nTraceback:\n  line 3\n"))

    run(exports)

    assert capsys.readouterr().out.endswith(
        "the training job x Failed: AlgorithmError: no column dest\n\nTraceback:\n  line 3\n"
        "slipway: FAILED the training job x Failed: AlgorithmError: no column dest\n"
    )


def test_a_bug_shows_where_it_is(exports: Path, failing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    failing(KeyError("ModelArtifacts"))

    run(exports)

    assert "Traceback" in capsys.readouterr().out


@pytest.mark.parametrize(("length", "shown"), [(884, "x" * 884), (885, "x" * 881 + "...")])
def test_the_last_line_has_900_characters_at_most(
    exports: Path, failing: Any, capsys: pytest.CaptureFixture[str], length: int, shown: str
) -> None:
    failing(JobError("x" * length))

    run(exports)

    line = last_line(capsys)
    assert line == f"slipway: FAILED {shown}"
    assert len(line) == 900


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_step_stops_its_job(
    exports: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    monkeypatch.setattr(command, "Aws", lambda _: aws)
    script(aws.sagemaker, "DescribeTrainingJob", [{"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}])
    stopped = record(aws.sagemaker, "StopTrainingJob")

    def send(**_: object) -> None:
        signal.raise_signal(number)

    wait = "after-call.*.DescribeTrainingJob"
    aws.sagemaker.meta.events.register(
        "after-call.*.CreateTrainingJob", lambda **_: aws.sagemaker.meta.events.register(wait, send)
    )
    # A second signal while the job is being stopped changes nothing.
    aws.sagemaker.meta.events.register("provide-client-params.*.StopTrainingJob", send)
    before = signal.getsignal(number)

    assert run(exports) == 1

    assert stopped == [{"TrainingJobName": "flight-delays-train-0f9e8d7c"}]
    assert last_line(capsys) == f"slipway: FAILED the step was stopped by {number.name}"
    assert signal.getsignal(number) is before
