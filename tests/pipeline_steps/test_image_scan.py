"""A finding fails an image from the policy's severity on, unless it is accepted until a day that has not passed."""

from datetime import date

import pytest

from pipeline_steps.image_scan import SEVERITIES, Finding, judge_findings, judge_unsupported
from settings import AcceptedFinding, Scan

TODAY = date(2026, 11, 21)
WAY_OUT = (
    "(update the base image or the package, or accept the finding with a reason until a date in slipway.yaml, "
    "container.scan.accepted)"
)


def finding(severity: str = "HIGH", *, id: str = "CVE-2026-1", **values: str) -> Finding:
    return Finding(id=id, severity=severity, package=values.pop("package", "openssl 3.0.1"), **values)


def accepted(id: str = "CVE-2026-1", *, until: date = date(2027, 1, 31)) -> AcceptedFinding:
    return AcceptedFinding(id=id, reason="we open no archives", until=until)


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    [
        ("critical", {"CRITICAL"}),
        ("high", {"CRITICAL", "HIGH"}),
        ("medium", {"CRITICAL", "HIGH", "MEDIUM"}),
        ("low", {"CRITICAL", "HIGH", "MEDIUM", "LOW"}),
        ("none", set()),
    ],
)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_finding_fails_an_image_from_the_policys_severity_on(fail_on: str, failing: set[str], severity: str) -> None:
    verdict = judge_findings([finding(severity)], Scan.model_validate({"fail_on": fail_on}), TODAY)

    assert verdict.passed == (severity not in failing)


def test_a_severity_that_nobody_has_heard_of_counts_as_the_worst() -> None:
    assert not judge_findings([finding("APOCALYPTIC")], Scan(fail_on="critical"), TODAY).passed


def test_a_no_names_every_finding_with_its_package_and_its_fix_the_worst_first_and_the_way_out() -> None:
    findings = [
        finding("HIGH", id="CVE-2026-1"),
        finding("LOW", id="CVE-2026-2"),
        finding("CRITICAL", id="CVE-2026-3", package="zlib 1:1.2.13", fixed_in="1:1.2.14"),
    ]

    verdict = judge_findings(findings, Scan(), TODAY)

    assert verdict.reasons == (
        "CVE-2026-3 in zlib 1:1.2.13 (CRITICAL, fixed in 1:1.2.14)",
        "CVE-2026-1 in openssl 3.0.1 (HIGH, no fix known)",
    )
    assert verdict.summary == (
        f"the scan found 1 CRITICAL, 1 HIGH, 1 LOW; 2 of HIGH or above are not accepted {WAY_OUT}: "
        f"{verdict.reasons[0]}; {verdict.reasons[1]}"
    )


def test_an_image_without_grave_findings_passes_with_the_counts() -> None:
    verdict = judge_findings([finding("MEDIUM"), finding("LOW"), finding("MEDIUM")], Scan(), TODAY)

    assert (verdict.passed, verdict.reasons, verdict.notes) == (True, (), ())
    assert verdict.summary == "the scan found 2 MEDIUM, 1 LOW: nothing that fails a build"


def test_an_image_without_findings_passes() -> None:
    assert judge_findings([], Scan(), TODAY).summary == "the scan found nothing: nothing that fails a build"


@pytest.mark.parametrize(
    ("until", "passed"),
    [(date(2026, 11, 22), True), (TODAY, True), (date(2026, 11, 20), False)],
    ids=["the day before the last", "the last day", "the day after the last"],
)
def test_an_acceptance_holds_until_the_end_of_its_day(until: date, passed: bool) -> None:
    verdict = judge_findings([finding()], Scan(accepted=(accepted(until=until),)), TODAY)

    assert verdict.passed == passed


def test_an_acceptance_in_force_is_noted_with_its_reason_and_covers_its_finding_alone() -> None:
    findings = [finding(), finding(package="libssl3 3.0.1"), finding(id="CVE-2026-10")]

    verdict = judge_findings(findings, Scan(accepted=(accepted(),)), TODAY)

    assert verdict.reasons == ("CVE-2026-10 in openssl 3.0.1 (HIGH, no fix known)",)
    assert verdict.notes == (
        "accepted until 2027-01-31: CVE-2026-1 in openssl 3.0.1 (HIGH, no fix known): we open no archives",
        "accepted until 2027-01-31: CVE-2026-1 in libssl3 3.0.1 (HIGH, no fix known): we open no archives",
    )


def test_an_acceptance_that_is_over_is_named() -> None:
    verdict = judge_findings([finding()], Scan(accepted=(accepted(until=date(2026, 10, 31)),)), TODAY)

    assert verdict.reasons == (
        "CVE-2026-1 in openssl 3.0.1 (HIGH, no fix known), whose acceptance ended with 2026-10-31",
    )


@pytest.mark.parametrize("until", [date(2027, 1, 31), date(2026, 1, 31)], ids=["in force", "over"])
def test_an_acceptance_of_something_that_is_not_found_is_noted_to_be_removed(until: date) -> None:
    policy = Scan(accepted=(accepted("CVE-2026-2"), accepted("CVE-2026-9", until=until)))

    verdict = judge_findings([finding("LOW", id="CVE-2026-2")], policy, TODAY)

    assert verdict.passed
    assert verdict.notes == (
        "slipway.yaml, container.scan.accepted: the scan does not find CVE-2026-9; remove its entry",
    )


def test_findings_that_nobody_has_rated_are_noted_and_fail_nothing() -> None:
    verdict = judge_findings([finding("UNDEFINED"), finding("UNDEFINED")], Scan(fail_on="low"), TODAY)

    assert (verdict.passed, verdict.notes) == (True, ("2 findings have no severity yet, and fail no build",))


def test_a_finding_that_the_scanner_suppresses_fails_nothing_but_is_noted() -> None:
    verdict = judge_findings([finding(set_aside="SUPPRESSED"), finding("LOW", set_aside="SUPPRESSED")], Scan(), TODAY)

    assert verdict.passed
    assert verdict.summary == "the scan found nothing: nothing that fails a build"
    assert verdict.notes == (
        "SUPPRESSED by the scanner, so it does not count: CVE-2026-1 in openssl 3.0.1 (HIGH, no fix known)",
    )


def test_what_the_image_names_cannot_add_lines_to_the_log() -> None:
    verdict = judge_findings([finding(package="x 1\nslipway: FAILED \x1b[2J" + "y" * 400)], Scan(), TODAY)

    assert verdict.reasons[0].startswith("CVE-2026-1 in x 1 slipway: FAILED [2Jyyy")
    assert len(verdict.reasons[0]) == 300


@pytest.mark.parametrize(("unsupported", "passed"), [("fail", False), ("allow", True)])
def test_an_image_that_the_scanner_cannot_read_passes_where_the_settings_say_so(unsupported: str, passed: bool) -> None:
    policy = Scan.model_validate({"unsupported": unsupported})

    verdict = judge_unsupported("UNSUPPORTED_IMAGE (no such system)", policy)

    assert verdict.passed == passed
    assert "this image, UNSUPPORTED_IMAGE (no such system)" in verdict.summary
    assert ("nothing was scanned" in verdict.summary) == passed
    assert ("container.scan.unsupported: allow in slipway.yaml" in verdict.summary) != passed
