"""checkov's findings beside the document that explains those which stay."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from audit import second_opinion
from audit.faults import AuditError
from audit.second_opinion import Explanation, Finding

LOG = Finding("CKV_AWS_158", "AWS::Logs::LogGroup.ProjectsTestLog", "is encrypted")
KEY = Finding("CKV_AWS_136", "AWS::ECR::Repository.Images", "uses KMS")


def checkov(folder: Path, output: Any, code: int = 1) -> Path:
    """A stand-in for checkov, which writes down how it was called."""
    program = folder / "checkov"
    text = output if isinstance(output, str) else json.dumps(output)
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"open({str(folder / 'call')!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
        f"print({text!r})\nsys.exit({code})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def report(*failed: tuple[str, str, str], errors: int = 0) -> dict[str, Any]:
    checks = [{"check_id": check, "resource": resource, "check_name": name} for check, resource, name in failed]
    return {"results": {"failed_checks": checks}, "summary": {"parsing_errors": errors}}


def test_a_finding_that_several_templates_have_counts_once(tmp_path: Path) -> None:
    failed = ("CKV_AWS_158", "AWS::Logs::LogGroup.ProjectsTestLog84365534", "is encrypted")
    program = checkov(tmp_path, report(failed, failed))

    assert second_opinion.findings(program, [tmp_path / "one.json"], {}) == [LOG]


@pytest.mark.parametrize("output", [report(), {"passed": 0, "failed": 0}], ids=["nothing found", "nothing to look at"])
def test_a_clean_report_has_no_findings(tmp_path: Path, output: Any) -> None:
    assert second_opinion.findings(checkov(tmp_path, output, code=0), [tmp_path / "one.json"], {}) == []


def test_checkov_stays_offline(tmp_path: Path) -> None:
    program = checkov(tmp_path, report())
    second_opinion.findings(program, [tmp_path / "one.json"], {"PATH": "/bin"})

    arguments, environment = json.loads((tmp_path / "call").read_text())
    assert "--skip-download" in arguments
    assert environment["SKIP_PACKAGE_UPDATE_CHECK"] == "true"
    assert environment["PATH"] == "/bin"


@pytest.mark.parametrize(
    "output", ["Traceback ...", [], report(errors=1)], ids=["it crashed", "another shape", "a template it cannot parse"]
)
def test_what_cannot_be_checked_is_no_clean_bill(tmp_path: Path, output: Any) -> None:
    with pytest.raises(AuditError, match="checkov could not check"):
        second_opinion.findings(checkov(tmp_path, output), [tmp_path / "one.json"], {})


def test_a_missing_checkov_is_told_how_to_install(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="make audit"):
        second_opinion.findings(tmp_path / "none", [], {})


def test_the_documents_table_is_read_and_its_prose_is_not(tmp_path: Path) -> None:
    (tmp_path / "why.md").write_text(
        "# A second opinion\nCKV_AWS_1 is mentioned only.\n\n| check | resource | why it stays |\n|---|---|---|\n"
        "| CKV_AWS_136 | `AWS::ECR::Repository.Images` | images hold no secrets |\n"
        "| CKV2_AWS_5 | `AWS::EC2::*` | by `design` |\n"
    )

    assert second_opinion.explanations(tmp_path / "why.md") == [
        Explanation("CKV_AWS_136", "AWS::ECR::Repository.Images", "images hold no secrets"),
        Explanation("CKV2_AWS_5", "AWS::EC2::*", "by `design`"),
    ]


def test_findings_are_explained_unexplained_or_explained_for_nothing() -> None:
    logs = Explanation("CKV_AWS_158", "AWS::Logs::LogGroup.Projects*Log", "they are short-lived")
    stale = Explanation("CKV_AWS_158", "AWS::Logs::LogGroup.Other", "gone")

    opinion = second_opinion.compare([LOG, KEY], [logs, stale])

    assert (opinion.explained, opinion.unexplained, opinion.stale) == (((LOG, logs),), (KEY,), (stale,))
    unexplained, left_over = second_opinion.faults(opinion, "docs/why.md")
    assert (unexplained.where, left_over.where) == (KEY.resource, stale.resource)
    assert "docs/why.md" in unexplained.move
    assert left_over.move == "remove the row"


@pytest.mark.parametrize(
    ("check", "resource"), [("CKV_AWS_1", KEY.resource), (KEY.check, "AWS::ECR::Repository.Image")]
)
def test_an_explanation_is_for_its_own_check_and_resource(check: str, resource: str) -> None:
    assert not Explanation(check, resource, "").covers(KEY)
