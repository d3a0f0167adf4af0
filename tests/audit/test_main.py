"""The command: its exit code is the verdict."""

import sys
from pathlib import Path

import pytest
from audit_support import READER, audited

from audit import __main__ as command
from audit import nag
from audit.faults import AuditError
from audit.findings import Findings
from audit.grants import Grant
from audit.second_opinion import SecondOpinion


def findings(action: str) -> Findings:
    types = {"DataBucket": "AWS::S3::Bucket"}
    role = audited(Grant(READER, action, "<DataBucket.Arn>"))
    nothing: frozenset[nag.Acknowledgement] = frozenset()
    return Findings((role,), (), types, None, nag.Report(frozenset(), nothing, nothing), (), SecondOpinion((), (), ()))


@pytest.mark.parametrize(("action", "code"), [("s3:GetBucketLocation", 0), ("s3:GetObject", 1)])
def test_the_audit_fails_if_anything_is_unexplained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: str, code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["audit"])
    monkeypatch.setattr(command, "find", lambda *_: findings(action))

    assert command.main() == code
    assert "Wildcard actions" in capsys.readouterr().out


def test_an_audit_that_cannot_be_made_says_what_stands_in_its_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["audit", "--decisions", str(tmp_path / "missing")])

    assert command.main() == 2
    assert str(tmp_path / "missing") in capsys.readouterr().err


def test_the_recording_that_is_named_is_audited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def find(_: Path, decisions: Path | None) -> Findings:
        asked.append(decisions)
        raise AuditError("enough")

    monkeypatch.setattr(command, "find", find)
    for arguments in ([], ["--decisions", "run.jsonl"]):
        monkeypatch.setattr(sys, "argv", ["audit", *arguments])
        assert command.main() == 2

    assert asked == [None, Path("run.jsonl")]
