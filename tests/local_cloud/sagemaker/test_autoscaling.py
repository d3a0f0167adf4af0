"""Application Auto Scaling of endpoints' variants: registered, refused, and followed up and down."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from fidelity_support import pages
from local_cloud_sagemaker import SageMakerCloud
from steady_load import SteadyLoad, failed

from local_cloud.application_autoscaling.tracking import wanted_capacity

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
LINKED_ROLE = (
    "arn:aws:iam::000000000000:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


class Scaled:
    """An endpoint with the variant A, and calls of Application Auto Scaling about it."""

    def __init__(self, sagemaker: SageMakerCloud, instances: int = 1) -> None:
        self.sagemaker = sagemaker
        self.scaling = sagemaker.client("application-autoscaling")
        config = sagemaker.make_config(sagemaker.make_model(), InitialInstanceCount=instances)
        self.endpoint = sagemaker.make_endpoint(config)
        self.names = {
            "ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{self.endpoint}/variant/A",
            "ScalableDimension": DIMENSION,
        }  # fmt: skip

    def register(self, **more: Any) -> dict[str, Any]:
        return dict(self.scaling.register_scalable_target(**self.names, **more))

    def put_policy(self, name: str = "invocations", **more: Any) -> dict[str, Any]:
        predefined = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        configuration = {"TargetValue": 30.0, "PredefinedMetricSpecification": predefined} | more
        return dict(self.scaling.put_scaling_policy(
            PolicyName=name, **self.names, PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=configuration,
        ))  # fmt: skip

    def raise_alarm(self, policy: dict[str, Any], kind: str) -> str:
        """Set the policy's alarm AlarmHigh or AlarmLow off by hand, as AWS lets one do; returns its name."""
        (name,) = [alarm["AlarmName"] for alarm in policy["Alarms"] if f"-{kind}-" in alarm["AlarmName"]]
        self.sagemaker.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
        return str(name)

    def instances(self) -> int:
        described = self.sagemaker.api.describe_endpoint(EndpointName=self.endpoint)
        return int(described["ProductionVariants"][0]["CurrentInstanceCount"])

    def activities(self, **more: Any) -> list[dict[str, Any]]:
        answer = self.scaling.describe_scaling_activities(
            ServiceNamespace="sagemaker", ResourceId=self.names["ResourceId"], **more
        )
        return list(answer["ScalingActivities"])

    def settled(self, instances: int) -> Callable[[], bool]:
        """Whether the endpoint has that many instances, and its last activity is over."""
        return lambda: self.instances() == instances and self.activities()[0]["StatusCode"] == "Successful"


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_target_is_registered_described_changed_and_deregistered(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    arn = scaled.register(MinCapacity=1, MaxCapacity=4)["ScalableTargetARN"]
    assert arn.startswith("arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/")
    assert scaled.register(MaxCapacity=5)["ScalableTargetARN"] == arn

    (target,) = scaled.scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[scaled.names["ResourceId"]]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["RoleARN"]) == (1, 5, LINKED_ROLE)
    assert not any(target["SuspendedState"].values())

    scaled.scaling.deregister_scalable_target(**scaled.names)
    assert refusal(lambda: scaled.scaling.deregister_scalable_target(**scaled.names)) == (
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: sagemaker, resource ID: {scaled.names['ResourceId']}, "
        f"scalable dimension: {DIMENSION}",
    )


def test_targets_come_in_pages(sagemaker: SageMakerCloud) -> None:
    for _ in range(2):
        Scaled(sagemaker).register(MinCapacity=1, MaxCapacity=2)
    describe = sagemaker.client("application-autoscaling").describe_scalable_targets
    request = {"ServiceNamespace": "sagemaker"}
    found = pages(describe, "ScalableTargets", request, ("MaxResults", "NextToken"))
    assert found == describe(**request)["ScalableTargets"]
    assert len(found) >= 2
    assert refusal(lambda: describe(**request, NextToken="broken"))[0] == "InvalidNextTokenException"


