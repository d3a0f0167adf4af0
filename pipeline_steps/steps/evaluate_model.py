"""Score the challenger and the champion on the same holdout, and let the gate decide.

in   image_uri, model_data_uri  the challenger
in   model_sha256               digest of its files: another model is not scored
in   production_endpoint        serves the champion; absent on the first run
in   dataset_uri, data_version  its holdout
in   training_job_name          what the report tells of the training
in   released_version           whose evaluation is passed on, unless it is `new`
out  challenger.json            EvaluationReport
out  champion.json              EvaluationReport, absent on the first run
out  comparison.json            Comparison, of both
out  decision.json              PromotionDecision
out  samples.json               Samples: records with the challenger's predictions
out  openapi.json               what the challenger's endpoint takes and answers
out  report.html, report.md     the same for people; with model_quality.json in S3, too
out  VERDICT, SUMMARY, APPROVAL_TEXT  for the pipeline
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_steps.aws import Aws
from pipeline_steps.champion import Champion, UnknownChampion, find_champion
from pipeline_steps.comparison.bootstrap import RESAMPLES
from pipeline_steps.comparison.compare import ScoredModel, compare
from pipeline_steps.documents import ApiDescription, EvaluationReport, Samples
from pipeline_steps.evaluation_summary import LONGEST_SUMMARY, comparison_table, summary
from pipeline_steps.gate import decide_promotion
from pipeline_steps.jobs import run_jobs
from pipeline_steps.progress import say
from pipeline_steps.publishing import Judgement, Lineage, gather, publish
from pipeline_steps.released_version import pass_on_evaluation, released_version, store_documents, told
from pipeline_steps.report.approval import approval_text
from pipeline_steps.scored_champion import ScoredChampion, champion_model, read_champion, unscored
from pipeline_steps.scoring import Model, ScoringInputs, evaluation_request, evaluation_uri, read_evaluation
from settings import Settings

_TOLD_RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Inputs(ScoringInputs):
    """What the step is given."""

    image_uri: str
    model_data_uri: str
    model_sha256: str
    data_version: str
    training_job_name: str
    production_endpoint: str
    documents_dir: Path


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Score both models side by side and write the documents. A Rejected is a result here: register_model fails on it.

    Raises:
        JobError: the challenger could not be scored.
        DocumentError: its scores, predictions or samples cannot be read, or are of another model.
        ReleaseError: the version to release cannot be.
    """
    version = released_version(aws, inputs)
    if version is not None:
        pass_on_evaluation(aws, version, inputs, inputs.data_bucket, inputs.documents_dir)
        return told(version, inputs.documents_dir)
    found = find_champion(aws, inputs.production_endpoint)
    report, challenger, champion = _score(aws, settings, inputs, found)
    comparison = compare(challenger, champion.model, settings.evaluation, progress=_told)
    decision = decide_promotion(report, champion.report, comparison, settings.evaluation)
    say("\n".join([comparison_table(comparison), decision.verdict, *decision.reasons, *decision.notes]))
    judgement = Judgement(report, champion.report, comparison, decision)
    _write_documents(aws, inputs, judgement)
    store_documents(aws, inputs.data_bucket, inputs.execution_id, inputs.documents_dir)
    evidence = gather(aws, settings, judgement, _lineage(inputs, found))
    publish(aws, evidence, inputs.data_bucket, inputs.documents_dir)
    return {
        "VERDICT": decision.verdict,
        "SUMMARY": summary(decision, comparison),
        "APPROVAL_TEXT": approval_text(evidence, LONGEST_SUMMARY),
    }


def _lineage(inputs: Inputs, found: Champion | UnknownChampion | None) -> Lineage:
    return Lineage(
        data_bucket=inputs.data_bucket,
        execution_id=inputs.execution_id,
        commit_id=inputs.commit_id,
        image_uri=inputs.image_uri,
        model_data_uri=inputs.model_data_uri,
        dataset_uri=inputs.dataset_uri,
        training_job_name=inputs.training_job_name,
        champion=found if isinstance(found, Champion) else None,
    )


def _score(
    aws: Aws, settings: Settings, inputs: Inputs, found: Champion | UnknownChampion | None
) -> tuple[EvaluationReport, ScoredModel, ScoredChampion]:
    new = Model(
        "challenger", inputs.image_uri, inputs.model_data_uri, inputs.model_sha256, slices=settings.evaluation.slices.by
    )
    old = champion_model(found) if isinstance(found, Champion) else None
    jobs = run_jobs(aws, [evaluation_request(settings, inputs, model) for model in (new, old) if model is not None])
    jobs[0].require_completed()
    report, challenger = read_evaluation(aws, inputs, new)
    if old is not None:
        return report, challenger, read_champion(aws, inputs, old, jobs[1]).beside(challenger)
    if isinstance(found, UnknownChampion):
        return report, challenger, unscored(found.reason, found.model_package_arn)
    return report, challenger, ScoredChampion()


def _told(done: int) -> None:
    if done % _TOLD_RESAMPLES == 0:
        say(f"{done} of {RESAMPLES} resamples")


def _write_documents(aws: Aws, inputs: Inputs, judgement: Judgement) -> None:
    folder = inputs.documents_dir
    samples_uri = f"{evaluation_uri(inputs, 'challenger')}samples.json"
    Samples.parse(aws.read_text(samples_uri), samples_uri).write(folder, "samples")
    description_uri = f"{evaluation_uri(inputs, 'challenger')}openapi.json"
    ApiDescription.parse(description := aws.read_text(description_uri), description_uri)
    (folder / "openapi.json").write_text(description, encoding="utf-8")
    judgement.challenger.write(folder, "challenger")
    (folder / "champion.json").unlink(missing_ok=True)  # a second run may find no champion any more
    if judgement.champion is not None:
        judgement.champion.write(folder, "champion")
    judgement.comparison.write(folder, "comparison")
    judgement.decision.write(folder, "decision")
