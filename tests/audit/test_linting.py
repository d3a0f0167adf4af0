"""cfn-lint's findings, each with the resource and where its rule is explained."""

import json
import sys
from pathlib import Path

import pytest

from audit import linting
from audit.faults import AuditError


def template(path: Path, **properties: object) -> Path:
    path.write_text(json.dumps({"Resources": {"Topic0A1B2C3D": {"Type": "AWS::SNS::Topic", "Properties": properties}}}))
    return path


def test_a_finding_that_several_templates_have_counts_once(tmp_path: Path) -> None:
    sound = template(tmp_path / "sound.json", DisplayName="approvals")
    wrong = [template(tmp_path / name, Colour="blue") for name in ("one.json", "two.json")]

    (finding,) = linting.findings([sound, *wrong])

    assert finding.where == "Topic"
    assert finding.what.startswith("E3002: ")
    assert "https://" in finding.move


@pytest.mark.parametrize("output", ["Traceback ...", ""], ids=["text", "nothing"])
def test_a_cfn_lint_that_fails_itself_finds_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    program = tmp_path / "cfn-lint"
    program.write_text(f"#!/bin/sh\nprintf '{output}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(AuditError, match="cfn-lint failed"):
        linting.findings([tmp_path / "one.json"])
