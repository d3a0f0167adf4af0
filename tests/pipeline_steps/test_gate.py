"""The gate says yes or no, with reasons that a person can act on."""

from typing import Any, Literal

import pytest

from pipeline_steps.documents import EvaluationReport
from pipeline_steps.gate import FIRST_RUN_NOTE, decide_promotion, shown
from settings import ChampionPolicy, Evaluation, Limit, PrimaryMetric


def report(*, rows: int = 1000, **metrics: float) -> EvaluationReport:
    return EvaluationReport(metrics=metrics, rows=rows)


def policy(
    *limits: Limit,
    metric: str = "roc_auc",
    goal: Literal["maximize", "minimize"] = "maximize",
    not_worse_by: float = 0.01,
) -> Evaluation:
    side: Any = {"at_least": -1e9} if goal == "maximize" else {"at_most": 1e9}
    return Evaluation(
        primary=PrimaryMetric(metric=metric, goal=goal),
        limits=limits or (Limit(metric=metric, **side),),
        champion=ChampionPolicy(not_worse_by=not_worse_by),
    )


ROC_AUC = Limit(metric="roc_auc", at_least=0.6)
LOG_LOSS = Limit(metric="log_loss", at_most=0.7)
BETWEEN = Limit(metric="late_share", at_least=0.1, at_most=0.4)


@pytest.mark.parametrize(
    ("limit", "value", "verdict", "reason"),
    [
        pytest.param(ROC_AUC, 0.61, "Accepted", "The challenger's roc_auc 0.61 is at least the limit 0.6.", id="above"),
        pytest.param(
            ROC_AUC, 0.6, "Accepted", "The challenger's roc_auc 0.6 is at least the limit 0.6.", id="on at_least"
        ),
        pytest.param(ROC_AUC, 0.59, "Rejected", "The challenger's roc_auc 0.59 is below the limit 0.6.", id="below"),
        pytest.param(
            ROC_AUC,
            0.59999999,
            "Rejected",
            "The challenger's roc_auc 0.59999999 is below the limit 0.6.",
            id="just below, not rounded onto the limit",
        ),
        pytest.param(
            LOG_LOSS, 0.7, "Accepted", "The challenger's log_loss 0.7 is at most the limit 0.7.", id="on at_most"
        ),
        pytest.param(
            LOG_LOSS, 0.71, "Rejected", "The challenger's log_loss 0.71 is above the limit 0.7.", id="over at_most"
        ),
        pytest.param(
            BETWEEN,
            0.4,
            "Accepted",
            "The challenger's late_share 0.4 is at most the limit 0.4.",
            id="both, on the upper",
        ),
        pytest.param(
            BETWEEN,
            0.05,
            "Rejected",
            "The challenger's late_share 0.05 is below the limit 0.1.",
            id="both, under the lower",
        ),
        pytest.param(
            ROC_AUC,
            float("nan"),
            "Rejected",
            "The challenger's roc_auc is not a finite number; it must be at least 0.6.",
            id="NaN",
        ),
        pytest.param(
            ROC_AUC,
            float("inf"),
            "Rejected",
            "The challenger's roc_auc is not a finite number; it must be at least 0.6.",
            id="infinite",
        ),
    ],
)
def test_an_absolute_limit_decides(limit: Limit, value: float, verdict: str, reason: str) -> None:
    decision = decide_promotion(
        EvaluationReport(metrics={limit.metric: value}, rows=1000), None, policy(limit, metric="other")
    )

    assert decision.verdict == verdict
    assert reason in decision.reasons


def test_a_metric_that_was_not_measured_rejects_and_says_what_was() -> None:
    decision = decide_promotion(report(accuracy=0.9, f1=0.5), None, policy(BETWEEN))

    assert decision.verdict == "Rejected"
    assert decision.reasons == (
        "The challenger's late_share was not measured; it must be at least 0.1 and at most 0.4 "
        "(measured: accuracy, f1).",
    )


def test_all_faults_are_named_not_the_first_alone() -> None:
    decision = decide_promotion(report(roc_auc=0.5, log_loss=0.9), report(roc_auc=0.7), policy(ROC_AUC, LOG_LOSS))

    assert decision.reasons == (
        "The challenger's roc_auc 0.5 is below the limit 0.6.",
        "The challenger's log_loss 0.9 is above the limit 0.7.",
        "The challenger's roc_auc 0.5 is worse by 0.2 than the champion's 0.7; worse by 0.01 is allowed.",
    )


def test_a_first_model_is_accepted_on_the_limits_alone_with_a_note() -> None:
    decision = decide_promotion(report(roc_auc=0.65, log_loss=0.6), None, policy(ROC_AUC, LOG_LOSS))

    assert decision.verdict == "Accepted"
    assert decision.notes == (FIRST_RUN_NOTE,)


