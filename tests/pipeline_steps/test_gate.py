"""The gate says yes or no, with reasons that a person can act on."""

from typing import Any, Literal

import pytest

from pipeline_steps.documents import (
    Behaviour,
    Comparison,
    Curves,
    CurvesOfBoth,
    Estimate,
    EvaluationReport,
    MetricComparison,
    SliceComparison,
    SliceVerdict,
)
from pipeline_steps.gate import FIRST_RUN_NOTE, decide_promotion
from settings import ChampionPolicy, Evaluation, Limit, PrimaryMetric

CHALLENGER = EvaluationReport(metrics={}, rows=2000)
CHAMPION = EvaluationReport(metrics={}, rows=2000)

Difference = tuple[float | None, float | None, float | None]


def comparison(
    values: dict[str, float | None],
    *,
    champion: float | None = None,
    difference: Difference | None = None,
    records: int = 2000,
    slices: tuple[SliceComparison, ...] = (),
) -> Comparison:
    """The first metric is the primary one; the champion and the difference are of it."""
    metrics = []
    for number, (name, value) in enumerate(values.items()):
        compared = number == 0 and difference is not None
        metrics.append(
            MetricComparison(
                name=name,
                goal=None,
                challenger=Estimate(value=value),
                champion=Estimate(value=champion) if compared else None,
                difference=Estimate(value=difference[0], low=difference[1], high=difference[2])
                if compared and difference is not None
                else None,
                primary=number == 0,
            )
        )
    return Comparison(
        task="binary",
        records=records,
        confidence=0.95,
        resamples=1000,
        seed=1,
        metrics=tuple(metrics),
        slices=slices,
        curves=CurvesOfBoth(challenger=Curves()),
    )


def policy(*limits: Limit, goal: Literal["maximize", "minimize"] = "maximize", **more: Any) -> Evaluation:
    side: Any = {"at_least": -1e9} if goal == "maximize" else {"at_most": 1e9}
    return Evaluation(
        primary=PrimaryMetric(metric="roc_auc", goal=goal),
        limits=limits or (Limit(metric="roc_auc", **side),),
        champion=more.pop("champion", ChampionPolicy(not_worse_by=0.01)),
        **more,
    )


# --- Limits

ROC_AUC = Limit(metric="roc_auc", at_least=0.6)
LOG_LOSS = Limit(metric="log_loss", at_most=0.7)
BETWEEN = Limit(metric="late_share", at_least=0.1, at_most=0.4)


@pytest.mark.parametrize(
    ("limit", "value", "verdict", "reason"),
    [
        (ROC_AUC, 0.61, "Accepted", "The challenger's roc_auc 0.61 is at least the limit 0.6."),
        (ROC_AUC, 0.6, "Accepted", "The challenger's roc_auc 0.6 is at least the limit 0.6."),
        (ROC_AUC, 0.59, "Rejected", "The challenger's roc_auc 0.59 is below the limit 0.6."),
        (ROC_AUC, 0.59999999, "Rejected", "The challenger's roc_auc 0.59999999 is below the limit 0.6."),
        (LOG_LOSS, 0.7, "Accepted", "The challenger's log_loss 0.7 is at most the limit 0.7."),
        (LOG_LOSS, 0.71, "Rejected", "The challenger's log_loss 0.71 is above the limit 0.7."),
        (BETWEEN, 0.4, "Accepted", "The challenger's late_share 0.4 is at most the limit 0.4."),
        (BETWEEN, 0.05, "Rejected", "The challenger's late_share 0.05 is below the limit 0.1."),
        (ROC_AUC, None, "Rejected", "The challenger's roc_auc is not a finite number; it must be at least 0.6."),
    ],
    ids=["above", "on at_least", "below", "not rounded", "on at_most", "over", "both", "under the lower", "NaN"],
)
def test_a_limit_is_kept_on_its_boundary_and_broken_beyond(
    limit: Limit, value: float | None, verdict: str, reason: str
) -> None:
    metrics = {"roc_auc": 0.9, limit.metric: value}
    decision = decide_promotion(CHALLENGER, None, comparison(metrics), policy(limit))

    assert decision.verdict == verdict
    assert reason in decision.reasons


def test_a_metric_that_nobody_measured_is_named_with_those_that_were() -> None:
    decision = decide_promotion(CHALLENGER, None, comparison({"roc_auc": 0.9, "f1": 0.4}), policy(LOG_LOSS))

    assert decision.reasons == (
        "The challenger's log_loss was not measured; it must be at most 0.7 (measured: f1, roc_auc).",
    )


def test_all_broken_limits_are_told_and_no_kept_one() -> None:
    measured = comparison({"roc_auc": 0.55, "log_loss": 0.9, "late_share": 0.2})
    decision = decide_promotion(CHALLENGER, None, measured, policy(ROC_AUC, LOG_LOSS, BETWEEN))

    assert [reason.split()[2] for reason in decision.reasons] == ["roc_auc", "log_loss"]


