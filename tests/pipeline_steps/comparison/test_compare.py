"""Two models, compared record by record: what an approver is told must be so."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_steps.comparison.compare import ScoredModel, compare, disagreements, refusal
from pipeline_steps.comparison.predictions import Predictions
from pipeline_steps.documents import Comparison, MetricComparison, Scores, SliceComparison, SlicedColumn, Task
from settings import ChampionPolicy, Evaluation, Limit, Margin, PrimaryMetric

RECORDS = 3000
AIRPORTS = ("EWR", "JFK", "LGA")


def scored(
    predictions: NDArray[np.float64],
    labels: NDArray[np.float64],
    *,
    task: Task = "binary",
    slices: Mapping[str, NDArray[np.int32]] | None = None,
    losses: Mapping[str, NDArray[np.float64]] | None = None,
    **metrics: float,
) -> ScoredModel:
    columns = tuple(SlicedColumn(column=column, names=AIRPORTS) for column in slices or {})
    scores = Scores(metrics=metrics, rows=len(labels), task=task, own_losses=tuple(losses or {}), slices=columns)
    return ScoredModel(scores, Predictions(task, labels, predictions, slices or {}, losses or {}))


def policy(metric: str = "roc_auc", goal: Literal["maximize", "minimize"] = "maximize", **slices: Any) -> Evaluation:
    side: Any = {"at_least": -1e9} if goal == "maximize" else {"at_most": 1e9}
    example = Evaluation(
        primary=PrimaryMetric(metric=metric, goal=goal),
        limits=(Limit(metric=metric, **side), Limit(metric="model_mib", at_most=10)),
        champion=ChampionPolicy(not_worse_by=0.01),
    )
    return example.model_copy(update={"slices": example.slices.model_copy(update=slices)})


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def labels(random: np.random.Generator) -> NDArray[np.float64]:
    return (random.random(RECORDS) < 0.3).astype(float)


def noisy(labels: NDArray[np.float64], random: np.random.Generator, noise: float) -> NDArray[np.float64]:
    return np.clip(labels * 0.3 + 0.3 + random.normal(0, noise, len(labels)), 0, 1)


def metric(comparison: Comparison, name: str) -> MetricComparison:
    return next(one for one in comparison.metrics if one.name == name)


def part(comparison: Comparison, name: str) -> SliceComparison:
    return next(one for one in comparison.slices if one.name == name)


def test_the_better_model_is_surely_better_and_the_interval_surrounds_the_difference(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    good, bad = scored(noisy(labels, random, 0.2), labels), scored(noisy(labels, random, 0.6), labels)
    primary = compare(good, bad, policy(), resamples=200).primary

    assert primary is not None and primary.champion is not None and primary.difference is not None
    value, low, high = primary.difference.value, primary.difference.low, primary.difference.high
    assert value is not None and low is not None and high is not None
    assert primary.challenger.value == pytest.approx(primary.champion.value + value)  # type: ignore[operator]
    assert 0 < low < value < high


def test_the_same_predictions_differ_by_nothing_at_all(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    model = scored(noisy(labels, random, 0.3), labels)
    primary = compare(model, model, policy(), resamples=50).primary

    assert primary is not None and primary.difference is not None
    assert (primary.difference.value, primary.difference.low, primary.difference.high) == (0, 0, 0)


def test_the_difference_is_surer_than_the_models_by_themselves_since_records_are_paired(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    first = noisy(labels, random, 0.4)
    second = np.clip(first + random.normal(0, 0.01, RECORDS), 0, 1)
    primary = compare(scored(first, labels), scored(second, labels), policy(), resamples=200).primary

    assert primary is not None and primary.difference is not None
    widths = [one.high - one.low for one in (primary.difference, primary.challenger)]  # type: ignore[operator]
    assert widths[0] < widths[1] / 5


def test_a_comparison_is_the_same_at_every_run(labels: NDArray[np.float64], random: np.random.Generator) -> None:
    models = scored(noisy(labels, random, 0.3), labels), scored(noisy(labels, random, 0.4), labels)
    assert compare(*models, policy(), resamples=50) == compare(*models, policy(), resamples=50)


def test_a_first_model_is_measured_by_itself(labels: NDArray[np.float64], random: np.random.Generator) -> None:
    codes = random.integers(0, 3, RECORDS).astype(np.int32)
    model = scored(noisy(labels, random, 0.3), labels, slices={"origin": codes}, model_mib=3.5)
    comparison = compare(model, None, policy(), resamples=50)

    primary = comparison.primary
    assert primary is not None and (primary.champion, primary.difference) == (None, None)
    assert primary.challenger.low is not None
    assert metric(comparison, "model_mib").challenger.value == 3.5
    assert [(one.verdict, one.reason) for one in comparison.slices] == [
        ("not judged", "There is no champion to compare with.")
    ] * 3
    assert part(comparison, "JFK").challenger.value is not None
    assert comparison.curves.champion is None


def test_what_the_policy_names_comes_first_and_has_an_interval(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    model = scored(noisy(labels, random, 0.3), labels, model_mib=3.5, cost=2.0)
    comparison = compare(model, model, policy("log_loss", "minimize"), resamples=50)

    assert [one.name for one in comparison.metrics][:3] == ["log_loss", "model_mib", "roc_auc"]
    assert {one.name: one.goal for one in comparison.metrics} | {"cost": None} == {
        "log_loss": "minimize", "model_mib": "minimize", "roc_auc": "maximize", "average_precision": "maximize",
        "brier_score": "minimize", "accuracy": "maximize", "precision": "maximize", "recall": "maximize",
        "f1": "maximize", "expected_calibration_error": "minimize", "cost": None,
    }  # fmt: skip
    assert [one.name for one in comparison.metrics if one.challenger.low is not None] == ["log_loss"]
    assert metric(comparison, "cost").difference is not None


def test_the_teams_own_loss_can_be_the_primary_metric(labels: NDArray[np.float64], random: np.random.Generator) -> None:
    cheap, dear = ({"cost": random.random(RECORDS) + extra} for extra in (0.0, 1.0))
    models = [scored(noisy(labels, random, 0.3), labels, losses=losses) for losses in (cheap, dear)]
    primary = compare(models[0], models[1], policy("cost", "minimize"), resamples=100).primary

    assert primary is not None and primary.difference is not None and primary.difference.high is not None
    assert primary.difference.value == pytest.approx(-1, abs=0.05)
    assert primary.difference.high < -0.9


def test_a_number_that_is_not_known_record_by_record_has_no_interval(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    model = scored(noisy(labels, random, 0.3), labels, revenue=7.0)
    primary = compare(model, model, policy("revenue"), resamples=20).primary

    assert primary is not None and primary.difference is not None
    assert (primary.difference.value, primary.difference.low) == (0, None)


# --- Slices


def _with_a_bad_slice(
    labels: NDArray[np.float64], random: np.random.Generator, codes: NDArray[np.int32]
) -> tuple[ScoredModel, ScoredModel]:
    """A challenger that is better but for JFK, where it says the opposite."""
    new, old = noisy(labels, random, 0.15), noisy(labels, random, 0.6)
    new[codes == 1] = 1 - new[codes == 1]
    return scored(new, labels, slices={"origin": codes}), scored(old, labels)


def test_a_slice_on_which_the_challenger_is_surely_worse_fails_and_the_others_pass(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    codes = random.choice(3, RECORDS, p=[0.45, 0.15, 0.4]).astype(np.int32)
    challenger, champion = _with_a_bad_slice(labels, random, codes)
    comparison = compare(challenger, champion, policy(not_worse_by=Margin(0.05)), resamples=200)

    assert comparison.primary is not None and comparison.primary.difference is not None
    assert {one.name: one.verdict for one in comparison.slices} == {"EWR": "passed", "JFK": "failed", "LGA": "passed"}
    assert part(comparison, "JFK").records == int((codes == 1).sum())
    assert "worse by at least" in part(comparison, "JFK").reason


@pytest.mark.parametrize(("least", "verdict"), [(40, "failed"), (41, "not judged")])
def test_a_slice_with_too_few_records_is_shown_but_not_judged(
    labels: NDArray[np.float64], random: np.random.Generator, least: int, verdict: str
) -> None:
    codes = np.zeros(RECORDS, dtype=np.int32)
    codes[:40] = 1
    challenger, champion = _with_a_bad_slice(labels, random, codes)
    comparison = compare(challenger, champion, policy(minimum_records=least), resamples=100)

    jfk = part(comparison, "JFK")
    assert (jfk.records, jfk.verdict) == (40, verdict)
    assert jfk.challenger.value is not None
    if verdict == "not judged":
        assert jfk.reason == "It has 40 records; slices are judged from 41 on."


def test_an_empty_slice_and_one_without_both_classes_say_so(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    codes = np.where(labels == 1, 0, 1).astype(np.int32)  # LGA has no record, JFK no late flight
    challenger, champion = _with_a_bad_slice(labels, random, codes)
    comparison = compare(challenger, champion, policy(), resamples=50)

    assert {one.name: (one.verdict, one.reason) for one in comparison.slices} == {
        "EWR": ("not judged", "The champion's roc_auc is not defined on it."),
        "JFK": ("not judged", "The champion's roc_auc is not defined on it."),
        "LGA": ("not judged", "The holdout has no record of it."),
    }


def test_a_challenger_whose_metric_is_not_defined_where_the_champions_is_fails_the_slice(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    codes = np.zeros(RECORDS, dtype=np.int32)
    broken = np.full(RECORDS, np.nan)
    prediction = noisy(labels, random, 0.3)
    challenger = scored(prediction, labels, slices={"origin": codes}, losses={"cost": broken})
    champion = scored(prediction, labels, losses={"cost": np.ones(RECORDS)})
    comparison = compare(challenger, champion, policy("cost", "minimize"), resamples=20)

    assert part(comparison, "EWR").verdict == "failed"
    assert part(comparison, "EWR").reason == "The challenger's cost is not defined on it, the champion's is 1."


# --- What cannot be compared


def test_models_are_compared_on_the_same_records_only(labels: NDArray[np.float64], random: np.random.Generator) -> None:
    prediction = noisy(labels, random, 0.3)
    model = scored(prediction, labels)
    other = labels.copy()
    other[0] = 1 - other[0]

    assert refusal(model, scored(prediction, labels)) is None
    assert refusal(model, scored(prediction[1:], labels[1:])) == (
        "the challenger's code scored 3000 records of the holdout, the champion's 2999"
    )
    assert refusal(model, scored(prediction, other)) == (
        "the challenger's and the champion's code read different labels from the same holdout"
    )
    assert refusal(model, scored(prediction, labels, task="regression")) == (
        "the challenger's task is binary, the champion's regression"
    )


def test_metrics_that_the_predictions_do_not_bear_out_are_named(
    labels: NDArray[np.float64], random: np.random.Generator
) -> None:
    prediction = noisy(labels, random, 0.3)
    measured = compare(scored(prediction, labels), None, policy(), resamples=2)
    truth = {one.name: one.challenger.value for one in measured.metrics if one.challenger.value is not None}

    assert disagreements(scored(prediction, labels, **truth)) == []
    assert disagreements(scored(prediction, labels, **truth | {"roc_auc": 0.99, "cost": 5.0})) == [
        f"roc_auc 0.99, but its predictions give {truth['roc_auc']:.6g}"
    ]


# --- Curves


def test_the_curves_are_those_of_the_task(labels: NDArray[np.float64], random: np.random.Generator) -> None:
    binary = compare(scored(noisy(labels, random, 0.3), labels), None, policy(), resamples=2).curves.challenger
    assert binary.roc is not None and binary.calibration is not None and binary.confusion is not None
    assert (binary.roc[0], binary.roc[-1], binary.residuals) == ((0, 0), (1, 1), None)
    assert sum(sum(row) for row in binary.confusion) == sum(one[2] for one in binary.calibration) == RECORDS

    value = random.normal(0, 2, RECORDS)
    regression = scored(value + random.normal(1, 1, RECORDS), value, task="regression")
    drawn = compare(regression, None, policy("r2"), resamples=2).curves.challenger
    assert drawn.residuals is not None and drawn.roc is None
    assert sum(one[2] for one in drawn.residuals) == RECORDS


def test_the_confusion_matrix_has_the_truth_in_its_rows() -> None:
    of = scored(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([0.0, 0.0, 1.0]), task="multiclass")
    assert compare(of, None, policy("accuracy"), resamples=2).curves.challenger.confusion == ((1, 1), (0, 1))
