"""What others wrote reaches a terminal as letters, wherever it is shown."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import RenderableType
from rich.text import Text

from slipway import rendering, reporting
from slipway.errors import UserError
from slipway.executions import Execution, read_execution, read_summary, with_reasons
from slipway.following import view_for
from slipway.serving import ServedModel
from slipway.terminal import Terminal
from tests.slipway.recorded import COMMIT, NAME, START, Recording, at, declaration, summary, trained

CLEAR_SCREEN = "\x1b[2J\x1b[H"
SET_TITLE = "\x1b]0;evil\x07"
ONE_BYTE_SEQUENCE = "\x9b31m"
HOSTILE = f"{CLEAR_SCREEN}{SET_TITLE}{ONE_BYTE_SEQUENCE}\x08\x7f\u202edesrever\u2066\ud800 [red]x[/no] :bomb: "


def shown(renderable: RenderableType, width: int = 200) -> str:
    out = StringIO()
    Terminal(file=out, width=width, color_system=None).print(renderable)
    return out.getvalue()


def hostile_execution() -> Execution:
    recording = trained().failed("Staging", "Verify", HOSTILE).waiting(HOSTILE)
    revision = {"actionName": "Source", "revisionId": COMMIT, "revisionSummary": HOSTILE}
    read = read_summary(summary("Failed", sourceRevisions=[revision]))
    return with_reasons(
        read_execution(declaration(), read, recording.details, recording.state()), {"Staging/Verify": HOSTILE}
    )


def approval_view() -> RenderableType:
    execution = hostile_execution()
    assert execution.approval is not None
    return rendering.approval_view(execution.approval, execution)


@pytest.mark.parametrize(
    "character",
    list("\x00\x07\x08\x0b\x0d\x1b\x1f\x7f\x80\x9b\x9f\u061c\u202e\u2066\ud800\udfff"),
    ids=ascii,
)
def test_a_character_that_steers_a_terminal_is_left_out(character: str) -> None:
    assert shown(Text(f"a{character}b")) == "ab\n"


@pytest.mark.parametrize("character", ["\t", "\n", " ", "~", "\u00a0", "\u00e9", "\u4e2d", "\U0001f600"], ids=ascii)
def test_a_character_that_only_shows_stays(character: str) -> None:
    assert shown(Text(f"a{character}b")).rstrip("\n") == f"a{character}b".replace("\t", " " * 7)


def test_square_brackets_and_colons_are_letters() -> None:
    assert shown("[red]a[/red] [/] :bomb:") == "[red]a[/red] [/] :bomb:\n"


def test_styles_of_our_own_still_reach_a_terminal() -> None:
    out = StringIO()
    Terminal(file=out, force_terminal=True, color_system="standard").print(Text("a\x1b[31mb", "bold"))

    assert out.getvalue() == "\x1b[1ma[31mb\x1b[0m\n"


@pytest.mark.parametrize(
    "view",
    [
        lambda: rendering.execution_view(hostile_execution(), NAME, at(200)),
        lambda: rendering.failures_view(hostile_execution()),
        approval_view,
        lambda: rendering.summaries_view(
            [read_summary(summary(sourceRevisions=[{"actionName": "Source", "revisionSummary": HOSTILE}]))], at(200)
        ),
        lambda: rendering.served_view({"production": ServedModel("e", "Failed", START, failure=HOSTILE)}, at(1)),
        lambda: rendering.served_view({"staging": ServedModel("e", "InService", START, metrics={HOSTILE: 1})}, at(1)),
        lambda: rendering.predictions_view([{HOSTILE: HOSTILE}], [0.5]),
    ],
    ids=["execution", "failures", "approval", "summaries", "failure", "metrics", "predictions"],
)
def test_a_view_shows_hostile_text_as_letters(view: Callable[[], RenderableType]) -> None:
    text = shown(view())

    assert "[2J[H]0;evil31mdesrever [red]x[/no] :bomb:" in " ".join(text.split())
    assert not set(text) & set("\x00\x07\x08\x1b\x7f\x9b\u202e\u2066\ud800")


def test_an_error_shows_hostile_text_as_letters() -> None:
    out = StringIO()
    reporting.show(Terminal(file=out, width=200), UserError(HOSTILE, HOSTILE))

    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("[red]x[/no]") == 2


@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "file"])
def test_a_log_line_shows_hostile_text_as_letters_while_it_is_followed(is_terminal: bool) -> None:
    out = StringIO()
    console = Terminal(file=out, width=120, height=40, force_terminal=is_terminal, color_system=None)
    recording = Recording().running("Train", "TrainModel")
    execution = read_execution(declaration(), read_summary(summary()), recording.details, recording.state())

    with view_for(console, NAME) as view:
        view.show(execution, [("Train/TrainModel", HOSTILE)])

    assert "[2J[H]0;evil31mdesrever [red]x[/no] :bomb:" in out.getvalue()
    for sequence in (CLEAR_SCREEN, SET_TITLE, ONE_BYTE_SEQUENCE, "\u202e"):
        assert sequence not in out.getvalue()


def test_a_log_message_of_several_lines_cannot_pass_for_the_pipelines_own_words() -> None:
    out = StringIO()
    recording = Recording().running("Train", "TrainModel")
    execution = read_execution(declaration(), read_summary(summary()), recording.details, recording.state())

    with view_for(Terminal(file=out, width=120), NAME) as view:
        view.show(execution, [("Train/TrainModel", "trained\n12:00:00  Approve/Approve: Succeeded")])

    lines = out.getvalue().splitlines()
    assert "  TrainModel | 12:00:00  Approve/Approve: Succeeded" in lines
    assert "12:00:00  Approve/Approve: Succeeded" not in lines


def test_no_other_kind_of_console_is_made() -> None:
    sources = {path.name: path.read_text() for path in Path(rendering.__file__).parent.glob("*.py")}

    assert [name for name, source in sources.items() if re.search(r"\b(Console|rich\.print)\(", source)] == []
