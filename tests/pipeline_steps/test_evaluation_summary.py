"""An evaluation in a few lines."""

from pipeline_steps.documents import (
    Comparison,
    Curves,
    CurvesOfBoth,
    Estimate,
    MetricComparison,
    PromotionDecision,
)
from pipeline_steps.evaluation_summary import comparison_table, summary

ROC_AUC = MetricComparison(
    name="roc_auc", goal="maximize", challenger=Estimate(value=0.65), champion=Estimate(value=0.64),
    difference=Estimate(value=0.01, low=-0.002, high=0.022), primary=True,
)  # fmt: skip
F1 = MetricComparison(name="f1", goal="maximize", challenger=Estimate(value=None), champion=Estimate(value=0.5))
COMPARISON = Comparison(
    task="binary", records=10, confidence=0.95, resamples=1, seed=1, metrics=(ROC_AUC, F1),
    curves=CurvesOfBoth(challenger=Curves()),
)  # fmt: skip


def test_the_table_shows_intervals_and_what_is_missing() -> None:
    assert comparison_table(COMPARISON) == (
        "metric     challenger      champion    difference              interval\n"
        "roc_auc        0.6500        0.6400       +0.0100    -0.0020 to +0.0220\n"
        "f1                  -        0.5000             -"
    )


def test_the_summary_has_the_verdict_and_the_numbers() -> None:
    accepted = PromotionDecision(verdict="Accepted", reasons=())
    assert summary(accepted, COMPARISON) == ("Accepted: roc_auc 0.6500 (champion 0.6400), f1 -, on 10 holdout records")


def test_a_summary_is_one_line_of_400_characters_at_most() -> None:
    line = summary(PromotionDecision(verdict="Rejected", reasons=("a\nreason " * 100,)), COMPARISON)

    assert len(line) == 400
    assert "\n" not in line
