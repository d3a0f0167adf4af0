"""What a DeploymentConfig asks for, and a rollout's steps, without a cloud and without waiting."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.sagemaker.deployments import Deployment, VariantPlan
from local_cloud.sagemaker.errors import RolledBackError
from local_cloud.sagemaker.rollouts import Rollout, plan_rollout
from local_cloud.sagemaker.traffic import Share, Traffic
from local_cloud.wire import ServiceError


def deployment(name: str = "config", **counts: int) -> Deployment:
    variants = (
        VariantPlan(
            name=variant, weight=1.0, instance_count=count, image="i", resolved_image="i",
            resolved_at=datetime.now(UTC), environment={}, artifact_uri=None, artifact_is_prefix=False, role_arn="r",
            isolated=False, health_timeout_seconds=1,
        )
        for variant, count in counts.items()
    )  # fmt: skip
    return Deployment(name, tuple(variants))


def config(
    kind: str, wait: int = 10, termination_wait: int = 5, timeout: int | None = None, **size: Any
) -> dict[str, Any]:
    policy = {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **size},
        "TerminationWaitInSeconds": termination_wait,
    }
    return {
        "BlueGreenUpdatePolicy": policy | ({} if timeout is None else {"MaximumExecutionTimeoutInSeconds": timeout})
    }


def size(value: int, kind: str = "CAPACITY_PERCENT") -> dict[str, Any]:
    return {"Type": kind, "Value": value}


CANARY, LINEAR = "CanarySize", "LinearStepSize"


@pytest.mark.parametrize(
    ("asked", "counts", "active"),
    [
        (config("ALL_AT_ONCE"), {"A": 4}, [{"A": 4}]),
        (config("CANARY", **{CANARY: size(10)}), {"A": 10}, [{"A": 1}, {"A": 10}]),
        (config("CANARY", **{CANARY: size(10)}), {"A": 2}, [{"A": 1}, {"A": 2}]),
        (config("CANARY", **{CANARY: size(30)}), {"A": 4}, [{"A": 2}, {"A": 4}]),
        (config("CANARY", **{CANARY: size(10)}), {"A": 1}, [{"A": 1}, {"A": 1}]),
        (config("CANARY", **{CANARY: size(2, "INSTANCE_COUNT")}), {"A": 4, "B": 6},
         [{"A": 2, "B": 2}, {"A": 4, "B": 6}]),
        (config("LINEAR", **{LINEAR: size(25)}), {"A": 4}, [{"A": 1}, {"A": 2}, {"A": 3}, {"A": 4}]),
        (config("LINEAR", **{LINEAR: size(33)}), {"A": 4}, [{"A": 2}, {"A": 4}]),
        (config("LINEAR", **{LINEAR: size(50)}), {"A": 2, "B": 4}, [{"A": 1, "B": 2}, {"A": 2, "B": 4}]),
    ],
)  # fmt: skip
def test_traffic_is_shifted_by_whole_instances(
    asked: dict[str, Any], counts: dict[str, int], active: list[dict[str, int]]
) -> None:
    plan = plan_rollout(asked, deployment(**counts), deployment(**counts))
    assert [step.active for step in plan.steps] == active
    assert [step.last for step in plan.steps] == [False] * (len(active) - 1) + [True]
    assert [step.bake_seconds for step in plan.steps] == [10.0] * (len(active) - 1) + [5.0]


@pytest.mark.parametrize(("timeout", "refused"), [(34, True), (35, True), (36, False)])
def test_a_timeout_must_be_longer_than_the_waits(timeout: int, refused: bool) -> None:
    asked = config("LINEAR", timeout=timeout, **{LINEAR: size(25)})
    if not refused:
        assert plan_rollout(asked, deployment(A=4), deployment(A=4)).timeout_seconds == timeout
        return
    with pytest.raises(ServiceError, match=rf"larger than the total waiting time of 35 seconds .* got {timeout}"):
        plan_rollout(asked, deployment(A=4), deployment(A=4))


class Instance:
    def __init__(self, name: str) -> None:
        self.name = name

    def take(self) -> bool:
        return True

    def give_back(self) -> None:
        pass


def fleet(name: str, **counts: int) -> Any:
    variants = {
        variant: SimpleNamespace(
            name=variant, weight=1.0, instances=[Instance(f"{name}-{variant}{n}") for n in range(count)]
        )
        for variant, count in counts.items()
    }
    return SimpleNamespace(config_name=name, variants=variants, shadows={})


class Watched:
    """A rollout with a clock of its own; who takes calls is noted at each look at the alarms."""

    def __init__(self, asked: dict[str, Any], *, blue: int, green: int, trips_at: float | None = None) -> None:
        self.seconds = 0.0
        self.trips_at = trips_at
        self.traffic = Traffic("endpoint", fleet("blue", A=blue))
        self.taking: list[tuple[int, int]] = []
        self.notes: list[str] = []
        plan = plan_rollout(asked, deployment(A=blue), deployment(A=green))
        self.rollout = Rollout(
            plan, self.traffic, fleet("green", A=green), self._tripped, self._note, 0.0,
            now=lambda: self.seconds, pause=self._pause,
        )  # fmt: skip

    def shares(self) -> tuple[int, int]:
        """How many of 60 calls each fleet gets."""
        got = [self.traffic.take(None).config_name for _ in range(60)]
        return got.count("blue"), got.count("green")

    def _tripped(self) -> str | None:
        if self.shares() not in self.taking:
            self.taking.append(self.shares())
        return "an alarm" if self.trips_at is not None and self.seconds >= self.trips_at else None

    def _note(self, status: str, message: str, active: Mapping[str, int]) -> None:
        self.notes.append(f"{status} {active['A']}")

    def _pause(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.mark.parametrize(
    ("blue", "green", "shares"),
    [(10, 10, (54, 6)), (3, 3, (40, 20)), (2, 2, (30, 30)), (1, 1, (30, 30)), (4, 10, (48, 12)), (8, 2, (48, 12))],
)
def test_the_new_fleets_share_is_that_of_its_instances(blue: int, green: int, shares: tuple[int, int]) -> None:
    watched = Watched(config("CANARY", **{CANARY: size(10)}), blue=blue, green=green)
    watched.rollout.run()
    assert watched.taking == [shares, (0, 60)]
    assert watched.seconds == 15
    assert watched.notes[0] == "ActivatingTraffic 1"
    assert watched.notes[-1] == f"Baking {green}"


@pytest.mark.parametrize("trips_at", [0.0, 9.5, 12.0, 15.0], ids=["at once", "in the canary", "in full", "at the end"])
def test_an_alarm_gives_all_calls_back(trips_at: float) -> None:
    watched = Watched(config("CANARY", **{CANARY: size(10)}), blue=2, green=2, trips_at=trips_at)
    with pytest.raises(RolledBackError, match="an alarm"):
        watched.rollout.run()
    assert watched.shares() == (60, 0)
    assert watched.seconds == trips_at


def test_an_alarm_after_the_last_bake_comes_too_late() -> None:
    watched = Watched(config("CANARY", **{CANARY: size(10)}), blue=2, green=2, trips_at=15.5)
    watched.rollout.run()
    assert watched.shares() == (0, 60)


def test_a_rollout_that_takes_too_long_is_taken_back() -> None:
    watched = Watched(config("CANARY", timeout=16, **{CANARY: size(10)}), blue=2, green=2)
    watched.seconds = 12.0  # that long the new fleet has taken to start
    with pytest.raises(RolledBackError, match=r"did not end within MaximumExecutionTimeoutInSeconds \(16\)"):
        watched.rollout.run()
    assert watched.shares() == (60, 0)


def test_a_variant_that_only_one_fleet_has_can_be_called_there() -> None:
    traffic = Traffic("endpoint", fleet("blue", A=1))
    traffic.shift(Share(fleet("blue", A=1), {}), Share(fleet("green", A=1, B=1), {}))
    assert traffic.take("B").config_name == "green"
    with pytest.raises(KeyError):
        traffic.take("C")
