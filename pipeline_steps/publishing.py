"""Makes the report of an evaluation and puts it where people and the model registry find it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_steps import names
from pipeline_steps.aws import Aws
from pipeline_steps.champion import Champion
from pipeline_steps.documents import (
    Comparison,
    DatasetManifest,
    EvaluationReport,
    PromotionDecision,
    ReportFacts,
)
from pipeline_steps.errors import AwsError, DocumentError
from pipeline_steps.model_quality import model_quality
from pipeline_steps.progress import say
from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.html import render_html
from pipeline_steps.report.markdown import render_markdown
from pipeline_steps.training_record import TrainingRecord
from settings import Settings

REPORT_CHARACTERS = 10_000
"""Of report.md: a comment of CodeCommit takes 10,240."""

_JSON = "application/json"
_Files = Mapping[str, tuple[str, str]]  # text and content type by name


@dataclass(frozen=True)
class Judgement:
    """What the evaluation found, and what the gate says of it."""

    challenger: EvaluationReport
    champion: EvaluationReport | None
    comparison: Comparison
    decision: PromotionDecision


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where the challenger comes from.

    Attributes:
        champion: None when production serves no model, or one that cannot be found out.
    """

    data_bucket: str
    execution_id: str
    commit_id: str
    image_uri: str
    model_data_uri: str
    dataset_uri: str
    training_job_name: str
    champion: Champion | None


def gather(aws: Aws, settings: Settings, judgement: Judgement, lineage: Lineage) -> ReportEvidence:
    """All that the report shows. What only illustrates it may be missing."""
    return ReportEvidence(
        challenger=judgement.challenger,
        champion=judgement.champion,
        comparison=judgement.comparison,
        decision=judgement.decision,
        policy=settings.evaluation,
        facts=_facts(aws, settings.name, lineage),
    )


def _facts(aws: Aws, project: str, lineage: Lineage) -> ReportFacts:
    training = TrainingRecord.read(aws, lineage.training_job_name)
    champions_dataset = lineage.champion.metadata.get("dataset_uri") if lineage.champion is not None else None
    return ReportFacts(
        project=project,
        commit_id=lineage.commit_id,
        execution_id=lineage.execution_id,
        manifest=_manifest(aws, lineage.dataset_uri),
        champion_manifest=None if champions_dataset is None else _manifest(aws, champions_dataset),
        image_uri=lineage.image_uri,
        model_data_uri=lineage.model_data_uri,
        training_job_name=training.name,
        hyperparameters=training.hyperparameters,
        training_seconds=training.seconds,
        billable_seconds=training.billable_seconds,
        reproduce=_reproduce(project, lineage.commit_id),
        links=_links(aws.region, project, lineage),
    )


def publish(aws: Aws, evidence: ReportEvidence, data_bucket: str, documents_dir: Path) -> None:
    """Write the report, what it can be made again of, and model_quality.json, beside the documents and into S3."""
    quality = json.dumps(model_quality(evidence.comparison), indent=2, allow_nan=False)
    files = {
        **_report(evidence),
        "report_facts.json": (f"{evidence.facts.model_dump_json(indent=2)}\n", _JSON),
        "model_quality.json": (f"{quality}\n", _JSON),
    }
    documents_dir.mkdir(parents=True, exist_ok=True)
    for name, (text, _) in files.items():
        (documents_dir / name).write_text(text, encoding="utf-8")
    _write(aws, files, data_bucket, evidence.facts.execution_id)


def publish_report(aws: Aws, evidence: ReportEvidence, data_bucket: str, execution_id: str) -> None:
    """Write the report alone into S3, for an execution that may not be the one whose evaluation it tells of."""
    _write(aws, _report(evidence), data_bucket, execution_id)


def _report(evidence: ReportEvidence) -> _Files:
    return {
        "report.html": (render_html(evidence), "text/html; charset=utf-8"),
        "report.md": (render_markdown(evidence, REPORT_CHARACTERS), "text/markdown; charset=utf-8"),
    }


def _write(aws: Aws, files: _Files, data_bucket: str, execution_id: str) -> None:
    for name, (text, content_type) in files.items():
        uri = names.report_uri(data_bucket, execution_id, name)
        aws.write_bytes(uri, text.encode(), content_type)
        say(f"{uri} is written")


def _manifest(aws: Aws, dataset_uri: str) -> DatasetManifest | None:
    uri = f"{dataset_uri}manifest.json"
    try:
        return DatasetManifest.parse(aws.read_text(uri), uri)
    except (AwsError, DocumentError) as error:
        say(f"the report goes without {uri}: {error}")
        return None


def _links(region: str, project: str, lineage: Lineage) -> dict[str, str]:
    """Pages of the AWS console, which ask for the reader's own credentials."""
    console, where = f"https://{region}.console.aws.amazon.com", f"region={region}"
    execution = f"codesuite/codepipeline/pipelines/{project}/executions/{lineage.execution_id}/timeline"
    commit = f"codesuite/codecommit/repositories/{project}/commit/{lineage.commit_id}"
    report = names.report_uri(lineage.data_bucket, lineage.execution_id, "report.html").partition("//")[2]
    bucket, _, key = report.partition("/")
    return {
        "the whole report": f"{console}/s3/object/{bucket}?{where}&prefix={key}",
        "the pipeline's execution": f"{console}/{execution}?{where}",
        "the commit": f"{console}/{commit}?{where}",
    }


def _reproduce(project: str, commit_id: str) -> str:
    revision = f"actionName=Source,revisionType=COMMIT_ID,revisionValue={commit_id}"
    return f"aws codepipeline start-pipeline-execution --name {project} --source-revisions {revision}"
