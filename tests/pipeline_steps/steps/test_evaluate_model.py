"""Challenger and champion are scored on the same holdout, each by its own code, and the gate's answer is kept."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_steps import publishing
from pipeline_steps.aws import Aws
from pipeline_steps.documents import Comparison, EvaluationReport, PromotionDecision, Samples
from pipeline_steps.errors import DocumentError, JobError
from pipeline_steps.gate import FIRST_RUN_NOTE
from pipeline_steps.report.html import render_html
from pipeline_steps.scoring import Model, evaluation_request, slice_argument
from pipeline_steps.steps import evaluate_model
from settings import Settings, SliceColumn
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    KEY_ARN,
    MODEL_SHA256,
    ROLE_ARN,
    keep_environments,
    put_json,
    refuse,
    script,
    serve_model_package,
)

CHAMPION_IMAGE_URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/flight-delays@sha256:{'c2' * 32}"
CHAMPION_MODEL_URI = f"s3://{BUCKET}/models/older/output/model.tar.gz"
CHALLENGER_MODEL_URI = f"s3://{BUCKET}/models/{EXECUTION_ID}/output/model.tar.gz"
PRODUCTION = "flight-delays-production"
CHAMPION_SHA256 = "c4" * 32
TRAINING_JOB = "flight-delays-train-0f9e8d7c"
RECORDS = 1500
SAMPLES = {"columns": ["temp", "dest"], "records": [{"temp": 1.0, "dest": "BOS"}], "predictions": [0.25]}
DESCRIPTION = {"openapi": "3.1.0", "info": {"version": "1"}, "components": {"schemas": {}}, "paths": {}}


@pytest.fixture
def inputs(tmp_path: Path) -> evaluate_model.Inputs:
    return evaluate_model.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        image_uri=IMAGE_URI,
        model_data_uri=CHALLENGER_MODEL_URI,
        model_sha256=MODEL_SHA256,
        dataset_uri=f"s3://{BUCKET}/datasets/{EXECUTION_ID}/",
        data_version="ab" * 32,
        training_job_name=TRAINING_JOB,
        data_bucket=BUCKET,
        processing_role_arn=ROLE_ARN,
        key_arn=KEY_ARN,
        production_endpoint=PRODUCTION,
        documents_dir=tmp_path / "evaluation",
    )


@pytest.fixture(autouse=True)
def training_job(aws: Aws, settings: Settings) -> None:
    """The job that trained the challenger."""
    aws.sagemaker.create_training_job(
        TrainingJobName=TRAINING_JOB,
        AlgorithmSpecification={"TrainingImage": IMAGE_URI, "TrainingInputMode": "File"},
        RoleArn=ROLE_ARN,
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        HyperParameters={"trees": "200"},
    )


@pytest.fixture(autouse=True)
def plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a second; one test here lets it be."""
    monkeypatch.setattr(publishing, "render_html", lambda evidence: f"<html>{evidence.decision.verdict}</html>")


def put_scores(aws: Aws, role: str, distance: float, *, records: int = RECORDS, **more: Any) -> None:
    """An evaluation whose predictions for late and punctual flights are a distance apart, the rest being chance."""
    random = np.random.default_rng(3)
    labels = (random.random(records) < 0.3).astype(float)
    predictions = np.clip(0.2 + distance * labels + random.normal(0, 0.1, records), 0, 1)
    sha256 = {"challenger": MODEL_SHA256, "champion": CHAMPION_SHA256}[role]
    scores = {"task": "binary", "metrics": {"model_mib": 1.5}, "rows": records, "model_sha256": sha256, **more}
    file = io.BytesIO()
    np.savez(file, label=labels, prediction=predictions)
    folder = f"evaluations/{EXECUTION_ID}/{role}"
    aws.s3.put_object(Bucket=BUCKET, Key=f"{folder}/predictions.npz", Body=file.getvalue())
    put_json(aws, f"{folder}/evaluation.json", scores)
    put_json(aws, f"{folder}/samples.json", SAMPLES)
    put_json(aws, f"{folder}/openapi.json", DESCRIPTION)


