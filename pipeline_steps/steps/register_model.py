"""Register the challenger: fit to deploy when the gate accepted it, with the reasons against it when not.

in   challenger.json, champion.json      what evaluate_model found
in   comparison.json, decision.json      and what it made of it
in   image_uri, model_data_uri           the model
in   model_sha256, model_archive_sha256  its digests: an endpoint serves no other files
in   training_job_name                   how it was trained, and for how long
in   released_version                    registered already, unless it is `new`
out  MODEL_PACKAGE_ARN, MODEL_PACKAGE_VERSION  the unit of release; a Rejected one fails this step
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import SYSTEM_CLOCK, Clock, poll_interval
from pipeline_steps.documents import Comparison, EvaluationReport, PromotionDecision, Verdict
from pipeline_steps.errors import AwsError, PromotionError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from pipeline_steps.model_card import CardFacts, model_card
from pipeline_steps.progress import one_line, say
from pipeline_steps.released_version import released_version
from pipeline_steps.training_record import TrainingRecord
from settings import Endpoint, Settings

CONTENT_TYPES = ["text/csv", "application/json"]
_LONGEST_DESCRIPTION = 1024  # CreateModelPackage, ModelPackageDescription
_LONGEST_METADATA_VALUE = 256  # CreateModelPackage, CustomerMetadataValue, and what it may not contain:
_NOT_IN_METADATA = re.compile(r"[^\w\s.:/=+\-@]")
_STATUS: Mapping[Verdict, str] = {"Accepted": "Approved", "Rejected": "Rejected"}
_LIFE_CYCLE: Mapping[Verdict, dict[str, str]] = {
    "Accepted": {"Stage": "Staging", "StageStatus": "PendingApproval"},
    "Rejected": {"Stage": "Development", "StageStatus": "Rejected"},
}
_CARD_STATUS: Mapping[Verdict, str] = {"Accepted": "PendingReview", "Rejected": "Draft"}


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given."""

    image_uri: str
    model_data_uri: str
    model_sha256: str
    model_archive_sha256: str
    dataset_uri: str
    data_version: str
    training_job_name: str
    data_bucket: str
    model_package_group: str
    documents_dir: Path


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What training and evaluation found."""

    challenger: EvaluationReport
    champion: EvaluationReport | None
    comparison: Comparison
    decision: PromotionDecision
    training: TrainingRecord

    @property
    def champion_arn(self) -> str | None:
        """The model package that the challenger was compared with."""
        return None if self.champion is None else self.champion.model_package_arn


def package_request(settings: Settings, inputs: Inputs, evidence: Evidence) -> dict[str, Any]:
    """The CreateModelPackage request.

    Approved means fit to deploy, which SageMaker asks of a versioned package before an endpoint may use it. What
    reaches production is decided in the pipeline's manual approval.
    """
    verdict = evidence.decision.verdict
    quality = names.report_uri(inputs.data_bucket, inputs.execution_id, "model_quality.json")
    baseline = _statistics(f"{inputs.dataset_uri}baseline.json")
    return {
        "ModelPackageGroupName": inputs.model_package_group,
        "ModelPackageDescription": _description(inputs, evidence.decision),
        "InferenceSpecification": _inference(settings, inputs),
        "MetadataProperties": {"CommitId": inputs.commit_id, "GeneratedBy": inputs.training_job_name},
        "ModelMetrics": {"ModelQuality": _statistics(quality), "ModelDataQuality": baseline},
        "DriftCheckBaselines": {"ModelDataQuality": baseline},
        "CustomerMetadataProperties": metadata(settings, inputs, evidence),
        "ModelCard": {
            "ModelCardContent": model_card(_card_facts(settings, inputs, evidence)),
            "ModelCardStatus": _CARD_STATUS[verdict],
        },
        "ModelApprovalStatus": _STATUS[verdict],
        "ModelLifeCycle": _LIFE_CYCLE[verdict],
    }


def metadata(settings: Settings, inputs: Inputs, evidence: Evidence) -> dict[str, str]:
    """Where a model package comes from, within the registry's limits on keys and values."""
    primary, challenger = settings.evaluation.primary.metric, evidence.challenger
    compared = evidence.comparison.primary
    difference = None if compared is None or compared.difference is None else compared.difference.value
    properties = {
        "execution": inputs.execution_id,
        "commit": inputs.commit_id,
        "training_job": inputs.training_job_name,
        "training_seconds": evidence.training.seconds,
        "billable_seconds": evidence.training.billable_seconds,
        "image_digest": names.digest(inputs.image_uri),
        "model_sha256": inputs.model_sha256,
        "model_archive_sha256": inputs.model_archive_sha256,
        "dataset_uri": inputs.dataset_uri,
        "data_version": inputs.data_version,
        "task": evidence.comparison.task,
        "verdict": evidence.decision.verdict,
        "primary_metric": primary,
        "primary_metric_value": challenger.metrics.get(primary),
        "primary_metric_difference": difference,
        "holdout_rows": challenger.rows,
        "champion": evidence.champion_arn,
        "evaluation_uri": challenger.evaluation_uri,
        "openapi_uri": names.evaluation_uri(inputs.data_bucket, inputs.execution_id, "challenger") + "openapi.json",
        "report_uri": names.report_uri(inputs.data_bucket, inputs.execution_id, "report.html"),
    }
    return {key: _metadata_value(str(value)) for key, value in properties.items() if value is not None}


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Register the model, or find the package that this execution registered before.

    Raises:
        PromotionError: the gate said no; the package is registered as Rejected, with the reasons.
        ReleaseError: the version to release cannot be.
    """
    version = released_version(aws, inputs)
    if version is not None:
        return {"MODEL_PACKAGE_ARN": version.arn, "MODEL_PACKAGE_VERSION": str(version.number)}
    evidence = _read_evidence(inputs.documents_dir, TrainingRecord.read(aws, inputs.training_job_name))
    request = package_request(settings, inputs, evidence)
    arn = _own_package(aws, request, since=evidence.training.created) or _create(aws, request)
    package = _wait_until_completed(aws, arn, SYSTEM_CLOCK)
    say(f"{arn} is version {package['ModelPackageVersion']}, {evidence.decision.verdict}")
    if evidence.decision.verdict == "Rejected":
        raise _rejection(evidence.decision)
    return {"MODEL_PACKAGE_ARN": arn, "MODEL_PACKAGE_VERSION": str(package["ModelPackageVersion"])}


def _read_evidence(directory: Path, training: TrainingRecord) -> Evidence:
    has_champion = (directory / "champion.json").exists()
    return Evidence(
        challenger=EvaluationReport.read(directory, "challenger"),
        champion=EvaluationReport.read(directory, "champion") if has_champion else None,
        comparison=Comparison.read(directory, "comparison"),
        decision=PromotionDecision.read(directory, "decision"),
        training=training,
    )


def _rejection(decision: PromotionDecision) -> PromotionError:
    say("\n".join(["the challenger is rejected:", *(f"- {reason}" for reason in decision.reasons)]))
    return PromotionError(f"the challenger is rejected. {' '.join(decision.reasons)}")


def _own_package(aws: Aws, request: Mapping[str, Any], *, since: datetime) -> str | None:
    """The package that an earlier run of this step registered for the same model with the same verdict.

    Args:
        since: when the training job was created: only younger packages can be of its model.
    """
    wanted = request["CustomerMetadataProperties"]
    for arn in _packages(aws, request["ModelPackageGroupName"], since):
        found = _describe(aws, arn).get("CustomerMetadataProperties", {})
        if all(found.get(key) == wanted[key] for key in ("execution", "training_job", "model_sha256", "verdict")):
            say(f"this execution registered {arn} before: using it")
            return arn
    return None


def _packages(aws: Aws, group: str, since: datetime) -> list[str]:
    with translated(f"list the model packages of {group}"):
        pages = aws.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, CreationTimeAfter=since
        )
        return [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]


def _create(aws: Aws, request: Mapping[str, Any]) -> str:
    container = request["InferenceSpecification"]["Containers"][0]
    say(f"registering {container['ModelDataUrl']} with image {names.short_digest(container['Image'])}")
    with translated(f"register the model in {request['ModelPackageGroupName']}"):
        arn: str = aws.sagemaker.create_model_package(**request)["ModelPackageArn"]
    return arn


def _wait_until_completed(aws: Aws, arn: str, clock: Clock) -> Mapping[str, Any]:
    started = clock.monotonic()
    while (package := _describe(aws, arn))["ModelPackageStatus"] in ("Pending", "InProgress"):
        clock.sleep(poll_interval(clock.monotonic() - started))
    if package["ModelPackageStatus"] != "Completed":
        details = package.get("ModelPackageStatusDetails")
        raise AwsError(f"the model package {arn} is {package['ModelPackageStatus']}: {details}")
    return package


def _describe(aws: Aws, arn: str) -> Mapping[str, Any]:
    with translated(f"look at the model package {arn}"):
        package: Mapping[str, Any] = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    return package


def _description(inputs: Inputs, decision: PromotionDecision) -> str:
    """Whose model it is, and what the gate says of it.

    UpdateModelPackage has a text for an approval's reasons. But who may call it may also replace the model of a version
    that waits for approval, so no role that runs a commit's code may.
    """
    said = " ".join([*decision.reasons, *decision.notes])
    return one_line(f"commit {inputs.commit_id}, execution {inputs.execution_id}. {said}", _LONGEST_DESCRIPTION)


def _inference(settings: Settings, inputs: Inputs) -> dict[str, Any]:
    endpoints = settings.endpoints.of_environments().values()
    instance_types = {endpoint.instance_type for endpoint in endpoints if isinstance(endpoint, Endpoint)}
    container = {
        "Image": inputs.image_uri,
        "ModelDataUrl": inputs.model_data_uri,
        "Environment": {DIGEST_VARIABLE: inputs.model_sha256},
    }
    supported = {"SupportedRealtimeInferenceInstanceTypes": sorted(instance_types)} if instance_types else {}
    return {
        "Containers": [container],
        "SupportedContentTypes": CONTENT_TYPES,
        "SupportedResponseMIMETypes": CONTENT_TYPES,
        **supported,
    }


def _card_facts(settings: Settings, inputs: Inputs, evidence: Evidence) -> CardFacts:
    return CardFacts(
        project=settings.name,
        commit_id=inputs.commit_id,
        execution_id=inputs.execution_id,
        image_uri=inputs.image_uri,
        model_data_uri=inputs.model_data_uri,
        dataset_uri=inputs.dataset_uri,
        data_version=inputs.data_version,
        champion_arn=evidence.champion_arn,
        report_uri=names.report_uri(inputs.data_bucket, inputs.execution_id, "report.html"),
        training=evidence.training,
        comparison=evidence.comparison,
        decision=evidence.decision,
    )


def _statistics(uri: str) -> dict[str, Any]:
    return {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}


def _metadata_value(text: str) -> str:
    return _NOT_IN_METADATA.sub(" ", text)[:_LONGEST_METADATA_VALUE]
