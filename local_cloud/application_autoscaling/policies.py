"""Target tracking: the policies, and the pair of alarms in CloudWatch by which each is followed."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.application_autoscaling.endpoint_variants import EndpointVariants
from local_cloud.application_autoscaling.listing import page_of
from local_cloud.application_autoscaling.resource_ids import EndpointVariant, invalid, not_found
from local_cloud.store import Table

PERIOD_SECONDS = 10
"""What the alarms look at; on AWS it is a minute. The metric comes once a second here, and once a minute there."""

_PERIODS_ABOVE, _PERIODS_BELOW = 3, 15
_BELOW = 0.9  # of the target value: the alarm for scaling in
_METRICS = {"SageMakerVariantInvocationsPerInstance": "InvocationsPerInstance"}
_PREDEFINED = "PredefinedMetricSpecification"
_DEFAULT_COOLDOWN_SECONDS = 300


class ScalingPolicies:
    """PutScalingPolicy and what can be done with a policy; there is one for each variant, as there is one metric."""

    def __init__(self, region: str, account_id: str, table: Table, targets: Table, variants: EndpointVariants) -> None:
        self._region = region
        self._account_id = account_id
        self._table = table
        self._targets = targets
        self._variants = variants

    def put_scaling_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        resource = EndpointVariant.of(request)
        if self._targets.get(resource.resource_id) is None:
            raise not_found(f"No scalable target registered for {resource}")
        old = self._table.get(resource.resource_id) or {}
        if old.get("PolicyName", request["PolicyName"]) != request["PolicyName"]:
            raise invalid(
                "Only one TargetTrackingScaling policy for a given metric specification is allowed; "
                f"{resource.resource_id} has {old['PolicyName']}"
            )
        if "PolicyType" not in {**old, **request}:
            raise invalid("PolicyType must be specified when a new scaling policy is created")
        configuration = request.get("TargetTrackingScalingPolicyConfiguration") or old.get(
            "TargetTrackingScalingPolicyConfiguration"
        )
        _check(configuration)
        policy = {
            **resource.members(),
            "PolicyARN": old.get("PolicyARN") or self._arn(resource, request["PolicyName"]),
            "PolicyName": request["PolicyName"], "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": configuration,
            "CreationTime": old.get("CreationTime") or datetime.now(UTC),
        }  # fmt: skip
        policy["Alarms"] = self._put_alarms(resource, policy, old.get("Alarms", []))
        self._table.put(resource.resource_id, policy)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]}

    def delete_scaling_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        resource = EndpointVariant.of(request)
        policy = self._table.get(resource.resource_id)
        if policy is None or policy["PolicyName"] != request["PolicyName"]:
            raise not_found(f"No scaling policy found for {resource}, policy name: {request['PolicyName']}")
        self.delete_of(resource)
        return {}

    def describe_scaling_policies(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = [
            policy for policy in self.all()
            if policy["ServiceNamespace"] == request["ServiceNamespace"]
            and request.get("ResourceId") in (None, policy["ResourceId"])
            and policy["PolicyName"] in request.get("PolicyNames", [policy["PolicyName"]])
        ]  # fmt: skip
        return page_of("ScalingPolicies", wanted, request, identity="PolicyARN")

    def delete_of(self, resource: EndpointVariant) -> None:
        """Delete the policy of a variant, if it has one, with its alarms."""
        policy = self._table.get(resource.resource_id)
        if policy is not None:
            self._table.delete(resource.resource_id)
            self._variants.delete_alarms([alarm["AlarmName"] for alarm in policy["Alarms"]])

    def all(self) -> list[dict[str, Any]]:
        return [policy for _, policy in self._table.items()]

    def _arn(self, resource: EndpointVariant, name: str) -> str:
        return (
            f"arn:aws:autoscaling:{self._region}:{self._account_id}:scalingPolicy:{uuid.uuid4()}"
            f":resource/sagemaker/{resource.resource_id}:policyName/{name}"
        )

    def _put_alarms(
        self, resource: EndpointVariant, policy: Mapping[str, Any], old: list[dict[str, str]]
    ) -> list[dict[str, str]]:
        wanted = ["AlarmHigh"] if _settings(policy).get("DisableScaleIn") else ["AlarmHigh", "AlarmLow"]
        alarms = []
        for kind in wanted:
            name = next(
                (alarm["AlarmName"] for alarm in old if kind in alarm["AlarmName"]),
                f"TargetTracking-{resource.resource_id}-{kind}-{uuid.uuid4()}",
            )
            self._variants.put_alarm(AlarmName=name, **_alarm(kind, policy))
            arn = f"arn:aws:cloudwatch:{self._region}:{self._account_id}:alarm:{name}"
            alarms.append({"AlarmName": name, "AlarmARN": arn})
        gone = [alarm["AlarmName"] for alarm in old if alarm not in alarms]
        if gone:
            self._variants.delete_alarms(gone)
        return alarms


def target_value(policy: Mapping[str, Any]) -> float:
    """What the metric should be, summed up over the alarms' period."""
    return float(_settings(policy)["TargetValue"]) * PERIOD_SECONDS / 60


def cooldown_seconds(policy: Mapping[str, Any], direction: str) -> float:
    """How long to wait after an activity; `direction` is In or Out."""
    return float(_settings(policy).get(f"Scale{direction}Cooldown", _DEFAULT_COOLDOWN_SECONDS))


def metric(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Namespace, MetricName and Dimensions of the metric that is tracked."""
    _, endpoint, _, variant = policy["ResourceId"].split("/")
    return {
        "Namespace": "AWS/SageMaker",
        "MetricName": _METRICS[_settings(policy)[_PREDEFINED]["PredefinedMetricType"]],
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
    }


def _settings(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = policy["TargetTrackingScalingPolicyConfiguration"]
    return settings


def _check(configuration: Mapping[str, Any] | None) -> None:
    if configuration is None:
        raise invalid("TargetTrackingScalingPolicyConfiguration must be specified for a TargetTrackingScaling policy")
    kind = configuration.get(_PREDEFINED, {}).get("PredefinedMetricType")
    if kind is None:
        raise invalid("PredefinedMetricSpecification must be specified in TargetTrackingScalingPolicyConfiguration")
    if kind not in _METRICS:
        raise invalid(f"The local cloud does not serve the predefined metric {kind}; it serves {', '.join(_METRICS)}")
    if configuration["TargetValue"] <= 0:
        raise invalid(f"TargetValue must be above 0, got {configuration['TargetValue']:g}")


def _alarm(kind: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm's request without the name."""
    above = kind == "AlarmHigh"
    return {
        **metric(policy),
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
        "AlarmActions": [policy["PolicyARN"]],
        "Statistic": "Sum",
        "Period": PERIOD_SECONDS,
        "EvaluationPeriods": _PERIODS_ABOVE if above else _PERIODS_BELOW,
        "ComparisonOperator": "GreaterThanThreshold" if above else "LessThanThreshold",
        "Threshold": target_value(policy) * (1 if above else _BELOW),
    }  # fmt: skip
