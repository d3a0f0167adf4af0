"""What the verification of staging's endpoint found, in words."""

from collections.abc import Iterator

from pipeline_steps.documents import (
    AgreementFindings,
    HostileFindings,
    LoadFindings,
    Verification,
)
from pipeline_steps.report.wording import count

Fact = tuple[str, str]


def staging_facts(found: Verification) -> tuple[Fact, ...]:
    """What was found out, each with its name, as far as the verification came."""
    return tuple(_facts(found))


def _facts(found: Verification) -> Iterator[Fact]:
    if found.agreement is not None:
        yield "Agreement", _agreement(found.agreement)
        yield "Contract", _contract(found.contract)
    if found.cold_start_ms is not None:
        yield "Cold start", f"{found.cold_start_ms / 1000:.1f} s to the first answer, container and model loaded"
    if found.hostile is not None:
        yield "Hostile input", _hostile(found.hostile)
    if found.load is not None:
        yield "Load", _load(found.load)
        yield "Latency", _latency(found.load)
    if found.fit is not None:
        yield "Fit", f"{found.fit.verdict}: {found.fit.reason}"
        if found.fit.recovery_seconds is not None:
            yield "Recovery", f"{found.fit.recovery_seconds:.2f} s to a good answer after a process was killed"


def _agreement(found: AgreementFindings) -> str:
    answers = f"{count(found.answers, 'answer')} about {count(found.records, 'record')}"
    return f"{answers} are within {found.tolerance:f} of the offline predictions, in JSON and CSV, alone and together"


def _contract(version: str | None) -> str:
    if version is None:
        return "the model came without an openapi.json to hold the answers to"
    return f"every answer is as openapi.json says, which was shipped with the model (version {version})"


def _hostile(found: HostileFindings) -> str:
    sent = f"{count(found.fixed, 'fixed request')} and {found.generated:,} generated (seed {found.seed})"
    return f"{sent}: {found.refused:,} refused, {found.answered:,} answered as they may be, none with a 5xx"


def _load(found: LoadFindings) -> str:
    rate = f"{found.requests_per_second:,} requests a second for {found.seconds} s"
    errors = f"{found.error_percent:.3g} % errors ({found.allowed_error_percent:g} % allowed)"
    return f"{rate}: {found.answered_per_second:,.1f} answered a second, {errors}"


def _latency(found: LoadFindings) -> str:
    return (
        f"p50 {found.p50_ms:,.0f} ms, p95 {found.p95_ms:,.0f} ms, p99 {found.p99_ms:,.0f} ms "
        f"({found.allowed_p99_ms:,} ms allowed), from the moment at which a call was due"
    )