def read_text(aws: Aws, name: str) -> str:
    return aws.read_text(f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/{name}")


@pytest.fixture
def champion_arn(aws: Aws, bucket: str) -> str:
    """The package that production serves; both models have their scores."""
    keep_environments(aws.sagemaker)
    put_scores(aws, "challenger", 0.15)
    put_scores(aws, "champion", 0.12)
    serve_model_package(aws, "flight-delays-staging", image_uri="other", model_data_uri=f"s3://{BUCKET}/other")
    return serve_champion(aws, SLIPWAY_MODEL_SHA256=CHAMPION_SHA256)


def serve_champion(aws: Aws, **environment: str) -> str:
    return serve_model_package(
        aws,
        PRODUCTION,
        image_uri=CHAMPION_IMAGE_URI,
        model_data_uri=CHAMPION_MODEL_URI,
        environment=environment,
    )


def stop_serving(aws: Aws) -> None:
    aws.sagemaker.delete_endpoint(EndpointName=PRODUCTION)
    aws.sagemaker.delete_endpoint_config(EndpointConfigName=f"{PRODUCTION}-config")
    aws.sagemaker.delete_model(ModelName=f"{PRODUCTION}-model")


def jobs(aws: Aws) -> set[str]:
    return {job["ProcessingJobName"] for job in aws.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]}


def input_uris(aws: Aws, job: str) -> dict[str, str]:
    answer = aws.sagemaker.describe_processing_job(ProcessingJobName=job)
    return {entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in answer["ProcessingInputs"]}


def test_the_request_is_complete(settings: Settings, inputs: evaluate_model.Inputs) -> None:
    model = Model("champion", CHAMPION_IMAGE_URI, CHAMPION_MODEL_URI, CHAMPION_SHA256, "arn")

    request = evaluation_request(settings, inputs, model)

    assert (request.name, request.label) == ("flight-delays-evaluate-champion-0f9e8d7c", "champion")
    assert request.body == {
        "AppSpecification": {"ImageUri": CHAMPION_IMAGE_URI, "ContainerArguments": ["evaluate"]},
        "Environment": {"SLIPWAY_MODEL_SHA256": CHAMPION_SHA256},
        "RoleArn": ROLE_ARN,
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in (
                ("model", CHAMPION_MODEL_URI),
                ("holdout", f"s3://{BUCKET}/datasets/{EXECUTION_ID}/holdout/"),
            )
        ],
        "ProcessingOutputConfig": {
            "KmsKeyId": KEY_ARN,
            "Outputs": [
                {
                    "OutputName": "evaluation",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/champion/",
                        "LocalPath": "/opt/ml/processing/output/evaluation",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ],
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 20,
                "VolumeKmsKeyId": KEY_ARN,
            }
        },
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [
            {"Key": "team", "Value": "delays"},
            {"Key": "slipway:execution", "Value": EXECUTION_ID},
            {"Key": "slipway:commit", "Value": COMMIT_ID},
        ],
    }


@pytest.mark.parametrize(
    ("column", "argument"),
    [
        (SliceColumn(column="carrier"), "--slice=carrier"),
        (SliceColumn(column="air time", bands=(-0.5, 100.25, 1e6)), "--slice=air time:-0.5,100.25,1000000"),
    ],
)
def test_the_container_is_told_of_the_slices(column: SliceColumn, argument: str) -> None:
    assert slice_argument(column) == argument


def test_the_challengers_code_slices_the_holdout_and_the_champions_need_not_know_how(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str
) -> None:
    slices = settings.evaluation.slices.model_copy(update={"by": (SliceColumn(column="origin"),)})
    evaluation = settings.evaluation.model_copy(update={"slices": slices})

    evaluate_model.run(aws, settings.model_copy(update={"evaluation": evaluation}), inputs)

    arguments = {
        job: aws.sagemaker.describe_processing_job(ProcessingJobName=job)["AppSpecification"]["ContainerArguments"]
        for job in jobs(aws)
    }
    assert arguments == {
        "flight-delays-evaluate-challenger-0f9e8d7c": ["evaluate", "--slice=origin"],
        "flight-delays-evaluate-champion-0f9e8d7c": ["evaluate"],
    }


