"""docs/policy.md is true: its example is the shipped policy, and its numbers come out."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline_steps.comparison import metrics
from pipeline_steps.comparison.compare import ScoredModel, compare
from pipeline_steps.comparison.predictions import Predictions
from pipeline_steps.documents import Comparison, Estimate, EvaluationReport, PromotionDecision, Scores, SlicedColumn
from pipeline_steps.gate import decide_promotion
from settings import ChampionPolicy, Evaluation, load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text()
RECORDS = 4000
AIRPORTS = ("EWR", "JFK", "LGA")
REPORT = EvaluationReport(metrics={}, rows=RECORDS)


@cache
def models() -> tuple[ScoredModel, ScoredModel]:
    """A challenger that knows more than the champion, but guesses at LGA."""
    random = np.random.default_rng(2013)
    late = (random.random(RECORDS) < 0.25).astype(float)
    origin = random.choice(3, RECORDS, p=[0.4, 0.35, 0.25]).astype(np.int32)
    champion = np.clip(0.18 + 0.14 * late + random.normal(0, 0.16, RECORDS), 0.01, 0.99)
    challenger = 0.18 + 0.17 * late + random.normal(0, 0.14, RECORDS) + 0.6 * (champion - 0.25)
    guesses = 0.25 + random.normal(0, 0.15, (origin == 2).sum())
    challenger[origin == 2] = guesses
    scores = Scores(
        metrics={"model_mib": 0.3, "prediction_p99_ms": 0.9},
        rows=RECORDS,
        task="binary",
        slices=(SlicedColumn(column="origin", names=AIRPORTS),),
    )
    return (
        ScoredModel(scores, Predictions("binary", late, np.clip(challenger, 0.01, 0.99), {"origin": origin})),
        ScoredModel(scores, Predictions("binary", late, champion)),
    )


@pytest.fixture(scope="module")
def policy() -> Evaluation:
    return load(ROOT / "slipway.yaml").evaluation


@pytest.fixture(scope="module")
def comparison(policy: Evaluation) -> Comparison:
    return compare(*models(), policy)


def decide(policy: Evaluation, **slices: int) -> PromotionDecision:
    changed = policy.model_copy(update={"slices": policy.slices.model_copy(update=slices)})
    return decide_promotion(REPORT, REPORT, compare(*models(), changed), changed)


def row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def estimates(challenger: Estimate, champion: Estimate | None, difference: Estimate | None) -> Iterator[str]:
    assert champion is not None and difference is not None
    yield from (f"{challenger.value:.4f}", f"{champion.value:.4f}", f"{difference.value:+.4f}")
    yield f"{difference.low:+.4f} to {difference.high:+.4f}"


def test_the_policy_of_the_page_is_the_shipped_one() -> None:
    block = PAGE.partition("```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(block)["evaluation"] == yaml.safe_load((ROOT / "slipway.yaml").read_text())["evaluation"]


def test_the_metrics_of_the_page_are_those_that_there_are() -> None:
    for task in ("binary", "multiclass", "regression"):
        names = ", ".join(f"`{name}`" for name in metrics.known(task))  # type: ignore[arg-type]
        assert row(f"`{task}`", names) in PAGE


def test_the_numbers_of_the_whole_holdout_come_out(comparison: Comparison) -> None:
    for one in comparison.metrics[:2]:
        assert row(one.name, *estimates(one.challenger, one.champion, one.difference)) in PAGE


def test_the_numbers_of_the_slices_come_out(comparison: Comparison) -> None:
    assert len(comparison.slices) == 3
    for one in comparison.slices:
        numbers = estimates(one.challenger, one.champion, one.difference)
        assert row(f"origin = {one.name}", one.records, *numbers, one.verdict) in PAGE


def test_the_verdict_is_the_one_of_the_page(policy: Evaluation) -> None:
    decision = decide(policy)
    assert decision.verdict == "Rejected"
    assert len(decision.reasons) == 1
    assert f"`{decision.reasons[0]}`" in PAGE


def test_what_the_page_says_of_other_policies_is_so(policy: Evaluation) -> None:
    allowed = decide(policy, may_fail=1)
    assert (allowed.verdict, allowed.notes) == ("Accepted", decide(policy).reasons)
    assert decide(policy, minimum_records=1009).verdict == "Rejected"
    assert decide(policy, minimum_records=1010).verdict == "Accepted"
    for better_by, verdict in ((0.02, "Accepted"), (0.03, "Rejected")):
        stricter = policy.model_copy(update={"champion": ChampionPolicy(better_by=better_by)})
        assert decide(stricter, may_fail=1).verdict == verdict
