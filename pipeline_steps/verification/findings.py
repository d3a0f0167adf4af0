"""What a verification found: as a document in S3, in the report, and in one line for the approval."""

from pathlib import Path

from pipeline_steps import names
from pipeline_steps.aws import Aws
from pipeline_steps.documents import (
    Comparison,
    EvaluationReport,
    FitFindings,
    HostileFindings,
    LatencyFindings,
    LoadFindings,
    PromotionDecision,
    ReportFacts,
    Verification,
)
from pipeline_steps.progress import one_line, say
from settings import Evaluation

LONGEST_SUMMARY = 300
"""The approval's text takes so much of it."""


def store(aws: Aws, verification: Verification, data_bucket: str, execution_id: str) -> None:
    """Write verification.json into S3."""
    uri = names.report_uri(data_bucket, execution_id, f"{verification.environment}/verification.json")
    aws.write_bytes(uri, f"{verification.model_dump_json(indent=2)}\n".encode(), "application/json")
    say(f"{uri} is written")


def publish_again(
    aws: Aws, verification: Verification, policy: Evaluation, folder: Path, data_bucket: str, execution_id: str
) -> None:
    """Make the report of the evaluation again, with what the verification found.

    Args:
        policy: the gate of slipway.yaml.
        folder: with the evaluation's documents. A version of before there were all of them keeps its report.
    """
    if not (folder / "report_facts.json").exists():
        say("the report stays as it is: the evaluation left no report_facts.json")
        return
    # What the report needs is installed where an approval follows, and nowhere else.
    from pipeline_steps.publishing import publish_report
    from pipeline_steps.report.evidence import ReportEvidence

    has_champion = (folder / "champion.json").exists()
    evidence = ReportEvidence(
        challenger=EvaluationReport.read(folder, "challenger"),
        champion=EvaluationReport.read(folder, "champion") if has_champion else None,
        comparison=Comparison.read(folder, "comparison"),
        decision=PromotionDecision.read(folder, "decision"),
        policy=policy,
        facts=ReportFacts.read(folder, "report_facts"),
        verification=verification,
    )
    publish_report(aws, evidence, data_bucket, execution_id)


def summary(verification: Verification) -> str:
    """All of it in one line for the pipeline and the approval's text."""
    if verification.failure is not None:
        return one_line(f"failed: {verification.failure}", LONGEST_SUMMARY)
    agreement = verification.agreement
    parts = [
        "" if agreement is None else f"{agreement.records} records agree with the offline predictions",
        "" if verification.hostile is None else hostile_words(verification.hostile),
        "" if verification.load is None else load_words(verification.load),
        "" if verification.latency is None else latency_words(verification.latency),
        "" if verification.cold_start_ms is None else cold_start_words(verification.cold_start_ms),
        "" if verification.fit is None else fit_words(verification.fit),
    ]
    return one_line("; ".join(part for part in parts if part), LONGEST_SUMMARY)


def hostile_words(found: HostileFindings) -> str:
    """Hostile input, in a few words."""
    return f"{found.fixed + found.generated} hostile requests withstood"


def load_words(found: LoadFindings) -> str:
    """The load, in a few words."""
    return (
        f"{found.requests_per_second} requests/s for {found.seconds} s: p50 {found.p50_ms:.0f} ms, "
        f"p95 {found.p95_ms:.0f} ms, p99 {found.p99_ms:.0f} ms, {found.error_percent:.3g} % errors"
    )


def latency_words(found: LatencyFindings) -> str:
    """The latency of single calls, in a few words."""
    return f"{found.requests} calls one by one: p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms"


def cold_start_words(milliseconds: float) -> str:
    """The cold start, in a few words."""
    return f"cold start {milliseconds / 1000:.1f} s"


def fit_words(found: FitFindings) -> str:
    """The fit, in a few words."""
    if found.verdict != "fits":
        return f"{found.instance_type} {found.verdict}: {found.reason}"
    return f"fits {found.instance_type} ({found.needed_mib:,.0f} of {found.memory_mib:,} MiB)"
