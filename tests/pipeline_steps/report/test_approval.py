"""The text of the manual approval."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.loaders import Loader

from pipeline_steps.report.approval import LONGEST_APPROVAL, approval_text
from pipeline_steps.report.evidence import ReportEvidence
from tests.pipeline_steps.report import examples


def test_it_has_the_verdict_and_three_numbers_with_the_difference_to_the_champion() -> None:
    assert approval_text(examples.EVIDENCE).startswith(
        "Accepted: roc_auc 0.7031 (at least 0.6), difference to the champion +0.0102 (95 % interval +0.0046 to "
        "+0.0158): better; log_loss 0.4412 (at most 0.6), -0.0029 (-0.0060 to +0.0001): no clear difference; "
        "expected_calibration_error 0.0213 (at most 0.1), +0.0026 (-0.0002 to +0.0053): no clear difference. "
        "1 of 7 slices failed (origin: LGA). 12,913 holdout records."
    )


def test_what_an_approver_should_know_is_in_it() -> None:
    assert examples.ACCEPTED.notes[0] in approval_text(examples.EVIDENCE)


def test_a_rejection_has_its_reasons() -> None:
    text = approval_text(examples.rejected())

    assert text.startswith("Rejected: roc_auc 0.5800 (at least 0.6, not kept), difference to the champion -0.1129")
    assert examples.REJECTED.reasons[0] in text


def test_without_a_champion_it_says_so() -> None:
    assert "roc_auc 0.7031 (at least 0.6), no champion; log_loss" in approval_text(examples.first_model())
    assert "champion not scored" in approval_text(examples.unscored_champion())


def test_nan_is_shown() -> None:
    text = approval_text(examples.not_numbers())

    assert "roc_auc not a number (at least 0.6, not kept), champion 0.6929" in text


def test_a_metric_without_an_interval_has_its_difference() -> None:
    metrics = (examples.metric("roc_auc", 0.7, 0.65), *examples.METRICS[1:])
    comparison = examples.EVIDENCE.comparison.model_copy(update={"metrics": metrics})

    text = approval_text(replace(examples.EVIDENCE, comparison=comparison))

    assert "roc_auc 0.7000 (at least 0.6), difference to the champion +0.0500: better" in text


@pytest.mark.parametrize("longest", [0, 1, 3, 100, 400, LONGEST_APPROVAL])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(lambda: examples.EVIDENCE, id="example"),
        pytest.param(examples.many_slices, id="many slices"),
        pytest.param(lambda: examples.hostile("x" * 5000), id="long names and reasons"),
        pytest.param(lambda: examples.hostile("a\nb\r\n\x1b[31m\u2028c" * 200), id="control characters"),
    ],
)
def test_it_is_one_line_that_is_never_longer_than_it_may_be(longest: int, case: Callable[[], ReportEvidence]) -> None:
    text = approval_text(case(), longest)

    assert len(text) <= longest
    assert text.isprintable()


def test_the_three_numbers_fit_whatever_the_names_are() -> None:
    assert "; " in approval_text(examples.hostile("x" * 5000), 400)


def test_the_limit_is_codepipelines() -> None:
    model = Loader().load_service_model("codepipeline", "service-2")

    assert model["shapes"]["ActionConfigurationValue"]["max"] == LONGEST_APPROVAL
