"""Waits for ECR's scan of an image, and reads what basic or enhanced scanning found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import Clock, poll_interval
from pipeline_steps.errors import (
    AwsError,
    ImageScanError,
    ScanNotFoundError,
    ThrottlingError,
    UnsupportedImageError,
    WaitTimeoutError,
)
from pipeline_steps.image_scan import Finding
from pipeline_steps.progress import say

LIMIT_SECONDS = 1800
_REMINDER_SECONDS = 60
# A scan on push takes up to about a minute to be known; a scan that is not known by then is asked for.
_BEGINNING_SECONDS = 90
# Amazon Inspector's findings become visible one after another: they are complete once a minute has added none.
_SETTLING_SECONDS = 60

_RUNNING = ("PENDING", "IN_PROGRESS")
_DONE = ("COMPLETE", "ACTIVE")  # ACTIVE: Amazon Inspector goes on watching the image
_WHAT_TO_DO = {
    "FAILED": "start another with `aws ecr start-image-scan`, which ECR allows once in 24 hours, and retry the stage",
    "SCAN_ELIGIBILITY_EXPIRED": "Amazon Inspector has stopped watching an image this old: push a new commit",
    "FINDINGS_UNAVAILABLE": "retry the stage later",
    "LIMIT_EXCEEDED": "a quota of scans is used up: retry the stage when ECR scans again",
    "IMAGE_ARCHIVED": "restore the image in ECR and retry the stage",
}
_NO_FIX = ("", "NotAvailable")  # what Amazon Inspector says instead of a version
_COUNTS_NOT = ("SUPPRESSED", "CLOSED")  # Amazon Inspector's words for findings other than ACTIVE


@dataclass(frozen=True)
class ScanResult:
    """How a scan ended.

    Attributes:
        findings: what it found.
        unsupported: why the scanner cannot read the image; None when it could.
    """

    findings: tuple[Finding, ...] = ()
    unsupported: str | None = None


def await_scan(aws: Aws, repository: str, digest: str, clock: Clock) -> ScanResult:
    """Give what the scan of an image found, once it is done; a scan that has not begun is started.

    Raises:
        ImageScanError: the scan ended without a result.
        WaitTimeoutError: it took longer than half an hour.
    """
    scan = _Scan(aws, repository, digest)
    started = clock.monotonic()
    told, told_at = "", 0.0
    while True:
        waited = clock.monotonic() - started
        result = scan.look(waited)
        if result is not None:
            return result
        if waited > LIMIT_SECONDS:
            raise WaitTimeoutError(
                f"ECR's scan of the image {scan.state} after {waited / 60:.0f} minutes: retry the stage to wait again; "
                "if ECR does not scan in this account, container.scan.fail_on: none in slipway.yaml does without"
            )
        if scan.state != told or waited - told_at >= _REMINDER_SECONDS:
            say(f"ECR's scan of the image {scan.state}{f' ({waited / 60:.0f} min)' if waited >= 60 else ''}")
            told, told_at = scan.state, waited
        clock.sleep(poll_interval(waited))


class _Scan:
    """One image's scan, as ECR tells of it.

    Attributes:
        state: where it stands, as it reads after "the scan".
    """

    def __init__(self, aws: Aws, repository: str, digest: str) -> None:
        self._aws = aws
        self._image = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
        self._asked = False
        self._seen: frozenset[Finding] | None = None
        self._seen_since = 0.0
        self.state = "has not begun"

    def look(self, waited_seconds: float) -> ScanResult | None:
        """The result, when there is one."""
        try:
            with translated("read the scan of the image"):
                pages = list(self._aws.ecr.get_paginator("describe_image_scan_findings").paginate(**self._image))
        except ThrottlingError:
            return None  # look again later
        except ScanNotFoundError:
            return self._start() if waited_seconds >= _BEGINNING_SECONDS and not self._asked else None
        status, why = _status(pages[0])
        self.state = f"is {why}"
        if status == "UNSUPPORTED_IMAGE" or (status == "FAILED" and "UnsupportedImageError" in why):
            return ScanResult(unsupported=why)
        if status in _DONE:
            return self._findings(pages, waited_seconds, watched=status == "ACTIVE")
        if status not in _RUNNING:
            raise ImageScanError(f"ECR's scan of the image is {why}: {_WHAT_TO_DO.get(status, 'see the ECR console')}")
        return None

    def _start(self) -> ScanResult | None:
        """Ask for a scan, which basic scanning allows once in 24 hours and enhanced scanning never."""
        self._asked = True
        try:
            with translated("start a scan of the image"):
                self._aws.ecr.start_image_scan(**self._image)
        except UnsupportedImageError as error:
            return ScanResult(unsupported=str(error))
        except AwsError as error:  # a scan on push may begin all the same
            self.state = f"has not begun ({error})"
        else:
            self.state = "was started, for ECR had not begun one"
        return None

    def _findings(
        self, pages: Sequence[Mapping[str, Any]], waited_seconds: float, *, watched: bool
    ) -> ScanResult | None:
        """All findings; None as long as there may be more."""
        parts = [page.get("imageScanFindings", {}) for page in pages]
        if not any("imageScanCompletedAt" in part for part in parts):
            self.state += ", but ECR does not say yet when it was completed"
            return None
        findings = tuple(finding for part in parts for finding in _read(part))
        if not watched and not any("enhancedFindings" in part for part in parts):
            return ScanResult(findings)
        if self._seen != frozenset(findings):
            self._seen, self._seen_since = frozenset(findings), waited_seconds
        if waited_seconds - self._seen_since < _SETTLING_SECONDS:
            self.state += ", and may still add to its findings"
            return None
        return ScanResult(findings)


def _status(page: Mapping[str, Any]) -> tuple[str, str]:
    """The scan's status, and the same with ECR's description."""
    told = page.get("imageScanStatus", {})
    status = told.get("status", "in no state")
    return status, f"{status} ({told['description']})" if told.get("description") else status


def _read(part: Mapping[str, Any]) -> Iterator[Finding]:
    yield from (_basic_finding(one) for one in part.get("findings", ()))
    yield from (_enhanced_finding(one) for one in part.get("enhancedFindings", ()))


def _basic_finding(finding: Mapping[str, Any]) -> Finding:
    attributes = {one["key"]: one.get("value", "") for one in finding.get("attributes", ())}
    return Finding(
        id=finding.get("name", "a finding without a name"),
        severity=finding.get("severity", "UNDEFINED"),
        package=_joined(" ", attributes.get("package_name", "an unnamed package"), attributes.get("package_version")),
    )


def _enhanced_finding(finding: Mapping[str, Any]) -> Finding:
    details = finding.get("packageVulnerabilityDetails", {})
    packages = details.get("vulnerablePackages", ())
    severity = finding.get("severity", "UNTRIAGED")
    status = finding.get("status", "ACTIVE")
    fixes = dict.fromkeys(one.get("fixedInVersion", "") for one in packages)
    return Finding(
        id=details.get("vulnerabilityId") or finding.get("title", "a finding without a name"),
        severity="UNDEFINED" if severity == "UNTRIAGED" else severity,
        package=", ".join(dict.fromkeys(_package(one) for one in packages)) or "an unnamed package",
        fixed_in=", ".join(fix for fix in fixes if fix not in _NO_FIX),
        set_aside=status if status in _COUNTS_NOT else "",
    )


def _package(package: Mapping[str, Any]) -> str:
    """Such as `libxml2 2.9.14+dfsg-1.3~deb12u1`."""
    version = _joined("-", package.get("version"), package.get("release"))
    epoch = f"{package['epoch']}:" if package.get("epoch") else ""
    return _joined(" ", package.get("name", "an unnamed package"), f"{epoch}{version}")


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
