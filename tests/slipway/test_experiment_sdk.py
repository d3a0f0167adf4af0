import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import UserError
from slipway.experiment_sdk import ENVIRONMENT, SageMakerSdk, installed_sdk
from tests.slipway.answers import AnsweringAws
from tests.slipway.recorded import START
from tests.slipway.waiting import wait_until

BASE = "flight-delays-train-3f2a91c0"
JOB = f"{BASE}-20261121070000"


def sdk(folder: Path, program: str) -> SageMakerSdk:
    """A Python that runs a program in the place of the one it is asked to run."""
    (folder / "program.py").write_text(f"import json, os, pathlib, sys, time\n{program}\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/program.py" "$@"\n')
    python.chmod(0o755)
    return SageMakerSdk(python, folder / "logs")


def listed(*names: str) -> dict[str, object]:
    common = {"CreationTime": START, "TrainingJobStatus": "InProgress", "TrainingJobArn": "arn:aws:sagemaker:x:0:t/job"}
    return {"TrainingJobSummaries": [{"TrainingJobName": name, **common} for name in names]}


@pytest.fixture
def aws() -> AnsweringAws:
    """A job of this experiment runs, and one of another whose name holds this one's."""
    return AnsweringAws({"ListTrainingJobs": listed(JOB, f"other-{BASE}-1"), "StopTrainingJob": {}})


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """As on a terminal; a shell starts what it puts into the background without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_request_goes_in_and_the_jobs_name_comes_out(tmp_path: Path, aws: AnsweringAws) -> None:
    name = "task['base_job_name'] + '-' + task['request']['a']"
    program = f"task = json.load(sys.stdin); print(json.dumps({{'job_name': {name}}}))"

    assert sdk(tmp_path, program).start_training(aws.target(), {"a": "1"}, BASE) == f"{BASE}-1"
    assert aws.calls == []


def test_it_runs_apart_from_the_shells_python_with_the_targets_environment(
    tmp_path: Path, aws: AnsweringAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    told = (
        "{'job_name': ' '.join([sys.argv[1], os.environ['AWS_ENDPOINT_URL'], os.environ['SAGEMAKER_VALIDATE_ROLE']])}"
    )

    said = sdk(tmp_path, f"sys.stdin.read(); print(json.dumps({told}))").start_training(aws.target(), {}, BASE)

    assert said == "-I https://127.0.0.1:1 false"


def test_what_aws_refuses_is_told(tmp_path: Path, aws: AnsweringAws) -> None:
    program = "print(json.dumps({'refusal': 'the quota is 0'})); sys.exit(1)"

    with pytest.raises(UserError, match="the training job was refused: the quota is 0"):
        sdk(tmp_path, program).start_training(aws.target(), {}, BASE)


def test_when_it_breaks_off_its_words_are_kept_and_no_job_is_left(tmp_path: Path, aws: AnsweringAws) -> None:
    program = "print('a\\nValueError: too new', file=sys.stderr); sys.exit(1)"

    with pytest.raises(UserError, match="the SageMaker SDK broke off: ValueError: too new") as raised:
        sdk(tmp_path, program).start_training(aws.target(), {}, BASE)

    assert raised.value.next_step == f"read {tmp_path}/logs/sagemaker-sdk.log"
    assert (tmp_path / "logs" / "sagemaker-sdk.log").read_text() == "a\nValueError: too new\n"
    assert aws.called("ListTrainingJobs") == [{"NameContains": BASE, "StatusEquals": "InProgress"}]
    assert aws.called("StopTrainingJob") == [{"TrainingJobName": JOB}]


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_while_the_job_is_being_made_waits_for_it_and_stops_it(tmp_path: Path, aws: AnsweringAws) -> None:
    go, made = tmp_path / "go", tmp_path / "made"
    program = f"""
go, made = pathlib.Path({str(go)!r}), pathlib.Path({str(made)!r})
go.touch()
while go.exists(): time.sleep(0.01)
made.touch()
print(json.dumps({{'job_name': 'x'}}))
"""

    def interrupt() -> None:
        wait_until(go.exists)
        os.kill(os.getpid(), signal.SIGINT)
        go.unlink()

    presser = threading.Thread(target=interrupt)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        sdk(tmp_path, program).start_training(aws.target(), {}, BASE)
    presser.join()

    assert made.exists()
    assert aws.called("StopTrainingJob") == [{"TrainingJobName": JOB}]


def test_without_it_the_way_to_install_it_is_told(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT).mkdir(parents=True)  # an installation that broke off

    with pytest.raises(UserError, match="the SageMaker SDK, which is not installed") as raised:
        installed_sdk(tmp_path, tmp_path)

    assert raised.value.next_step == "make experiments"


def test_installed_it_is_the_python_of_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT).mkdir(parents=True)
    (tmp_path / ENVIRONMENT / ".installed").touch()

    assert installed_sdk(tmp_path, tmp_path).python == tmp_path / ENVIRONMENT / "bin" / "python"
