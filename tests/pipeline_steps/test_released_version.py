"""A version that is released again goes through the pipeline with what is known of it; nothing is made anew."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.documents import (
    Comparison,
    Curves,
    CurvesOfBoth,
    Document,
    Estimate,
    EvaluationReport,
    MetricComparison,
    PromotionDecision,
    Samples,
)
from pipeline_steps.errors import DocumentError, ReleaseError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.released_version import released_version, store_documents
from pipeline_steps.steps import build_image, evaluate_model, prepare_data, register_model, train_model
from settings import Settings
from tests.pipeline_steps.doubles import BUCKET, COMMIT_ID, EXECUTION_ID, KEY_ARN, ROLE_ARN, put_json, record

GROUP = "flight-delays"
PREFIX = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{GROUP}/"
THEN = "aaaabbbb-1111-2222-3333-444455556666"
ITS_COMMIT = "f" * 40
IMAGE_URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{GROUP}@sha256:{'b7' * 32}"
MODEL_DATA_URI = f"s3://{BUCKET}/models/{THEN}/job/output/model.tar.gz"
METADATA = {
    "execution": THEN,
    "commit": ITS_COMMIT,
    "dataset_uri": f"s3://{BUCKET}/datasets/{THEN}/",
    "data_version": "ab" * 32,
    "training_job": "flight-delays-train-aaaabbbb",
    "model_archive_sha256": "cd" * 32,
    "evaluation_uri": f"s3://{BUCKET}/evaluations/{THEN}/challenger/evaluation.json",
}
SAMPLES = {"columns": ["temp"], "records": [{"temp": 1.0}], "predictions": [0.25]}
OPENAPI = {"openapi": "3.1.0", "info": {"version": "1"}, "components": {}}
DECISION = PromotionDecision(
    verdict="Accepted", reasons=("The challenger's roc_auc 0.65 is at least the limit 0.6.",), notes=("A note.",)
)
METRIC = MetricComparison(
    name="roc_auc", goal="maximize", challenger=Estimate(value=0.65), champion=Estimate(value=0.64),
    difference=Estimate(value=0.01), primary=True,
)  # fmt: skip
OTHER = MetricComparison(name="log_loss", goal="minimize", challenger=Estimate(value=0.4))
COMPARISON = Comparison(
    task="binary", records=1400, confidence=0.95, resamples=1000, seed=1, metrics=(METRIC, OTHER),
    curves=CurvesOfBoth(challenger=Curves()),
)  # fmt: skip
DOCUMENTS: dict[str, Document] = {
    "challenger": EvaluationReport(metrics={"roc_auc": 0.65}, rows=1400),
    "champion": EvaluationReport(metrics={"roc_auc": 0.64}, rows=1400),
    "comparison": COMPARISON,
    "decision": DECISION,
}


def register(aws: Aws, *, status: str = "Approved", without: str = "", digest: bool = True, **more: Any) -> None:
    """The first version of the group, made by an earlier execution."""
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    container = {
        "Image": IMAGE_URI,
        "ModelDataUrl": MODEL_DATA_URI,
        "Environment": {"SLIPWAY_MODEL_SHA256": "ef" * 32} if digest else {},
    }
    types = ["text/csv"]
    specification = {
        "Containers": [container], "SupportedContentTypes": types, "SupportedResponseMIMETypes": types,
    }  # fmt: skip
    aws.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelPackageDescription="roc_auc is below 0.6.",
        InferenceSpecification=specification,
        CustomerMetadataProperties={name: value for name, value in METADATA.items() if name != without},
        ModelApprovalStatus=status,
        **more,
    )


def evaluated(aws: Aws, folder: Path, *names: str) -> None:
    """Keep some documents of its evaluation in S3, as its own execution did."""
    put_json(aws, f"evaluations/{THEN}/challenger/samples.json", SAMPLES)
    put_json(aws, f"evaluations/{THEN}/challenger/openapi.json", OPENAPI)
    for name in names or DOCUMENTS:
        DOCUMENTS[name].write(folder, name)
    store_documents(aws, BUCKET, THEN, folder)
    aws.write_bytes(f"s3://{BUCKET}/evaluations/{THEN}/report.html", b"<html>then</html>", "text/html")


def given(kind: type[Any], **more: Any) -> Any:
    """A step's inputs in an execution that releases version 1."""
    common = {"execution_id": EXECUTION_ID, "commit_id": COMMIT_ID, "released_version": "1", "data_bucket": BUCKET,
              "model_package_arn_prefix": PREFIX, "key_arn": KEY_ARN, "processing_role_arn": ROLE_ARN,
              "training_role_arn": ROLE_ARN, "image_repository": GROUP, "model_package_group": GROUP,
              "production_endpoint": "flight-delays-production", **more}  # fmt: skip
    names = {field.name for field in dataclasses.fields(kind)}
    passed_on = {name: "passed on" for name in names if name not in common}
    return kind(**{name: value for name, value in {**passed_on, **common}.items() if name in names})