def test_both_models_are_scored_and_the_documents_written(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exports = evaluate_model.run(aws, settings, inputs)

    assert exports["VERDICT"] == "Accepted"
    assert exports["SUMMARY"].startswith("Accepted: roc_auc 0.8421 (champion 0.7872), log_loss 0.")
    assert exports["SUMMARY"].endswith(f"on {RECORDS} holdout records")
    assert input_uris(aws, "flight-delays-evaluate-challenger-0f9e8d7c")["model"] == CHALLENGER_MODEL_URI
    assert input_uris(aws, "flight-delays-evaluate-champion-0f9e8d7c")["model"] == CHAMPION_MODEL_URI
    challenger = EvaluationReport.read(inputs.documents_dir, "challenger")
    champion = EvaluationReport.read(inputs.documents_dir, "champion")
    assert (challenger.image_uri, challenger.model_package_arn) == (IMAGE_URI, None)
    assert (champion.image_uri, champion.model_package_arn) == (CHAMPION_IMAGE_URI, champion_arn)
    assert (challenger.model_sha256, champion.model_sha256) == (MODEL_SHA256, CHAMPION_SHA256)
    assert challenger.evaluation_uri == f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/challenger/evaluation.json"
    primary = Comparison.read(inputs.documents_dir, "comparison").primary
    assert primary is not None and primary.difference is not None
    assert primary.difference.value == pytest.approx(0.8421 - 0.7872, abs=1e-4)
    assert PromotionDecision.read(inputs.documents_dir, "decision").verdict == "Accepted"
    assert json.loads((inputs.documents_dir / "samples.json").read_text()) == SAMPLES
    assert json.loads((inputs.documents_dir / "openapi.json").read_text()) == DESCRIPTION
    log = capsys.readouterr().out
    assert "metric                        challenger      champion    difference              interval" in log
    assert "roc_auc                           0.8421        0.7872       +0.0550    +0.0504 to +0.0595" in log


def test_the_report_is_beside_the_documents_and_where_the_registry_finds_it(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "render_html", render_html)
    put_json(aws, f"datasets/{EXECUTION_ID}/manifest.json", {"data_version": "ab" * 32, "rows": ROWS, "label": "late"})

    exports = evaluate_model.run(aws, settings, inputs)

    page = read_text(aws, "report.html")
    for told in ("Accepted", "0.8421", COMMIT_ID[:8], "trees", "200", "ab" * 6, TRAINING_JOB):
        assert told in page
    assert "Accepted" in read_text(aws, "report.md")
    quality = json.loads(read_text(aws, "model_quality.json"))["binary_classification_metrics"]
    assert quality["auc"]["value"] == pytest.approx(0.8421, abs=1e-4)
    for name in ("report.html", "report.md", "report_facts.json", "model_quality.json"):
        assert (inputs.documents_dir / name).read_text() == read_text(aws, name)
    assert len(exports["APPROVAL_TEXT"]) <= 400
    assert exports["APPROVAL_TEXT"].startswith("Accepted: roc_auc 0.84")


ROWS = {"train": 9000, "validation": 1000, "holdout": RECORDS}


def test_a_data_set_without_a_readable_manifest_is_reported_without_it(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Accepted"
    assert f"the report goes without {inputs.dataset_uri}manifest.json: could not read" in capsys.readouterr().out


def test_the_first_run_has_no_champion(
    aws: Aws, bucket: str, settings: Settings, inputs: evaluate_model.Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    put_scores(aws, "challenger", 0.15)
    stale = EvaluationReport(metrics={}, rows=0)
    stale.write(inputs.documents_dir, "champion")

    exports = evaluate_model.run(aws, settings, inputs)

    assert exports["SUMMARY"].startswith("Accepted: roc_auc 0.8421 (no champion), ")
    assert jobs(aws) == {"flight-delays-evaluate-challenger-0f9e8d7c"}
    assert not (inputs.documents_dir / "champion.json").exists()
    assert PromotionDecision.read(inputs.documents_dir, "decision").notes == (FIRST_RUN_NOTE,)
    assert f"there is no endpoint {PRODUCTION}: no champion to compare with" in capsys.readouterr().out


def test_an_equal_challenger_is_not_worse(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str
) -> None:
    put_scores(aws, "challenger", 0.12)

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Accepted"
    primary = Comparison.read(inputs.documents_dir, "comparison").primary
    assert primary is not None and primary.difference is not None
    assert (primary.difference.low, primary.difference.high) == (0, 0)


@pytest.mark.usefixtures("champion_arn")
def test_models_that_scored_other_records_are_not_compared(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_scores(aws, "champion", 0.12, records=RECORDS - 1)

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Rejected"
    assert EvaluationReport.read(inputs.documents_dir, "champion").failure == (
        f"the challenger's code scored {RECORDS} records of the holdout, the champion's {RECORDS - 1}"
    )


@pytest.mark.usefixtures("champion_arn")
def test_an_evaluation_that_its_own_predictions_belie_fails_the_step(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_scores(aws, "challenger", 0.15, metrics={"roc_auc": 0.99})

    with pytest.raises(DocumentError, match=r"it says roc_auc 0.99, but its predictions give 0.842"):
        evaluate_model.run(aws, settings, inputs)


@pytest.mark.usefixtures("champion_arn")
def test_a_rejection_is_a_result_and_not_a_failure_here(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_scores(aws, "challenger", 0.01)

    exports = evaluate_model.run(aws, settings, inputs)

    assert exports["VERDICT"] == "Rejected"
    assert exports["SUMMARY"].startswith("Rejected: The challenger's roc_auc 0.51")
    decision = PromotionDecision.read(inputs.documents_dir, "decision")
    assert len(decision.reasons) == 3
    assert Samples.read(inputs.documents_dir, "samples").predictions == (0.25,)


def test_a_champion_whose_job_fails_rejects_with_its_reason(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str
) -> None:
    completed: dict[str, Any] = {"ProcessingJobStatus": "Completed"}
    failed = {"ProcessingJobStatus": "Failed", "ExitMessage": "the holdout has no column temp"}
    script(aws.sagemaker, "DescribeProcessingJob", [completed, failed])

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Rejected"

    champion = EvaluationReport.read(inputs.documents_dir, "champion")
    assert champion.model_package_arn == champion_arn
    assert champion.failure == (
        "the processing job flight-delays-evaluate-champion-0f9e8d7c Failed: the holdout has no column temp"
    )
    reasons = PromotionDecision.read(inputs.documents_dir, "decision").reasons
    assert reasons == (f"The champion could not be scored, so nothing can be compared: {champion.failure}",)


@pytest.mark.usefixtures("champion_arn")
def test_a_champion_whose_scores_cannot_be_read_rejects(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_json(aws, f"evaluations/{EXECUTION_ID}/champion/evaluation.json", {"score": 1})

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Rejected"
    failure = EvaluationReport.read(inputs.documents_dir, "champion").failure
    assert failure is not None
    assert "champion/evaluation.json is no Scores: metrics" in failure


@pytest.mark.usefixtures("champion_arn")
def test_a_champion_whose_package_is_gone_rejects(aws: Aws, settings: Settings, inputs: evaluate_model.Inputs) -> None:
    refuse(aws.sagemaker, "DescribeModelPackage", "ValidationException", "ModelPackage does not exist")

    summary = evaluate_model.run(aws, settings, inputs)["SUMMARY"]

    assert summary.startswith(
        "Rejected: The champion could not be scored, so nothing can be compared: could not look at"
    )
    assert jobs(aws) == {"flight-delays-evaluate-challenger-0f9e8d7c"}


def test_an_endpoint_that_was_not_made_from_a_model_package_rejects(
    aws: Aws, bucket: str, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_scores(aws, "challenger", 0.15)
    serve_model_package(aws, PRODUCTION, image_uri="image", model_data_uri=CHAMPION_MODEL_URI, registered=False)

    summary = evaluate_model.run(aws, settings, inputs)["SUMMARY"]

    assert summary.startswith("Rejected: The champion could not be scored")
    assert f"the endpoint {PRODUCTION} serves the model {PRODUCTION}-model, which is of no model package" in summary


@pytest.mark.usefixtures("champion_arn")
def test_a_deployment_meanwhile_does_not_disturb_the_search_for_the_champion(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    refuse(aws.sagemaker, "DescribeModel", "ValidationException", "Could not find model", times=2)

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Accepted"
    assert (inputs.documents_dir / "champion.json").exists()


@pytest.mark.usefixtures("champion_arn")
def test_a_champion_behind_something_deleted_for_good_rejects(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    refuse(aws.sagemaker, "DescribeModel", "ValidationException", "Could not find model")

    summary = evaluate_model.run(aws, settings, inputs)["SUMMARY"]

    assert f"the endpoint {PRODUCTION} serves something that no longer exists" in summary


@pytest.mark.usefixtures("champion_arn")
def test_a_challenger_that_cannot_be_scored_fails_the_step(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    answer = {"ProcessingJobStatus": "Failed", "ExitMessage": "no column temp"}
    script(aws.sagemaker, "DescribeProcessingJob", [answer])

    with pytest.raises(JobError, match="evaluate-challenger-0f9e8d7c Failed: no column temp"):
        evaluate_model.run(aws, settings, inputs)
    assert not inputs.documents_dir.exists()


def test_a_description_that_is_none_fails_the_step(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, bucket: str
) -> None:
    put_scores(aws, "challenger", 0.15)
    put_json(aws, f"evaluations/{EXECUTION_ID}/challenger/openapi.json", {"openapi": "3.1.0"})

    with pytest.raises(DocumentError, match=r"challenger/openapi.json is no ApiDescription: info Field required"):
        evaluate_model.run(aws, settings, inputs)


@pytest.mark.usefixtures("champion_arn")
def test_samples_without_records_fail_the_step(aws: Aws, settings: Settings, inputs: evaluate_model.Inputs) -> None:
    samples = {"columns": ["temp"], "records": [], "predictions": []}
    put_json(aws, f"evaluations/{EXECUTION_ID}/challenger/samples.json", samples)

    with pytest.raises(DocumentError, match=r"challenger/samples.json is no Samples: records"):
        evaluate_model.run(aws, settings, inputs)


def test_a_second_run_scores_a_new_champion_and_not_the_old_ones_job(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str
) -> None:
    evaluate_model.run(aws, settings, inputs)
    stop_serving(aws)
    newer = f"s3://{BUCKET}/models/newer/output/model.tar.gz"
    serve_model_package(aws, PRODUCTION, image_uri=IMAGE_URI, model_data_uri=newer)

    evaluate_model.run(aws, settings, inputs)

    assert input_uris(aws, "flight-delays-evaluate-champion-0f9e8d7c-2")["model"] == newer
    assert "flight-delays-evaluate-challenger-0f9e8d7c-2" not in jobs(aws)


def test_a_second_run_scores_a_model_that_was_replaced_meanwhile_anew(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, champion_arn: str
) -> None:
    evaluate_model.run(aws, settings, inputs)
    put_scores(aws, "challenger", 0.15, model_sha256="0f" * 32)

    evaluate_model.run(aws, settings, dataclasses.replace(inputs, model_sha256="0f" * 32))

    environment = {
        job: aws.sagemaker.describe_processing_job(ProcessingJobName=job)["Environment"]["SLIPWAY_MODEL_SHA256"]
        for job in jobs(aws)
    }
    assert environment == {
        "flight-delays-evaluate-challenger-0f9e8d7c": MODEL_SHA256,
        "flight-delays-evaluate-challenger-0f9e8d7c-2": "0f" * 32,
        "flight-delays-evaluate-champion-0f9e8d7c": CHAMPION_SHA256,
    }


@pytest.mark.usefixtures("champion_arn")
@pytest.mark.parametrize("said", [{"model_sha256": "0f" * 32}, {"model_sha256": None}], ids=["another", "none"])
def test_scores_of_another_model_than_the_challenger_fail_the_step(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, said: dict[str, Any]
) -> None:
    put_scores(aws, "challenger", 0.15, **said)

    with pytest.raises(DocumentError, match=f"must have the scores of the model {MODEL_SHA256}, it has those of"):
        evaluate_model.run(aws, settings, inputs)


@pytest.mark.usefixtures("champion_arn")
def test_scores_of_another_model_than_the_champion_reject(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    put_scores(aws, "champion", 0.12, model_sha256="0f" * 32)

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Rejected"
    failure = EvaluationReport.read(inputs.documents_dir, "champion").failure
    assert failure is not None
    assert failure.endswith(f"must have the scores of the model {CHAMPION_SHA256}, it has those of {'0f' * 32}")


@pytest.mark.usefixtures("champion_arn")
def test_a_champion_that_was_registered_without_a_digest_is_scored(
    aws: Aws, settings: Settings, inputs: evaluate_model.Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_serving(aws)
    arn = serve_champion(aws)

    assert evaluate_model.run(aws, settings, inputs)["VERDICT"] == "Accepted"
    job = aws.sagemaker.describe_processing_job(ProcessingJobName="flight-delays-evaluate-champion-0f9e8d7c")
    assert not job.get("Environment")
    assert f"the champion {arn} was registered without a digest" in capsys.readouterr().out


def test_the_documents_are_kept_for_a_later_release(
    aws: Aws, champion_arn: str, settings: Settings, inputs: evaluate_model.Inputs
) -> None:
    evaluate_model.run(aws, settings, inputs)

    for name in ("challenger", "champion", "comparison", "decision"):
        assert read_text(aws, f"{name}.json") == (inputs.documents_dir / f"{name}.json").read_text()