@pytest.mark.parametrize(("records", "verdict"), [(999, "Rejected"), (1000, "Accepted")])
def test_a_holdout_that_is_too_small_decides_nothing(records: int, verdict: str) -> None:
    decision = decide_promotion(CHALLENGER, None, comparison({"roc_auc": 0.9}, records=records), policy())

    assert decision.verdict == verdict
    assert decision.reasons[0] == f"The holdout has {records} records; at least 1000 are needed."


# --- The champion


def test_the_first_model_is_judged_by_the_limits_alone_and_the_approver_is_told() -> None:
    decision = decide_promotion(CHALLENGER, None, comparison({"roc_auc": 0.9}), policy())

    assert (decision.verdict, decision.notes) == ("Accepted", (FIRST_RUN_NOTE,))


def test_a_champion_that_cannot_be_scored_rejects_with_the_reason() -> None:
    lost = EvaluationReport(metrics={}, rows=0, failure="the processing job x failed: no such image")
    decision = decide_promotion(CHALLENGER, lost, comparison({"roc_auc": 0.9}), policy())

    assert decision.verdict == "Rejected"
    assert decision.reasons == (
        "The champion could not be scored, so nothing can be compared: the processing job x failed: no such image",
    )


NOT_WORSE, BETTER = ChampionPolicy(not_worse_by=0.01), ChampionPolicy(better_by=0.01)
NOT_WORSE_PERCENT, BETTER_AT_ALL = ChampionPolicy(not_worse_by="2%"), ChampionPolicy(better_by=0)


@pytest.mark.parametrize(
    ("rule", "goal", "difference", "verdict", "told"),
    [
        pytest.param(NOT_WORSE, "maximize", (0.0, -0.01, 0.01), "Accepted", "worse by at most 0.01; 0.01 is allowed.",
                     id="the interval ends on the margin"),
        pytest.param(NOT_WORSE, "maximize", (0.0, -0.0101, 0.02), "Rejected", "worse by at most 0.0101; 0.01",
                     id="the interval reaches beyond the margin, although nothing was lost"),
        pytest.param(NOT_WORSE, "maximize", (0.65 - 0.64 - 0.02, 0.64 - 0.65, 0.0), "Accepted", "0.01 is allowed.",
                     id="a margin that binary numbers miss"),
        pytest.param(NOT_WORSE, "maximize", (0.02, 0.01, 0.03), "Accepted", "surely not worse; 0.01 is allowed.",
                     id="better"),
        pytest.param(NOT_WORSE, "maximize", (0.0, 0.0, 0.0), "Accepted", "surely not worse; 0.01 is allowed.",
                     id="equal"),
        pytest.param(NOT_WORSE, "minimize", (0.0, -0.02, 0.01), "Accepted", "worse by at most 0.01; 0.01 is allowed.",
                     id="minimize: on the margin"),
        pytest.param(NOT_WORSE, "minimize", (0.0, -0.02, 0.011), "Rejected", "worse by at most 0.011; 0.01 is allowed.",
                     id="minimize: beyond"),
        pytest.param(NOT_WORSE_PERCENT, "maximize", (0.0, -0.016, 0.0), "Accepted", "0.016 (2 %) is allowed.",
                     id="relative: 2 % of 0.8, on the margin"),
        pytest.param(NOT_WORSE_PERCENT, "maximize", (0.0, -0.0161, 0.0), "Rejected", "0.016 (2 %) is allowed.",
                     id="relative: beyond"),
        pytest.param(BETTER, "maximize", (0.03, 0.0101, 0.05), "Accepted", "better by at least 0.0101; more than 0.01",
                     id="better by more than asked"),
        pytest.param(BETTER, "maximize", (0.03, 0.01, 0.05), "Rejected", "better by at least 0.01; more than 0.01",
                     id="better by just what is asked"),
        pytest.param(BETTER, "minimize", (-0.03, -0.05, -0.0101), "Accepted", "better by at least 0.0101;",
                     id="minimize: better"),
        pytest.param(BETTER_AT_ALL, "maximize", (0.0, 0.0, 0.0), "Rejected", "not surely better; more than 0 is asked.",
                     id="equal is not better"),
        pytest.param(BETTER_AT_ALL, "maximize", (0.01, -0.001, 0.02), "Rejected", "not surely better;",
                     id="better on this holdout, but not surely"),
    ],
)  # fmt: skip
def test_the_comparison_is_decided_on_the_whole_interval(
    rule: ChampionPolicy, goal: Any, difference: Difference, verdict: str, told: str
) -> None:
    measured = comparison({"roc_auc": 0.81}, champion=0.8, difference=difference)
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy(goal=goal, champion=rule))

    assert decision.verdict == verdict
    assert told in decision.reasons[-1]


