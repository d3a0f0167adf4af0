"""Production under a steady load: what its callers notice of good releases, of bad ones, and of the way back.

The template, alarms and roles are the project's own, the model behind them a tiny one.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.eventually import eventually
from tests.production_line import ENDPOINT, INSTANCES, ProductionLine, deployed_production
from tests.steady_load import Call, SteadyLoad, failed

pytestmark = pytest.mark.long

PER_SECOND = 25.0
OLD, NEW, BAD = 0.1, 0.2, 0.9
# What may fail of a share of n calls, by chance: four standard deviations of a binomial distribution.
_DEVIATIONS = 4.0


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductionLine]:
    """A deployed line whose production serves a model that answers 0.1, as its version 1."""
    with deployed_production(tmp_path_factory.mktemp("rollout")) as production:
        assert production.deploy(production.package(OLD)) == "CREATE_COMPLETE"
        yield production


@pytest.fixture(autouse=True)
def _old_model(production: ProductionLine) -> None:
    """Each test begins with the old model alone."""
    if production.served() != [f"{production.first_package}"]:
        assert production.deploy(production.first_package, Strategy="immediate") == "UPDATE_COMPLETE"


def load(production: ProductionLine) -> SteadyLoad:
    return SteadyLoad(production.client("sagemaker-runtime"), ENDPOINT, PER_SECOND)


def last_answers(calls: list[Call]) -> set[str | None]:
    """Of the calls that began last."""
    return {call.answer for call in sorted(calls, key=lambda call: call.at)[-20:]}


def expected_at_most(share: float, calls: int) -> float:
    """How many of so many calls a share of the traffic may hit."""
    return share * calls + _DEVIATIONS * (share * (1 - share) * calls) ** 0.5


def test_no_call_fails_while_a_good_model_takes_over(production: ProductionLine) -> None:
    new = production.package(NEW)
    with load(production).running() as calls:
        assert production.deploy(new, Strategy="canary") == "UPDATE_COMPLETE"

    assert failed(calls) == []
    assert {call.answer for call in calls} == {str(OLD), str(NEW)}
    assert last_answers(calls) == {str(NEW)}
    assert production.served() == [new]


@pytest.mark.parametrize(
    ("how", "alarm", "limit"),
    [
        pytest.param({"status": 500}, "server-errors", "(0.01)", id="answers 5xx"),
        pytest.param({"status": 400}, "refused", "(0.1)", id="refuses what the old model takes"),
        pytest.param({"seconds": 0.8}, "latency", "(500000.0)", id="is slow"),
    ],
)
def test_a_bad_model_is_taken_back_by_its_alarm(
    production: ProductionLine, how: dict[str, Any], alarm: str, limit: str
) -> None:
    bad = production.package(BAD, **how)
    with load(production).running() as calls:
        assert production.deploy(bad, Strategy="canary") == "UPDATE_ROLLBACK_COMPLETE"
        eventually(lambda: last_answers(calls) == {str(OLD)})

    hit = [call for call in calls if call.error is not None or call.answer == str(BAD)]
    assert 0 < len(hit) <= expected_at_most(1 / INSTANCES, len(calls))
    assert len(failed(calls)) == (0 if "seconds" in how else len(hit))
    assert production.served() == [production.first_package]
    reason = production.why_the_stack_failed()
    assert f"{ENDPOINT}-{alarm}" in reason
    assert limit in reason


def test_a_model_whose_container_dies_at_its_start_never_gets_a_call(production: ProductionLine) -> None:
    dead = production.package(BAD, dies=True)
    with load(production).running() as calls:
        assert production.deploy(dead, Strategy="canary") == "UPDATE_ROLLBACK_COMPLETE"

    assert failed(calls) == []
    assert {call.answer for call in calls} == {str(OLD)}
    assert "did not pass the ping health check" in production.why_the_stack_failed()


def test_one_command_brings_the_old_answers_back(production: ProductionLine) -> None:
    wrong = production.package(BAD)
    assert production.deploy(wrong, Strategy="all_at_once") == "UPDATE_COMPLETE"
    version = production.first_package.rpartition("/")[2]
    with load(production).running() as calls:
        eventually(lambda: last_answers(calls) == {str(BAD)})
        done = production.line.slipway("rollback", "--to", version, "--reason", "it is wrong", "--yes")
        eventually(lambda: last_answers(calls) == {str(OLD)})

    assert failed(calls) == []
    assert production.served() == [production.first_package]
    assert f"version {version}" in done.stdout
    described = production.client("sagemaker").describe_model_package(ModelPackageName=wrong)
    assert "it is wrong" in str(described["CustomerMetadataProperties"])


def test_an_ab_test_splits_the_calls_until_the_challenger_is_promoted(production: ProductionLine) -> None:
    challenger = production.package(NEW)
    old = production.first_package
    assert production.deploy(old, ChallengerModelPackageArn=challenger, Strategy="ab_test") == "UPDATE_COMPLETE"
    with load(production).running() as calls:
        eventually(lambda: len(calls) >= 400, 60)
        count = Counter(call.answer for call in calls)
        share, total = production.settings.release.challenger_percent / 100, sum(count.values())
        assert abs(count[str(NEW)] - share * total) <= _DEVIATIONS * (share * (1 - share) * total) ** 0.5
        production.line.slipway("promote", "--yes")
        eventually(lambda: last_answers(calls) == {str(NEW)})

    assert failed(calls) == []
    assert production.served() == [challenger]


@pytest.mark.parametrize("how", [{"status": 500}, {"seconds": 30.0}], ids=["fails", "hangs"])
def test_a_shadow_never_touches_a_caller(production: ProductionLine, how: dict[str, Any]) -> None:
    shadow, old = production.package(BAD, **how), production.first_package
    assert production.deploy(old, ChallengerModelPackageArn=shadow, Strategy="shadow") == "UPDATE_COMPLETE"
    before = production.calls_of("Challenger")
    with load(production).running() as calls:
        eventually(lambda: len(calls) >= 200, 60)
    eventually(lambda: production.calls_of("Challenger") > before, 60)  # it did get copies, once they have ended
    assert failed(calls) == []
    assert {call.answer for call in calls} == {str(OLD)}
    assert max(call.seconds for call in calls) < 5

    with load(production).running() as calls:
        production.line.slipway("drop", "--yes")
    assert failed(calls) == []
    assert production.served() == [old]
