"""The jobs of one experiment: the requests of the pipeline's own steps, followed as the steps follow them.

So an experiment and an execution with the same settings do the same. What differs: the names, the tag
`slipway:experiment` in place of an execution's, and that ModelTrainer starts the training job.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pipeline_steps import names
from pipeline_steps.champion import Champion
from pipeline_steps.comparison.compare import ScoredModel, compare
from pipeline_steps.documents import Comparison, DatasetManifest, EvaluationReport, PromotionDecision
from pipeline_steps.errors import DocumentError, NotFoundError
from pipeline_steps.gate import decide_promotion
from pipeline_steps.jobs import FinishedJob, JobRequest, run_jobs
from pipeline_steps.model_artifact import read_digests
from pipeline_steps.scored_champion import ScoredChampion, champion_model, read_champion
from pipeline_steps.scoring import Model, ScoringInputs, evaluation_request, read_evaluation
from pipeline_steps.steps import prepare_data, train_model
from settings import Settings
from slipway.experiment_line import Dataset, DeployedLine, TargetAws
from slipway.target import Target

TAG = "slipway:experiment"
"""On every job, with the experiment's id."""


@dataclass(frozen=True)
class Evaluation:
    """What the pipeline's gate would see.

    Attributes:
        champion: None when production serves nothing; with `failure` when it could not be compared.
    """

    experiment: EvaluationReport
    champion: EvaluationReport | None
    comparison: Comparison
    decision: PromotionDecision


@dataclass(frozen=True)
class ExperimentJobs:
    """The jobs of one experiment.

    Attributes:
        id: as an execution's, of which the steps make the names of jobs and places.
        commit: that is checked out.
        is_changed: whether files differ from it.
        settings: slipway.yaml, with the changed hyperparameters.
    """

    id: str
    commit: str
    is_changed: bool
    settings: Settings
    target: Target
    line: DeployedLine

    @property
    def aws(self) -> TargetAws:
        """The clients, as the steps take them."""
        return TargetAws(self.target)

    def prepare(self, image_uri: str) -> Dataset:
        """Prepare the raw data with the working tree's code.

        Raises:
            JobError: the container failed, with its reason.
            DataError: a split came out empty.
        """
        inputs = self.line.inputs(prepare_data.Inputs, **self._given(image_uri=image_uri))
        (job,) = self._run([prepare_data.preparation_request(self.settings, inputs)])
        job.require_completed()
        uri = names.dataset_uri(self.line.data_bucket, self.id)
        manifest = DatasetManifest.parse(self.aws.read_text(f"{uri}manifest.json"), f"{uri}manifest.json")
        prepare_data.check_splits(manifest)
        return Dataset(uri, manifest.data_version, self.id)

    def training_request(self, image_uri: str, dataset: Dataset) -> JobRequest:
        """The request of the step train_model, with an experiment's tags."""
        given = self._given(image_uri=image_uri, dataset_uri=dataset.uri)
        return self._tagged(train_model.training_request(self.settings, self.line.inputs(train_model.Inputs, **given)))

    def follow_training(self, request: JobRequest, job_name: str) -> FinishedJob:
        """Follow the job that ModelTrainer has started; with any other way out of here it is told to stop.

        Raises:
            JobError: the training failed; the text is the job's FailureReason in full.
        """
        (job,) = run_jobs(self.aws, [replace(request, name=job_name)])
        job.require_completed()
        return job

    def evaluate(
        self, image_uri: str, dataset: Dataset, training: FinishedJob, champion: Champion | None
    ) -> Evaluation:
        """Score the experiment's model and the champion on one holdout, as the step evaluate_model does.

        Raises:
            JobError: the experiment's model could not be scored. That the champion could not is no error.
        """
        artifact = training.answer["ModelArtifacts"]["S3ModelArtifacts"]
        sha256 = read_digests(self.aws, artifact, training.answer["TrainingEndTime"]).model
        mine = Model("challenger", image_uri, artifact, sha256, slices=self.settings.evaluation.slices.by)
        inputs = self.line.inputs(ScoringInputs, **self._given(dataset_uri=dataset.uri))
        old = None if champion is None else champion_model(champion)
        known = None if old is None else self._known(replace(inputs, execution_id=dataset.execution_id), old)
        models = [mine] if old is None or known is not None else [mine, old]
        jobs = self._run([evaluation_request(self.settings, inputs, model) for model in models])
        jobs[0].require_completed()
        report, scored = read_evaluation(self.aws, inputs, mine)
        if old is None:
            return self._judged(report, scored, ScoredChampion())
        old_scored = known if known is not None else read_champion(self.aws, inputs, old, jobs[1])
        return self._judged(report, scored, old_scored.beside(scored))

    def _known(self, inputs: ScoringInputs, champion: Model) -> ScoredChampion | None:
        """The champion's scores by the execution that prepared the data; most often it was the challenger of it."""
        if champion.sha256 is None:
            return None
        for role in ("challenger", "champion"):
            with suppress(NotFoundError, DocumentError):
                return ScoredChampion(*read_evaluation(self.aws, inputs, replace(champion, role=role)))
        return None

    def _judged(self, report: EvaluationReport, scored: ScoredModel, champion: ScoredChampion) -> Evaluation:
        policy = self.settings.evaluation
        comparison = compare(scored, champion.model, policy)
        decision = decide_promotion(report, champion.report, comparison, policy)
        return Evaluation(report, champion.report, comparison, decision)

    def _run(self, requests: Sequence[JobRequest]) -> list[FinishedJob]:
        return run_jobs(self.aws, [self._tagged(request) for request in requests])

    def _given(self, **more: Any) -> dict[str, Any]:
        return {"execution_id": self.id, "commit_id": self.commit, **more}

    def _tagged(self, request: JobRequest) -> JobRequest:
        commit = f"{self.commit}+" if self.is_changed else self.commit
        tags = {**self.settings.tags, TAG: self.id, "slipway:commit": commit}
        return replace(request, body={**request.body, "Tags": [{"Key": key, "Value": tags[key]} for key in tags]})
