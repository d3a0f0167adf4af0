"""What a step tells is one line where it must be, and shows all of itself."""

import pytest

from pipeline_steps.progress import one_line, say


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("roc_auc 0.7\n\tlog_loss 0.5 ", "roc_auc 0.7 log_loss 0.5", id="lines and tabs"),
        pytest.param("a\x1b[2J\x1b]0;title\x07b", "a [2J ]0;title b", id="escape sequences"),
        pytest.param("a\x9b31mb\x7f\x00c", "a 31mb c", id="one-byte sequences"),
        pytest.param("Accepted\u202edetcejeR\u2066", "Accepted detcejeR", id="marks of direction"),
        pytest.param("a\u2028b\u0085c\ud800d", "a b c d", id="other line ends, half a character"),
        pytest.param(
            "Z\u00fcrich \u4e2d\u6587 \u20ac", "Z\u00fcrich \u4e2d\u6587 \u20ac", id="letters of other scripts"
        ),
    ],
)
def test_one_line_holds_nothing_but_what_shows(text: str, line: str) -> None:
    assert one_line(text, 100) == line


@pytest.mark.parametrize(("length", "line"), [(10, "x" * 10), (11, "xxxxxxx...")])
def test_one_line_keeps_to_its_limit(length: int, line: str) -> None:
    assert one_line("x" * length, 10) == line


def test_each_line_of_a_jobs_output_stands_under_its_label(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\nslipway: FAILED not at all", label="champion")

    assert capsys.readouterr().out == "champion | one\nchampion | slipway: FAILED not at all\n"
