"""Decide what production's stack is to serve, and how it gets there.

in   model_package_arn    the version that staging has proven
in   strategy             of this execution; `settings` for release.strategy of slipway.yaml
in   endpoint_name        production's, which serves the champion; absent on the first run
out  MODEL_PACKAGE_ARN, CHALLENGER_MODEL_PACKAGE_ARN, STRATEGY  the parameters of production's stack
out  SUMMARY              for the pipeline
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline_steps.aws import Aws
from pipeline_steps.errors import ReleaseError, UnregisteredModelError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.serving import VARIANT, is_serverless, served_model_package, variants_beside
from settings import IMMEDIATE, SHIFTING, STRATEGIES, Endpoint, ServerlessEndpoint, Settings, Strategy

AS_IN_SETTINGS = "settings"
NO_CHALLENGER = "none"
_TESTS: Mapping[str, str] = {"ab_test": "answers its share of the calls", "shadow": "is sent copies of calls"}


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given."""

    model_package_arn: str
    strategy: str
    endpoint_name: str


@dataclass(frozen=True)
class ReleasePlan:
    """The parameters of production's stack, and a line that tells of them."""

    model_package_arn: str
    challenger_model_package_arn: str
    strategy: str
    summary: str


def plan_release(new: str, strategy: str, champion: str | None) -> ReleasePlan:
    """What production is to serve when a version is released.

    Args:
        new: ARN of the version.
        strategy: one of slipway.yaml's.
        champion: ARN of what production serves; None when there is no endpoint yet.
    """
    name = _version(new)
    if champion is None:
        return ReleasePlan(new, NO_CHALLENGER, "all_at_once", f"{name} is the first in production: all_at_once")
    if strategy not in _TESTS:
        return ReleasePlan(new, NO_CHALLENGER, strategy, f"{name} after {_version(champion)}: {strategy}")
    if champion == new:
        return ReleasePlan(
            new, NO_CHALLENGER, "all_at_once", f"{name} serves already, there is nothing to test it with"
        )
    return ReleasePlan(champion, new, strategy, f"{strategy}: {_version(champion)} serves, {name} {_TESTS[strategy]}")


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Look at what production serves, and plan.

    Raises:
        ReleaseError: the strategy is unknown or impossible, a test runs that it would end, a challenger has nothing
            registered to be tested with, or an endpoint of instances is to become a serverless one.
    """
    strategy = _strategy(settings, inputs.strategy)
    _refuse_during_a_test(aws, inputs.endpoint_name, strategy)
    was_serverless = is_serverless(aws, inputs.endpoint_name)
    _refuse_without_instances(settings, inputs.endpoint_name, was_serverless)
    try:
        champion = served_model_package(aws, inputs.endpoint_name)
    except UnregisteredModelError as error:
        if strategy in _TESTS:
            raise ReleaseError(f"{strategy} needs a version that serves beside the new one, but {error}") from error
        champion = "something that no pipeline registered"
    plan = plan_release(inputs.model_package_arn, strategy, champion)
    if was_serverless and isinstance(settings.endpoints.production, Endpoint):
        plan = _without_shifting(plan)
    return {
        "MODEL_PACKAGE_ARN": plan.model_package_arn,
        "CHALLENGER_MODEL_PACKAGE_ARN": plan.challenger_model_package_arn,
        "STRATEGY": plan.strategy,
        "SUMMARY": plan.summary,
    }


def _strategy(settings: Settings, asked: str) -> Strategy:
    if asked == AS_IN_SETTINGS:
        return settings.release.strategy
    if asked not in STRATEGIES:
        raise ReleaseError(
            f"the pipeline's variable Strategy must be {AS_IN_SETTINGS} or one of {', '.join(STRATEGIES)}, "
            f"got {asked!r}"
        )
    faults = settings.release.faults(asked, settings.endpoints.production)
    if faults:
        told = "; ".join(f"release.{'.'.join(map(str, location))} {fault}" for location, fault in faults)
        raise ReleaseError(f"the strategy {asked} needs other settings: {told} (slipway.yaml)")
    return asked


def _refuse_during_a_test(aws: Aws, endpoint_name: str, strategy: Strategy) -> None:
    """SageMaker shifts traffic between fleets of the same variants only, and a test is a person's to end."""
    beside = variants_beside(aws, endpoint_name)
    if beside and strategy in SHIFTING:
        raise ReleaseError(
            f"{endpoint_name} has the variant {', '.join(beside)} beside {VARIANT}: a test runs. End it with slipway "
            f"promote or slipway drop, then retry this stage; {strategy} begins when one variant serves"
        )


def _refuse_without_instances(settings: Settings, endpoint_name: str, was_serverless: bool | None) -> None:
    if was_serverless is False and isinstance(settings.endpoints.production, ServerlessEndpoint):
        raise ReleaseError(
            f"{endpoint_name} has instances, and SageMaker makes no such endpoint serverless: delete it with its stack "
            f"(aws cloudformation delete-stack --stack-name {endpoint_name}) and retry this stage, or take serverless "
            "out of endpoints.production of slipway.yaml"
        )


def _without_shifting(plan: ReleasePlan) -> ReleasePlan:
    """The plan for an endpoint that is to get instances which it did not have."""
    if plan.strategy not in SHIFTING:
        return plan
    why = "at once, for no traffic is shifted from a serverless endpoint"
    return replace(plan, strategy=IMMEDIATE, summary=f"{plan.summary}, but {why}")


def _version(arn: str) -> str:
    return f"version {arn.rpartition('/')[2]}" if "/" in arn else arn
