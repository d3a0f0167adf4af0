"""The strategies by which an endpoint's stack comes to a new model, as conditions of its template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws, CfnCondition, CfnParameter, CfnRule, CfnRuleAssertion, Fn, ICfnConditionExpression, IResolvable
from constructs import Construct

from infra import names
from settings import IMMEDIATE, SHIFTING, STRATEGIES, AnyEndpoint, Endpoint, Release, Strategy

_COMPARING: tuple[Strategy, ...] = ("ab_test", "shadow")


@dataclass(frozen=True)
class Comparison:
    """The strategies by which a challenger runs beside the champion, as conditions.

    Attributes:
        has_challenger: there is a second model.
        is_ab_test: it is a production variant.
        is_shadow: it is a shadow variant.
        challenger_percent: its share of the calls in an A/B test, or the share that is copied to it as a shadow.
    """

    has_challenger: CfnCondition
    is_ab_test: CfnCondition
    is_shadow: CfnCondition
    challenger_percent: int


class ReleaseStrategy(Construct):
    """The parameter `Strategy`, and what depends on it.

    - all_at_once, canary, linear: SageMaker's deployment guardrails shift the calls to new instances and watch the
      alarms; any alarm takes them back.
    - ab_test, shadow: the challenger runs beside the champion. Guardrails ask for the same variants before and after,
      so there are none, neither into such a test nor out of it.
    - immediate: no guardrails either. It is for the way back: while a bad model serves, the alarms are set off, and an
      update under their watch would itself be taken back.

    A serverless endpoint has one variant and no guardrails, whatever the strategy is.

    Attributes:
        comparison: what ab_test and shadow make of the template; None where there is neither.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        release: Release,
        endpoint: AnyEndpoint,
        default: str,
        challenger: CfnParameter,
    ) -> None:
        super().__init__(scope, construct_id)
        self._release = release
        self._has_instances = isinstance(endpoint, Endpoint)
        self._allowed = [one for one in STRATEGIES if not release.faults(one, endpoint)]
        self._parameter = CfnParameter(
            self,
            "Strategy",
            description="How the endpoint comes to the model package",
            default=default,
            allowed_values=[*self._allowed, IMMEDIATE],
        )
        self._parameter.override_logical_id("Strategy")
        self.comparison = self._comparison() if self._has_instances else None
        without = Fn.condition_equals(challenger.value_as_string, names.NO_CHALLENGER)
        if self.comparison is not None:
            self._rule("WithChallenger", _COMPARING, Fn.condition_not(without), "need a ChallengerModelPackageArn")
        self._rule("WithoutChallenger", [*SHIFTING, IMMEDIATE], without, "take no ChallengerModelPackageArn")

    def deployment_config(self, alarm_names: Sequence[str]) -> IResolvable | None:
        """The endpoint's DeploymentConfig, left out by strategies that no alarm watches; None where there is none."""
        if not self._has_instances:
            return None
        size = {"Type": "CAPACITY_PERCENT", "Value": self._release.step_percent}
        routing = Fn.condition_if(
            self._condition("IsCanary", "canary").logical_id,
            self._routing("CANARY", CanarySize=size),
            Fn.condition_if(
                self._condition("IsLinear", "linear").logical_id,
                self._routing("LINEAR", LinearStepSize=size),
                self._routing("ALL_AT_ONCE"),
            ),
        )
        config = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": self._release.termination_wait_seconds,
                "MaximumExecutionTimeoutInSeconds": max(self._release.timeout_seconds(one) for one in self._allowed),
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarm_names]},
        }
        return Fn.condition_if(self._condition("IsWatched", *SHIFTING).logical_id, config, Aws.NO_VALUE)

    def _comparison(self) -> Comparison:
        return Comparison(
            has_challenger=self._condition("HasChallenger", *_COMPARING),
            is_ab_test=self._condition("IsAbTest", "ab_test"),
            is_shadow=self._condition("IsShadow", "shadow"),
            challenger_percent=self._release.challenger_percent,
        )

    def _routing(self, routing_type: str, **size: Mapping[str, Any]) -> dict[str, Any]:
        return {"Type": routing_type, "WaitIntervalInSeconds": self._release.step_seconds, **size}

    def _condition(self, logical_id: str, *strategies: Strategy) -> CfnCondition:
        tests = [Fn.condition_equals(self._parameter.value_as_string, one) for one in strategies]
        condition = CfnCondition(self, logical_id, expression=Fn.condition_or(*tests) if tests[1:] else tests[0])
        condition.override_logical_id(logical_id)
        return condition

    def _rule(self, logical_id: str, strategies: Sequence[str], asserted: ICfnConditionExpression, told: str) -> None:
        assertion = CfnRuleAssertion(assert_=asserted, assert_description=f"{', '.join(strategies)} {told}")
        applies = Fn.condition_contains(list(strategies), self._parameter.value_as_string)
        rule = CfnRule(self, logical_id, rule_condition=applies, assertions=[assertion])
        rule.override_logical_id(logical_id)