def test_the_reason_has_both_values_and_the_interval() -> None:
    measured = comparison({"roc_auc": 0.7131}, champion=0.72, difference=(-0.0069, -0.0121, -0.0012))
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy())

    assert decision.reasons == (
        "The challenger's roc_auc is 0.7131, the champion's 0.72 (95 % interval of the difference -0.0121 to -0.0012): "
        "worse by at most 0.0121; 0.01 is allowed.",
    )


@pytest.mark.parametrize(
    ("value", "champion", "difference", "told"),
    [
        (None, 0.8, (None, None, None), "The challenger's roc_auc is not known as a finite number"),
        (0.8, None, (None, None, None), "The champion's roc_auc is not known as a finite number"),
        (0.8, 0.8, (0.0, None, None), "give its values in own_losses of model.py"),
    ],
    ids=["NaN", "the champion's NaN", "no interval"],
)
def test_what_cannot_be_compared_does_not_pass(
    value: float | None, champion: float | None, difference: Difference, told: str
) -> None:
    measured = comparison({"roc_auc": value}, champion=champion, difference=difference)
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy())

    assert decision.verdict == "Rejected"
    assert any(told in reason for reason in decision.reasons)


def test_a_primary_metric_that_nobody_measured_does_not_pass() -> None:
    measured = comparison({"f1": 0.5})
    unmeasured = measured.model_copy(
        update={"metrics": tuple(one.model_copy(update={"primary": False}) for one in measured.metrics)}
    )
    decision = decide_promotion(CHALLENGER, CHAMPION, unmeasured, policy())

    assert decision.verdict == "Rejected"


# --- Slices


def one_slice(verdict: SliceVerdict, name: str = "JFK") -> SliceComparison:
    return SliceComparison(
        column="origin", name=name, records=400, challenger=Estimate(value=0.6), champion=Estimate(value=0.7),
        difference=Estimate(value=-0.1, low=-0.2, high=-0.06), verdict=verdict,
        reason="The challenger's roc_auc is worse by at least 0.06; 0.05 is allowed.",
    )  # fmt: skip


def compared(*slices: SliceComparison) -> Comparison:
    return comparison({"roc_auc": 0.81}, champion=0.8, difference=(0.01, 0.005, 0.015), slices=slices)


def test_a_model_that_is_better_overall_but_worse_on_a_slice_is_rejected() -> None:
    measured = compared(one_slice("passed", "EWR"), one_slice("failed"))
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy())

    assert decision.verdict == "Rejected"
    assert decision.reasons == (
        "On origin = JFK (400 records): The challenger's roc_auc is worse by at least 0.06; 0.05 is allowed.",
    )


@pytest.mark.parametrize(("may_fail", "verdict"), [(2, "Accepted"), (1, "Rejected"), (0, "Rejected")])
def test_no_more_slices_may_fail_than_the_policy_says(may_fail: int, verdict: str) -> None:
    measured = compared(one_slice("failed"), one_slice("failed", "EWR"), one_slice("passed", "LGA"))
    slices = policy().slices.model_copy(update={"may_fail": may_fail})
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy(slices=slices))

    assert decision.verdict == verdict
    assert sum("On origin = " in said for said in (*decision.reasons, *decision.notes)) == 2  # told in either case


def test_slices_that_were_not_judged_are_told_of() -> None:
    measured = compared(one_slice("passed"), one_slice("not judged", "EWR"))
    decision = decide_promotion(CHALLENGER, CHAMPION, measured, policy())

    assert decision.verdict == "Accepted"
    assert decision.notes == ("1 of 2 slices were not judged; the report says why.",)


# --- Behaviour


def behaviour(violations: int, records: int = 200) -> EvaluationReport:
    declared = Behaviour(
        name="more wind, later", kind="direction", records=records, violations=violations, allowed_share=0.02,
        example="0.3 became 0.2",
    )  # fmt: skip
    return EvaluationReport(metrics={}, rows=2000, behaviours=(declared,))


@pytest.mark.parametrize(("violations", "verdict"), [(4, "Accepted"), (5, "Rejected")])
def test_a_behaviour_may_be_broken_by_the_share_that_the_team_allows(violations: int, verdict: str) -> None:
    decision = decide_promotion(behaviour(violations), None, comparison({"roc_auc": 0.9}), policy())

    assert decision.verdict == verdict
    assert f"'more wind, later' is broken by {violations} of 200 records" in decision.reasons[-1]
    assert ("for example 0.3 became 0.2" in decision.reasons[-1]) == (verdict == "Rejected")


def test_a_behaviour_that_was_checked_on_nothing_does_not_pass() -> None:
    decision = decide_promotion(behaviour(0, records=0), None, comparison({"roc_auc": 0.9}), policy())

    assert decision.verdict == "Rejected"