def test_registering_brings_the_capacity_between_its_bounds(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    scaled.register(MinCapacity=2, MaxCapacity=3)
    eventually(scaled.settled(2))
    (activity,) = scaled.activities()
    assert activity["Description"] == "Setting desired instance count to 2."
    assert activity["Cause"] == "minimum capacity was set to 2"
    assert activity["StatusMessage"] == (
        "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
    )
    assert activity["EndTime"] >= activity["StartTime"]


def test_a_policy_comes_with_a_pair_of_alarms_that_go_with_it(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    scaled.register(MinCapacity=1, MaxCapacity=4)
    made = scaled.put_policy()
    names = [alarm["AlarmName"] for alarm in made["Alarms"]]
    describe = sagemaker.client("cloudwatch").describe_alarms
    alarms = {alarm["AlarmName"]: alarm for alarm in describe(AlarmNames=names)["MetricAlarms"]}
    high, low = (alarms[name] for name in names)

    assert names[0].startswith(f"TargetTracking-{scaled.names['ResourceId']}-AlarmHigh-")
    assert names[1].startswith(f"TargetTracking-{scaled.names['ResourceId']}-AlarmLow-")
    for alarm in (high, low):
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
            "AWS/SageMaker", "InvocationsPerInstance", "Sum"
        )  # fmt: skip
        assert {item["Name"]: item["Value"] for item in alarm["Dimensions"]} == {
            "EndpointName": scaled.endpoint, "VariantName": "A",
        }  # fmt: skip
        assert alarm["AlarmActions"] == [made["PolicyARN"]]
    # 30 a minute are 5 in the 10 seconds that the alarms look at
    assert (high["Period"], high["EvaluationPeriods"], high["Threshold"]) == (10, 3, 5.0)
    assert (low["Period"], low["EvaluationPeriods"], low["Threshold"]) == (10, 15, 4.5)
    assert (high["ComparisonOperator"], low["ComparisonOperator"]) == ("GreaterThanThreshold", "LessThanThreshold")

    again = scaled.put_policy(DisableScaleIn=True)
    assert again["PolicyARN"] == made["PolicyARN"]
    assert again["Alarms"] == made["Alarms"][:1]
    (policy,) = scaled.scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=scaled.names["ResourceId"]
    )["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["DisableScaleIn"] is True
    assert policy["Alarms"] == again["Alarms"]
    assert [alarm["AlarmName"] for alarm in describe(AlarmNames=names)["MetricAlarms"]] == names[:1]

    scaled.scaling.delete_scaling_policy(PolicyName="invocations", **scaled.names)
    assert describe(AlarmNames=names)["MetricAlarms"] == []
    code, message = refusal(lambda: scaled.scaling.delete_scaling_policy(PolicyName="invocations", **scaled.names))
    assert code == "ObjectNotFoundException"
    assert message.startswith("No scaling policy found for service namespace: sagemaker")


def test_a_target_takes_its_policy_along(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    scaled.register(MinCapacity=1, MaxCapacity=4)
    names = [alarm["AlarmName"] for alarm in scaled.put_policy()["Alarms"]]
    scaled.scaling.deregister_scalable_target(**scaled.names)
    assert sagemaker.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    assert scaled.scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=scaled.names["ResourceId"]
    )["ScalingPolicies"] == []  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"MaxCapacity": 0}, "ValidationException", "Maximum capacity cannot be less than minimum capacity"),
        ({"MinCapacity": 0}, "ValidationException", "MinCapacity of an endpoint variant must be 1 or more, got 0"),
        ({"ResourceId": "endpoint/no-such/variant/A"}, "ValidationException", "endpoint variant doesn't exist"),
        ({"ResourceId": "table/trips"}, "ValidationException", "Unsupported service namespace, resource type or"),
        ({"ServiceNamespace": "ecs"}, "ValidationException", "Unsupported service namespace, resource type or"),
    ],
    ids=["max below min", "min of zero", "no endpoint", "another kind", "another service"],
)
def test_a_wrong_target_is_refused(
    sagemaker: SageMakerCloud, change: dict[str, Any], code: str, message: str
) -> None:  # fmt: skip
    endpoint = sagemaker.api.list_endpoints(StatusEquals="InService")["Endpoints"][0]["EndpointName"]
    request = {
        "ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{endpoint}/variant/A", "ScalableDimension": DIMENSION,
        "MinCapacity": 1, "MaxCapacity": 2,
    }  # fmt: skip
    found = refusal(lambda: sagemaker.client("application-autoscaling").register_scalable_target(**request | change))
    assert found[0] == code
    assert message in found[1]


