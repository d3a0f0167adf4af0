"""Score the challenger and the champion on the same holdout, and let the gate decide.

in   image_uri, model_data_uri  the challenger
in   model_sha256               digest of its files: another model is not scored
in   production_endpoint        serves the champion; absent on the first run
in   dataset_uri                its holdout
out  challenger.json            EvaluationReport
out  champion.json              EvaluationReport, absent on the first run
out  decision.json              PromotionDecision
out  samples.json               Samples: records with the challenger's predictions
out  VERDICT, SUMMARY           for the pipeline
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.documents import EvaluationReport, PromotionDecision, Samples, Scores
from pipeline_steps.errors import DocumentError, NotFoundError, UnregisteredModelError
from pipeline_steps.gate import decide_promotion
from pipeline_steps.inputs import JobInputs
from pipeline_steps.job_requests import (
    job_tags,
    processing_cluster,
    processing_input,
    processing_network,
    processing_output,
)
from pipeline_steps.jobs import PROCESSING, FinishedJob, JobRequest, run_jobs
from pipeline_steps.model_artifact import DIGEST_VARIABLE
from pipeline_steps.progress import one_line, say
from pipeline_steps.serving import served_model_package
from settings import Evaluation, Settings

_LONGEST_SUMMARY = 400


@dataclass(frozen=True, kw_only=True)
class Inputs(JobInputs):
    """What the step is given."""

    image_uri: str
    model_data_uri: str
    model_sha256: str
    dataset_uri: str
    processing_role_arn: str
    production_endpoint: str
    documents_dir: Path


@dataclass(frozen=True)
class Model:
    """A model that can be scored: its own image and its own artifact.

    Attributes:
        sha256: digest of the artifact's files; None for a champion that was registered without one.
    """

    role: str
    image_uri: str
    model_data_uri: str
    sha256: str | None
    model_package_arn: str | None = None


def evaluation_request(settings: Settings, inputs: Inputs, model: Model) -> JobRequest:
    """The processing job that scores one model on the holdout."""
    processing = settings.processing
    body = {
        "AppSpecification": {"ImageUri": model.image_uri, "ContainerArguments": ["evaluate"]},
        "Environment": {DIGEST_VARIABLE: model.sha256} if model.sha256 is not None else {},
        "RoleArn": inputs.processing_role_arn,
        "ProcessingInputs": [
            processing_input("model", model.model_data_uri, "model"),
            processing_input("holdout", f"{inputs.dataset_uri}holdout/", "holdout"),
        ],
        "ProcessingOutputConfig": {
            "KmsKeyId": inputs.key_arn,
            "Outputs": [processing_output("evaluation", _evaluation_uri(inputs, model.role))],
        },
        "ProcessingResources": processing_cluster(processing, inputs.key_arn),
        "NetworkConfig": processing_network(settings, inputs),
        "StoppingCondition": {"MaxRuntimeInSeconds": processing.max_runtime_minutes * 60},
        "Tags": job_tags(settings, inputs),
    }
    return JobRequest(
        kind=PROCESSING,
        name=names.job_name(settings.name, f"evaluate-{model.role}", inputs.execution_id),
        description=f"image {names.short_digest(model.image_uri)} on one {processing.instance_type}",
        body=body,
        max_runtime_seconds=processing.max_runtime_minutes * 60,
        label=model.role,
    )


def comparison_table(challenger: EvaluationReport, champion: EvaluationReport | None) -> str:
    """Challenger beside champion, one metric a line."""
    other = champion.metrics if champion is not None else {}
    rows = [("metric", "challenger", "champion", "difference")]
    for metric, value in challenger.metrics.items():
        old = other.get(metric)
        difference = f"{value - old:+.4f}" if value is not None and old is not None else "-"
        rows.append((metric, _cell(value), _cell(old), difference))
    rows.append(("holdout rows", str(challenger.rows), str(champion.rows) if champion is not None else "-", ""))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{name:<{width}}  {new:>12}  {old:>12}  {gap:>12}".rstrip() for name, new, old, gap in rows)


def summary(
    decision: PromotionDecision, challenger: EvaluationReport, champion: EvaluationReport | None, policy: Evaluation
) -> str:
    """The evaluation in one line of at most 400 characters."""
    if decision.verdict == "Rejected":
        return one_line(f"Rejected: {' '.join(decision.reasons)}", _LONGEST_SUMMARY)
    primary = policy.primary.metric
    against = "no champion" if champion is None else f"champion {_cell(champion.metrics.get(primary))}"
    first = f"{primary} {_cell(challenger.metrics.get(primary))} ({against})"
    others = [f"{name} {_cell(value)}" for name, value in challenger.metrics.items() if name != primary]
    return one_line(f"Accepted: {', '.join([first, *others])}, on {challenger.rows} holdout rows", _LONGEST_SUMMARY)


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Score both models side by side and write the documents. A Rejected is a result here: register_model fails on it.

    Raises:
        JobError: the challenger could not be scored.
        DocumentError: its scores or samples cannot be read, or are of another model.
    """
    champion = _find_champion(aws, inputs.production_endpoint)
    challenger = Model("challenger", inputs.image_uri, inputs.model_data_uri, inputs.model_sha256)
    models = [challenger, champion] if isinstance(champion, Model) else [challenger]
    jobs = run_jobs(aws, [evaluation_request(settings, inputs, model) for model in models])
    jobs[0].require_completed()
    report = _report(aws, inputs, challenger)
    champion_report = _champion_report(aws, inputs, champion, jobs[-1]) if isinstance(champion, Model) else champion
    decision = decide_promotion(report, champion_report, settings.evaluation)
    _write_documents(aws, inputs, report, champion_report, decision)
    line = summary(decision, report, champion_report, settings.evaluation)
    say("\n".join([comparison_table(report, champion_report), decision.verdict, *decision.reasons, *decision.notes]))
    return {"VERDICT": decision.verdict, "SUMMARY": line}


