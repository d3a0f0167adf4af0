"""Commands of a pull request's code: their output is shown, their end is told, and they have no credentials."""

from pathlib import Path

import pytest

from pipeline_steps.branch_code import run_module
from pipeline_steps.errors import BranchCodeError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text)
    return "program"


def test_what_a_command_writes_is_shown_and_its_last_lines_are_kept(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "import sys\nfor n in range(50): print('  line', n)\nprint('at last', *sys.argv[1:], file=sys.stderr)"
    lines = run_module(program(folder, text), "--flag", doing="the thing")
    assert (len(lines), lines[0], lines[-1]) == (40, "  line 11", "at last --flag")
    assert "line 0" in capfd.readouterr().out


def test_a_command_has_the_variables_that_it_is_given_and_no_credentials(folder: Path) -> None:
    text = "import os\nprint(sorted(name for name in os.environ if name.startswith(('AWS_', 'GIVEN'))))"
    assert run_module(program(folder, text), doing="it", variables={"GIVEN": "x"}) == ["['GIVEN']"]


def test_a_command_that_fails_is_told_with_its_last_lines(folder: Path) -> None:
    with pytest.raises(BranchCodeError, match=r"^the training failed with exit code 3$") as caught:
        run_module(program(folder, "import sys\nprint('out of luck')\nsys.exit(3)"), doing="the training")
    assert caught.value.lines == ("out of luck",)


def test_a_command_that_takes_too_long_is_ended(folder: Path) -> None:
    text = "import time\nprint('started', flush=True)\ntime.sleep(600)"
    with pytest.raises(BranchCodeError, match=r"^the training was not done after 0 minutes$"):
        run_module(program(folder, text), doing="the training", longest_seconds=1.0)
