"""What a verification found becomes a document, a section of the report and one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.documents import FitFindings, Verification
from pipeline_steps.publishing import REPORT_CHARACTERS, publish
from pipeline_steps.report.html import render_html
from pipeline_steps.report.markdown import render_markdown
from pipeline_steps.verification.findings import LONGEST_SUMMARY, publish_again, store, summary
from tests.pipeline_steps.doubles import BUCKET, EXECUTION_ID
from tests.pipeline_steps.report.examples import EVIDENCE, POLICY, VERIFICATION

RELEASE = "11112222-3333-4444-5555-666677778888"


def text(aws: Aws, name: str, execution: str = EXECUTION_ID) -> str:
    body: bytes = aws.s3.get_object(Bucket=BUCKET, Key=f"evaluations/{execution}/{name}")["Body"].read()
    return body.decode()


@pytest.fixture
def folder(aws: Aws, bucket: str, tmp_path: Path) -> Path:
    """The documents that an evaluation leaves."""
    publish(aws, EVIDENCE, bucket, tmp_path)
    assert EVIDENCE.champion is not None
    for name, document in (
        ("challenger", EVIDENCE.challenger), ("champion", EVIDENCE.champion), ("comparison", EVIDENCE.comparison),
        ("decision", EVIDENCE.decision),
    ):  # fmt: skip
        document.write(tmp_path, name)
    return tmp_path


def test_the_report_is_made_again_with_what_was_found(aws: Aws, bucket: str, folder: Path) -> None:
    publish_again(aws, VERIFICATION, POLICY, folder, bucket, EXECUTION_ID)

    expected = replace(EVIDENCE, verification=VERIFICATION)
    assert text(aws, "report.html") == render_html(expected)
    assert text(aws, "report.md") == render_markdown(expected, REPORT_CHARACTERS)


def test_a_release_makes_the_report_of_its_own_execution(aws: Aws, bucket: str, folder: Path) -> None:
    before = text(aws, "report.html")

    publish_again(aws, VERIFICATION, POLICY, folder, bucket, RELEASE)

    assert "On staging" in text(aws, "report.html", RELEASE)
    assert text(aws, "report.html") == before


def test_a_first_model_has_no_champion_in_its_report_either(aws: Aws, bucket: str, folder: Path) -> None:
    (folder / "champion.json").unlink()

    publish_again(aws, VERIFICATION, POLICY, folder, bucket, EXECUTION_ID)

    assert "The first model: production serves none yet" in text(aws, "report.html")


def test_a_version_of_before_there_were_facts_keeps_its_report(
    aws: Aws, bucket: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "report_facts.json").unlink()
    before = text(aws, "report.html")

    publish_again(aws, VERIFICATION, POLICY, folder, bucket, EXECUTION_ID)

    assert text(aws, "report.html") == before
    assert "the report stays as it is" in capsys.readouterr().out


def test_a_verification_is_stored_as_it_is(aws: Aws, bucket: str) -> None:
    store(aws, VERIFICATION, bucket, EXECUTION_ID)

    assert Verification.parse(text(aws, "staging/verification.json"), "it") == VERIFICATION


def test_all_of_it_stands_in_one_line() -> None:
    assert summary(VERIFICATION) == (
        "100 records agree with the offline predictions; 351 hostile requests withstood; 20 requests/s for 30 s: "
        "p50 7 ms, p95 11 ms, p99 19 ms, 0 % errors; fits ml.m5.large (258 of 8,192 MiB)"
    )


def test_the_line_is_never_too_long() -> None:
    assert VERIFICATION.fit is not None
    unknown = VERIFICATION.fit.model_copy(update={"verdict": "not judged", "reason": "x" * 400})
    for odd in (
        VERIFICATION.model_copy(update={"failure": "far\ntoo long " * 100}),
        VERIFICATION.model_copy(update={"fit": FitFindings(**unknown.model_dump())}),
    ):
        assert len(summary(odd)) <= LONGEST_SUMMARY
        assert "\n" not in summary(odd)
    assert summary(VERIFICATION.model_copy(update={"failure": "p99 is 812 ms"})) == "failed: p99 is 812 ms"
