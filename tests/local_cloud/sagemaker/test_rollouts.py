"""Endpoints updated under load: canary, linear, alarms that take an update back, and what a kill leaves."""

import copy
import itertools
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import PERMISSIONS, SageMakerCloud, alive
from local_cloud_server import CloudServer

THREADS = 3
CALLS_PER_SECOND = 45
ROLLING = {
    "RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}, "WaitIntervalInSeconds": 0}
}


@dataclass
class Load:
    """Calls at a steady rate, and what came of each, in the order of the answers."""

    answers: list[str] = field(default_factory=list)

    def failed(self) -> int:
        return sum(answer.startswith("failed") for answer in self.answers)


@contextmanager
def steady_load(sagemaker: SageMakerCloud, endpoint: str) -> Iterator[Load]:
    load, over = Load(), threading.Event()

    def call() -> None:
        runtime = sagemaker.server.client("sagemaker-runtime")
        while not over.wait(THREADS / CALLS_PER_SECOND):
            try:
                body = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")["Body"].read()
                load.answers.append(json.loads(body)["prediction"])
            except ClientError as error:
                load.answers.append(f"failed: {error}")

    threads = [threading.Thread(target=call) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(load.answers) > 10)
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()


def routing(kind: str, wait: int, termination_wait: int, *alarms: str, **size: Any) -> dict[str, Any]:
    policy = {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **size},
        "TerminationWaitInSeconds": termination_wait,
    }
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"BlueGreenUpdatePolicy": policy, **rollback}


def canary(wait: int, termination_wait: int, *alarms: str) -> dict[str, Any]:
    size = {"Type": "INSTANCE_COUNT", "Value": 1}
    return routing("CANARY", wait, termination_wait, *alarms, CanarySize=size)


def make_alarm(sagemaker: SageMakerCloud, endpoint: str, metric: str, threshold: float, **statistic: str) -> str:
    name = sagemaker.name("alarm")
    sagemaker.client("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="AWS/SageMaker", MetricName=metric, Threshold=threshold, Period=10,
        EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "A"}],
        **(statistic or {"Statistic": "Average"}),
    )  # fmt: skip
    return name


def make_endpoint(sagemaker: SageMakerCloud, prediction: str = "one", instances: int = 3) -> str:
    model = sagemaker.make_model(prediction)
    return sagemaker.make_endpoint(sagemaker.make_config(model, InitialInstanceCount=instances))


def update(
    sagemaker: SageMakerCloud, endpoint: str, prediction: str, config: dict[str, Any], instances: int = 3
) -> str:
    """Begin an update to a model; the name of its endpoint config."""
    name = sagemaker.make_config(sagemaker.make_model(prediction), InitialInstanceCount=instances)
    sagemaker.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=name, DeploymentConfig=config)
    return name


def variant_status(sagemaker: SageMakerCloud, endpoint: str) -> tuple[str, int]:
    """The message of a rollout's stage, and how many new instances take calls; "" when there is no rollout."""
    pending = sagemaker.api.describe_endpoint(EndpointName=endpoint).get("PendingDeploymentSummary")
    if pending is None:
        return "", 0
    (variant,) = pending["ProductionVariants"]
    return variant["VariantStatus"][0]["StatusMessage"], variant["CurrentInstanceCount"]


def stages(sagemaker: SageMakerCloud, endpoint: str) -> list[tuple[str, int]]:
    """The stages of a rollout, looked at until it is over."""
    seen: list[tuple[str, int]] = []
    while sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] != "InService":
        stage = variant_status(sagemaker, endpoint)
        if stage[0] and stage not in seen:
            seen.append(stage)
    return seen


def bakes(sagemaker: SageMakerCloud, endpoint: str, part: str) -> bool:
    message = variant_status(sagemaker, endpoint)[0]
    return message.startswith("Baking") and part in message


def delete(sagemaker: SageMakerCloud, endpoint: str) -> None:
    sagemaker.api.delete_endpoint(EndpointName=endpoint)
    listed = {"NameContains": endpoint}
    eventually(lambda: not sagemaker.api.list_endpoints(**listed)["Endpoints"])


