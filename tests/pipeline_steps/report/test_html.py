"""report.html: what an approver notices, escaping, and that the same evidence gives the same bytes."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.html import render_html
from pipeline_steps.report.wording import ABSENT
from tests.pipeline_steps.report import examples
from tests.pipeline_steps.report.page import Page

CASES: dict[str, Callable[[], ReportEvidence]] = {
    "accepted": lambda: examples.EVIDENCE,
    "rejected": examples.rejected,
    "first model": examples.first_model,
    "champion that could not be scored": examples.unscored_champion,
    "not numbers": examples.not_numbers,
    "200 slices": examples.many_slices,
    "hostile names": examples.hostile,
    "regression": examples.regression,
    "4 classes": lambda: examples.multiclass(4),
    "30 classes": lambda: examples.multiclass(30),
    "bare": examples.bare,
    "verified": examples.verified,
    "failed on staging": lambda: examples.verified(load=None, failure=examples.HOSTILE),
}


@cache
def rendered(name: str) -> str:
    return render_html(CASES[name]())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(rendered("accepted"))


@pytest.mark.parametrize("name", CASES)
def test_every_report_is_one_file_within_bounds_that_asks_for_nothing(name: str) -> None:
    html = rendered(name)
    page = Page(html)

    assert len(html.encode()) < 400 * 1024
    assert not page.attributes("script")
    assert all(link["href"] == "data:," for link in page.attributes("link"))
    assert not [name for _, attributes, _ in page.elements for name in attributes if name in ("src", "srcset")]
    assert "url(" not in html.replace("url(#", "") and "@import" not in html
    (policy,) = (meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta)
    assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


@pytest.mark.parametrize("name", CASES)
def test_every_report_can_be_read_aloud(name: str) -> None:
    page = Page(rendered(name))

    assert page.attributes("html") == [{"lang": "en"}]
    levels = page.levels()
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
    ids = [str(attributes["id"]) for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for drawing in page.attributes("svg"):
        if drawing.get("aria-hidden") != "true":
            assert drawing["role"] == "img"
            assert {drawing["aria-labelledby"], drawing["aria-describedby"]} <= set(ids)
    targets = {str(link["href"])[1:] for link in page.attributes("a") if str(link["href"]).startswith("#")}
    assert targets <= set(ids)


@pytest.mark.parametrize("name", CASES)
def test_no_control_character_reaches_the_page(name: str) -> None:
    assert all(character.isprintable() or character == "\n" for character in rendered(name))


def test_the_verdict_and_its_reasons_come_first(page: Page) -> None:
    assert page.texts("h1") == ["Accepted"]
    before, _, _ = page.text.partition("The numbers that matter")
    assert all(reason in before for reason in (*examples.ACCEPTED.reasons, *examples.ACCEPTED.notes))
    assert "What was checked" in before


def test_a_rejection_says_why() -> None:
    page = Page(rendered("rejected"))

    assert page.texts("h1") == ["Rejected"]
    assert page.texts("li")[:2] == list(examples.REJECTED.reasons)
    card = page.texts("article")[0]
    assert "0.5800" in card and "−0.1129: worse" in card and "at least 0.6 ✗ not kept" in card  # noqa: RUF001


def test_the_three_numbers_that_matter_have_the_difference_to_the_champion(page: Page) -> None:
    cards = page.texts("article")

    assert len(cards) == 3
    assert "roc_auc decides 0.7031 95 % interval 0.6919 to 0.7143" in cards[0]
    assert "+0.0102: better 95 % interval +0.0046 to +0.0158 champion 0.6929" in cards[0]
    assert "may be worse by at most 0.01" in cards[0]
    assert "−0.0029: no clear difference" in cards[1]  # noqa: RUF001


def test_every_metric_stands_in_the_table_with_its_interval(page: Page) -> None:
    rows = [page.rows(metric.name) for metric in examples.METRICS]

    assert all(rows)
    assert rows[0] == [
        "roc_auc decides 0.7031 0.6919 to 0.7143 0.6929 0.6817 to 0.7041 +0.0102 +0.0046 to +0.0158 better "
        "at least 0.6 ✓ kept"
    ]


def test_a_failed_slice_is_marked_in_word_and_shape_in_table_and_chart(page: Page) -> None:
    (failed,) = page.rows("origin: LGA")
    (passed,) = page.rows("origin: EWR")

    assert "✗ failed" in failed and "✓ passed" in passed
    assert "✗ 1 of 7 slices failed" in page.text and "; 1 may" in page.text
    description = next(text for text in page.texts("desc") if "origin: LGA" in text)
    assert "-0.0610 (-0.0810 to -0.0410), failed" in description
    assert page.texts("text").count("failed") == 1


def test_a_slice_that_is_not_judged_stays_in_the_table(page: Page) -> None:
    (row,) = page.rows("carrier: OO")

    assert "not judged" in row and "It has 41 records" in row


def test_200_slices_stand_in_the_table_and_the_worst_in_the_chart() -> None:
    page = Page(rendered("200 slices"))

    assert len(page.rows("dest: D")) == 200
    assert page.texts("text").count("failed") == 20
    assert "and 15 more, first in the table" in page.text
    assert "the first 25 of 200, failed ones first" in page.text


def test_the_first_model_has_no_column_of_numbers_that_nobody_measured() -> None:
    page = Page(rendered("first model"))

    assert "production serves none yet" in page.text
    assert page.rows("roc_auc") == [f"roc_auc decides 0.7031 0.6919 to 0.7143 no champion {ABSENT} at least 0.6 ✓ kept"]
    assert "None of 7 slices could be judged" in page.text


def test_a_champion_that_could_not_be_scored_is_told_with_its_failure() -> None:
    page = Page(render_html(examples.unscored_champion("the job ended: No space left on device")))

    assert "The champion, version 7, could not be scored." in page.text
    assert "Why the champion could not be scored the job ended: No space left on device" in page.text
    assert "not scored" in page.rows("roc_auc")[0]


def test_nan_is_shown_and_not_dropped() -> None:
    page = Page(rendered("not numbers"))

    assert page.rows("roc_auc") == [f"roc_auc decides not a number 0.6929 {ABSENT} at least 0.6 ✗ not kept"]
    assert "not a number" in page.texts("article")[0] and "champion 0.6929" in page.texts("article")[0]
    assert page.rows("dewp not") == ["dewp not a number"]  # the importance of a column


def test_the_numbers_of_each_chart_stand_beside_it(page: Page) -> None:
    assert "0.5000 0.7320 0.7071" in page.text  # of the ROC curve: 0.5 ** 0.45 and 0.5 ** 0.5
    assert page.rows("challenger 0.0667 0.0835") and page.rows("champion 0.0667 0.1087")
    assert page.rows("scheduled_departure 0.0912")
    assert page.rows("on time 9,120 89.2 % 1,103 10.8 %")


def test_a_behaviour_that_does_not_hold_is_marked(page: Page) -> None:
    (broken,) = page.rows("the name of the carrier")
    (held,) = page.rows("a stronger wind")

    assert "✗ does not hold direction 11 of 200 5.5 % 2.0 % carrier UA -> ua: 0.21 -> 0.34" in broken
    assert "✓ holds" in held


@pytest.mark.parametrize(("violations", "word"), [(4, "✓ holds"), (5, "✗ does not hold")])
def test_a_behaviour_on_its_allowed_share_holds(violations: int, word: str) -> None:
    behaviours = (examples.behaviour("edge", violations),)  # 2 % of 200 records
    challenger = examples.CHALLENGER.model_copy(update={"behaviours": behaviours})

    assert word in Page(render_html(replace(examples.EVIDENCE, challenger=challenger))).rows("edge")[0]


def test_what_staging_showed_stands_before_the_metrics() -> None:
    html = rendered("verified")
    page = Page(html)

    assert html.index('<section id="staging">') < html.index('<section id="metrics">')
    assert {"href": "#staging"} in page.attributes("a")
    for told in (
        "✓ The endpoint was called as clients will call it, and passed.",
        "204 answers about 100 records are within 0.000001 of the offline predictions",
        "every answer is as openapi.json says, which was shipped with the model (version 7e945e3c9ded)",
        "220 fixed requests and 131 generated (seed 20131118): 290 refused, 61 answered as they may be",
        "20 requests a second for 30 s: 20.0 answered a second, 0 % errors (0 % allowed)",
        "p50 7 ms, p95 11 ms, p99 19 ms (500 ms allowed)",
        "fits: its container takes 258 MiB under load of the 8,192 MiB of ml.m5.large",
        "0.03 s to a good answer after a process was killed",
    ):
        assert told in page.text, told


def test_what_failed_on_staging_is_told_with_what_was_found_before_it() -> None:
    page = Page(rendered("failed on staging"))

    assert "✗ The endpoint did not pass. <script>alert('x')</script>" in page.text
    assert "204 answers about 100 records" in page.text
    assert "answered a second" not in page.text


def test_a_failure_before_anything_was_found_is_told_all_the_same() -> None:
    nothing = {"agreement": None, "hostile": None, "load": None, "fit": None, "failure": "there is no endpoint"}
    page = Page(render_html(examples.verified(**nothing)))

    assert "✗ The endpoint did not pass. there is no endpoint" in page.text


def test_before_staging_there_is_no_word_of_it(page: Page) -> None:
    assert "staging" not in page.text.lower()
    assert {"href": "#staging"} not in page.attributes("a")


def test_a_model_without_a_description_is_told_so() -> None:
    text = Page(render_html(examples.verified(contract=None))).text

    assert "the model came without an openapi.json to hold the answers to" in text


def test_a_cold_start_is_told_where_there_was_one() -> None:
    cold, warm = (Page(render_html(examples.verified(cold_start_ms=found))).text for found in (7320.0, None))

    assert "Cold start 7.3 s to the first answer, container and model loaded" in cold
    assert "Cold start" not in warm


def test_what_changed_in_the_data_is_named(page: Page) -> None:
    assert page.rows("train rows") == ["train rows 312,400 298,114 +14,286 (+4.8 %)"]
    assert "visib_at_dest new" in page.rows("visib_at_dest")[0]
    assert "+0.16" in page.rows("temp Float64")[0]


def test_the_lineage_leads_back_to_the_training(page: Page) -> None:
    facts = examples.EVIDENCE.facts
    _, _, lineage = page.text.rpartition("Lineage Commit")

    for one in (facts.commit_id, facts.execution_id, facts.image_uri, facts.model_data_uri):
        assert one in lineage
    for one in ("flight-delays-train-0f9e8d7c", "192 s (3 min 12 s)", "148 s (2 min 28 s)", "max_depth = 6", "3f" * 32):
        assert one in lineage
    assert page.texts("pre") == [" ".join(facts.reproduce.split())]


def test_a_regression_has_residuals_instead_of_curves() -> None:
    page = Page(rendered("regression"))

    assert "Residuals" in page.texts("title")
    assert not {"ROC curve", "Calibration"} & set(page.texts("title"))
    assert "worse →" in page.texts("text")  # a larger error is on the right


def test_many_classes_have_a_line_each_instead_of_a_matrix() -> None:
    few, many = (Page(render_html(examples.multiclass(classes))) for classes in (12, 13))

    assert few.rows("class 0")[0].startswith("class 0 800")
    assert "Recognised" in many.text and "Recognised" not in few.text


def test_without_slices_and_curves_it_says_so() -> None:
    page = Page(rendered("bare"))

    for sentence in (
        "The policy names no slices",
        "There are no curves",
        "Feature importance was not measured.",
        "declared no behaviours",
        "The manifest of the data set could not be read.",
    ):
        assert sentence in page.text


def test_hostile_names_stay_names() -> None:
    page = Page(rendered("hostile names"))

    assert not page.attributes("script") and not page.attributes("img")
    assert examples.HOSTILE in page.text
    assert "49" not in page.texts("li")  # {{ 7*7 }} was not computed
    handlers = [name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")]
    assert not handlers


def test_a_link_leads_to_https_or_nowhere() -> None:
    page = Page(rendered("hostile names"))

    outside = [str(link["href"]) for link in page.attributes("a") if not str(link["href"]).startswith("#")]
    assert len(outside) == 1
    assert outside[0].startswith("https://example.com/")


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\u202eb", "a\x00b", "zero\u200bwidth", "half \ud800"], ids=ascii)
def test_control_characters_and_marks_of_direction_are_gone(text: str) -> None:
    html = render_html(examples.hostile(text))

    assert html.encode()  # no halves of characters
    assert not any(character in html for character in text if not character.isprintable())


def test_names_in_any_script_are_drawn() -> None:
    html = render_html(examples.hostile("航班延误 ✈️ задержка"))

    assert "航班延误" in "".join(Page(html).texts("text"))


@pytest.mark.parametrize("name", ["0.123456 to #0a0b01", "$x_1$", "$\\bad{$", "a  b", '<g id="x">', "a & b"])
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    comparison = examples.EVIDENCE.comparison.model_copy(update={"slices": (examples.slice_("x", name, 5000, 0.01),)})

    page = Page(render_html(replace(examples.EVIDENCE, comparison=comparison)))

    assert f"x: {' '.join(name.split())}" in page.texts("text")


def test_what_failed_has_another_shape_and_not_only_another_colour() -> None:
    chart = rendered("accepted").partition('aria-labelledby="slices-title"')[2].partition("</svg>")[0]
    shapes = dict(re.findall(r'<path id="(\w+)" d="([^"]*)"', chart))
    markers = re.findall(r'<use href="#(\w+)"[^>]*style="([^"]*)"', chart)

    failed = {shapes[marker] for marker, style in markers if "var(--bad)" in style}
    passed = {shapes[marker] for marker, style in markers if "var(--challenger)" in style}

    assert len(failed) == len(passed) == 1
    assert failed != passed


def test_a_chart_follows_the_colours_of_the_page() -> None:
    html = render_html(examples.EVIDENCE)

    drawn = re.findall(r"<svg .*?</svg>", html, re.DOTALL)
    assert not any(re.search(r"#[0-9a-f]{6}\b(?!\))", one.partition("<desc")[2]) for one in drawn if "href" not in one)
    assert all(re.search(r"(?:fill|stroke): #", one) is None for one in drawn)
    assert sum(one.count("var(--challenger)") for one in drawn) > 10


def test_very_long_reasons_are_shown_whole() -> None:
    reason = "x" * 5000
    decision = examples.REJECTED.model_copy(update={"reasons": (reason,) * 3})

    assert Page(render_html(replace(examples.EVIDENCE, decision=decision))).texts("li")[:3] == [reason] * 3


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert render_html(examples.EVIDENCE) == rendered("accepted")


def test_another_process_gives_the_same_bytes() -> None:
    code = "from tests.pipeline_steps.report import examples as e; from pipeline_steps.report.html import render_html; "
    code += "import hashlib; print(hashlib.sha256(render_html(e.EVIDENCE).encode()).hexdigest())"
    root = Path(__file__).parents[3]

    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1
