"""report.md: the short form, that never exceeds its limit and shows names as they are."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from pipeline_steps.report.markdown import LONGEST_COMMENT, escaped, render_markdown
from tests.pipeline_steps.report import examples

RENDERED = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def text_of(markdown: str) -> str:
    """What a reader of the rendered markdown sees, tags included that became tags."""
    return str(RENDERED.render(markdown))


def test_it_has_the_verdict_the_reasons_and_the_numbers() -> None:
    lines = render_markdown(examples.EVIDENCE).splitlines()

    assert lines[0] == "# Accepted: flight-delays"
    assert "12,913 holdout records; beside the champion, version 7." in lines[2]
    assert [f"- {reason}" for reason in examples.ACCEPTED.reasons] == lines[4:9]
    assert (
        "| roc_auc | 0.7031 (0.6919 to 0.7143) | 0.6929 (0.6817 to 0.7041) | +0.0102 (+0.0046 to +0.0158) "
        "| better, at least 0.6: kept |" in lines
    )
    assert "- origin: LGA: -0.0610 (-0.0810 to -0.0410), 3,961 records" in lines
    assert lines[-1].startswith("- [Pipeline execution](<https://us-east-1.console.aws.amazon.com/")


def test_it_has_what_staging_showed() -> None:
    text = render_markdown(examples.verified())

    assert "On staging:\n\n- Agreement: 204 answers about 100 records are within" in text
    assert "- Latency: p50 7 ms, p95 11 ms, p99 19 ms (500 ms allowed)" in text
    assert "staging" not in render_markdown(examples.EVIDENCE)


def test_what_failed_on_staging_comes_first_and_shows_itself_as_it_is() -> None:
    text = render_markdown(examples.verified(load=None, failure="<b> p99 is | 812 ms"))

    assert "On staging:\n\n- **failed**: \\<b\\> p99 is \\| 812 ms\n- Agreement" in text


def test_staging_gives_way_where_there_is_no_room() -> None:
    text = render_markdown(examples.verified(failure="p99 " * 200), longest=1_500)

    assert len(text) <= 1_500
    assert "- **failed**: p99 p99" in text
    assert "findings not shown here" in text


def test_the_table_is_a_table() -> None:
    named = examples.METRICS[1].model_copy(update={"name": "a | b `|` c"})
    comparison = examples.EVIDENCE.comparison.model_copy(update={"metrics": (named, *examples.METRICS[1:])})

    html = text_of(render_markdown(replace(examples.EVIDENCE, comparison=comparison)))

    assert html.count("<table>") == 1
    assert html.count("<tr>") == 9  # the head and eight metrics
    assert html.count("<td") == 8 * 5
    assert '<td>a | b `|` c</td>\n<td style="text-align:right">0.4412' in html


def test_a_champion_that_could_not_be_scored_is_told_with_its_failure() -> None:
    text = render_markdown(examples.unscored_champion("No space left"))

    assert "the champion, version 7, which could not be scored: No space left." in text
    assert "| roc_auc | 0.7031 (0.6919 to 0.7143) | not scored |" in text


def test_the_first_model_has_nothing_beside_it() -> None:
    assert "no champion to compare with" in render_markdown(examples.first_model())


def test_nan_is_shown() -> None:
    assert "| roc_auc | not a number | 0.6929 |" in render_markdown(examples.not_numbers())


def test_at_most_eight_metrics_and_ten_failed_slices_are_shown_and_the_rest_is_counted() -> None:
    text = render_markdown(examples.many_slices())

    assert text.count("- dest: D") == 10
    assert "20 of 200 slices failed; 1 may:" in text
    assert "10 failed slices not shown here: the report has all." in text
    assert "1 metric not shown here: the report has all." in render_markdown(examples.hostile())


@pytest.mark.parametrize("longest", [0, 1, 60, 400, 1000, 2000, 5000, LONGEST_COMMENT])
@pytest.mark.parametrize("case", [examples.many_slices, lambda: examples.hostile("*" * 9000), examples.first_model])
def test_it_is_never_longer_than_it_may_be(longest: int, case: object) -> None:
    assert len(render_markdown(case(), longest)) <= longest  # type: ignore[operator]


def test_what_does_not_fit_is_left_out_from_the_least_important_on() -> None:
    whole = render_markdown(examples.many_slices())
    cut = render_markdown(examples.many_slices(), 1500)

    assert len(whole) > 1500
    assert "4 metrics not shown here" in cut and "1 note not shown here" in cut
    assert all(reason in cut for reason in examples.ACCEPTED.reasons)
    assert "- [Pipeline execution]" in cut


def test_one_character_less_leaves_one_item_out() -> None:
    whole = render_markdown(examples.EVIDENCE)

    assert render_markdown(examples.EVIDENCE, len(whole)) == whole
    assert "1 note not shown here" in render_markdown(examples.EVIDENCE, len(whole) - 1)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1))",
        "![a](http://b/c.png)",
        "a | b || c",
        "`code` ```",
        "*bold* __bold__ _it_ ~~gone~~",
        "snake_case_name",
        "&lt; &amp; &copy;",
        "# heading",
        "- item",
        "+ item",
        "1. item",
        "2) item",
        "> quote",
        "===",
        "back\\slash",
        "<http://a.b>",
        "$x^2$",
    ],
)
def test_a_name_is_shown_as_it_is(text: str) -> None:
    for place in (f"{escaped(text)}", f"- {escaped(text)}", f"a {escaped(text)} b"):
        html = text_of(place)
        bare = re.sub(r"</?(?:p|ul|li)>|\n", "", html)
        assert "<" not in bare
        shown = bare.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
        assert text in shown


def test_names_have_no_line_ends_and_no_control_characters() -> None:
    assert escaped("a\nb\x1b[0m\u202ec") == "a b \\[0m c"


def test_a_link_ends_where_it_should() -> None:
    text = render_markdown(examples.hostile())

    assert text.count("](<https://example.com/") == 1
    assert "<a href" in text_of(text) and "<img" not in text_of(text) and "<script" not in text_of(text)