def evaluate(aws: Aws, settings: Settings, folder: Path) -> dict[str, str]:
    inputs = given(evaluate_model.Inputs, documents_dir=folder, subnet_ids="", security_group_ids="")
    return dict(evaluate_model.run(aws, settings, inputs))


def test_each_step_passes_on_what_the_version_was_made_of(
    aws: Aws, bucket: str, settings: Settings, tmp_path: Path
) -> None:
    register(aws)
    started = [record(aws.sagemaker, name) for name in ("CreateProcessingJob", "CreateTrainingJob")]
    registered = record(aws.sagemaker, "CreateModelPackage")

    assert prepare_data.run(aws, settings, given(prepare_data.Inputs)) == {
        "DATASET_URI": METADATA["dataset_uri"],
        "DATA_VERSION": METADATA["data_version"],
    }
    assert train_model.run(aws, settings, given(train_model.Inputs)) == {
        "TRAINING_JOB_NAME": METADATA["training_job"],
        "MODEL_DATA_URI": MODEL_DATA_URI,
        "MODEL_SHA256": "ef" * 32,
        "MODEL_ARCHIVE_SHA256": METADATA["model_archive_sha256"],
    }
    assert register_model.run(aws, settings, given(register_model.Inputs, documents_dir=tmp_path)) == {
        "MODEL_PACKAGE_ARN": f"{PREFIX}1",
        "MODEL_PACKAGE_VERSION": "1",
    }
    assert (*started, registered) == ([], [], [])


