"""A model is registered with its evidence, once, and a rejected one with the reasons against it."""

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipeline_steps.aws import Aws
from pipeline_steps.documents import (
    Comparison,
    Curves,
    CurvesOfBoth,
    Estimate,
    EvaluationReport,
    MetricComparison,
    PromotionDecision,
)
from pipeline_steps.errors import AwsError, DocumentError, PromotionError
from pipeline_steps.jobs import run_jobs
from pipeline_steps.steps import register_model, train_model
from pipeline_steps.training_record import TrainingRecord
from settings import Settings
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    KEY_ARN,
    MODEL_ARCHIVE_SHA256,
    MODEL_DATA_URI,
    MODEL_SHA256,
    ROLE_ARN,
    record,
    script,
)

GROUP = "flight-delays"
JOB = "flight-delays-train-0f9e8d7c"
DATASET_URI = f"s3://{BUCKET}/datasets/{EXECUTION_ID}/"
OF_THIS_EXECUTION = f"commit {COMMIT_ID}, execution {EXECUTION_ID}."
EVALUATION_URI = f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/challenger/evaluation.json"
CHAMPION_ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flight-delays/3"
CHALLENGER = EvaluationReport(metrics={"roc_auc": 0.65}, rows=1400, evaluation_uri=EVALUATION_URI)
CHAMPION = EvaluationReport(metrics={"roc_auc": 0.64}, rows=1400, model_package_arn=CHAMPION_ARN)
ACCEPTED = PromotionDecision(verdict="Accepted", reasons=("The challenger's roc_auc 0.65 is at least the limit 0.6.",))
COMPARISON = Comparison(
    task="binary",
    records=1400,
    confidence=0.95,
    resamples=1000,
    seed=1,
    metrics=(
        MetricComparison(
            name="roc_auc",
            goal="maximize",
            challenger=Estimate(value=0.65),
            difference=Estimate(value=0.01),
            primary=True,
        ),
    ),
    curves=CurvesOfBoth(challenger=Curves()),
)
TRAINING = TrainingRecord(
    name=JOB,
    arn=f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{JOB}",
    created=datetime(2026, 11, 21, tzinfo=UTC),
    hyperparameters={"trees": "200"},
    metrics={},
    seconds=120,
    billable_seconds=0,
)
REPORT_URI = f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/report.html"
REJECTED = PromotionDecision(verdict="Rejected", reasons=("roc_auc is below 0.6.", "log_loss is above 0.7."))


@pytest.fixture
def inputs(tmp_path: Path) -> register_model.Inputs:
    return register_model.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        image_uri=IMAGE_URI,
        model_data_uri=MODEL_DATA_URI,
        model_sha256=MODEL_SHA256,
        model_archive_sha256=MODEL_ARCHIVE_SHA256,
        dataset_uri=DATASET_URI,
        data_version="ab" * 32,
        training_job_name=JOB,
        data_bucket=BUCKET,
        model_package_group=GROUP,
        documents_dir=tmp_path,
    )


@pytest.fixture(autouse=True)
def _trained(aws: Aws, settings: Settings) -> None:
    """A group with another execution's package, then this execution's training job."""
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    aws.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP, CustomerMetadataProperties={"execution": "another", "verdict": "Accepted"}
    )
    training = train_model.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        image_uri=IMAGE_URI,
        dataset_uri=DATASET_URI,
        data_bucket=BUCKET,
        training_role_arn=ROLE_ARN,
        key_arn=KEY_ARN,
    )
    run_jobs(aws, [train_model.training_request(settings, training)])


def evidence(
    decision: PromotionDecision,
    champion: EvaluationReport | None = None,
    challenger: EvaluationReport = CHALLENGER,
    comparison: Comparison = COMPARISON,
) -> register_model.Evidence:
    return register_model.Evidence(
        challenger=challenger, champion=champion, comparison=comparison, decision=decision, training=TRAINING
    )


def write_documents(directory: Path, decision: PromotionDecision, champion: EvaluationReport | None = None) -> None:
    CHALLENGER.write(directory, "challenger")
    COMPARISON.write(directory, "comparison")
    decision.write(directory, "decision")
    if champion is not None:
        champion.write(directory, "champion")


def packages(aws: Aws) -> list[dict[str, Any]]:
    summaries = aws.sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return [aws.sagemaker.describe_model_package(ModelPackageName=entry["ModelPackageArn"]) for entry in summaries]


def statistics(uri: str) -> dict[str, Any]:
    return {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}


