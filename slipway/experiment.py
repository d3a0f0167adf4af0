"""`slipway experiment`: train the working tree's code and score it beside the champion; nothing is registered.

    what there is   buckets, roles, newest data set, champion     experiment_line
    image           of the working tree's model_code              experiment_image
    training        the step's request, through ModelTrainer      experiment_jobs, experiment_sdk, experiment_trainer
    scores          on the holdout, as the gate would see them    experiment_jobs
    record          for `slipway experiments`                     experiment_record, experiment_listing

The person's own credentials act, and every job carries the tag `slipway:experiment`.
"""

import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.text import Text

from pipeline_steps.champion import Champion
from pipeline_steps.errors import StepError
from pipeline_steps.jobs import FinishedJob, JobRequest
from settings import load
from slipway import rendering
from slipway.errors import UserError
from slipway.executions import now
from slipway.experiment_image import WorkingImage
from slipway.experiment_jobs import Evaluation, ExperimentJobs
from slipway.experiment_line import (
    Dataset,
    champions_hyperparameters,
    deployed_line,
    newest_dataset,
    person,
    serving_champion,
)
from slipway.experiment_record import ChampionScores, ExperimentRecord, KeptRecord
from slipway.experiment_sdk import SageMakerSdk, installed_sdk
from slipway.experiment_settings import Value, read_changes, with_changes
from slipway.experiment_view import result_view
from slipway.git_repository import GitRepository
from slipway.phases import Phases
from slipway.project import SETTINGS_FILE, Project
from slipway.target import Target


@dataclass(frozen=True)
class Experiment:
    """One experiment with the working tree.

    Attributes:
        dataset: what to train on; None to prepare the raw data with the working tree's code.
        changed_files: those that differ from the commit.
        changes: of hyperparameters, by --set.
    """

    console: Console
    project: Project
    target: Target
    repository: GitRepository
    sdk: SageMakerSdk
    jobs: ExperimentJobs
    dataset: Dataset | None
    changed_files: tuple[str, ...]
    changes: Mapping[str, Value]

    def run(self) -> None:
        """Go the whole way, and print the evaluation.

        Raises:
            UserError: the image, a job or the SDK failed, with the reason.
        """
        self._announce()
        phases, jobs = Phases(self.console), self.jobs
        with self._step_errors(), redirect_stdout(FileProxy(self.console, sys.stdout)):  # steps print, as do their jobs
            champion = serving_champion(jobs.aws, jobs.line)
            image_uri = self._image(phases)
            dataset = self.dataset or self._prepared(phases, image_uri)
            request = jobs.training_request(image_uri, dataset)
            record = self._record(request, dataset, champion)
            with KeptRecord(self.target, jobs.line.data_bucket, record) as kept:
                training = self._trained(phases, kept, request)
                with phases.phase("Evaluate") as phase:
                    evaluation = jobs.evaluate(image_uri, dataset, training, champion)
                    phase.note = f"{evaluation.comparison.records:,} records of the holdout"
                kept.note(outcome="Completed", **_scores(evaluation, champion))
        self.console.print("", result_view(kept.record, evaluation.comparison, evaluation.decision), "")
        self.console.print(rendering.next_commands(self._next()))

    def _announce(self) -> None:
        """Say what is about to be done."""
        files = len(self.changed_files)
        changed = f" and {files} uncommitted {'file' if files == 1 else 'files'}" if files else ""
        settings = " ".join(f"{name}={value}" for name, value in self.changes.items()) or f"{SETTINGS_FILE} as it is"
        data = "the raw data, prepared anew" if self.dataset is None else f"data version {self.dataset.version[:12]}"
        self.console.print(
            Text.assemble(
                (f"Experiment {self.jobs.id[:8]}", "bold"),
                f": commit {self.jobs.commit[:8]}{changed}, {settings}, on {data}.\n",
                ("It trains a model and scores it beside the champion; nothing is registered or deployed.", "dim"),
            ),
            soft_wrap=True,
        )

    def _image(self, phases: Phases) -> str:
        base_image = self.jobs.settings.container.base_image
        working = WorkingImage(self.target, self.project, self.jobs.line, self.repository, base_image)
        with phases.phase("Image") as phase:
            image = working.provide(self.jobs.id, phase.progress)
            phase.note = image.origin
        if image.complaint is not None:
            self.console.print(Text(f"The pipeline would refuse this image: {image.complaint}", "yellow"))
        return image.uri

    def _prepared(self, phases: Phases, image_uri: str) -> Dataset:
        with phases.phase("Prepare") as phase:
            dataset = self.jobs.prepare(image_uri)
            phase.note = f"data version {dataset.version[:12]}"
        return dataset

    def _trained(self, phases: Phases, kept: KeptRecord, request: JobRequest) -> FinishedJob:
        with phases.phase("Train") as phase:
            phase.note = self.sdk.start_training(self.target, request.body, request.name)
            kept.note(training_job=phase.note)
            training = self.jobs.follow_training(request, phase.note)
        kept.note(training_seconds=training.answer.get("TrainingTimeInSeconds"))
        return training

    def _record(self, request: JobRequest, dataset: Dataset, champion: Champion | None) -> ExperimentRecord:
        hyperparameters: Mapping[str, str] = request.body["HyperParameters"]
        before = champions_hyperparameters(self.jobs.aws, champion)
        changed = [name for name, value in hyperparameters.items() if before.get(name) != value]
        return ExperimentRecord(
            id=self.jobs.id,
            started=now(),
            person=person(self.target),
            commit=self.jobs.commit,
            changed_files=self.changed_files,
            hyperparameters=hyperparameters,
            changes={name: hyperparameters[name] for name in (changed if before else self.changes)},
            image_uri=request.body["AlgorithmSpecification"]["TrainingImage"],
            dataset_uri=dataset.uri,
            data_version=dataset.version,
        )

    @contextmanager
    def _step_errors(self) -> Iterator[None]:
        """Let what the steps raise be read as errors of the command: the first paragraph, which holds no traceback."""
        try:
            yield
        except StepError as error:
            reason = str(error).partition("\n\n")[0]
            stale = "slipway experiment --prepare, if the code that prepares the data has changed"
            raise UserError(reason, None if self.dataset is None else stale) from error

    def _next(self) -> Mapping[str, str]:
        written = f", once {SETTINGS_FILE} has the hyperparameters" if self.changes else ""
        return {
            "slipway experiments": "all of them side by side",
            f"git push slipway HEAD:{self.project.branch}": f"through the pipeline, committed{written}",
        }


