"""Has the SageMaker SDK start a training job: in a process and an environment of its own, since their pins conflict."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_steps.progress import say
from slipway import experiment_trainer
from slipway.errors import UserError
from slipway.target import Target

ENVIRONMENT = Path("build/experiments")
"""Where `make experiments` installs the SDK, below the project's folder."""

# The SDK refuses every training role that may not make network interfaces in any VPC, which ours may in none.
_VARIABLES = {"SAGEMAKER_VALIDATE_ROLE": "false"}


@dataclass(frozen=True)
class SageMakerSdk:
    """The SDK as it is installed.

    Attributes:
        python: of its environment.
        log_dir: where its own words go when it breaks off.
    """

    python: Path
    log_dir: Path

    def start_training(self, target: Target, request: Mapping[str, Any], base_job_name: str) -> str:
        """Start a training job; Ctrl-C meanwhile leaves none behind.

        Args:
            request: of CreateTrainingJob, without the job's name.
            base_job_name: what the name begins with; ModelTrainer adds the time.

        Returns:
            The job's name.

        Raises:
            UserError: AWS refused the job, or the SDK broke off.
        """
        task = json.dumps({"base_job_name": base_job_name, "request": request})
        # Its own session keeps the terminal's Ctrl-C from it: a job that is being made gets made, and is then stopped.
        child = subprocess.Popen(
            [str(self.python), "-I", experiment_trainer.__file__],
            env={**target.environment, **_VARIABLES},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            answer, words = child.communicate(task)
        except KeyboardInterrupt:
            say("waiting for the training job that is being made, to stop it")
            child.communicate()
            stop_training(target, base_job_name)
            raise
        if child.returncode == 0:
            return str(json.loads(answer)["job_name"])
        stop_training(target, base_job_name)  # it may have broken off when the job was there already
        raise self._failure(answer, words)

    def _failure(self, answer: str, words: str) -> UserError:
        if answer:
            return UserError(f"the training job was refused: {json.loads(answer)['refusal']}")
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / "sagemaker-sdk.log"
        log.write_text(words)
        last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
        return UserError(f"the SageMaker SDK broke off: {last}", f"read {log}")


def installed_sdk(root: Path, log_dir: Path) -> SageMakerSdk:
    """The SDK of a project.

    Raises:
        UserError: it is not installed.
    """
    if not (root / ENVIRONMENT / ".installed").exists():  # what make leaves when it has come to its end
        raise UserError(
            "experiments need the SageMaker SDK, which is not installed: 700 MiB, in an environment of its own",
            "make experiments",
        )
    return SageMakerSdk(root / ENVIRONMENT / "bin" / "python", log_dir)


def stop_training(target: Target, base_job_name: str) -> None:
    """Stop the running training jobs whose names begin so."""
    sagemaker = target.client("sagemaker")
    found = sagemaker.list_training_jobs(NameContains=base_job_name, StatusEquals="InProgress")
    for job in found["TrainingJobSummaries"]:
        if job["TrainingJobName"].startswith(base_job_name):
            sagemaker.stop_training_job(TrainingJobName=job["TrainingJobName"])