def _find_champion(aws: Aws, endpoint_name: str) -> Model | EvaluationReport | None:
    """The model that production serves; a report of why it cannot be scored; None when production serves nothing."""
    try:
        arn = served_model_package(aws, endpoint_name)
    except UnregisteredModelError as error:
        return _unscored(str(error), None)
    if arn is None:
        say(f"there is no endpoint {endpoint_name}: no champion to compare with")
        return None
    say(f"the champion is {arn}, served by {endpoint_name}")
    try:
        with translated(f"look at the champion {arn}"):
            package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    except NotFoundError as error:
        return _unscored(str(error), arn)
    container = package["InferenceSpecification"]["Containers"][0]
    sha256 = container.get("Environment", {}).get(DIGEST_VARIABLE)
    if sha256 is None:
        say(f"the champion {arn} was registered without a digest: whether its artifact is the same cannot be told")
    return Model("champion", container["Image"], container["ModelDataUrl"], sha256, arn)


def _unscored(failure: str, model_package_arn: str | None) -> EvaluationReport:
    say(f"the champion cannot be scored: {failure}")
    return EvaluationReport(metrics={}, rows=0, failure=failure, model_package_arn=model_package_arn)


def _champion_report(aws: Aws, inputs: Inputs, champion: Model, job: FinishedJob) -> EvaluationReport:
    """The champion's scores. What keeps it from being scored is the gate's to judge, not an error of this step."""
    if job.failure is not None:
        return _unscored(f"the {job.kind.noun} {job.name} {job.failure}", champion.model_package_arn)
    try:
        return _report(aws, inputs, champion)
    except (DocumentError, NotFoundError) as error:
        return _unscored(str(error), champion.model_package_arn)


def _report(aws: Aws, inputs: Inputs, model: Model) -> EvaluationReport:
    uri = f"{_evaluation_uri(inputs, model.role)}evaluation.json"
    scores = Scores.parse(aws.read_text(uri), uri)
    if model.sha256 is not None and scores.model_sha256 != model.sha256:
        raise DocumentError(
            f"{uri} must have the scores of the model {model.sha256}, it has those of {scores.model_sha256 or 'any'}"
        )
    return EvaluationReport(
        metrics=scores.metrics,
        rows=scores.rows,
        model_sha256=scores.model_sha256,
        image_uri=model.image_uri,
        model_data_uri=model.model_data_uri,
        model_package_arn=model.model_package_arn,
        evaluation_uri=uri,
    )


def _write_documents(
    aws: Aws,
    inputs: Inputs,
    challenger: EvaluationReport,
    champion: EvaluationReport | None,
    decision: PromotionDecision,
) -> None:
    samples_uri = f"{_evaluation_uri(inputs, 'challenger')}samples.json"
    Samples.parse(aws.read_text(samples_uri), samples_uri).write(inputs.documents_dir, "samples")
    challenger.write(inputs.documents_dir, "challenger")
    (inputs.documents_dir / "champion.json").unlink(missing_ok=True)  # a second run may find no champion any more
    if champion is not None:
        champion.write(inputs.documents_dir, "champion")
    decision.write(inputs.documents_dir, "decision")


def _evaluation_uri(inputs: Inputs, role: str) -> str:
    return names.evaluation_uri(inputs.data_bucket, inputs.execution_id, role)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
