"""A scan is waited for, started when there is none, and read whole; each way in which it ends has its own outcome."""

import itertools
from typing import Any

import pytest
from botocore.session import get_session

from pipeline_steps.aws import Aws
from pipeline_steps.errors import ImageScanError, NotFoundError, WaitTimeoutError
from pipeline_steps.image_scan import Finding
from pipeline_steps.scan_results import LIMIT_SECONDS, ScanResult, await_scan
from tests.pipeline_steps.doubles import (
    ManualTime,
    answer_scan,
    basic_finding,
    record,
    refuse,
    scan_found,
    scan_status,
)

DIGEST = f"sha256:{'a1' * 32}"
NO_SCAN = "ScanNotFoundException"
CLEAN = scan_found()
OPENSSL = Finding("CVE-2026-1", "HIGH", "openssl 3.0.1")
ZLIB = Finding("CVE-2026-2", "LOW", "zlib 1.2.13")
# As AWS's API reference shows them (DescribeImageScanFindings, example for enhanced image scanning).
LIBXML2 = {
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2022-49043",
        "vulnerablePackages": [
            {
                "arch": "AMD64",
                "epoch": 0,
                "name": "libxml2",
                "packageManager": "OS",
                "release": "1.3~deb12u1",
                "version": "2.9.14+dfsg",
                "fixedInVersion": "NotAvailable",
            }
        ],
    },
    "severity": "HIGH",
    "status": "ACTIVE",
    "title": "CVE-2022-49043 - libxml2",
    "type": "PACKAGE_VULNERABILITY",
    "fixAvailable": "NO",
}


def enhanced(*findings: dict[str, Any], status: str = "ACTIVE") -> dict[str, Any]:
    return scan_found(*findings, status=status, kind="enhancedFindings")


def package(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", **values}


def vulnerable(*packages: dict[str, Any], **values: Any) -> dict[str, Any]:
    details = {"vulnerabilityId": "CVE-2026-3", "vulnerablePackages": list(packages)}
    return {"packageVulnerabilityDetails": details, "severity": "CRITICAL", "status": "ACTIVE", **values}


def scan(aws: Aws, time: ManualTime) -> ScanResult:
    return await_scan(aws, "flight-delays", DIGEST, time.clock)


# --- Findings


def test_the_findings_of_all_pages_of_a_basic_scan_are_read(aws: Aws, time: ManualTime) -> None:
    first, second = basic_finding("CVE-2026-1", "HIGH"), basic_finding("CVE-2026-2", "LOW", "zlib", "1.2.13")
    requests = answer_scan(aws, [scan_found(first), scan_found(second)])

    assert scan(aws, time) == ScanResult((OPENSSL, ZLIB))
    image = {"repositoryName": "flight-delays", "imageId": {"imageDigest": DIGEST}}
    assert requests == [image, {**image, "nextToken": "1"}]
    assert time.sleeps == []


def test_the_findings_of_all_pages_of_an_enhanced_scan_are_read(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, [enhanced(LIBXML2), enhanced(vulnerable(package("jinja2", fixedInVersion="1.2")))])

    assert scan(aws, time).findings == (
        Finding("CVE-2022-49043", "HIGH", "libxml2 2.9.14+dfsg-1.3~deb12u1"),
        Finding("CVE-2026-3", "CRITICAL", "jinja2 1.0", fixed_in="1.2"),
    )


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (
            vulnerable(package("a", epoch=1, release="2"), package("b", fixedInVersion="2.0"), package("b")),
            Finding("CVE-2026-3", "CRITICAL", "a 1:1.0-2, b 1.0", fixed_in="2.0"),
        ),
        (
            vulnerable(package("a", fixedInVersion="2"), package("b", fixedInVersion="2"), severity="UNTRIAGED"),
            Finding("CVE-2026-3", "UNDEFINED", "a 1.0, b 1.0", fixed_in="2"),
        ),
        (
            vulnerable(package("a"), status="SUPPRESSED"),
            Finding("CVE-2026-3", "CRITICAL", "a 1.0", set_aside="SUPPRESSED"),
        ),
        (vulnerable(package("a"), status="CLOSED"), Finding("CVE-2026-3", "CRITICAL", "a 1.0", set_aside="CLOSED")),
        ({"title": "x", "severity": "HIGH"}, Finding("x", "HIGH", "an unnamed package")),
    ],
    ids=["several packages", "untriaged", "suppressed", "closed", "nothing that the model does not promise"],
)
def test_a_finding_of_an_enhanced_scan_is_read(
    aws: Aws, time: ManualTime, answered: dict[str, Any], expected: Finding
) -> None:
    answer_scan(aws, enhanced(answered, status="COMPLETE"))

    assert scan(aws, time).findings == (expected,)


