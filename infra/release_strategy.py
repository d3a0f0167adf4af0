"""The strategies by which an endpoint's stack comes to a new model, as conditions of its template."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, CfnCondition, CfnParameter, CfnRule, CfnRuleAssertion, Fn, ICfnConditionExpression, IResolvable
from constructs import Construct

from infra import names
from settings import SHIFTING, STRATEGIES, Release, Strategy

_COMPARING: tuple[Strategy, ...] = ("ab_test", "shadow")


class ReleaseStrategy(Construct):
    """The parameter `Strategy`, and what depends on it.

    - all_at_once, canary, linear: SageMaker's deployment guardrails shift the calls to new instances and watch the
      alarms; any alarm takes them back.
    - ab_test, shadow: the challenger runs beside the champion. Guardrails ask for the same variants before and after,
      so there are none, neither into such a test nor out of it.
    - immediate: no guardrails either. It is for the way back: while a bad model serves, the alarms are set off, and an
      update under their watch would itself be taken back.

    Attributes:
        has_challenger: the condition under which there is a second model.
        is_ab_test: the condition under which it is a production variant.
        is_shadow: the condition under which it is a shadow variant.
        challenger_percent: its share of the calls in an A/B test, or the share that is copied to it as a shadow.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        release: Release,
        instance_type: str,
        default: str,
        challenger: CfnParameter,
    ) -> None:
        super().__init__(scope, construct_id)
        self._release = release
        self._allowed = [one for one in STRATEGIES if not release.faults(one, instance_type)]
        self._parameter = CfnParameter(
            self,
            "Strategy",
            description="How the endpoint comes to the model package",
            default=default,
            allowed_values=[*self._allowed, names.IMMEDIATE],
        )
        self._parameter.override_logical_id("Strategy")
        self._is_canary = self._condition("IsCanary", "canary")
        self._is_linear = self._condition("IsLinear", "linear")
        self._is_watched = self._condition("IsWatched", *SHIFTING)
        self.is_ab_test = self._condition("IsAbTest", "ab_test")
        self.is_shadow = self._condition("IsShadow", "shadow")
        self.has_challenger = self._condition("HasChallenger", *_COMPARING)
        self.challenger_percent = release.challenger_percent
        without = Fn.condition_equals(challenger.value_as_string, names.NO_CHALLENGER)
        self._rule("WithChallenger", _COMPARING, Fn.condition_not(without), "need a ChallengerModelPackageArn")
        self._rule("WithoutChallenger", [*SHIFTING, names.IMMEDIATE], without, "take no ChallengerModelPackageArn")

    def deployment_config(self, alarm_names: Sequence[str]) -> IResolvable:
        """The endpoint's DeploymentConfig, left out by strategies that no alarm watches."""
        size = {"Type": "CAPACITY_PERCENT", "Value": self._release.step_percent}
        routing = Fn.condition_if(
            self._is_canary.logical_id,
            self._routing("CANARY", CanarySize=size),
            Fn.condition_if(
                self._is_linear.logical_id,
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
        return Fn.condition_if(self._is_watched.logical_id, config, Aws.NO_VALUE)

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