def test_a_good_canary_serves_every_call_and_its_share_of_them(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker)
    alarm = make_alarm(sagemaker, endpoint, "Invocation5XXErrors", 0.01)
    old = {sagemaker.invoke(endpoint)["pid"] for _ in range(6)}
    with steady_load(sagemaker, endpoint) as load:
        config = update(sagemaker, endpoint, "two", canary(4, 2, alarm))
        eventually(lambda: bakes(sagemaker, endpoint, "canary capacity of 1 instance(s)"))
        begun = len(load.answers)
        eventually(lambda: not bakes(sagemaker, endpoint, "canary"))
        share = Counter(load.answers[begun:])
        described = sagemaker.endpoint_settled(endpoint)
        after = len(load.answers)
        eventually(lambda: len(load.answers) > after + 20)

    assert load.failed() == 0, Counter(load.answers)
    total = share["one"] + share["two"]
    assert total > 50
    assert abs(share["two"] / total - 1 / 3) < 3 * (1 / 3 * 2 / 3 / total) ** 0.5
    assert set(load.answers[after + 5 :]) == {"two"}
    assert described["EndpointConfigName"] == config
    assert "PendingDeploymentSummary" not in described
    assert "FailureReason" not in described
    assert not [pid for pid in old if alive(pid)]
    delete(sagemaker, endpoint)


@pytest.mark.parametrize(
    ("prediction", "metric", "threshold", "statistic"),
    [
        ("bad 500", "Invocation5XXErrors", 0.01, {}),
        ("die", "Invocation5XXErrors", 0.01, {}),
        ("bad 400", "Invocation4XXErrors", 0.1, {}),
        ("slow 0.3", "ModelLatency", 200_000, {"ExtendedStatistic": "p99"}),
    ],
    ids=["it fails", "it dies", "it refuses", "it is slow"],
)
def test_an_alarm_takes_a_bad_canary_back(
    sagemaker: SageMakerCloud, prediction: str, metric: str, threshold: float, statistic: dict[str, str]
) -> None:
    endpoint = make_endpoint(sagemaker)
    alarm = make_alarm(sagemaker, endpoint, metric, threshold, **statistic)
    before = sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    with steady_load(sagemaker, endpoint) as load:
        begun = len(load.answers)
        update(sagemaker, endpoint, prediction, canary(60, 60, alarm))
        described = sagemaker.endpoint_settled(endpoint)
        ended = len(load.answers)
        eventually(lambda: len(load.answers) > ended + 20)

    assert described["EndpointConfigName"] == before
    assert described["FailureReason"].startswith(
        f"Auto-rollback alarms are in ALARM state. {alarm}: Threshold Crossed: 1 out of the last 1 datapoints ["
    )
    assert f"was greater than the threshold ({float(threshold)})" in described["FailureReason"]
    assert load.failed() <= (ended - begun) / 3 + 1
    assert set(load.answers[ended + 5 :]) == {"one"}
    history = sagemaker.client("cloudwatch").describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
    changes = [json.loads(item["HistoryData"])["newState"] for item in history["AlarmHistoryItems"]]
    gone_off = next(change for change in changes if change["stateValue"] == "ALARM")
    assert gone_off["stateReasonData"]["threshold"] == threshold
    assert gone_off["stateReasonData"]["recentDatapoints"][-1] > threshold
    delete(sagemaker, endpoint)


def test_a_model_that_does_not_start_never_gets_a_call(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker, instances=2)
    pids = {sagemaker.invoke(endpoint)["pid"] for _ in range(4)}
    with steady_load(sagemaker, endpoint) as load:
        update(sagemaker, endpoint, "exit", canary(60, 60), instances=2)
        described = sagemaker.endpoint_settled(endpoint)
        ended = len(load.answers)
        eventually(lambda: len(load.answers) > ended + 10)
    assert "did not pass the ping health check" in described["FailureReason"]
    assert set(load.answers) == {"one"}
    assert {sagemaker.invoke(endpoint)["pid"] for _ in range(4)} == pids
    delete(sagemaker, endpoint)


