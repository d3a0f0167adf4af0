"""The section `release` of slipway.yaml: how a model gets into production."""

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from settings.endpoints import AnyEndpoint, ServerlessEndpoint
from settings.rules import Location, Section, refuse

Strategy = Literal["all_at_once", "canary", "linear", "ab_test", "shadow"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SHIFTING: tuple[Strategy, ...] = ("all_at_once", "canary", "linear")
"""Strategies by which the new model takes over, watched by alarms (SageMaker's deployment guardrails)."""
IMMEDIATE = "immediate"
"""No choice of the file: the new model takes over at once, and no alarm watches."""

# "Exclusions" of deployment guardrails: SageMaker shifts all traffic at once, and looks at no alarm.
_WITHOUT_GUARDRAILS = re.compile(r"ml\.inf1\.")
# SageMaker API reference, TrafficRoutingConfig and BlueGreenUpdatePolicy.
_SMALLEST_LINEAR_STEP_PERCENT = 10
_LONGEST_DEPLOYMENT_SECONDS = 28800
_INSTANCES_COME_UP_SECONDS = 1800


def _alarm_period(seconds: int) -> int:
    if seconds not in (10, 30) and seconds % 60:  # CloudWatch API reference, PutMetricAlarm
        raise refuse(((), f"must be 10, 30 or a multiple of 60, got {seconds}"))
    return seconds


class RollbackOn(Section):
    """The alarms of an endpoint: any one of them takes a rollout back."""

    server_error_percent: float = Field(
        default=1, ge=0, le=100, description="more calls than this share end in a 5xx (Invocation5XXErrors)"
    )
    refused_percent: float = Field(
        default=10, ge=0, le=100, description="more calls than this share are refused with a 4xx (Invocation4XXErrors)"
    )
    p99_ms: int = Field(
        default=500, ge=1, le=60_000, description="the model takes longer than this for 1 call of 100 (ModelLatency)"
    )
    period_seconds: Annotated[int, Field(ge=10, le=3600), AfterValidator(_alarm_period)] = Field(
        default=60, description="over which they are counted: 10, 30 or a multiple of 60"
    )


class Release(Section):
    """How a model that has passed staging gets into production."""

    promotion: Literal["manual", "automatic"] = Field(
        default="manual", description="manual: somebody approves; automatic: what passes staging goes to production"
    )
    # CodePipeline user guide, "Quotas": an approval waits for 60 days at most.
    approval_expires_hours: int = Field(
        default=168, ge=1, le=1440, description="an approval that nobody has given by then ends the execution"
    )
    strategy: Strategy = Field(default="canary", description="how production comes to the new model")
    step_percent: int = Field(
        default=10, ge=1, le=50, description="canary: share of the first step; linear: of each step, 10 or more"
    )
    step_seconds: int = Field(
        default=300, ge=1, le=3600, description="bake time after each step but the last: the alarms are watched"
    )
    termination_wait_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="bake time after the last step, the only one of all_at_once; then the old instances end",
    )
    challenger_percent: int = Field(
        default=10, ge=1, le=100, description="ab_test: the challenger's share; shadow: of the calls copied to it"
    )
    rollback_on: RollbackOn = Field(default=RollbackOn(), description="the alarms that take a rollout back")

    def waiting_seconds(self, strategy: Strategy) -> int:
        """How long a rollout bakes in all, when nothing goes wrong; 0 for strategies that shift nothing."""
        if strategy not in SHIFTING:
            return 0
        steps = {"all_at_once": 1, "canary": 2, "linear": -(-100 // self.step_percent)}[strategy]
        return (steps - 1) * self.step_seconds + self.termination_wait_seconds

    def timeout_seconds(self, strategy: Strategy) -> int:
        """After how long SageMaker gives a rollout up."""
        return self.waiting_seconds(strategy) + _INSTANCES_COME_UP_SECONDS

    def faults(self, strategy: Strategy, production: AnyEndpoint) -> list[tuple[Location, str]]:
        """Why production cannot be released to by a strategy; empty if it can.

        A release may name another strategy than the file, so this is asked of each.
        """
        if isinstance(production, ServerlessEndpoint):
            told = (
                "must be all_at_once where production is serverless: SageMaker serves one variant there and shifts no"
            )
            return [] if strategy == "all_at_once" else [(("strategy",), f"{told} traffic in steps, got {strategy}")]
        if strategy == "ab_test" and self.challenger_percent == 100:
            return [(("challenger_percent",), "must be 99 or less for an ab_test, or the champion would serve nobody")]
        if strategy not in ("canary", "linear"):
            return []
        if _WITHOUT_GUARDRAILS.match(production.instance_type):
            told = "must be all_at_once, ab_test or shadow: SageMaker shifts no traffic in steps on instances of type"
            return [(("strategy",), f"{told} {production.instance_type}, got {strategy}")]
        if strategy == "linear" and self.step_percent < _SMALLEST_LINEAR_STEP_PERCENT:
            told = f"must be {_SMALLEST_LINEAR_STEP_PERCENT} or more for linear, got {self.step_percent}"
            return [(("step_percent",), told)]
        if self.timeout_seconds(strategy) > _LONGEST_DEPLOYMENT_SECONDS:
            waits, longest = self.waiting_seconds(strategy), _LONGEST_DEPLOYMENT_SECONDS - _INSTANCES_COME_UP_SECONDS
            told = f"must be less: with termination_wait_seconds, a {strategy} rollout waits for {waits} seconds in all"
            return [(("step_seconds",), f"{told}, and SageMaker allows {longest}")]
        return []

    @model_validator(mode="after")
    def _lets_the_alarms_see_something(self) -> Self:
        period = self.rollback_on.period_seconds
        told = f"must be {period} or more, which is rollback_on.period_seconds, or no alarm would see a step"
        waits = {key: getattr(self, key) for key in ("step_seconds", "termination_wait_seconds")}
        short = [((key,), f"{told}, got {seconds}") for key, seconds in waits.items() if seconds < period]
        if short:
            raise refuse(*short)
        return self