def make_experiment(
    console: Console, project: Project, find_target: Callable[[], Target], given: Sequence[str], *, prepare: bool
) -> Experiment:
    """An experiment with all that it needs; whatever is missing is told before anything starts.

    Args:
        find_target: asked once the command itself is without a fault.
        given: NAME=VALUE of changed hyperparameters.
        prepare: whether to prepare the raw data anew.

    Raises:
        UserError: a fault in `given`, no SDK, no commit, no deployed pipeline or no data set.
    """
    changes = read_changes(given, project.root)
    sdk = installed_sdk(project.root, project.log_dir)
    target = find_target()
    repository = GitRepository(project.root, target.environment)
    repository.require()
    settings = with_changes(load(project.root / SETTINGS_FILE, target.overlay), changes)
    line = deployed_line(target, project)
    changed_files = tuple(repository.uncommitted_changes())
    jobs = ExperimentJobs(str(uuid.uuid4()), repository.head(), bool(changed_files), settings, target, line)
    dataset = None if prepare else newest_dataset(target, project)
    return Experiment(console, project, target, repository, sdk, jobs, dataset, changed_files, changes)


def _scores(evaluation: Evaluation, champion: Champion | None) -> dict[str, Any]:
    """What the record keeps of an evaluation."""
    comparison, primary = evaluation.comparison, evaluation.comparison.primary
    scored = None
    if champion is not None and evaluation.champion is not None:
        metrics = {one.name: one.champion.value for one in comparison.metrics if one.champion is not None}
        # One that cannot be compared record by record has numbers all the same.
        metrics = metrics or dict(evaluation.champion.metrics)
        scored = ChampionScores(version=champion.model_package_arn.rpartition("/")[2], metrics=metrics)
    return {
        "rows": comparison.records,
        "metrics": {one.name: one.challenger.value for one in comparison.metrics},
        "champion": scored,
        "difference": None if primary is None else primary.difference,
        "verdict": evaluation.decision.verdict,
    }