def test_linear_steps_turn_on_one_part_after_the_other(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker)
    step = {"Type": "CAPACITY_PERCENT", "Value": 33}
    with steady_load(sagemaker, endpoint) as load:
        config = update(sagemaker, endpoint, "two", routing("LINEAR", 1, 1, LinearStepSize=step))
        seen = stages(sagemaker, endpoint)
    baked = [(message, count) for message, count in seen if message.startswith("Baking")]
    waiting = "Baking for 1 seconds ({}) with traffic enabled on {} capacity of {} instance(s)."
    assert baked == [
        (waiting.format("WaitIntervalInSeconds", "linear step", 1), 1),
        (waiting.format("WaitIntervalInSeconds", "linear step", 2), 2),
        (waiting.format("TerminationWaitInSeconds", "full", 3), 3),
    ]
    assert load.failed() == 0
    assert sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"] == config
    delete(sagemaker, endpoint)


def test_a_call_under_way_is_answered_before_its_instance_ends(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker, instances=1)
    answers: list[dict[str, Any]] = []
    runtime = sagemaker.client("sagemaker-runtime")

    def call() -> None:
        answers.append(json.loads(runtime.invoke_endpoint(EndpointName=endpoint, Body=b"sleep 4")["Body"].read()))

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    update(sagemaker, endpoint, "two", {}, instances=1)
    eventually(lambda: sagemaker.invoke(endpoint)["prediction"] == "two")
    assert not answers
    for thread in threads:
        thread.join()
    assert [answer["prediction"] for answer in answers] == ["one"] * 5
    sagemaker.endpoint_settled(endpoint)
    delete(sagemaker, endpoint)


def test_an_instance_that_is_scaled_in_answers_its_calls(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker, instances=2)
    with steady_load(sagemaker, endpoint) as load:
        for count in itertools.islice(itertools.cycle([1, 2]), 6):
            sagemaker.api.update_endpoint_weights_and_capacities(
                EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "A", "DesiredInstanceCount": count}]
            )
            sagemaker.endpoint_settled(endpoint)
    assert load.failed() == 0
    delete(sagemaker, endpoint)


def test_an_alarm_set_by_hand_takes_an_update_back(sagemaker: SageMakerCloud) -> None:
    endpoint = make_endpoint(sagemaker, instances=2)
    alarm = make_alarm(sagemaker, endpoint, "Invocation5XXErrors", 0.01)
    update(sagemaker, endpoint, "two", canary(60, 60, alarm), instances=2)
    eventually(lambda: bakes(sagemaker, endpoint, "canary"))
    sagemaker.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="we go back")
    assert sagemaker.endpoint_settled(endpoint)["FailureReason"] == (
        f"Auto-rollback alarms are in ALARM state. {alarm}: we go back"
    )
    assert {sagemaker.invoke(endpoint)["prediction"] for _ in range(4)} == {"one"}
    delete(sagemaker, endpoint)