def test_a_finding_of_a_basic_scan_may_lack_all_that_the_model_does_not_promise(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, scan_found({}))

    assert scan(aws, time).findings == (Finding("a finding without a name", "UNDEFINED", "an unnamed package"),)


# --- Waiting


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS"])
def test_a_scan_that_runs_is_waited_for_and_told_of(
    aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    answer_scan(aws, *itertools.repeat(scan_status(status, "Please wait."), 90), CLEAN)

    assert scan(aws, time) == ScanResult()
    assert len(time.sleeps) == 90
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ECR's scan of the image is {status} (Please wait.)"
    assert lines[1:4] == [f"{lines[0]} ({minutes} min)" for minutes in (1, 2, 3)]


def test_a_scan_that_never_ends_is_given_up_with_what_to_do(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, scan_status("IN_PROGRESS"))

    with pytest.raises(WaitTimeoutError, match="is IN_PROGRESS after 30 minutes: retry the stage to wait again"):
        scan(aws, time)

    assert LIMIT_SECONDS < time.now < LIMIT_SECONDS + 30


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_a_scan_is_not_done_before_ecr_says_when_it_was_completed(aws: Aws, time: ManualTime, status: str) -> None:
    without_time = {**scan_status(status), "imageScanFindings": {"findings": []}}
    answer_scan(aws, scan_status(status), without_time, scan_found(basic_finding("CVE-2026-1", "HIGH")))

    assert scan(aws, time).findings == (OPENSSL,)
    assert len(time.sleeps) == 2


def test_a_scan_that_ecr_never_calls_completed_does_not_pass(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, scan_status("ACTIVE", "Continuous scan is selected for image."))

    with pytest.raises(WaitTimeoutError, match=r"is ACTIVE .* but ECR does not say yet when it was completed after 30"):
        scan(aws, time)


@pytest.mark.parametrize(
    "first", [scan_found(status="ACTIVE"), enhanced(LIBXML2), enhanced(LIBXML2, status="COMPLETE")]
)
def test_findings_of_an_enhanced_scan_count_once_a_minute_has_added_none(
    aws: Aws, time: ManualTime, first: dict[str, Any]
) -> None:
    answer_scan(aws, *itertools.repeat(first, 20), enhanced(vulnerable(package("a")), LIBXML2))

    assert len(scan(aws, time).findings) == 2
    assert time.now >= sum(time.sleeps[:20]) + 60


def test_the_order_of_findings_does_not_make_them_others(aws: Aws, time: ManualTime) -> None:
    one, other = vulnerable(package("a")), vulnerable(package("b"))
    answer_scan(aws, *itertools.islice(itertools.cycle([enhanced(one, other), enhanced(other, one)]), 200))

    scan(aws, time)

    assert 60 <= time.now < 70


def test_throttling_only_delays(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, "RequestThrottled", "ThrottlingException", CLEAN)

    assert scan(aws, time) == ScanResult()
    assert len(time.sleeps) == 2


# --- Starting


def test_a_scan_on_push_is_given_time_to_begin(aws: Aws, time: ManualTime) -> None:
    started = record(aws.ecr, "StartImageScan")
    answer_scan(aws, *itertools.repeat(NO_SCAN, 60), CLEAN)

    assert scan(aws, time) == ScanResult()
    assert 45 < time.now < 90
    assert started == []


def test_a_scan_that_does_not_begin_is_started_once(
    aws: Aws, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    started = record(aws.ecr, "StartImageScan")
    answer_scan(aws, *itertools.repeat(NO_SCAN, 90), CLEAN)

    assert scan(aws, time) == ScanResult()
    assert time.now > 120
    assert started == [{"repositoryName": "flight-delays", "imageId": {"imageDigest": DIGEST}}]
    assert "the image was started, for ECR had not begun one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."),
        ("ValidationException", "This feature is disabled"),
    ],
    ids=["scanned in the last 24 hours", "enhanced scanning"],
)
def test_a_scan_that_cannot_be_started_is_waited_for_and_the_refusal_told(
    aws: Aws, time: ManualTime, code: str, message: str
) -> None:
    refuse(aws.ecr, "StartImageScan", code, message)
    answer_scan(aws, NO_SCAN)

    with pytest.raises(WaitTimeoutError) as fault:
        scan(aws, time)

    assert f"has not begun (could not start a scan of the image: {code}: {message}) after 30" in str(fault.value)
    assert "container.scan.fail_on: none in slipway.yaml does without" in str(fault.value)


