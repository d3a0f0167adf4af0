"""A version's report, fetched and opened; what it holds can run nothing and send nothing."""

import io
from pathlib import Path
from typing import Any

import pytest

from slipway import reports
from slipway.errors import RegistryError
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.terminal import Terminal
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import EXECUTION, NAME, Recording, trained
from tests.slipway.registry import registry

HTML = f"the report at evaluations/{EXECUTION}/report.html".encode()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the browser was sent to."""
    addresses: list[str] = []
    monkeypatch.setattr(reports.webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def show(project: Project, version: int | None = None, **options: Any) -> str:
    """What is printed; `answers` are laid over the registry's and those of a pipeline that waits for nothing."""
    answers = {**Recording().answers(), **registry(), **options.pop("answers", {})}
    aws = AnsweringAws(answers)
    console = Terminal(file=io.StringIO(), width=200)
    chosen = {"markdown": False, "opens": True, **options}
    pipeline = Pipeline(aws.client("codepipeline"), NAME)
    reports.show_report(console, aws.target(), project, pipeline, version, **chosen)
    file: Any = console.file
    return str(file.getvalue())


def kept(project: Project, version: int) -> Path:
    return project.root / ".slipway" / "reports" / f"{version}.html"


def test_a_versions_report_is_kept_and_opened(project: Project, opened: list[str]) -> None:
    printed = show(project, 3)

    assert kept(project, 3).read_bytes().endswith(HTML)
    assert opened == [kept(project, 3).as_uri()]
    assert printed == f"The report of version 3 is open: {kept(project, 3)}\n"


def test_without_a_browser_the_path_is_printed(project: Project, opened: list[str]) -> None:
    assert show(project, 3, opens=False) == f"The report of version 3 is {kept(project, 3)}\n"
    assert opened == []


def test_what_a_report_holds_cannot_run_load_or_send_anything(project: Project, opened: list[str]) -> None:
    hostile = b"<!doctype html><meta http-equiv=Content-Security-Policy content='default-src *'><script>x</script>"

    show(project, 3, answers={"GetObject": {"Body": io.BytesIO(hostile)}})

    seal, _, rest = kept(project, 3).read_bytes().partition(b"\n")
    assert rest == hostile
    assert seal.startswith(b"<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content=")
    assert b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:" in seal


def test_without_a_version_it_is_the_one_that_waits(project: Project, opened: list[str]) -> None:
    waiting = trained().passed("Train", "RegisterModel", {"MODEL_PACKAGE_VERSION": "3"}).waiting("numbers")

    assert "version 3" in show(project, answers=waiting.answers())


@pytest.mark.parametrize("exported", ["", "x", "-3"])
def test_when_none_waits_or_nobody_knows_which_it_is_the_newest(
    project: Project, opened: list[str], exported: str
) -> None:
    unknown = trained().passed("Train", "RegisterModel", {"MODEL_PACKAGE_VERSION": exported}).waiting("numbers")

    assert "version 4" in show(project)
    assert "version 4" in show(project, answers=unknown.answers())


def test_as_markdown_it_is_printed(project: Project, opened: list[str]) -> None:
    text = b"# Version 3\n\nsee [more](https://example.com) \x1b[2J"

    asked: list[str] = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request["Key"])
        return {"Body": io.BytesIO(text)}

    printed = show(project, 3, markdown=True, answers={"GetObject": answer})

    assert asked == [f"evaluations/{EXECUTION}/report.md"]
    assert "Version 3" in printed
    assert "https://example.com" in printed
    assert "\x1b" not in printed
    assert opened == []


@pytest.mark.parametrize(
    ("version", "answers", "message", "next_step"),
    [
        (9, {}, "there is no version 9 of flight-delays; there are 4, 3, 2, 1", "slipway releases"),
        (1, {}, "version 1 was registered without a report", "slipway releases"),
        (
            3,
            {"GetObject": Refusal("NoSuchKey")},
            "the report of version 3 is no longer at s3://data/",
            "slipway releases",
        ),
        (
            None,
            {"ListModelPackages": {"ModelPackageSummaryList": []}},
            "no model is registered yet",
            "git push slipway HEAD:main",
        ),
    ],
    ids=["no such version", "no report", "report is gone", "empty registry"],
)
def test_what_is_not_there_is_told_with_the_way_on(
    project: Project, version: int | None, answers: dict[str, Any], message: str, next_step: str
) -> None:
    with pytest.raises(RegistryError) as raised:
        show(project, version, answers=answers)
    assert raised.value.message.startswith(message)
    assert raised.value.next_step == next_step