def test_the_last_deployment_config_is_used_again_when_it_is_retained(sagemaker: SageMakerCloud) -> None:
    model = sagemaker.make_config(sagemaker.make_model("one"), InitialInstanceCount=2)
    endpoint = sagemaker.name("endpoint")
    wanted = canary(1, 0)
    sagemaker.api.create_endpoint(EndpointName=endpoint, EndpointConfigName=model, DeploymentConfig=wanted)
    sagemaker.endpoint_settled(endpoint)
    config = sagemaker.make_config(sagemaker.make_model("two"), InitialInstanceCount=2)
    sagemaker.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, RetainDeploymentConfig=True)
    assert any("canary" in message for message, _ in stages(sagemaker, endpoint))
    assert sagemaker.api.describe_endpoint(EndpointName=endpoint)["LastDeploymentConfig"] == wanted
    delete(sagemaker, endpoint)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (routing("CANARY", 1, 0), "CanarySize must be set for traffic routing type CANARY."),
        (routing("CANARY", 1, 0, CanarySize={"Type": "CAPACITY_PERCENT", "Value": 51}),
         r"less than or equal to 50% of the total instance count of variant A \(2\), got 51 \(CAPACITY_PERCENT\)"),
        (routing("CANARY", 1, 0, CanarySize={"Type": "INSTANCE_COUNT", "Value": 2}), r"got 2 \(INSTANCE_COUNT\)"),
        (routing("LINEAR", 1, 0, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 9}), "must be 10-50% of"),
        (canary(1, 0, "no-such-alarm"), "Could not find the auto-rollback alarms no-such-alarm"),
        (ROLLING, "does not serve RollingUpdatePolicy"),
    ],
    ids=["no size", "too large", "too many", "too small", "no alarm", "rolling"],
)  # fmt: skip
def test_a_wrong_deployment_config_is_refused(
    sagemaker: SageMakerCloud, two_instances: str, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        update(sagemaker, two_instances, "two", config, instances=2)
    assert sagemaker.api.describe_endpoint(EndpointName=two_instances)["EndpointStatus"] == "InService"


def test_traffic_is_shifted_between_the_same_variants_only(sagemaker: SageMakerCloud, two_instances: str) -> None:
    models = [sagemaker.make_model("two"), sagemaker.make_model("three")]
    config = sagemaker.make_config(*models, InitialInstanceCount=2)
    with pytest.raises(
        ClientError, match="needs the same variant names in both endpoint configurations, got A and A, B"
    ):
        sagemaker.api.update_endpoint(
            EndpointName=two_instances, EndpointConfigName=config, DeploymentConfig=canary(1, 0)
        )


@pytest.fixture(scope="module")
def two_instances(sagemaker: SageMakerCloud) -> str:
    """An endpoint that tests do not change."""
    return make_endpoint(sagemaker, instances=2)


def test_the_models_role_must_be_able_to_look_at_the_alarms(sagemaker: SageMakerCloud, two_instances: str) -> None:
    seen, unseen = (make_alarm(sagemaker, two_instances, "Invocation5XXErrors", 0.01) for _ in range(2))
    alarm_arn = f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{seen}"
    name = sagemaker.name("role")
    role = sagemaker.make_role(name, permissions=PERMISSIONS | {"cloudwatch:DescribeAlarms": alarm_arn})
    config = sagemaker.make_config(sagemaker.make_model("two", role_arn=role), InitialInstanceCount=2)
    request = {"EndpointName": two_instances, "EndpointConfigName": config}
    with pytest.raises(
        ClientError, match=f"{role} must be able to look at the auto-rollback alarms {seen}, {unseen}: "
    ):
        sagemaker.api.update_endpoint(**request, DeploymentConfig=canary(1, 0, seen, unseen))
    sagemaker.api.update_endpoint(**request, DeploymentConfig=canary(1, 0, seen))
    assert sagemaker.endpoint_settled(two_instances)["EndpointConfigName"] == config


def test_after_a_kill_in_mid_rollout_the_old_fleet_serves(
    start_cloud: Callable[[], CloudServer], tmp_path: Path
) -> None:
    before = SageMakerCloud.make(start_cloud(), tmp_path)
    endpoint = make_endpoint(before, instances=2)
    config = before.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    wanted = update(before, endpoint, "two", canary(600, 0), instances=2)
    eventually(lambda: bakes(before, endpoint, "canary"))
    pids = {before.invoke(endpoint)["pid"] for _ in range(4)}
    eventually(lambda: (tmp_path / "cloud" / "ministack").exists())

    before.server.stop(signal.SIGKILL)
    eventually(lambda: not [pid for pid in pids if alive(pid)])

    after = SageMakerCloud(start_cloud(), tmp_path)
    described = after.endpoint_settled(endpoint)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    assert "The local cloud was stopped during the update" in described["FailureReason"]
    assert "PendingDeploymentSummary" not in described
    assert {after.invoke(endpoint)["prediction"] for _ in range(4)} == {"one"}

    after.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=wanted, DeploymentConfig=canary(1, 0))
    assert after.endpoint_settled(endpoint)["EndpointConfigName"] == wanted
    assert {after.invoke(endpoint)["prediction"] for _ in range(4)} == {"two"}


# in a stack


def template(sagemaker: SageMakerCloud, endpoint: str, prediction: str) -> dict[str, Any]:
    """An endpoint of two instances with an alarm that takes a canary of one of them back."""
    variant = {
        "VariantName": "A", "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "2", "InitialVariantWeight": "1",
    }  # fmt: skip
    model = {
        "ExecutionRoleArn": sagemaker.role_arn,
        "PrimaryContainer": {"Image": sagemaker.image, "ModelDataUrl": sagemaker.put_model(prediction=prediction)},
    }
    alarm = {
        "AlarmName": f"{endpoint}-errors", "Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors",
        "Statistic": "Average", "Threshold": "0.01", "Period": "10", "EvaluationPeriods": "1",
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "A"}],
    }  # fmt: skip
    properties = {
        "EndpointName": endpoint, "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
        "DeploymentConfig": canary(4, 1, f"{endpoint}-errors"),
    }  # fmt: skip
    return {
        "Resources": {
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
            "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
            "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
            "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": properties, "DependsOn": "Alarm"},
        }
    }