def test_an_image_of_a_kind_that_cannot_be_scanned_is_unsupported(aws: Aws, time: ManualTime) -> None:
    refuse(aws.ecr, "StartImageScan", "UnsupportedImageTypeException", "no such type")
    answer_scan(aws, NO_SCAN)

    unsupported = scan(aws, time).unsupported

    assert unsupported == "could not start a scan of the image: UnsupportedImageTypeException: no such type"


# --- Other ends


@pytest.mark.parametrize(
    ("status", "description"),
    [
        ("UNSUPPORTED_IMAGE", "Not this one."),
        ("FAILED", "UnsupportedImageError: The operating system and/or package manager are not supported."),
    ],
)
def test_an_image_that_the_scanner_cannot_read_is_unsupported(
    aws: Aws, time: ManualTime, status: str, description: str
) -> None:
    answer_scan(aws, scan_status(status, description))

    assert scan(aws, time) == ScanResult(unsupported=f"{status} ({description})")


ENDS = {
    "FAILED": "start another with `aws ecr start-image-scan`, which ECR allows once in 24 hours",
    "SCAN_ELIGIBILITY_EXPIRED": "push a new commit",
    "FINDINGS_UNAVAILABLE": "retry the stage later",
    "LIMIT_EXCEEDED": "a quota of scans is used up",
    "IMAGE_ARCHIVED": "restore the image in ECR",
    "SOMETHING_NEW": "see the ECR console",
}


@pytest.mark.parametrize(("status", "what_to_do"), ENDS.items(), ids=ENDS)
def test_a_scan_that_ends_without_a_result_says_why_and_what_to_do(
    aws: Aws, time: ManualTime, status: str, what_to_do: str
) -> None:
    answer_scan(aws, scan_status(status, "So it is."))

    with pytest.raises(ImageScanError) as fault:
        scan(aws, time)

    assert str(fault.value).startswith(f"ECR's scan of the image is {status} (So it is.): ")
    assert what_to_do in str(fault.value)


def test_every_status_of_ecrs_model_has_its_own_outcome() -> None:
    statuses = set(get_session().get_service_model("ecr").shape_for("ScanStatus").enum)

    assert statuses == {"PENDING", "IN_PROGRESS", "COMPLETE", "ACTIVE", "UNSUPPORTED_IMAGE", *ENDS} - {"SOMETHING_NEW"}


def test_an_image_that_is_gone_is_not_waited_for(aws: Aws, time: ManualTime) -> None:
    answer_scan(aws, "ImageNotFoundException")

    with pytest.raises(NotFoundError, match="could not read the scan of the image: ImageNotFoundException"):
        scan(aws, time)
