"""Judge the code of a pull request before it is merged, and tell of it in one comment.

It runs in the build itself, without SageMaker and without an image: the tests, then, if the project's settings say so,
a training on a sample of the data set that the champion was trained on, and a comparison on the champion's holdout.

in   pull_request_id, commit_id, base_commit_id  what is to be merged into what
in   pull_requests                               tests or sample, of the settings that are deployed
in   production_endpoint                         serves the champion
out  the comment on the pull request; report.md of a trained model is part of it
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.branch_code import run_module
from pipeline_steps.champion import Champion, UnknownChampion, find_champion
from pipeline_steps.comparison.compare import ScoredModel, compare
from pipeline_steps.comparison.predictions import read_predictions
from pipeline_steps.documents import EvaluationReport, ReportFacts, Scores
from pipeline_steps.errors import BranchCodeError, DocumentError, NotFoundError, StepError
from pipeline_steps.evaluation_summary import comparison_table
from pipeline_steps.gate import decide_promotion
from pipeline_steps.inputs import StepInputs
from pipeline_steps.progress import say
from pipeline_steps.pull_request_comment import LONGEST_COMMENT, PullRequestComment
from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.markdown import escaped, render_markdown
from pipeline_steps.report.wording import printable
from pipeline_steps.sample_model import SampleModel, train_and_score
from pipeline_steps.scored_champion import ScoredChampion, unscored
from pipeline_steps.scoring import LARGEST_PREDICTIONS_BYTES
from settings import Settings

REPORTS = "reports"
_AROUND_IT = 1_000  # characters for the comment's first line and the link
_LONGEST_LINES = 6_000
_LONGEST_REASON = 1_000


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given. The execution is the build."""

    pull_request_id: str
    base_commit_id: str
    pull_requests: str
    repository: str
    comment_role_arn: str
    comment_session: str
    data_bucket: str
    model_package_group: str
    production_endpoint: str
    codebuild_build_arn: str
    codebuild_build_number: str


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Judge the pull request. A model that the gate would reject is a result here, too.

    Raises:
        BranchCodeError: tests, training or evaluation failed; the comment says so.
        StepError: something else did; the comment says so.
    """
    comment = _comment(aws, inputs)
    try:
        tested = run_tests()
        if inputs.pull_requests == "sample":
            tested = f"{tested}\n\n{_judged(aws, settings, inputs, LONGEST_COMMENT - len(tested) - _AROUND_IT)}"
    except StepError as error:
        comment.put(f"{failure(error)}\n\n{_log_link(inputs)}")
        raise
    comment.put(f"{tested}\n\n{_log_link(inputs)}")
    return {}


def run_tests() -> str:
    """Run the team's tests as the pipeline does; answers what they came to.

    Raises:
        BranchCodeError: one failed.
    """
    reports = [f"--junitxml={REPORTS}/junit.xml", f"--cov-report=xml:{REPORTS}/coverage.xml"]
    coverage = ["--cov=model_code", "--cov-branch"]
    run_module("pytest", "tests/model_code", "-m", "not container", *reports, *coverage, doing="the run of the tests")
    summary = run_module("tests.model_code.summary", REPORTS, doing="the summary of the tests")
    return f"{escaped(summary[-1])}." if summary else "The tests have passed."


def failure(error: StepError) -> str:
    """What failed, in markdown, with the last lines when it was the branch's own code."""
    reason = escaped(str(error).partition("\n\n")[0], _LONGEST_REASON)
    if not isinstance(error, BranchCodeError) or not error.lines:
        return f"**Failed:** {reason}"
    shown = "\n".join(printable(line.expandtabs()) for line in error.lines).replace("```", "'''")
    return f"**Failed:** {reason}. The last lines:\n\n```\n{shown[-_LONGEST_LINES:]}\n```"


def _judged(aws: Aws, settings: Settings, inputs: Inputs, longest: int) -> str:
    """The report on a model that was trained on a sample, in markdown."""
    found = find_champion(aws, inputs.production_endpoint)
    dataset_uri = _dataset_uri(aws, inputs, found)
    if dataset_uri is None:
        return "There is no data set yet: the first execution of the pipeline prepares one. Nothing was trained."
    with tempfile.TemporaryDirectory() as folder:
        challenger = train_and_score(aws, settings, dataset_uri, Path(folder))
    champion = _champion(aws, inputs, found, challenger.scored)
    comparison = compare(challenger.scored, champion.model, settings.evaluation)
    report = EvaluationReport(**challenger.scored.scores.model_dump())
    decision = decide_promotion(report, champion.report, comparison, settings.evaluation)
    say("\n".join([comparison_table(comparison), decision.verdict, *decision.reasons, *decision.notes]))
    evidence = ReportEvidence(
        challenger=report, champion=champion.report, comparison=comparison, decision=decision,
        policy=settings.evaluation,
        facts=ReportFacts(project=settings.name, commit_id=inputs.commit_id, execution_id=inputs.execution_id),
    )  # fmt: skip
    told = _indication(challenger)
    title = f"## Judged on this sample: {decision.verdict}"
    report_md = render_markdown(evidence, longest - len(told), title=title, all_is_in="the build's log")
    return f"{told}\n\n{report_md}"