def test_a_new_target_needs_its_bounds(sagemaker: SageMakerCloud) -> None:
    assert refusal(Scaled(sagemaker).register) == (
        "ValidationException", "MinCapacity and MaxCapacity must be specified when a new scalable target is registered"
    )  # fmt: skip


def test_wrong_policies_are_refused(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    code, message = refusal(scaled.put_policy)
    assert code == "ObjectNotFoundException"
    assert message.startswith("No scalable target registered for service namespace: sagemaker")

    scaled.register(MinCapacity=1, MaxCapacity=2)
    other = {"PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
    assert "it serves SageMakerVariantInvocationsPerInstance" in refusal(
        lambda: scaled.put_policy(PredefinedMetricSpecification=other)
    )[1]  # fmt: skip
    assert "TargetValue must be above 0, got 0" in refusal(lambda: scaled.put_policy(TargetValue=0.0))[1]
    scaled.put_policy()
    assert "Only one TargetTrackingScaling policy" in refusal(lambda: scaled.put_policy("another"))[1]


def test_an_endpoint_grows_with_its_load_and_shrinks_without(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    scaled.register(MinCapacity=1, MaxCapacity=3)
    policy = scaled.put_policy(ScaleInCooldown=0)  # 30 a minute

    with SteadyLoad(sagemaker.client("sagemaker-runtime"), scaled.endpoint, 3).running() as calls:  # 180 a minute
        eventually(scaled.settled(3), 75)
    assert not failed(calls)
    grown = scaled.activities()[0]
    assert "-AlarmHigh-" in grown["Cause"]
    assert grown["Cause"].endswith("in state ALARM triggered policy invocations")

    def shrunk() -> bool:
        scaled.raise_alarm(policy, "AlarmLow")  # 150 seconds before it would go off itself
        return scaled.settled(1)()

    eventually(shrunk, 60)
    assert "-AlarmLow-" in scaled.activities()[0]["Cause"]


def test_nothing_is_taken_away_while_suspended_or_during_a_scale_in_cooldown(sagemaker: SageMakerCloud) -> None:
    """Two endpoints: the one that is scaled shows that the other's alarm, set off before its own, was heard."""
    suspended, marker = Scaled(sagemaker, instances=2), Scaled(sagemaker, instances=2)
    suspended.register(MinCapacity=1, MaxCapacity=4, SuspendedState={"DynamicScalingInSuspended": True})
    marker.register(MinCapacity=1, MaxCapacity=4)
    policies = suspended.put_policy(), marker.put_policy()

    def raised(settled: Callable[[], bool]) -> bool:
        suspended.raise_alarm(policies[0], "AlarmLow")
        marker.raise_alarm(policies[1], "AlarmLow")
        return settled()

    eventually(lambda: raised(marker.settled(1)), 40)
    assert (suspended.instances(), suspended.activities()) == (2, [])

    marker.scaling.deregister_scalable_target(**marker.names)
    suspended.register(SuspendedState={"DynamicScalingInSuspended": False})
    eventually(lambda: suspended.raise_alarm(policies[0], "AlarmLow") and suspended.settled(1)(), 40)


def test_a_scale_in_is_followed_by_its_cooldown(sagemaker: SageMakerCloud) -> None:
    cooling, marker = Scaled(sagemaker, instances=3), Scaled(sagemaker, instances=3)
    for scaled in (cooling, marker):
        scaled.register(MinCapacity=1, MaxCapacity=4)
    policies = cooling.put_policy(ScaleInCooldown=300), marker.put_policy(ScaleInCooldown=0)

    def both_shrunk() -> bool:
        cooling.raise_alarm(policies[0], "AlarmLow")
        marker.raise_alarm(policies[1], "AlarmLow")
        return cooling.settled(1)() and marker.settled(1)()

    eventually(both_shrunk, 40)
    for scaled in (cooling, marker):
        changed = {"VariantName": "A", "DesiredInstanceCount": 3}
        sagemaker.api.update_endpoint_weights_and_capacities(
            EndpointName=scaled.endpoint, DesiredWeightsAndCapacities=[changed]
        )

    def marker_shrunk() -> bool:
        cooling.raise_alarm(policies[0], "AlarmLow")
        marker.raise_alarm(policies[1], "AlarmLow")
        return len(marker.activities()) == 2 and marker.settled(1)()

    eventually(marker_shrunk, 40)
    assert (cooling.instances(), len(cooling.activities())) == (3, 1)


def test_an_endpoint_that_is_updated_is_not_scaled(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker, instances=2)
    scaled.register(MinCapacity=1, MaxCapacity=4)
    policy = scaled.put_policy()
    routing = {"Type": "ALL_AT_ONCE"}
    sagemaker.api.update_endpoint(
        EndpointName=scaled.endpoint,
        EndpointConfigName=sagemaker.make_config(sagemaker.make_model("next"), InitialInstanceCount=2),
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing | {"WaitIntervalInSeconds": 0},
                                      "TerminationWaitInSeconds": 8},
        },
    )  # fmt: skip
    scaled.raise_alarm(policy, "AlarmLow")

    eventually(lambda: scaled.activities(IncludeNotScaledActivities=True))
    (refused,) = scaled.activities(IncludeNotScaledActivities=True)
    assert refused["NotScaledReasons"] == [{"Code": "TargetServicePutResourceAsUnscalable"}]
    assert scaled.activities() == []
    assert sagemaker.api.describe_endpoint(EndpointName=scaled.endpoint)["EndpointStatus"] == "Updating"
    sagemaker.endpoint_settled(scaled.endpoint)
    assert scaled.instances() == 2


def test_at_its_maximum_an_endpoint_is_not_scaled_and_it_is_said_why(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    scaled.register(MinCapacity=1, MaxCapacity=1)
    policy = scaled.put_policy(TargetValue=1.0)

    def reasons() -> list[Any]:
        scaled.sagemaker.invoke(scaled.endpoint)
        scaled.raise_alarm(policy, "AlarmHigh")
        return [activity["NotScaledReasons"] for activity in scaled.activities(IncludeNotScaledActivities=True)]

    eventually(lambda: [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 1}] in reasons(), 40)


@pytest.mark.parametrize(
    ("direction", "count", "ratio", "cooling", "wanted"),
    [
        ("Out", 1, 1.0, None, None),
        ("Out", 1, 1.01, None, 2),
        ("Out", 2, 3.0, None, 6),
        ("Out", 2, 2.0, {"From": 1, "To": 2}, None),
        ("Out", 2, 2.1, {"From": 1, "To": 2}, 3),
        ("Out", 2, 2.0, {"From": 3, "To": 2}, 4),
        ("In", 4, 0.5, None, 2),
        ("In", 4, 0.0, None, 0),
        ("In", 4, 0.76, None, None),
        ("In", 4, 0.5, {"From": 5, "To": 4}, None),
        ("In", 4, 0.5, {"From": 2, "To": 4}, 2),
    ],
    ids=[
        "on the target", "just above it", "proportional", "the scale-out before counts", "a larger one comes through",
        "a scale-out during a scale-in cooldown", "half the load", "no load", "rounded up", "scale-in cooldown",
        "a scale-out cooldown does not hold a scale-in",
    ],
)  # fmt: skip
def test_the_capacity_that_the_metric_asks_for(
    direction: str, count: int, ratio: float, cooling: dict[str, int] | None, wanted: int | None
) -> None:
    assert wanted_capacity(direction, count, ratio, cooling) == wanted


def stack_template(endpoint: str, maximum: int | str, **tags: str) -> str:
    target = {
        "ServiceNamespace": "sagemaker", "ScalableDimension": DIMENSION,
        "ResourceId": f"endpoint/{endpoint}/variant/A", "MinCapacity": "1", "MaxCapacity": maximum,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }  # fmt: skip
    tracking = {
        "TargetValue": "30", "ScaleInCooldown": 60,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }  # fmt: skip
    policy = {
        "PolicyName": "invocations", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }  # fmt: skip
    return json.dumps({
        "Resources": {
            "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target},
            "Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": policy},
        },
        "Outputs": {"Target": {"Value": {"Ref": "Target"}}, "Policy": {"Value": {"Ref": "Policy"}}},
    })  # fmt: skip


