"""A whole experiment on moto, whose jobs are born finished; what their containers would have written lies there."""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from moto import mock_aws
from rich.console import Console

from pipeline_steps.documents import DatasetManifest
from pipeline_steps.steps import train_model
from settings import load
from slipway.errors import UserError
from slipway.experiment import Experiment
from slipway.experiment_jobs import ExperimentJobs
from slipway.experiment_line import Dataset, DeployedLine, TargetAws
from slipway.experiment_record import ExperimentRecord, read_records
from slipway.experiment_settings import with_changes
from slipway.git_repository import GitRepository
from slipway.project import Project
from slipway.target import Target, aws_target
from tests.model_code.archives import archive, member
from tests.pipeline_steps.doubles import (
    BUCKET,
    IMAGE_URI,
    KEY_ARN,
    MODEL_SHA256,
    ROLE_ARN,
    keep_environments,
    refuse,
    script,
    serve_model_package,
)
from tests.slipway.recorded import EXECUTION, OLDER
from tests.slipway.test_git_repository import commit, git

ID = EXECUTION
JOB = f"flight-delays-train-{ID[:8]}-20261121070000"
CHAMPION_SHA256 = "c4" * 32
RECORDS = 1000


@dataclass
class StandInSdk:
    """Starts the training job by itself, as ModelTrainer would."""

    target: Target
    started: Callable[[], None] = lambda: None

    def start_training(self, target: Target, request: Mapping[str, Any], base_job_name: str) -> str:
        name = f"{base_job_name}-20261121070000"
        self.started()
        target.client("sagemaker").create_training_job(TrainingJobName=name, **request)
        return name


@dataclass
class Lab:
    """An account with a data set, and a project that is checked out."""

    target: Target
    project: Project
    line: DeployedLine
    out: io.StringIO

    @property
    def aws(self) -> TargetAws:
        return TargetAws(self.target)

    def put(self, key: str, content: bytes) -> None:
        self.target.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

    def put_scores(self, execution: str, role: str, sha256: str, distance: float, flip: bool = False) -> None:
        """An evaluation whose predictions for late and punctual flights are a distance apart, the rest being chance."""
        random = np.random.default_rng(3)
        labels = (random.random(RECORDS) < 0.3).astype(float)
        predictions = np.clip(0.2 + distance * labels + random.normal(0, 0.1, RECORDS), 0, 1)
        file = io.BytesIO()
        np.savez(file, label=1 - labels if flip else labels, prediction=predictions)
        scores = {"task": "binary", "metrics": {"model_mib": 1.5}, "rows": RECORDS, "model_sha256": sha256}
        folder = f"evaluations/{execution}/{role}"
        self.put(f"{folder}/predictions.npz", file.getvalue())
        self.put(f"{folder}/evaluation.json", json.dumps(scores).encode())

    def serve(self) -> None:
        serve_model_package(
            self.aws, "flight-delays-production", image_uri="000000000000.dkr.ecr.us-east-1.amazonaws.com/x@sha256:1",
            model_data_uri=f"s3://{BUCKET}/models/older/model.tar.gz",
            environment={"SLIPWAY_MODEL_SHA256": CHAMPION_SHA256},
        )  # fmt: skip

    def experiment(self, sdk: StandInSdk | None = None, prepare: bool = False, **changes: Any) -> Experiment:
        repository = GitRepository(self.project.root, os.environ)
        changed = tuple(repository.uncommitted_changes())
        settings = with_changes(load(self.project.root / "slipway.yaml"), changes)
        jobs = ExperimentJobs(ID, repository.head(), bool(changed), settings, self.target, self.line)
        dataset = None if prepare else Dataset(f"s3://{BUCKET}/datasets/{OLDER}/", "ab" * 32, OLDER)
        starting: Any = sdk or StandInSdk(self.target)
        console = Console(file=self.out, width=160)
        return Experiment(console, self.project, self.target, repository, starting, jobs, dataset, changed, changes)

    def record(self) -> ExperimentRecord:
        (record,) = read_records(self.target, BUCKET)
        return record

    def processing_jobs(self) -> set[str]:
        jobs = self.target.client("sagemaker").list_processing_jobs()["ProcessingJobSummaries"]
        return {job["ProcessingJobName"] for job in jobs}

    @property
    def said(self) -> str:
        return " ".join(self.out.getvalue().split())