def test_its_image_is_not_built_but_its_scan_is_judged_anew(
    aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(aws)
    judged: list[str] = []
    monkeypatch.setattr(
        build_image, "_check_scan", lambda _aws, _policy, _repository, digest, _clock: judged.append(digest)
    )

    assert build_image.run(aws, settings, given(build_image.Inputs)) == {"IMAGE_URI": IMAGE_URI}
    assert judged == [f"sha256:{'b7' * 32}"]


def test_the_approver_reads_that_it_is_a_release_with_the_verdict_of_that_time(
    aws: Aws, bucket: str, settings: Settings, tmp_path: Path
) -> None:
    register(aws)
    evaluated(aws, tmp_path / "then")

    told = evaluate(aws, settings, tmp_path / "now")

    assert told["VERDICT"] == "Accepted"
    assert told["SUMMARY"].startswith("Release of version 1, at its time Accepted: roc_auc 0.6500 (champion 0.6400)")
    assert told["APPROVAL_TEXT"] == (
        "Release of version 1, made of commit ffffffffffff. The gate's verdict of that time, on the data of that time: "
        "Accepted: roc_auc 0.6500 (champion 0.6400), on 1400 holdout records. "
        "A note. The challenger's roc_auc 0.65 is at least the limit 0.6."
    )


def test_later_actions_get_the_documents_and_the_approvers_link_leads_to_the_report(
    aws: Aws, bucket: str, settings: Settings, tmp_path: Path
) -> None:
    register(aws)
    evaluated(aws, tmp_path / "then")

    evaluate(aws, settings, tmp_path / "now")

    assert Samples.read(tmp_path / "now", "samples").predictions == (0.25,)
    assert json.loads((tmp_path / "now" / "openapi.json").read_text()) == OPENAPI
    for name, document in DOCUMENTS.items():
        assert type(document).read(tmp_path / "now", name) == document
        assert aws.read_text(f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/{name}.json")
    assert aws.read_text(f"s3://{BUCKET}/evaluations/{EXECUTION_ID}/report.html") == "<html>then</html>"


def test_a_first_model_had_no_champion(aws: Aws, bucket: str, settings: Settings, tmp_path: Path) -> None:
    register(aws)
    evaluated(aws, tmp_path / "then", "challenger", "comparison", "decision")
    DOCUMENTS["champion"].write(tmp_path / "now", "champion")  # an earlier run's

    evaluate(aws, settings, tmp_path / "now")

    assert not (tmp_path / "now" / "champion.json").exists()


@pytest.mark.parametrize("lost", ["comparison", "decision", "challenger"])
def test_a_version_whose_evaluation_is_gone_is_refused(
    aws: Aws, bucket: str, settings: Settings, tmp_path: Path, lost: str
) -> None:
    register(aws)
    evaluated(aws, tmp_path / "then", *(name for name in DOCUMENTS if name != lost))

    with pytest.raises(ReleaseError, match=rf"version 1 cannot be released.*{lost}\.json.*have it made anew"):
        evaluate(aws, settings, tmp_path / "now")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (f"{THEN}/decision.json", "PromotionDecision"),
        (f"{THEN}/comparison.json", "Comparison"),
        (f"{THEN}/challenger/samples.json", "Samples"),
        (f"{THEN}/challenger/openapi.json", "ApiDescription"),
    ],
    ids=lambda value: value.rpartition("/")[2],
)
def test_a_document_that_somebody_has_broken_is_refused(
    aws: Aws, bucket: str, settings: Settings, tmp_path: Path, key: str, kind: str
) -> None:
    register(aws)
    evaluated(aws, tmp_path / "then")
    put_json(aws, f"evaluations/{key}", {"verdict": "Splendid"})

    with pytest.raises(DocumentError, match=rf"{key} is no {kind}"):
        evaluate(aws, settings, tmp_path / "now")


def asked(version: str) -> StepInputs:
    return StepInputs(
        execution_id=EXECUTION_ID, commit_id=COMMIT_ID, released_version=version, model_package_arn_prefix=PREFIX
    )


def test_without_a_version_the_registry_is_not_asked(aws: Aws) -> None:
    described = record(aws.sagemaker, "DescribeModelPackage")

    assert released_version(aws, StepInputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID)) is None
    assert described == []


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "2; rm -rf /", "latest", "../9"])
def test_what_is_no_number_is_refused(aws: Aws, text: str) -> None:
    with pytest.raises(ReleaseError, match="must be new or the number of a version, got"):
        released_version(aws, asked(text))


def test_a_version_that_is_not_there_is_refused(aws: Aws) -> None:
    register(aws)

    with pytest.raises(ReleaseError, match="there is no version 9 to release"):
        released_version(aws, asked("9"))


def test_a_version_that_the_gate_refused_is_refused_with_its_reason(aws: Aws) -> None:
    register(aws, status="Rejected")

    with pytest.raises(ReleaseError, match=r"version 1 is Rejected; only a version that is Approved.* below 0\.6"):
        released_version(aws, asked("1"))


@pytest.mark.parametrize("missing", METADATA)
def test_a_version_of_which_too_little_is_known_is_refused_with_what_is_missing(aws: Aws, missing: str) -> None:
    register(aws, without=missing)

    with pytest.raises(ReleaseError, match=f"lacks {missing}: the pipeline has not registered it"):
        released_version(aws, asked("1"))


def test_a_version_whose_files_have_no_digest_is_refused(aws: Aws) -> None:
    register(aws, digest=False)

    with pytest.raises(ReleaseError, match="lacks SLIPWAY_MODEL_SHA256"):
        released_version(aws, asked("1"))