def tags_of(scaled: Scaled) -> dict[str, str]:
    described = scaled.scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[scaled.names["ResourceId"]]
    )
    arn = described["ScalableTargets"][0]["ScalableTargetARN"]
    return dict(scaled.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"])


def test_a_target_has_tags(sagemaker: SageMakerCloud) -> None:
    scaled = Scaled(sagemaker)
    arn = scaled.register(MinCapacity=1, MaxCapacity=2, Tags={"team": "taxi"})["ScalableTargetARN"]
    scaled.scaling.tag_resource(ResourceARN=arn, Tags={"owner": "me"})
    scaled.scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert tags_of(scaled) == {"owner": "me"}
    assert (
        refusal(lambda: scaled.scaling.list_tags_for_resource(ResourceARN=f"{arn}0"))[0] == "ResourceNotFoundException"
    )


def test_a_stack_makes_changes_and_deletes_a_target_with_its_policy(sagemaker: SageMakerCloud) -> None:
    scaled, stack = Scaled(sagemaker), sagemaker.name("stack")
    cloudformation = sagemaker.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=stack_template(scaled.endpoint, 3, owner="me", team="taxi")
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described["Outputs"]}
    (policy,) = scaled.scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=scaled.names["ResourceId"]
    )["ScalingPolicies"]
    assert outputs == {
        "Target": f"{scaled.names['ResourceId']}|{DIMENSION}|sagemaker",
        "Policy": policy["PolicyARN"],
    }
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 30.0

    assert tags_of(scaled) == {"owner": "me", "team": "taxi"}

    changed = stack_template(scaled.endpoint, "5", team="trains")
    cloudformation.update_stack(StackName=stack, TemplateBody=changed)
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    targets = {"ServiceNamespace": "sagemaker", "ResourceIds": [scaled.names["ResourceId"]]}
    (target,) = scaled.scaling.describe_scalable_targets(**targets)["ScalableTargets"]
    assert target["MaxCapacity"] == 5
    assert tags_of(scaled) == {"team": "trains"}

    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert scaled.scaling.describe_scalable_targets(**targets)["ScalableTargets"] == []


def test_a_stack_with_a_wrong_target_says_why(sagemaker: SageMakerCloud) -> None:
    cloudformation, stack = sagemaker.client("cloudformation"), sagemaker.name("stack")
    cloudformation.create_stack(StackName=stack, TemplateBody=stack_template("no-such-endpoint", 3))

    def reasons() -> list[str]:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return [event.get("ResourceStatusReason", "") for event in events]

    eventually(lambda: any("endpoint/no-such-endpoint/variant/A" in reason for reason in reasons()))
    assert any("Service: ApplicationAutoScaling, Code: ValidationException" in reason for reason in reasons())
