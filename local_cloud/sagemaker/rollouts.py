"""How an update brings a new fleet into service: the plan that a DeploymentConfig asks for, and its steps.

Creating  ->  ActivatingTraffic  ->  Baking  ->  ...  ->  ActivatingTraffic  ->  Baking  ->  the old fleet ends
              (part of the fleet)                         (all of it)
   |                |                  |                                           |
   +----------------+------------------+--- alarm, timeout, a bad container -------+--> all calls to the old fleet
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_cloud.sagemaker.deployments import Deployment
from local_cloud.sagemaker.errors import RolledBackError, invalid, not_served
from local_cloud.sagemaker.fleets import Fleet
from local_cloud.sagemaker.instances import CutOffError
from local_cloud.sagemaker.traffic import Share, Traffic

logger = logging.getLogger(__name__)

_LARGEST_PERCENT = 50
_SMALLEST_LINEAR_PERCENT = 10
_SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Step:
    """One part of the traffic's shift.

    Attributes:
        active: how many new instances of each variant take calls from then on.
        bake_seconds: how long the alarms are watched afterwards.
        waiting_for: the member of the DeploymentConfig that says so.
        last: all of the new fleet takes calls.
    """

    active: dict[str, int]
    bake_seconds: float
    waiting_for: str
    last: bool


@dataclass(frozen=True)
class RolloutPlan:
    """A DeploymentConfig, read for an update.

    Attributes:
        kind: the Type of its traffic routing.
        timeout_seconds: how long it may take; None for as long as it takes.
    """

    kind: str
    steps: tuple[Step, ...]
    timeout_seconds: float | None


def plan_rollout(config: Mapping[str, Any], old: Deployment, new: Deployment) -> RolloutPlan:
    """
    Raises:
        ServiceError: the config contradicts SageMaker's rules, or is not served.
    """
    _check_kinds(config, old, new)
    if "RollingUpdatePolicy" in config:
        raise not_served("RollingUpdatePolicy of DeploymentConfig")
    policy = config.get("BlueGreenUpdatePolicy", {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE"}})
    routing = policy["TrafficRoutingConfiguration"]
    names = ({plan.name for plan in old.variants}, {plan.name for plan in new.variants})
    if routing["Type"] in _SIZES and names[0] != names[1]:
        raise invalid(
            f"Traffic routing type {routing['Type']} needs the same variant names in both endpoint configurations, got "
            f"{', '.join(sorted(names[0]))} and {', '.join(sorted(names[1]))}."
        )
    counts = {plan.name: plan.instance_count for plan in new.variants}
    steps = tuple(_steps(routing, counts, float(policy.get("TerminationWaitInSeconds", 0))))
    timeout = policy.get("MaximumExecutionTimeoutInSeconds")
    waits = sum(step.bake_seconds for step in steps)
    if timeout is not None and timeout <= waits:
        raise invalid(
            f"MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of {waits:g} seconds "
            f"(WaitIntervalInSeconds, TerminationWaitInSeconds), got {timeout}."
        )
    return RolloutPlan(routing["Type"], steps, timeout)


def _check_kinds(config: Mapping[str, Any], old: Deployment, new: Deployment) -> None:
    """The guide says what is refused of serverless endpoints; the words are ours."""
    if new.serverless and not old.serverless:
        raise invalid(
            f"An endpoint with instances cannot be made serverless by an update to the endpoint configuration "
            f"{new.config_name}, which has a ServerlessConfig: delete the endpoint, and create it with that one."
        )
    if config and (old.serverless or new.serverless):
        raise invalid(
            "DeploymentConfig is not supported for serverless endpoint, neither to create it nor to update it: "
            "leave it out."
        )


def _steps(routing: Mapping[str, Any], counts: dict[str, int], termination_wait: float) -> Iterator[Step]:
    kind = routing["Type"]
    if kind in _SIZES:
        batch = _batch(_SIZES[kind], routing.get(_SIZES[kind]), counts, linear=kind == "LINEAR")
        parts = max(math.ceil(counts[name] / batch[name]) for name in counts)
        for part in range(1, parts if kind == "LINEAR" else 2):
            active = {name: min(part * batch[name], counts[name]) for name in counts}
            yield Step(active, float(routing["WaitIntervalInSeconds"]), "WaitIntervalInSeconds", last=False)
    yield Step(counts, termination_wait, "TerminationWaitInSeconds", last=True)


def _batch(member: str, size: Mapping[str, Any] | None, counts: Mapping[str, int], *, linear: bool) -> dict[str, int]:
    """How many instances of each variant are one part; an instance takes calls or does not, so at least one."""
    if size is None:
        raise invalid(f"{member} must be set for traffic routing type {'LINEAR' if linear else 'CANARY'}.")
    value, smallest = size["Value"], _SMALLEST_LINEAR_PERCENT if linear else 0
    for name, count in counts.items():
        # one instance of one is allowed: there is no smaller part
        percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(count, 2)
        if not smallest <= percent <= _LARGEST_PERCENT:
            raise invalid(
                f"{member} must be {f'{smallest}-' if linear else 'less than or equal to '}{_LARGEST_PERCENT}% of the "
                f"total instance count of variant {name} ({count}), got {value} ({size['Type']})."
            )
    if size["Type"] == "INSTANCE_COUNT":
        return dict.fromkeys(counts, value)
    return {name: math.ceil(count * value / 100) for name, count in counts.items()}


class Rollout:
    """Shifts the traffic of an endpoint from one fleet to another.

    Args:
        tripped: tells which alarm has gone off and why; None while none has.
        note: told of every change: the VariantStatus, its message, and how many instances take calls by then.
        started: when the update began, by `now`.
        now, pause: the time and how to let it pass, in seconds.
    """

    def __init__(
        self, plan: RolloutPlan, traffic: Traffic, green: Fleet, tripped: Callable[[], str | None],
        note: Callable[[str, str, Mapping[str, int]], None], started: float,
        now: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._traffic = traffic
        self._blue = traffic.fleet
        self._green = green
        self._tripped = tripped
        self._note = note
        self._now = now
        self._pause = pause
        self._deadline = None if plan.timeout_seconds is None else started + plan.timeout_seconds

    def run(self) -> None:
        """All steps; when it returns, the new fleet has all calls, and the old one still runs.

        Raises:
            RolledBackError: an alarm went off, or it took too long; the old fleet has all calls again.
        """
        try:
            for step in self._plan.steps:
                self._activate(step)
                self._bake(step)
        except (CutOffError, RolledBackError):
            self._traffic.shift(Share(self._blue, {}))
            raise
        except Exception as error:
            self._traffic.shift(Share(self._blue, {}))
            logger.exception("a rollout failed inside the local cloud")
            raise RolledBackError(f"InternalServerError: {error!r}; the local cloud's log has the details.") from error

    def _activate(self, step: Step) -> None:
        self._check_time()
        self._note("ActivatingTraffic", f"Activating traffic on {self._capacity(step)}.", step.active)
        green = Share(self._green, step.active)
        if step.last:
            self._traffic.shift(green)
            return
        left = {name: _left(len(variant.instances), step.active[name] / len(self._green.variants[name].instances))
                for name, variant in self._blue.variants.items()}  # fmt: skip
        self._traffic.shift(Share(self._blue, left), green)

    def _bake(self, step: Step) -> None:
        if step.bake_seconds == 0:
            return
        message = f"Baking for {step.bake_seconds:g} seconds ({step.waiting_for}) with traffic enabled on "
        self._note("Baking", f"{message}{self._capacity(step)}.", step.active)
        end = self._now() + step.bake_seconds
        while True:
            reason = self._tripped()
            if reason is not None:
                raise RolledBackError(reason)
            self._check_time()
            left = end - self._now()
            if left <= 0:
                return
            self._pause(min(_LOOK_SECONDS, left))

    def _check_time(self) -> None:
        if self._deadline is not None and self._now() >= self._deadline:
            raise RolledBackError(
                f"The deployment did not end within MaximumExecutionTimeoutInSeconds ({self._plan.timeout_seconds})."
            )

    def _capacity(self, step: Step) -> str:
        part = "full" if step.last else {"CANARY": "canary", "LINEAR": "linear step"}[self._plan.kind]
        return f"{part} capacity of {sum(step.active.values())} instance(s)"


def _left(count: int, shifted: float) -> int:
    """How many old instances go on taking calls when a part of the new ones does; the last one only ends with all."""
    return max(count - math.floor(count * shifted), 1)