def test_the_request_is_complete(settings: Settings, inputs: register_model.Inputs) -> None:
    request = register_model.package_request(settings, inputs, evidence(ACCEPTED, CHAMPION))

    card = request.pop("ModelCard")
    assert card["ModelCardStatus"] == "PendingReview"
    details = json.loads(card["ModelCardContent"])["additional_information"]["custom_details"]
    assert (details["verdict"], details["champion"], details["report"]) == ("Accepted", CHAMPION_ARN, REPORT_URI)
    assert request == {
        "ModelPackageGroupName": GROUP,
        "ModelPackageDescription": f"{OF_THIS_EXECUTION} The challenger's roc_auc 0.65 is at least the limit 0.6.",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE_URI,
                    "ModelDataUrl": MODEL_DATA_URI,
                    "Environment": {"SLIPWAY_MODEL_SHA256": MODEL_SHA256},
                }
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"],
        },
        "MetadataProperties": {"CommitId": COMMIT_ID, "GeneratedBy": JOB},
        "ModelMetrics": {
            "ModelQuality": statistics(f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/model_quality.json"),
            "ModelDataQuality": statistics(f"{DATASET_URI}baseline.json"),
        },
        "DriftCheckBaselines": {"ModelDataQuality": statistics(f"{DATASET_URI}baseline.json")},
        "CustomerMetadataProperties": {
            "execution": EXECUTION_ID,
            "commit": COMMIT_ID,
            "training_job": JOB,
            "training_seconds": "120",
            "billable_seconds": "0",
            "image_digest": f"sha256:{'a1' * 32}",
            "model_sha256": MODEL_SHA256,
            "model_archive_sha256": MODEL_ARCHIVE_SHA256,
            "dataset_uri": DATASET_URI,
            "data_version": "ab" * 32,
            "task": "binary",
            "verdict": "Accepted",
            "primary_metric": "roc_auc",
            "primary_metric_value": "0.65",
            "primary_metric_difference": "0.01",
            "holdout_rows": "1400",
            "champion": CHAMPION_ARN,
            "evaluation_uri": EVALUATION_URI,
            "openapi_uri": EVALUATION_URI.replace("evaluation.json", "openapi.json"),
            "report_uri": REPORT_URI,
        },
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "PendingApproval"},
    }


def test_a_rejected_model_cannot_be_deployed(settings: Settings, inputs: register_model.Inputs) -> None:
    request = register_model.package_request(settings, inputs, evidence(REJECTED))

    assert request["ModelApprovalStatus"] == "Rejected"
    assert request["ModelCard"]["ModelCardStatus"] == "Draft"
    assert request["ModelLifeCycle"] == {"Stage": "Development", "StageStatus": "Rejected"}
    assert "champion" not in request["CustomerMetadataProperties"]


def test_the_request_keeps_the_limits_of_sagemakers_own_model(
    settings: Settings, inputs: register_model.Inputs
) -> None:
    hostile = "metric\n<script>alert('ü')</script>;" + "x" * 300
    primary = settings.evaluation.primary.model_copy(update={"metric": hostile})
    policy = settings.evaluation.model_copy(update={"primary": primary})
    challenger = CHALLENGER.model_copy(update={"metrics": {hostile: 1e-300}})
    changed = settings.model_copy(update={"evaluation": policy})

    request = register_model.package_request(changed, inputs, evidence(ACCEPTED, CHAMPION, challenger))

    model = botocore.session.get_session().get_service_model("sagemaker")
    shape = model.operation_model("CreateModelPackage").input_shape
    assert not ParamValidator().validate(request, shape).has_errors()
    properties = request["CustomerMetadataProperties"]
    limits = model.shape_for("CustomerMetadataMap")
    assert len(properties) <= limits.metadata["max"]
    assert all(len(key) <= limits.key.metadata["max"] for key in properties)
    assert all(1 <= len(value) <= limits.value.metadata["max"] for value in properties.values())
    assert all(re.fullmatch(r"[\w\s.:/=+\-@]*", value) for value in properties.values())


@pytest.mark.parametrize(
    "comparison",
    [
        COMPARISON.model_copy(update={"metrics": ()}),
        COMPARISON.model_copy(update={"metrics": (COMPARISON.metrics[0].model_copy(update={"difference": None}),)}),
    ],
    ids=["not measured", "no champion"],
)
def test_a_difference_that_is_not_known_is_left_out(
    settings: Settings, inputs: register_model.Inputs, comparison: Comparison
) -> None:
    properties = register_model.metadata(settings, inputs, evidence(ACCEPTED, comparison=comparison))

    assert "primary_metric_difference" not in properties


def test_an_accepted_model_is_registered_as_fit_to_deploy(
    aws: Aws, settings: Settings, inputs: register_model.Inputs
) -> None:
    write_documents(inputs.documents_dir, ACCEPTED, CHAMPION)

    exports = register_model.run(aws, settings, inputs)

    package = packages(aws)[-1]
    assert exports == {"MODEL_PACKAGE_ARN": package["ModelPackageArn"], "MODEL_PACKAGE_VERSION": "2"}
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ModelPackageDescription"] == f"{OF_THIS_EXECUTION} {ACCEPTED.reasons[0]}"
    assert package["CustomerMetadataProperties"]["champion"] == CHAMPION_ARN