class Stack:
    """A stack that is made, updated and deleted; its name is the endpoint's."""

    def __init__(self, sagemaker: SageMakerCloud) -> None:
        self.client = sagemaker.client("cloudformation")
        self.name = sagemaker.name("stack")
        self.sagemaker = sagemaker
        self.client.create_stack(StackName=self.name, TemplateBody=self._body("one"))
        assert self.ended() == "CREATE_COMPLETE", self.reasons()

    def begin_update(self, prediction: str) -> None:
        self.client.update_stack(StackName=self.name, TemplateBody=self._body(prediction))

    def ended(self) -> str:
        return str(eventually(lambda: not self._status().endswith("IN_PROGRESS") and self._status(), 60))

    def template(self) -> Any:
        return self.client.get_template(StackName=self.name)["TemplateBody"]

    def reasons(self) -> str:
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def delete(self) -> None:
        self.client.delete_stack(StackName=self.name)
        deleted = {"StackStatusFilter": ["DELETE_COMPLETE"]}
        eventually(
            lambda: any(one["StackName"] == self.name for one in self.client.list_stacks(**deleted)["StackSummaries"])
        )

    def _body(self, prediction: str) -> str:
        return json.dumps(template(self.sagemaker, self.name, prediction))

    def _status(self) -> str:
        return str(self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])


def test_a_stack_tells_why_its_endpoint_was_taken_back(sagemaker: SageMakerCloud) -> None:
    stack = Stack(sagemaker)
    with steady_load(sagemaker, stack.name) as load:
        stack.begin_update("bad 500")
        assert stack.ended() == "UPDATE_ROLLBACK_COMPLETE"
        ended = len(load.answers)
        eventually(lambda: len(load.answers) > ended + 10)
        assert set(load.answers[ended:]) == {"one"}
        assert f"Auto-rollback alarms are in ALARM state. {stack.name}-errors: Threshold Crossed" in stack.reasons()

        alarms = {"AlarmNamePrefix": stack.name, "StateValue": "OK"}
        eventually(lambda: sagemaker.client("cloudwatch").describe_alarms(**alarms)["MetricAlarms"])
        stack.begin_update("two")  # the next good one comes through
        assert stack.ended() == "UPDATE_COMPLETE", stack.reasons()
    assert sagemaker.invoke(stack.name)["prediction"] == "two"
    stack.delete()


def test_a_cancelled_stack_update_takes_its_endpoint_back(sagemaker: SageMakerCloud) -> None:
    stack = Stack(sagemaker)
    stack.begin_update("two")
    eventually(lambda: bakes(sagemaker, stack.name, "canary"))
    stack.client.cancel_update_stack(StackName=stack.name)
    assert stack.ended() == "UPDATE_ROLLBACK_COMPLETE", stack.reasons()
    assert "Resource update cancelled" in stack.reasons()
    assert {sagemaker.invoke(stack.name)["prediction"] for _ in range(4)} == {"one"}
    stack.delete()


def test_a_stack_that_was_killed_in_mid_rollout_is_what_it_was_and_can_be_updated(
    start_cloud: Callable[[], CloudServer], tmp_path: Path
) -> None:
    before = SageMakerCloud.make(start_cloud(), tmp_path)
    stack = Stack(before)
    created = stack.template()
    stack.begin_update("two")
    eventually(lambda: bakes(before, stack.name, "canary"))
    state = tmp_path / "cloud" / "ministack" / "cloudformation.json"
    eventually(lambda: "UPDATE_IN_PROGRESS" in state.read_text() and "_before_update" in state.read_text())
    before.server.stop(signal.SIGKILL)

    after = SageMakerCloud(start_cloud(), tmp_path)
    again = copy.copy(stack)
    again.sagemaker, again.client = after, after.client("cloudformation")
    assert again.ended() == "UPDATE_ROLLBACK_COMPLETE"
    assert again.template() == created
    after.endpoint_settled(stack.name)
    assert after.invoke(stack.name)["prediction"] == "one"

    again.begin_update("two")
    assert again.ended() == "UPDATE_COMPLETE", again.reasons()
    assert after.invoke(stack.name)["prediction"] == "two"
