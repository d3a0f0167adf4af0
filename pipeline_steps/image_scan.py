"""Decide whether an image may be used, by what a scan found in it.

in   findings  what the scanner names
in   policy    settings.Scan
in   today     the day of the build, in UTC
out  verdict   ScanVerdict
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline_steps.progress import one_line
from settings import AcceptedFinding, Scan

# ECR's words, the worst first. UNDEFINED, which Amazon Inspector calls UNTRIAGED, has not been rated by anybody yet.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
_RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_LONGEST_TEXT = 300
_WAY_OUT = (
    "update the base image or the package, or accept the finding with a reason until a date in slipway.yaml, "
    "container.scan.accepted"
)


@dataclass(frozen=True)
class Finding:
    """A vulnerability that a scanner found in an image.

    Attributes:
        id: e.g. CVE-2026-12345.
        severity: one of SEVERITIES; any other word counts as CRITICAL.
        package: name and version; several, with commas between them, when one finding is about them all.
        fixed_in: the version without the vulnerability; empty when the scanner names none.
        set_aside: the scanner's word for a finding that it does not count, e.g. SUPPRESSED; empty for one that counts.
    """

    id: str
    severity: str
    package: str
    fixed_in: str = ""
    set_aside: str = ""

    def __str__(self) -> str:
        fix = f"fixed in {self.fixed_in}" if self.fixed_in else "no fix known"
        # All of it comes out of the image, which anybody may have filled.
        return one_line(f"{self.id} in {self.package} ({self.severity}, {fix})", _LONGEST_TEXT)


@dataclass(frozen=True)
class ScanVerdict:
    """Whether an image may be used.

    Attributes:
        summary: why, in one line; for a no with what to do.
        reasons: the findings that speak against the image, one line each, the worst first.
        notes: what decided nothing, but is to be known.
    """

    passed: bool
    summary: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge_findings(findings: Sequence[Finding], policy: Scan, today: date) -> ScanVerdict:
    """Judge an image by what a scan found: a finding fails it from the policy's severity on, unless it is accepted.

    An acceptance holds until the end of its day. A finding that nobody has rated never fails an image.
    """
    accepted = {one.id: one for one in policy.accepted}
    grave = sorted((one for one in findings if not one.set_aside and _is_grave(one, policy)), key=_rank)
    refused = [one for one in grave if not _is_accepted(one, accepted, today)]
    reasons = tuple(_reason(one, accepted) for one in refused)
    notes = tuple(_notes(findings, grave, accepted, policy, today))
    if not refused:
        return ScanVerdict(True, f"the scan found {_counts(findings)}: nothing that fails a build", (), notes)
    summary = (
        f"the scan found {_counts(findings)}; {len(refused)} of {policy.fail_on.upper()} or above "
        f"{'is' if len(refused) == 1 else 'are'} not accepted ({_WAY_OUT}): {'; '.join(reasons)}"
    )
    return ScanVerdict(False, summary, reasons, notes)


def judge_unsupported(why: str, policy: Scan) -> ScanVerdict:
    """Judge an image that the scanner cannot read.

    Args:
        why: in the scanner's words.
        policy: says whether such images are allowed.
    """
    if policy.unsupported == "allow":
        summary = f"nothing was scanned, which container.scan.unsupported allows: ECR cannot read this image, {why}"
        return ScanVerdict(True, summary)
    summary = (
        f"ECR cannot scan this image, {why}: build it on a base image that ECR can read, or let it pass unscanned "
        "with container.scan.unsupported: allow in slipway.yaml"
    )
    return ScanVerdict(False, summary)


def _rank(finding: Finding) -> int:
    return _RANKS.get(finding.severity, 0)


def _is_grave(finding: Finding, policy: Scan) -> bool:
    return _rank(finding) <= _RANKS.get(policy.fail_on.upper(), -1)  # nothing is as grave as `none`


def _is_accepted(finding: Finding, accepted: dict[str, AcceptedFinding], today: date) -> bool:
    return finding.id in accepted and today <= accepted[finding.id].until


def _reason(finding: Finding, accepted: dict[str, AcceptedFinding]) -> str:
    if finding.id in accepted:
        return f"{finding}, whose acceptance ended with {accepted[finding.id].until}"
    return str(finding)


def _notes(
    findings: Sequence[Finding],
    grave: Sequence[Finding],
    accepted: dict[str, AcceptedFinding],
    policy: Scan,
    today: date,
) -> Iterator[str]:
    for one in grave:
        if _is_accepted(one, accepted, today):
            acceptance = accepted[one.id]
            yield f"accepted until {acceptance.until}: {one}: {one_line(acceptance.reason, _LONGEST_TEXT)}"
    for one in findings:
        if one.set_aside and _is_grave(one, policy):
            yield f"{one.set_aside} by the scanner, so it does not count: {one}"
    found = {one.id for one in findings}
    for identifier in accepted:
        if identifier not in found:
            yield f"slipway.yaml, container.scan.accepted: the scan does not find {identifier}; remove its entry"
    unrated = sum(one.severity == "UNDEFINED" for one in findings)
    if unrated:
        yield f"{unrated} {'finding has' if unrated == 1 else 'findings have'} no severity yet, and fail no build"


def _counts(findings: Sequence[Finding]) -> str:
    """Such as `2 HIGH, 1 LOW`, of what the scanner counts."""
    counts = Counter(one.severity for one in findings if not one.set_aside)
    ordered = sorted(counts.items(), key=lambda item: _RANKS.get(item[0], 0))
    return ", ".join(f"{number} {severity}" for severity, number in ordered) or "nothing"
