from pathlib import Path

from model_code.errors import DataError
from model_code.failure import reason_for, write_failure


def test_our_own_errors_say_what_they_say_in_one_line() -> None:
    assert reason_for(DataError("a\n  b")) == "a b"


def test_an_unforeseen_error_says_its_kind_and_a_long_one_is_shortened() -> None:
    assert reason_for(ValueError("x")) == "ValueError: x"
    reason = reason_for(ValueError("x" * 5000))
    assert len(reason) == 1000
    assert reason.endswith("x...")


def test_the_reason_stands_first_and_the_traceback_after_it(tmp_path: Path) -> None:
    try:
        int("broken")
    except ValueError as error:
        write_failure(tmp_path / "output/failure", "why", error)
    text = (tmp_path / "output/failure").read_text()
    assert text.startswith("why\n\nTraceback")
    assert text.endswith("'broken'\n")


def test_the_first_reason_stays(tmp_path: Path) -> None:
    for reason in ("cause", "consequence"):
        write_failure(tmp_path / "failure", reason, ValueError())
    assert (tmp_path / "failure").read_text().startswith("cause\n")


def test_text_that_is_no_unicode_does_not_hide_the_reason(tmp_path: Path) -> None:
    write_failure(tmp_path / "failure", "why \udcff", ValueError())
    assert (tmp_path / "failure").read_text(encoding="utf-8").startswith("why \\udcff")
