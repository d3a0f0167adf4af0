"""An image goes no further when its scan finds what slipway.yaml does not allow, however often the step is run."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from pipeline_steps import __main__ as command
from pipeline_steps.aws import Aws
from pipeline_steps.errors import ImageScanError
from pipeline_steps.steps import build_image
from settings import Settings, load
from tests.pipeline_steps.doubles import (
    COMMIT_ID,
    EXECUTION_ID,
    SETTINGS,
    ManualTime,
    answer_scan,
    basic_finding,
    record,
    scan_found,
    scan_status,
)

REPOSITORY = "flight-delays"
INPUTS = build_image.Inputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID, image_repository=REPOSITORY)
UNSUPPORTED = scan_status("UNSUPPORTED_IMAGE", "No system that is known.")

Scanned = Callable[[str], Settings]


@pytest.fixture
def digest(aws: Aws) -> str:
    """The image of the commit, which the registry has already."""
    aws.ecr.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
    image = aws.ecr.put_image(repositoryName=REPOSITORY, imageManifest=manifest, imageTag=COMMIT_ID)["image"]
    digest: str = image["imageId"]["imageDigest"]
    return digest


@pytest.fixture
def scanned(settings_file: Path) -> Scanned:
    """Settings with what stands under container.scan."""

    def scanned(scan: str) -> Settings:
        settings_file.write_text(SETTINGS.replace("container: {", f"container: {{scan: {{{scan}}}, "))
        return load(settings_file)

    return scanned


def built(digest: str) -> dict[str, str]:
    return {"IMAGE_URI": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{digest}"}


def test_a_finding_that_is_not_allowed_fails_the_step_each_time(
    aws: Aws, digest: str, settings: Settings, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_scan(aws, scan_found(basic_finding("CVE-2026-2", "LOW"), basic_finding("CVE-2026-1", "HIGH")))
    reasons = []
    for _ in range(2):
        with pytest.raises(ImageScanError) as fault:
            build_image.run(aws, settings, INPUTS, time.clock)
        reasons.append(str(fault.value))

    assert reasons[0] == reasons[1]
    assert reasons[0].startswith("the scan found 1 HIGH, 1 LOW; 1 of HIGH or above is not accepted (update the base")
    assert capsys.readouterr().out.count("\nCVE-2026-1 in openssl 3.0.1 (HIGH, no fix known)\n") == 2


def test_the_last_line_of_the_log_says_what_to_do_although_the_findings_are_many(
    aws: Aws, digest: str, settings_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_scan(aws, scan_found(*(basic_finding(f"CVE-2026-{number}", "HIGH") for number in range(40))))
    monkeypatch.chdir(settings_file.parent)
    for name, value in {"EXECUTION_ID": EXECUTION_ID, "COMMIT_ID": COMMIT_ID, "IMAGE_REPOSITORY": REPOSITORY}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "Aws", lambda _: aws)  # the one whose scan is answered here

    exit_code = command.main(["build_image", "--exports", "exports.sh"])

    lines = capsys.readouterr().out.splitlines()
    assert exit_code == 1
    assert lines[-1].startswith("slipway: FAILED the scan found 40 HIGH; 40 of HIGH or above are not accepted (")
    assert "accept the finding with a reason until a date in slipway.yaml, container.scan.accepted" in lines[-1]
    assert len(lines[-1]) <= 900
    assert len([line for line in lines[:-1] if line.startswith("CVE-2026-")]) == 40


@pytest.mark.parametrize(
    ("today", "passes"), [(date(2026, 11, 21), True), (date(2026, 11, 22), False)], ids=["last day", "day after"]
)
def test_the_day_of_the_build_decides_whether_an_acceptance_holds(
    aws: Aws, digest: str, scanned: Scanned, time: ManualTime, today: date, passes: bool
) -> None:
    answer_scan(aws, scan_found(basic_finding("CVE-2026-1", "HIGH")))
    settings = scanned("accepted: [{id: CVE-2026-1, reason: not reachable, until: 2026-11-21}]")
    time.today = today

    if passes:
        assert build_image.run(aws, settings, INPUTS, time.clock) == built(digest)
    else:
        with pytest.raises(ImageScanError, match="whose acceptance ended with 2026-11-21"):
            build_image.run(aws, settings, INPUTS, time.clock)


def test_notes_and_the_verdict_are_in_the_log(
    aws: Aws, digest: str, scanned: Scanned, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_scan(aws, scan_status("IN_PROGRESS"), scan_found(basic_finding("CVE-2026-1", "LOW")))
    settings = scanned("accepted: [{id: CVE-2026-9, reason: gone, until: 2027-01-31}]")

    assert build_image.run(aws, settings, INPUTS, time.clock) == built(digest)
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "ECR's scan of the image is IN_PROGRESS",
        "slipway.yaml, container.scan.accepted: the scan does not find CVE-2026-9; remove its entry",
        "the scan found 1 LOW: nothing that fails a build",
    ]


def test_an_image_that_cannot_be_scanned_fails_the_step(
    aws: Aws, digest: str, settings: Settings, time: ManualTime
) -> None:
    answer_scan(aws, UNSUPPORTED)

    with pytest.raises(
        ImageScanError, match=r"ECR cannot scan this image, UNSUPPORTED_IMAGE \(No system that is known\.\): build"
    ):
        build_image.run(aws, settings, INPUTS, time.clock)


def test_where_such_an_image_is_allowed_the_log_says_plainly_that_nothing_was_scanned(
    aws: Aws, digest: str, scanned: Scanned, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_scan(aws, UNSUPPORTED)

    assert build_image.run(aws, scanned("unsupported: allow"), INPUTS, time.clock) == built(digest)
    assert capsys.readouterr().out.endswith(
        "nothing was scanned, which container.scan.unsupported allows: "
        "ECR cannot read this image, UNSUPPORTED_IMAGE (No system that is known.)\n"
    )


def test_without_a_severity_that_fails_nothing_is_asked_or_waited_for(
    aws: Aws, digest: str, scanned: Scanned, time: ManualTime, capsys: pytest.CaptureFixture[str]
) -> None:
    looks, starts = answer_scan(aws, scan_status("IN_PROGRESS")), record(aws.ecr, "StartImageScan")

    assert build_image.run(aws, scanned("fail_on: none"), INPUTS, time.clock) == built(digest)
    assert (looks, starts, time.sleeps) == ([], [], [])
    assert "container.scan.fail_on is none: not waiting for a scan" in capsys.readouterr().out


def test_motos_ecr_is_understood(aws: Aws, digest: str, settings: Settings, time: ManualTime) -> None:
    # moto's ECR scans no image by itself, and finds one HIGH vulnerability in each.
    with pytest.raises(ImageScanError, match=r"CVE-9999-9999 in moto_fake 9\.9\.9 \(HIGH, no fix known\)"):
        build_image.run(aws, settings, INPUTS, time.clock)

    assert time.now > 60
