"""Rollback, promotion and drop on a stack that takes its time, fails, or is busy with something else."""

from typing import Any

import pytest

from slipway.errors import DeployError, EndpointError, RegistryError
from slipway.production import Production
from slipway.production_changes import carry_out, plan_drop, plan_promotion, plan_rollback
from slipway.project import Project
from slipway.releases import read_releases
from tests.slipway.production_double import NAME, ROLE, ProductionDouble, arn, serving

IMMEDIATE = {"ChallengerModelPackageArn": "none", "Strategy": "immediate"}


def released() -> dict[int, dict[str, str]]:
    """Versions 1, 2 and 3 went into production on three days."""
    return {version: {"released_at": f"2026-11-2{version}T10:00:00+00:00"} for version in (1, 2, 3)}


@pytest.fixture(autouse=True)
def _one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded answers cannot tell two calls at once apart."""
    monkeypatch.setattr("slipway.releases._AT_ONCE", 1)


def roll_back(
    double: ProductionDouble, project: Project, to: int | None = None, reason: str | None = None
) -> list[str]:
    """What `slipway rollback` says, plan and deed."""
    said = list[str]()
    production = Production(double.aws.target(), project, said.append)
    change = plan_rollback(production.read(), read_releases(double.aws.target(), project), to)
    carry_out(production, change, reason, said.append)
    return [*change.told, *said]


def updates(double: ProductionDouble) -> list[dict[str, Any]]:
    return double.aws.called("UpdateStack")


def test_production_goes_back_to_the_version_before_with_the_template_and_role_that_it_has(project: Project) -> None:
    double = serving(3, noted=released())

    said = roll_back(double, project)

    assert double.champion == 2
    (request,) = updates(double)
    assert (request["UsePreviousTemplate"], request["RoleARN"], request["StackName"]) == (True, ROLE, NAME)
    given = {one["ParameterKey"]: one.get("ParameterValue") for one in request["Parameters"]}
    assert given == {"ModelPackageArn": arn(2), **IMMEDIATE}
    assert said[0].startswith("Production serves version 3, which went into production ")
    assert said[1] == "Version 2 will serve, at once; the pipeline has no part in it."
    assert "stack UPDATE_IN_PROGRESS, endpoint Updating" in said
    assert "production answers 2 records as version 2 did offline" in said
    assert said[-1].startswith("Production serves version 2 after ")


def test_the_reason_is_noted_on_both_versions_in_what_a_package_may_hold(project: Project) -> None:
    double = serving(3, noted=released())

    roll_back(double, project, reason='wrong, "at night" (very)')

    assert double.noted[3]["reason"] == double.noted[2]["reason"] == "wrong at night very"
    assert double.noted[3]["rolled_back_at"] == double.noted[2]["restored_at"]


def test_twice_in_a_row_it_goes_back_twice_and_then_says_that_there_is_no_more(project: Project) -> None:
    double = serving(3, noted=released())

    roll_back(double, project)
    roll_back(double, project)

    assert double.champion == 1
    with pytest.raises(EndpointError, match="no version is noted as verified in production before version 1") as raised:
        roll_back(double, project)
    assert "slipway rollback --to VERSION" in str(raised.value.next_step)


def test_a_version_that_was_never_noted_as_released_goes_back_to_the_newest_that_was(project: Project) -> None:
    double = serving(4, noted=released())  # its verification failed, or is not over

    roll_back(double, project)

    assert double.champion == 3


def test_a_version_that_was_taken_back_is_no_way_back(project: Project) -> None:
    double = serving(3, noted=released())
    double.noted[2]["rolled_back_at"] = "2026-11-22T11:00:00+00:00"

    roll_back(double, project)

    assert double.champion == 1


def test_a_rollout_that_is_under_way_is_cancelled_and_that_is_all(project: Project) -> None:
    double = serving(3, noted=released())
    double.parameters["ModelPackageArn"], double.status = arn(4), "UPDATE_IN_PROGRESS"

    said = roll_back(double, project)

    assert (double.champion, double.status, updates(double)) == (3, "UPDATE_ROLLBACK_COMPLETE", [])
    assert said[1] == "Version 4 is on its way there: that is broken off."
    assert "rolled_back_at" in double.noted[4]
    assert "restored_at" not in double.noted[3]


def test_a_rollout_that_ends_while_it_is_cancelled_is_gone_back_from(project: Project) -> None:
    double = serving(3, noted=released(), cancels=False)
    double.parameters["ModelPackageArn"], double.status = arn(4), "UPDATE_IN_PROGRESS"

    roll_back(double, project)

    assert double.champion == 3
    assert len(updates(double)) == 1


def test_another_update_that_comes_first_is_cancelled_and_ours_tried_again(project: Project) -> None:
    double = serving(3, noted=released(), arrivals=1)

    roll_back(double, project)

    assert double.champion == 2
    assert len(updates(double)) == 2


def test_an_update_that_could_not_be_taken_back_is_first(project: Project) -> None:
    double = serving(3, noted=released(), status="UPDATE_ROLLBACK_FAILED")

    said = roll_back(double, project)

    assert double.champion == 2
    assert f"an update of {NAME} could not be taken back: trying it again" in said


def test_a_stack_that_is_stuck_is_freed_also_for_the_version_that_serves(project: Project) -> None:
    double = serving(3, noted=released(), status="UPDATE_ROLLBACK_FAILED")

    roll_back(double, project, to=3)

    assert (double.champion, double.status) == (3, "UPDATE_ROLLBACK_COMPLETE")


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_what_an_alarm_takes_back_is_not_gone_back_from_once_more(project: Project, status: str) -> None:
    double = serving(3, noted=released(), status=status, looks=20)

    with pytest.raises(EndpointError, match="production is on its way back to version 3 already"):
        roll_back(double, project)


def test_a_stack_of_another_template_is_given_what_it_knows_and_keeps_the_rest(project: Project) -> None:
    double = ProductionDouble({"ModelPackageArn": arn(3), "Colour": "blue"}, 3, noted=released())

    roll_back(double, project)

    assert double.champion == 2
    assert double.parameters == {"ModelPackageArn": arn(2), "Colour": "blue"}


def test_a_way_back_that_fails_tells_the_stacks_reason(project: Project) -> None:
    double = serving(3, noted=released(), fails="the container did not answer /ping")

    with pytest.raises(DeployError, match=r"UPDATE_ROLLBACK_\w+: Endpoint .*did not answer /ping"):
        roll_back(double, project)
    assert "rolled_back_at" not in double.noted[3]


def test_a_model_that_answers_otherwise_than_offline_is_told(project: Project) -> None:
    double = serving(3, noted=released(), wrong=True)

    with pytest.raises(EndpointError, match=r"answers 0\.99, offline it was 0\.2"):
        roll_back(double, project)


def test_a_version_of_ones_choice(project: Project) -> None:
    double = serving(3, noted=released(), unapproved=(4,))

    with pytest.raises(RegistryError, match="version 4 is Rejected: only an Approved version may serve"):
        roll_back(double, project, to=4)
    with pytest.raises(RegistryError, match="there is no version 9; there are 4, 3, 2, 1"):
        roll_back(double, project, to=9)
    with pytest.raises(EndpointError, match="production serves version 3 already"):
        roll_back(double, project, to=3)
    roll_back(double, project, to=1)

    assert double.champion == 1


def test_going_back_ends_a_test(project: Project) -> None:
    double = serving(3, 4, noted=released())

    said = roll_back(double, project)

    assert (double.champion, double.challenger) == (2, None)
    assert "A challenger is tested beside it: that ends. (slipway drop would end the test alone.)" in said


def test_a_challenger_is_promoted(project: Project) -> None:
    double, said = serving(3, 4), list[str]()
    production = Production(double.aws.target(), project, said.append)

    carry_out(production, plan_promotion(production.read()), "better", said.append)

    assert (double.champion, double.challenger, double.parameters["Strategy"]) == (4, None, "immediate")
    assert double.noted[4]["reason"] == "better"
    assert "released_at" in double.noted[4]


def test_a_challenger_is_dropped(project: Project) -> None:
    double, said = serving(3, 4), list[str]()
    production = Production(double.aws.target(), project, said.append)

    carry_out(production, plan_drop(production.read()), None, said.append)

    assert (double.champion, double.challenger) == (3, None)
    assert (double.noted[4]["reason"], "dropped_at" in double.noted[4]) == ("no reason was given", True)


@pytest.mark.parametrize("plan", [plan_promotion, plan_drop])
def test_without_a_test_there_is_nothing_to_end(project: Project, plan: Any) -> None:
    with pytest.raises(EndpointError, match="no challenger is tested in production"):
        plan(Production(serving(3).aws.target(), project, print).read())


def test_a_challenger_that_is_still_on_its_way_is_not_promoted(project: Project) -> None:
    double = serving(3)
    double.parameters["ChallengerModelPackageArn"], double.status = arn(4), "UPDATE_IN_PROGRESS"

    with pytest.raises(EndpointError, match="version 4 is still on its way to production"):
        plan_promotion(Production(double.aws.target(), project, print).read())


def test_that_nothing_may_be_noted_does_not_hide_that_it_is_done(project: Project) -> None:
    double = serving(3, noted=released(), takes_notes=False)

    said = roll_back(double, project)

    assert double.champion == 2
    assert any("could not be noted on version 3" in line for line in said)
