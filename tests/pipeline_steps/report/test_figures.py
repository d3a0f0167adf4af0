"""What each metric says, in words."""

from dataclasses import replace

import pytest

from pipeline_steps.documents import Estimate, Goal
from pipeline_steps.report.figures import Figure, champion_rule, figures, key_figures, outcome, slices_in_order
from settings import ChampionPolicy, Limit
from tests.pipeline_steps.report import examples


def figure(metric: str, evidence: object = examples.EVIDENCE) -> Figure:
    return next(one for one in figures(evidence) if one.comparison.name == metric)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "goal", "expected"),
    [
        pytest.param(0.01, 0.02, "maximize", ("better", "good"), id="surely more"),
        pytest.param(0.01, 0.02, "minimize", ("worse", "bad"), id="surely more of what should be little"),
        pytest.param(-0.02, -0.01, "maximize", ("worse", "bad"), id="surely less"),
        pytest.param(-0.02, -0.01, "minimize", ("better", "good"), id="surely less of what should be little"),
        pytest.param(-0.01, 0.02, "maximize", ("no clear difference", "neutral"), id="both signs"),
        pytest.param(0.0, 0.02, "maximize", ("no clear difference", "neutral"), id="on zero"),
        pytest.param(0.01, 0.02, None, ("higher", "neutral"), id="nobody said what is better"),
        pytest.param(-0.02, -0.01, None, ("lower", "neutral"), id="nobody said, less"),
    ],
)
def test_a_difference_means_something_when_its_interval_has_one_sign(
    low: float, high: float, goal: Goal | None, expected: tuple[str, str]
) -> None:
    assert outcome(Estimate(value=(low + high) / 2, low=low, high=high), goal) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, ("better", "neutral")),
        (-0.1, ("worse", "neutral")),
        (0.0, ("the same", "neutral")),
        (None, ("", "neutral")),
    ],
)
def test_without_an_interval_no_colour_says_that_a_difference_is_sure(
    value: float | None, expected: tuple[str, str]
) -> None:
    assert outcome(Estimate(value=value), "maximize") == expected


def test_the_numbers_that_matter_are_the_primary_metric_and_the_next_two_limits() -> None:
    names = [one.comparison.name for one in key_figures(examples.EVIDENCE)]

    assert names == ["roc_auc", "log_loss", "expected_calibration_error"]


def test_a_limit_of_what_was_not_measured_is_shown_and_not_kept() -> None:
    policy = examples.POLICY.model_copy(update={"limits": (Limit(metric="recall", at_least=0.5),)})

    primary, recall = key_figures(replace(examples.EVIDENCE, policy=policy))

    assert (primary.comparison.name, primary.keeps_limit, primary.limit) == ("roc_auc", None, "")
    assert (recall.challenger, recall.limit, recall.keeps_limit) == ("not measured", "at least 0.5", False)


@pytest.mark.parametrize(
    ("value", "kept", "shown"),
    [(0.6, True, "0.6000"), (0.6001, True, "0.6001"), (0.599999, False, "0.599999"), (0.5, False, "0.5000")],
)
def test_a_value_just_off_its_limit_does_not_read_as_the_limit(value: float, kept: bool, shown: str) -> None:
    metrics = (examples.metric("roc_auc", value, 0.7), *examples.METRICS[1:])
    evidence = replace(
        examples.EVIDENCE, comparison=examples.EVIDENCE.comparison.model_copy(update={"metrics": metrics})
    )

    assert (figure("roc_auc", evidence).keeps_limit, figure("roc_auc", evidence).challenger) == (kept, shown)


def test_why_there_is_no_number_is_said() -> None:
    first, unscored = figure("roc_auc", examples.first_model()), figure("roc_auc", examples.unscored_champion())
    nan, absent = figure("roc_auc", examples.not_numbers()), figure("log_loss", examples.not_numbers())

    assert (first.champion, unscored.champion) == ("no champion", "not scored")
    assert (nan.challenger, nan.champion) == ("not a number", "0.6929")
    assert (absent.challenger, absent.champion) == ("not measured", "not a number")


def test_failed_slices_come_first_and_unjudged_ones_last() -> None:
    ordered = [f"{one.column} {one.name}" for one in slices_in_order(examples.EVIDENCE)]

    assert ordered[0] == "origin LGA"
    assert ordered[1:3] == ["origin EWR", "origin JFK"]
    assert ordered[-1] == "carrier OO"


def test_the_rule_for_the_champion_is_the_policys() -> None:
    better = examples.POLICY.model_copy(update={"champion": ChampionPolicy(better_by="2%")})  # type: ignore[arg-type]

    assert champion_rule(examples.POLICY) == "may be worse by at most 0.01"
    assert champion_rule(better) == "must be better by more than 2 %"