def test_a_first_model_still_has_to_keep_the_limits() -> None:
    assert decide_promotion(report(roc_auc=0.5), None, policy(ROC_AUC)).verdict == "Rejected"


@pytest.mark.parametrize(
    ("goal", "challenger", "champion", "verdict", "sentence"),
    [
        pytest.param("maximize", 0.66, 0.65, "Accepted", "0.66 is not worse than the champion's 0.65", id="better"),
        pytest.param("maximize", 0.65, 0.65, "Accepted", "0.65 is not worse than the champion's 0.65", id="equal"),
        pytest.param("maximize", 0.64, 0.65, "Accepted", "0.64 is worse by 0.01 than", id="on the boundary"),
        pytest.param("maximize", 0.63, 0.65, "Rejected", "0.63 is worse by 0.02 than", id="too much worse"),
        pytest.param(
            "maximize", 0.63999999, 0.65, "Rejected", "0.64 is worse by 0.01000001 than", id="just over the boundary"
        ),
        pytest.param(
            "minimize", 0.50, 0.51, "Accepted", "0.5 is not worse than the champion's 0.51", id="less is better"
        ),
        pytest.param("minimize", 0.52, 0.51, "Accepted", "0.52 is worse by 0.01 than", id="minimize, on the boundary"),
        pytest.param("minimize", 0.53, 0.51, "Rejected", "0.53 is worse by 0.02 than", id="minimize, too much worse"),
        pytest.param("maximize", -0.01, 0.0, "Accepted", "-0.01 is worse by 0.01 than", id="a metric around zero"),
    ],
)
def test_the_champion_decides_by_the_primary_metric_and_its_goal(
    goal: Literal["maximize", "minimize"], challenger: float, champion: float, verdict: str, sentence: str
) -> None:
    decision = decide_promotion(report(m=challenger), report(m=champion), policy(metric="m", goal=goal))

    assert decision.verdict == verdict
    assert sentence in decision.reasons[-1]
    assert decision.notes == ()


def test_no_loss_at_all_can_be_demanded() -> None:
    strict = policy(not_worse_by=0.0)

    assert decide_promotion(report(roc_auc=0.65), report(roc_auc=0.65), strict).verdict == "Accepted"
    assert decide_promotion(report(roc_auc=0.649), report(roc_auc=0.65), strict).verdict == "Rejected"


def test_a_champion_that_could_not_be_scored_rejects_with_the_reason() -> None:
    champion = EvaluationReport(metrics={}, rows=0, failure="the processing job x Failed: column temp is missing")

    decision = decide_promotion(report(roc_auc=0.9), champion, policy())

    assert decision.verdict == "Rejected"
    assert decision.reasons == (
        "The champion could not be scored, so nothing can be compared: "
        "the processing job x Failed: column temp is missing",
    )


@pytest.mark.parametrize(
    ("champion", "reason"),
    [
        pytest.param(
            report(roc_auc=float("nan")),
            "The champion's roc_auc is not a finite number; it must be a number to compare with.",
            id="NaN",
        ),
        pytest.param(
            report(f1=0.5),
            "The champion's roc_auc was not measured; it must be a number to compare with (measured: f1).",
            id="missing",
        ),
    ],
)
def test_a_champion_without_the_primary_metric_rejects(champion: EvaluationReport, reason: str) -> None:
    decision = decide_promotion(report(roc_auc=0.9), champion, policy())

    assert (decision.verdict, decision.reasons) == ("Rejected", (reason,))


def test_a_challenger_without_the_primary_metric_cannot_beat_the_champion() -> None:
    decision = decide_promotion(report(f1=0.9), report(roc_auc=0.6), policy(Limit(metric="f1", at_least=0.1)))

    assert decision.verdict == "Rejected"
    assert "The challenger's roc_auc was not measured" in decision.reasons[0]


def test_a_challenger_scored_on_nothing_is_rejected() -> None:
    decision = decide_promotion(report(rows=0, roc_auc=0.9), None, policy())

    assert decision.reasons == ("The challenger was scored on 0 holdout rows; at least 1 is needed.",)


def test_different_numbers_of_scored_rows_are_noted() -> None:
    decision = decide_promotion(report(rows=900, roc_auc=0.9), report(rows=1000, roc_auc=0.8), policy())

    assert decision.verdict == "Accepted"
    assert "scored 900 rows of the holdout, the champion's 1000" in decision.notes[0]


def test_a_number_keeps_the_digits_that_tell_it_from_its_limit() -> None:
    assert shown(0.123456789) == "0.123457"
    assert shown(0.6000000001, beside=0.6) == "0.6000000001"
    assert shown(0.6, beside=0.6) == "0.6"