@pytest.fixture
def lab(project: Project) -> Iterator[Lab]:
    """The working tree is as committed, and the commit has its image."""
    git(project.root, "init", "-q", "-b", "main")
    (project.root / "model_code").mkdir()
    head = commit(project.root, "model_code/model.py")
    variables = {
        "IMAGE_REPOSITORY": "flight-delays", "DATA_BUCKET": BUCKET, "KEY_ARN": KEY_ARN, "TRAINING_ROLE_ARN": ROLE_ARN,
        "PROCESSING_ROLE_ARN": ROLE_ARN, "PRODUCTION_ENDPOINT": "flight-delays-production",
    }  # fmt: skip
    with mock_aws():
        target = aws_target(os.environ)
        target.client("s3").create_bucket(Bucket=BUCKET)
        target.client("ecr").create_repository(repositoryName="flight-delays")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
        target.client("ecr").put_image(
            repositoryName="flight-delays", imageManifest=json.dumps(manifest), imageTag=head
        )
        keep_environments(target.client("sagemaker"))
        lab = Lab(target, project, DeployedLine(variables, "artifacts"), io.StringIO())
        lab.put(f"models/{ID}/{JOB}/output/model.tar.gz", archive(member("a", b"one"), member("b/2", b"two")))
        lab.put_scores(ID, "challenger", MODEL_SHA256, 0.15)
        yield lab


def test_the_training_request_is_the_steps_but_for_the_tags(lab: Lab) -> None:
    experiment = lab.experiment(trees=7)
    settings = with_changes(load(lab.project.root / "slipway.yaml"), {"trees": 7})
    dataset = Dataset("s3://data/datasets/1/", "ab" * 32, OLDER)
    inputs = train_model.Inputs(
        execution_id=ID, commit_id=experiment.jobs.commit, data_bucket=BUCKET, key_arn=KEY_ARN, image_uri=IMAGE_URI,
        dataset_uri=dataset.uri, training_role_arn=ROLE_ARN,
    )  # fmt: skip
    step = train_model.training_request(settings, inputs)

    request = experiment.jobs.training_request(IMAGE_URI, dataset)

    tags = [{"Key": "slipway:experiment", "Value": ID}, {"Key": "slipway:commit", "Value": experiment.jobs.commit}]
    assert {**request.body, "Tags": step.body["Tags"]} == step.body
    assert request.body["Tags"] == tags
    assert request.body["HyperParameters"]["trees"] == "7"


def test_it_is_scored_beside_the_champion_on_the_same_holdout(lab: Lab) -> None:
    lab.serve()
    lab.put_scores(ID, "champion", CHAMPION_SHA256, 0.12)

    lab.experiment(trees=7).run()

    assert lab.processing_jobs() == {f"flight-delays-evaluate-{role}-{ID[:8]}" for role in ("challenger", "champion")}
    job = lab.target.client("sagemaker").describe_processing_job(
        ProcessingJobName=f"flight-delays-evaluate-champion-{ID[:8]}"
    )
    assert {entry["S3Input"]["S3Uri"] for entry in job["ProcessingInputs"]} == {
        f"s3://{BUCKET}/models/older/model.tar.gz", f"s3://{BUCKET}/datasets/{OLDER}/holdout/",
    }  # fmt: skip
    assert "champion v1" in lab.said
    record = lab.record()
    assert record.champion is not None
    assert record.difference is not None
    assert record.difference.low is not None
    assert f"{record.difference.value:+.4f} ({record.difference.low:+.4f}, " in lab.said
    assert record.metrics["roc_auc"] > record.champion.metrics["roc_auc"]  # type: ignore[operator]


def test_everything_is_tagged_and_nothing_is_registered(lab: Lab) -> None:
    lab.serve()
    lab.put_scores(ID, "champion", CHAMPION_SHA256, 0.12)
    (lab.project.root / "README.md").write_text("not committed")

    lab.experiment().run()

    sagemaker = lab.target.client("sagemaker")
    training = sagemaker.describe_training_job(TrainingJobName=JOB)["TrainingJobArn"]
    scoring = [
        sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobArn"] for name in lab.processing_jobs()
    ]
    for arn in (training, *scoring):
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert tags["slipway:experiment"] == ID
        assert tags["slipway:commit"] == f"{lab.record().commit}+"
        assert "slipway:execution" not in tags
    assert len(sagemaker.list_model_packages(ModelPackageGroupName="flight-delays")["ModelPackageSummaryList"]) == 1