def test_a_rejected_model_is_registered_with_its_reasons_and_fails_the_step(
    aws: Aws, settings: Settings, inputs: register_model.Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    write_documents(inputs.documents_dir, REJECTED)

    with pytest.raises(PromotionError) as failure:
        register_model.run(aws, settings, inputs)

    assert str(failure.value) == "the challenger is rejected. roc_auc is below 0.6. log_loss is above 0.7."
    package = packages(aws)[-1]
    assert package["ModelApprovalStatus"] == "Rejected"
    assert package["ModelPackageDescription"] == f"{OF_THIS_EXECUTION} roc_auc is below 0.6. log_loss is above 0.7."
    assert "- roc_auc is below 0.6.\n- log_loss is above 0.7.\n" in capsys.readouterr().out


@pytest.mark.parametrize(("more", "ending"), [(0, "xx"), (1, "...")])
def test_a_description_has_1024_characters_at_most(
    settings: Settings, inputs: register_model.Inputs, more: int, ending: str
) -> None:
    reason = "x" * (1024 - len(f"{OF_THIS_EXECUTION} ") + more)
    decision = PromotionDecision(verdict="Accepted", reasons=(reason,))

    request = register_model.package_request(settings, inputs, evidence(decision))

    assert len(request["ModelPackageDescription"]) == 1024
    assert request["ModelPackageDescription"].endswith(ending)


@pytest.mark.parametrize("decision", [ACCEPTED, REJECTED], ids=["accepted", "rejected"])
def test_a_second_run_finds_its_package(
    aws: Aws, settings: Settings, inputs: register_model.Inputs, decision: PromotionDecision
) -> None:
    write_documents(inputs.documents_dir, decision)

    def run() -> object:
        try:
            return register_model.run(aws, settings, inputs)
        except PromotionError as rejection:
            return str(rejection)

    assert run() == run()
    assert len(packages(aws)) == 2


def test_a_second_run_that_decides_otherwise_registers_again(
    aws: Aws, settings: Settings, inputs: register_model.Inputs
) -> None:
    write_documents(inputs.documents_dir, REJECTED)
    with pytest.raises(PromotionError):
        register_model.run(aws, settings, inputs)
    write_documents(inputs.documents_dir, ACCEPTED)

    assert register_model.run(aws, settings, inputs)["MODEL_PACKAGE_VERSION"] == "3"


def test_a_second_run_with_another_model_registers_again(
    aws: Aws, settings: Settings, inputs: register_model.Inputs
) -> None:
    write_documents(inputs.documents_dir, ACCEPTED)
    register_model.run(aws, settings, inputs)
    other = dataclasses.replace(inputs, model_sha256="0f" * 32)

    assert register_model.run(aws, settings, other)["MODEL_PACKAGE_VERSION"] == "3"


def test_a_package_once_registered_is_never_changed(
    aws: Aws, settings: Settings, inputs: register_model.Inputs
) -> None:
    write_documents(inputs.documents_dir, ACCEPTED)
    changes = record(aws.sagemaker, "UpdateModelPackage")

    register_model.run(aws, settings, inputs)
    register_model.run(aws, settings, inputs)

    assert changes == []


def test_only_packages_younger_than_the_training_job_are_looked_at(
    aws: Aws, settings: Settings, inputs: register_model.Inputs
) -> None:
    write_documents(inputs.documents_dir, ACCEPTED)
    seen = record(aws.sagemaker, "ListModelPackages")
    aws.sagemaker.meta.events.register(
        "after-call.*.ListModelPackages", lambda parsed, **_: parsed.update(ModelPackageSummaryList=[])
    )
    job = aws.sagemaker.describe_training_job(TrainingJobName=JOB)

    register_model.run(aws, settings, inputs)

    assert seen == [{"ModelPackageGroupName": GROUP, "CreationTimeAfter": job["CreationTime"].timestamp()}]


def test_a_package_that_sagemaker_fails_is_told(aws: Aws, settings: Settings, inputs: register_model.Inputs) -> None:
    write_documents(inputs.documents_dir, ACCEPTED)
    details = {"ValidationStatuses": [{"Name": "x", "Status": "Failed", "FailureReason": "no such image"}]}
    failed = {"ModelPackageStatus": "Failed", "ModelPackageStatusDetails": details}
    script(aws.sagemaker, "DescribeModelPackage", [failed])

    with pytest.raises(AwsError, match=r"is Failed: .*no such image"):
        register_model.run(aws, settings, inputs)


def test_missing_evidence_registers_nothing(aws: Aws, settings: Settings, inputs: register_model.Inputs) -> None:
    with pytest.raises(DocumentError, match=r"challenger\.json"):
        register_model.run(aws, settings, inputs)
    assert len(packages(aws)) == 1