def _indication(model: SampleModel) -> str:
    fewer = " A model that has seen less may be worse than the champion for that alone."
    return (
        f"**An indication, not the verdict:** trained in this build on {model.trained_on:,} of {model.records:,} "
        f"records, where its latency was measured, too.{fewer if model.trained_on < model.records else ''} The "
        "pipeline trains on all records once this is merged, and judges that model."
    )


def _dataset_uri(aws: Aws, inputs: Inputs, found: Champion | UnknownChampion | None) -> str | None:
    """The champion's data set; where there is no champion, that of the model registered last."""
    if isinstance(found, Champion) and "dataset_uri" in found.metadata:
        return found.metadata["dataset_uri"]
    with translated(f"find the newest model package of {inputs.model_package_group}"):
        newest = aws.sagemaker.list_model_packages(
            ModelPackageGroupName=inputs.model_package_group,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=1,
        )["ModelPackageSummaryList"]
        if not newest:
            return None
        package = aws.sagemaker.describe_model_package(ModelPackageName=newest[0]["ModelPackageArn"])
    dataset_uri: str | None = package.get("CustomerMetadataProperties", {}).get("dataset_uri")
    return dataset_uri


def _champion(
    aws: Aws, inputs: Inputs, found: Champion | UnknownChampion | None, challenger: ScoredModel
) -> ScoredChampion:
    """What the champion answered to the same holdout, as its own execution stored it."""
    if found is None:
        return ScoredChampion()
    if isinstance(found, UnknownChampion):
        return unscored(found.reason, found.model_package_arn)
    try:
        scored = _stored(aws, inputs, found)
    except (DocumentError, NotFoundError) as error:
        return unscored(str(error), found.model_package_arn)
    report = EvaluationReport(
        **scored.scores.model_dump(),
        image_uri=found.image_uri,
        model_data_uri=found.model_data_uri,
        model_package_arn=found.model_package_arn,
    )
    return ScoredChampion(report, scored).beside(challenger)


def _stored(aws: Aws, inputs: Inputs, champion: Champion) -> ScoredModel:
    execution_id = champion.metadata.get("execution", "")
    if not names.is_execution_id(execution_id) or "dataset_uri" not in champion.metadata:
        raise DocumentError(f"{champion.model_package_arn} does not say which execution and data set it is of")
    folder = names.evaluation_uri(inputs.data_bucket, execution_id, "challenger")
    scores = Scores.parse(aws.read_text(f"{folder}evaluation.json"), f"{folder}evaluation.json")
    if scores.model_sha256 != champion.sha256:
        raise DocumentError(f"{folder}evaluation.json is not of the champion, whose files have other digests")
    source = f"{folder}predictions.npz"
    return ScoredModel(scores, read_predictions(aws.read_bytes(source, LARGEST_PREDICTIONS_BYTES), scores, source))


def _comment(aws: Aws, inputs: Inputs) -> PullRequestComment:
    codecommit, author_arn = aws.codecommit_as(inputs.comment_role_arn, inputs.comment_session)
    return PullRequestComment(
        codecommit=codecommit,
        author_arn=author_arn,
        repository=inputs.repository,
        pull_request_id=inputs.pull_request_id,
        base_commit_id=inputs.base_commit_id,
        commit_id=inputs.commit_id,
        build_number=int(inputs.codebuild_build_number),
    )


def _log_link(inputs: Inputs) -> str:
    """The console's page of the build."""
    region, account, build_id = inputs.codebuild_build_arn.split(":", 5)[3:]
    build_id = build_id.removeprefix("build/")
    project = build_id.partition(":")[0]
    console = f"https://{region}.console.aws.amazon.com/codesuite/codebuild/{account}/projects/{project}"
    return f"[The build's log]({console}/build/{quote(build_id, safe='')}/log?region={region})"