@pytest.mark.parametrize("role", ["challenger", "champion"])
def test_a_champion_that_was_scored_on_this_holdout_is_not_scored_again(lab: Lab, role: str) -> None:
    lab.serve()
    lab.put_scores(OLDER, role, CHAMPION_SHA256, 0.12)

    lab.experiment().run()

    assert lab.processing_jobs() == {f"flight-delays-evaluate-challenger-{ID[:8]}"}
    assert lab.record().champion is not None


def test_a_champion_that_cannot_be_compared_record_by_record_has_its_numbers_all_the_same(lab: Lab) -> None:
    lab.serve()
    lab.put_scores(ID, "champion", CHAMPION_SHA256, 0.12, flip=True)

    lab.experiment().run()

    assert "read different labels from the same holdout" in lab.said
    record = lab.record()
    assert record.champion is not None
    assert record.champion.metrics
    assert record.difference is None


def test_without_a_champion_it_is_measured_by_itself(lab: Lab) -> None:
    lab.experiment().run()

    record = lab.record()
    assert (record.outcome, record.champion, record.rows) == ("Completed", None, RECORDS)


def test_the_record_says_who_what_and_from_what(lab: Lab) -> None:
    (lab.project.root / "README.md").write_text("not committed")

    lab.experiment(trees=7).run()

    record = lab.record()
    assert record.commit == git(lab.project.root, "rev-parse", "HEAD")
    assert record.changed_files == ("?? README.md",)
    assert record.changes == {"trees": "7"}
    assert record.hyperparameters["trees"] == "7"
    assert record.training_job == JOB
    assert record.data_version == "ab" * 32
    assert (
        f"Experiment {ID[:8]}: commit {record.commit[:8]} and 1 uncommitted file, trees=7, on data version" in lab.said
    )


def test_a_training_that_fails_is_told_with_its_reason_and_kept(lab: Lab) -> None:
    reason = "AlgorithmError: max_depth must be 1 to 16, got 99\n\nTraceback (most recent call last): ..."
    script(
        lab.target.client("sagemaker"), "DescribeTrainingJob",
        [{"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed", "FailureReason": reason}],
    )  # fmt: skip

    with pytest.raises(UserError, match=r"max_depth must be 1 to 16, got 99$") as raised:
        lab.experiment(max_depth=99).run()

    assert raised.value.next_step == "slipway experiment --prepare, if the code that prepares the data has changed"
    record = lab.record()
    assert (record.outcome, record.training_job, dict(record.metrics)) == ("Failed", JOB, {})
    assert "max_depth must be 1 to 16" in str(record.failure)


def test_a_job_that_is_refused_is_kept_as_failed(lab: Lab) -> None:
    def broken() -> None:
        raise UserError("the training job was refused: the quota is 0")

    with pytest.raises(UserError, match="the quota is 0"):
        lab.experiment(StandInSdk(lab.target, started=broken)).run()

    assert lab.record().failure == "the training job was refused: the quota is 0"


def test_ctrl_c_stops_the_job_and_is_kept(lab: Lab) -> None:
    sagemaker, stopped = lab.target.client("sagemaker"), list[str]()

    def press(parsed: dict[str, Any], **_: object) -> None:
        raise KeyboardInterrupt

    def note(params: dict[str, Any], **_: object) -> None:
        stopped.append(params["TrainingJobName"])

    script(sagemaker, "DescribeTrainingJob", [{"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}])
    sagemaker.meta.events.register("provide-client-params.*.StopTrainingJob", note)
    refuse(sagemaker, "StopTrainingJob", "ValidationException", "it has been told")
    lab.target.client("logs").meta.events.register("after-call.*.DescribeLogStreams", press)
    lab.target.client("logs").create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")

    with pytest.raises(KeyboardInterrupt):
        lab.experiment().run()

    assert stopped == [JOB]
    assert (lab.record().outcome, lab.record().failure) == ("Stopped", "stopped with Ctrl-C")


def test_prepare_makes_the_data_set_with_the_experiments_image(lab: Lab) -> None:
    manifest = {"data_version": "cd" * 32, "rows": {"train": 1, "validation": 1, "holdout": 1}}
    lab.put(f"datasets/{ID}/manifest.json", DatasetManifest.model_validate(manifest).model_dump_json().encode())

    lab.experiment(prepare=True).run()

    assert f"flight-delays-prepare-{ID[:8]}" in lab.processing_jobs()
    assert lab.record().dataset_uri == f"s3://{BUCKET}/datasets/{ID}/"
    assert lab.record().data_version == "cd" * 32
