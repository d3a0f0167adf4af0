"""Serverless endpoints: cold until they are called, one call at a time in each container, and what is refused."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_metrics import Metrics
from eventually import eventually
from local_cloud_sagemaker import LABEL, PERMISSIONS, SageMakerCloud, alive

from local_cloud.sagemaker.deployments import Deployment, plan_deployment
from local_cloud.sagemaker.serverless_configs import check_serverless
from local_cloud.wire import ServiceError

MEGABYTES_4 = 4_194_304
ROLLOUT = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
    }
}


def make_endpoint(sagemaker: SageMakerCloud, prediction: str = "one", maximum: int = 2, **container: Any) -> str:
    model = sagemaker.make_model(prediction, **container)
    return sagemaker.make_endpoint(sagemaker.make_serverless_config(model, maximum=maximum))


def containers(endpoint: str) -> set[int]:
    """The processes of an endpoint's containers."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"/sagemaker/endpoints/{endpoint}/".encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def error_of(sagemaker: SageMakerCloud, endpoint: str, body: str | bytes = "x") -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        sagemaker.invoke(endpoint, body)
    return dict(caught.value.response)


@contextmanager
def held(sagemaker: SageMakerCloud, endpoint: str, *bodies: str) -> Iterator[list[Future[dict[str, Any]]]]:
    """Calls under way, each in a container of its own."""
    before = len(containers(endpoint))
    with ThreadPoolExecutor(len(bodies)) as callers:
        calls = [callers.submit(sagemaker.invoke, endpoint, body) for body in bodies]
        eventually(lambda: len(containers(endpoint)) == before + len(bodies))
        yield calls


@pytest.fixture(scope="module")
def endpoint(sagemaker: SageMakerCloud) -> str:
    """An endpoint in service, which tests call and do not change."""
    return make_endpoint(sagemaker)


# calls


def test_a_container_is_run_once_and_then_started_by_the_first_call(sagemaker: SageMakerCloud) -> None:
    name = make_endpoint(sagemaker, Environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "1"})
    group = f"/aws/sagemaker/Endpoints/{name}"
    assert containers(name) == set()
    eventually(lambda: sagemaker.log_lines(group, "A/i-") == ["serving one"])

    answers = [sagemaker.invoke(name) for _ in range(3)]

    assert {answer["pid"] for answer in answers} == containers(name)
    assert (answers[0]["prediction"], answers[0]["variant"]) == ("one", "A")
    environment = answers[0]["environment"]
    assert environment["SAGEMAKER_MODEL_SERVER_WORKERS"] == "1"
    assert environment["AWS_ACCESS_KEY_ID"]  # no isolation, thus the role's credentials
    eventually(lambda: sagemaker.log_lines(group, "A/i-") == ["serving one"] * 2)

    sagemaker.api.delete_endpoint(EndpointName=name)
    eventually(lambda: not sagemaker.api.list_endpoints(NameContains=name)["Endpoints"])
    assert containers(name) == set()


def test_an_endpoint_describes_its_serverless_config(sagemaker: SageMakerCloud, endpoint: str) -> None:
    wanted = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
    described = sagemaker.api.describe_endpoint(EndpointName=endpoint)
    (found,) = described["ProductionVariants"]
    assert described["EndpointStatus"] == "InService"
    assert (found["CurrentInstanceCount"], found["CurrentServerlessConfig"]) == (0, wanted)
    config = sagemaker.api.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    assert config["ProductionVariants"][0]["ServerlessConfig"] == wanted
    assert "InitialInstanceCount" not in config["ProductionVariants"][0]


def test_each_container_has_one_call_at_a_time_and_more_calls_than_the_maximum_are_throttled(
    sagemaker: SageMakerCloud,
) -> None:
    name = make_endpoint(sagemaker, maximum=2)
    with held(sagemaker, name, "sleep 1.5", "sleep 1.5") as calls:
        throttled = error_of(sagemaker, name)
    pids = {call.result()["pid"] for call in calls}

    assert throttled["Error"]["Code"] == "ThrottlingException"
    assert throttled["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert throttled["Error"]["Message"] == "Variant A answers at most 2 calls at once, its MaxConcurrency."
    assert len(pids) == 2
    assert {sagemaker.invoke(name)["pid"] for _ in range(3)} < pids  # two are warm, and one is enough
    metrics = Metrics(sagemaker, name)
    eventually(lambda: metrics.sum("Invocations") == 5)
    used = metrics.statistics("ServerlessConcurrentExecutionsUtilization", "Maximum", "SampleCount")
    assert (used["Maximum"], used["SampleCount"]) == (1, 6)  # the throttled one has found all in use
    assert metrics.sum("Invocation4XXErrors") == 0


def test_a_cold_start_counts_as_overhead_and_not_as_the_models_time(sagemaker: SageMakerCloud) -> None:
    uri = sagemaker.put_model(prediction="one", pause="0.5")
    name = make_endpoint(sagemaker, ModelDataUrl=uri)
    sagemaker.invoke(name)
    for body in ("status 400", "status 500", "crash"):
        assert error_of(sagemaker, name, body)["Error"]["Code"] == "ModelError"

    config = sagemaker.api.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    for metrics in (Metrics(sagemaker, name), Metrics(sagemaker, name, EndpointConfigName=config)):
        eventually(lambda metrics=metrics: metrics.sum("Invocations") == 4)
        assert (metrics.sum("Invocation4XXErrors"), metrics.sum("Invocation5XXErrors")) == (1, 2)
        setup = metrics.statistics("ModelSetupTime", "SampleCount", "Maximum")
        overhead = metrics.statistics("OverheadLatency", "SampleCount", "Maximum")
        assert (setup["SampleCount"], overhead["SampleCount"], setup["Unit"]) == (1, 4, "Microseconds")
        assert 500_000 <= setup["Maximum"] <= overhead["Maximum"]
        assert metrics.statistics("ModelLatency", "Maximum")["Maximum"] < 500_000
        used = metrics.statistics("ServerlessConcurrentExecutionsUtilization", "Minimum", "Maximum")
        assert (used["Minimum"], used["Maximum"]) == (0.5, 0.5)
        for of_instances in ("InvocationsPerInstance", "InvocationModelErrors"):
            assert metrics.statistics(of_instances, "SampleCount") == {}


def test_a_container_that_dies_in_a_call_is_followed_by_another(sagemaker: SageMakerCloud, endpoint: str) -> None:
    pid = sagemaker.invoke(endpoint)["pid"]
    answer = error_of(sagemaker, endpoint, "crash")
    assert answer["Error"]["Code"] == "ModelError"
    assert "the model process exited" in answer["Error"]["Message"]
    assert sagemaker.invoke(endpoint)["pid"] != pid
    assert not alive(pid)


def test_a_cold_start_that_fails_is_tried_again_by_the_next_call(sagemaker: SageMakerCloud) -> None:
    name = make_endpoint(sagemaker)
    error_of(sagemaker, name, "crash never")  # what the program reads at its start, and cannot
    for _ in range(2):
        failed = error_of(sagemaker, name)
        assert (failed["Error"]["Code"], failed["OriginalStatusCode"]) == ("ModelError", 0)
        assert "the model process exited" in failed["Error"]["Message"]
    (cause,) = (sagemaker.server.state_dir / "sagemaker" / "endpoints" / name).glob("*/A/opt/ml/model/pause.txt")
    cause.unlink()
    assert sagemaker.invoke(name)["prediction"] == "one"
    metrics = Metrics(sagemaker, name)
    eventually(lambda: (metrics.sum("Invocations"), metrics.sum("Invocation5XXErrors")) == (4, 3))


def test_a_cold_start_without_its_image_is_no_error_of_the_model(sagemaker: SageMakerCloud) -> None:
    role = sagemaker.name("role")
    model = sagemaker.make_model(role_arn=sagemaker.make_role(role))
    name = sagemaker.make_endpoint(sagemaker.make_serverless_config(model))
    sagemaker.put_permissions(role, without="ecr:BatchGetImage")
    assert error_of(sagemaker, name)["Error"]["Code"] == "ServiceUnavailable"
    sagemaker.put_permissions(role, permissions=PERMISSIONS)
    assert sagemaker.invoke(name)["prediction"] == "1"


def test_requests_and_answers_have_four_megabytes_at_most(sagemaker: SageMakerCloud, endpoint: str) -> None:
    assert sagemaker.invoke(endpoint, b"x" * MEGABYTES_4)["size"] == MEGABYTES_4
    refused = error_of(sagemaker, endpoint, b"x" * (MEGABYTES_4 + 1))
    assert (refused["Error"]["Code"], refused["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationError", 400)
    assert refused["Error"]["Message"].endswith("has oversize body.")

    echoed = f"status 200 {'x' * (MEGABYTES_4 - 24)}"  # the answer has 13 bytes more
    answer = sagemaker.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=echoed)
    assert len(answer["Body"].read()) == MEGABYTES_4
    too_large = error_of(sagemaker, endpoint, f"{echoed}x")
    assert too_large["Error"]["Code"] == "ModelError"
    assert f"The response of {MEGABYTES_4 + 1} bytes is over {MEGABYTES_4}" in too_large["Error"]["Message"]
    assert sagemaker.invoke(endpoint)["prediction"] == "one"


# changes


def test_a_model_that_does_not_start_fails_the_endpoint(sagemaker: SageMakerCloud) -> None:
    name = make_endpoint(sagemaker, "exit")
    described = sagemaker.api.describe_endpoint(EndpointName=name)
    assert described["EndpointStatus"] == "Failed"
    assert "production variant A did not pass the ping health check" in described["FailureReason"]
    assert containers(name) == set()


def test_an_update_fails_no_call(sagemaker: SageMakerCloud) -> None:
    name = make_endpoint(sagemaker, maximum=4)
    old = sagemaker.invoke(name)["pid"]
    answers: list[str] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            answers.append(sagemaker.invoke(name)["prediction"])

    config = sagemaker.make_serverless_config(sagemaker.make_model("two"), memory=1024, maximum=4)
    with ThreadPoolExecutor(4) as callers:
        callers_ended = [callers.submit(call) for _ in range(3)]
        try:
            slow = callers.submit(sagemaker.invoke, name, "sleep 2")
            eventually(lambda: len(containers(name)) == 4)
            sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=config)
            pending = sagemaker.api.describe_endpoint(EndpointName=name)["PendingDeploymentSummary"]
            described = sagemaker.endpoint_settled(name)
            eventually(lambda: "two" in answers)
        finally:
            over.set()
    for ended in callers_ended:
        ended.result()

    (waiting,) = pending["ProductionVariants"]
    assert waiting["CurrentInstanceCount"] == 0
    assert waiting["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 4}
    assert slow.result()["prediction"] == "one"
    assert set(answers) == {"one", "two"}
    assert described["EndpointConfigName"] == config
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"]["MemorySizeInMB"] == 1024
    assert not alive(old)


def test_an_update_to_a_bad_model_keeps_the_old_one(sagemaker: SageMakerCloud, endpoint: str) -> None:
    bad = sagemaker.make_serverless_config(sagemaker.make_model("exit"))
    sagemaker.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)
    described = sagemaker.endpoint_settled(endpoint)
    assert described["EndpointStatus"] == "InService"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert sagemaker.invoke(endpoint)["prediction"] == "one"


def test_a_serverless_endpoint_can_get_instances_and_one_with_instances_cannot_lose_them(
    sagemaker: SageMakerCloud,
) -> None:
    name = make_endpoint(sagemaker)
    serverless = sagemaker.api.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    cold_pid = sagemaker.invoke(name)["pid"]
    instances = sagemaker.make_config(sagemaker.make_model("two"), InitialInstanceCount=2)

    sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=instances, RetainAllVariantProperties=True)
    (described,) = sagemaker.endpoint_settled(name)["ProductionVariants"]
    assert described["CurrentInstanceCount"] == 2
    assert "CurrentServerlessConfig" not in described
    assert not alive(cold_pid)
    assert len({sagemaker.invoke(name)["pid"] for _ in range(4)}) == 2

    with pytest.raises(ClientError, match=r"cannot be made serverless by an update.*delete the endpoint, and create"):
        sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=serverless)
    assert sagemaker.invoke(name)["prediction"] == "two"


def test_a_deployment_config_is_refused(sagemaker: SageMakerCloud, endpoint: str) -> None:
    serverless = sagemaker.make_serverless_config(sagemaker.make_model())
    instances = sagemaker.make_config(sagemaker.make_model())
    refused = pytest.raises(ClientError, match="DeploymentConfig is not supported for serverless endpoint")
    for config in (serverless, instances):
        with refused:
            sagemaker.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=ROLLOUT)
    with refused:
        sagemaker.api.create_endpoint(
            EndpointName=sagemaker.name(), EndpointConfigName=serverless, DeploymentConfig=ROLLOUT
        )
    assert sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


def test_there_are_no_instances_to_be_counted_or_scaled(sagemaker: SageMakerCloud, endpoint: str) -> None:
    def change(**wanted: Any) -> None:
        sagemaker.api.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "A", **wanted}]
        )

    with pytest.raises(ClientError, match='Variant "A" is serverless'):
        change(DesiredInstanceCount=1)
    with pytest.raises(ClientError, match="does not serve"):
        change(ServerlessUpdateConfig={"MaxConcurrency": 3})
    with pytest.raises(ClientError, match="variant is serverless"):
        sagemaker.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker", ResourceId=f"endpoint/{endpoint}/variant/A",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount", MinCapacity=1, MaxCapacity=2,
        )  # fmt: skip


# what a config may not be


SMALL = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
CAPTURE = {
    "InitialSamplingPercentage": 100, "CaptureOptions": [{"CaptureMode": "Output"}], "DestinationS3Uri": "s3://b/p",
}  # fmt: skip


def variant(model: str) -> dict[str, Any]:
    return {"VariantName": "A", "ModelName": model, "ServerlessConfig": SMALL}


def create_config(sagemaker: SageMakerCloud, *variants: dict[str, Any], **more: Any) -> None:
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=sagemaker.name("config"), ProductionVariants=list(variants), **more
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ServerlessConfig": SMALL | {"MemorySizeInMB": 1500}},
         "MemorySizeInMB of production variant A must be one of 1024, 2048, 3072, 4096, 5120, 6144, got 1500"),
        ({"ServerlessConfig": SMALL | {"MaxConcurrency": 201}}, "value less than or equal to 200"),
        ({"ServerlessConfig": SMALL | {"ProvisionedConcurrency": 1}}, "does not serve"),
        ({"InstanceType": "ml.m5.large", "InitialInstanceCount": 1},
         "has ServerlessConfig and InstanceType, InitialInstanceCount: a serverless variant has no instances"),
        ({"ContainerStartupHealthCheckTimeoutInSeconds": 60}, "and ContainerStartupHealthCheckTimeoutInSeconds: "),
    ],
    ids=["memory", "concurrency", "provisioned concurrency", "an instance", "a member of instances"],
)  # fmt: skip
def test_a_wrong_variant_is_refused(sagemaker: SageMakerCloud, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match="ValidationException.*" + message):
        create_config(sagemaker, variant(sagemaker.make_model()) | change)


def test_what_serverless_endpoints_do_not_have_is_refused(sagemaker: SageMakerCloud) -> None:
    model = sagemaker.make_model()
    one, instance = variant(model), {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    other = {"VariantName": "B", "ModelName": model}
    with pytest.raises(ClientError, match="one variant in ProductionVariants, got 2: A, B"):
        create_config(sagemaker, one, other | instance)
    with pytest.raises(ClientError, match="ShadowProductionVariants is not supported for serverless"):
        create_config(sagemaker, one, ShadowProductionVariants=[other | instance])
    with pytest.raises(ClientError, match=r"does not serve.*ShadowProductionVariants\.ServerlessConfig"):
        create_config(sagemaker, variant(model), ShadowProductionVariants=[one | other])
    with pytest.raises(ClientError, match="DataCaptureConfig is not supported for serverless"):
        create_config(sagemaker, one, DataCaptureConfig=CAPTURE)


def test_a_model_without_a_network_is_refused(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name("model")
    sagemaker.api.create_model(
        ModelName=name, ExecutionRoleArn=sagemaker.role_arn, EnableNetworkIsolation=True,
        PrimaryContainer={"Image": sagemaker.image},
    )  # fmt: skip
    with pytest.raises(ClientError, match="The network isolation is not supported for serverless endpoint"):
        create_config(sagemaker, variant(name))


def test_a_model_in_a_vpc_is_refused() -> None:
    model = {"ModelName": "connected", "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    with pytest.raises(ServiceError, match=r"The VPC configuration is not supported .* Model connected has VpcConfig"):
        check_serverless({"ProductionVariants": [variant("connected")]}, {"connected": model}.__getitem__)


# in a stack, and in a document


def template(sagemaker: SageMakerCloud, endpoint: str, prediction: str, maximum: str) -> str:
    """As templates may write it: numbers as strings."""
    serverless = {"MemorySizeInMB": "3072", "MaxConcurrency": maximum}
    production = {
        "VariantName": "A", "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "ServerlessConfig": serverless,
        "InitialVariantWeight": "100",
    }  # fmt: skip
    model = {
        "ExecutionRoleArn": sagemaker.role_arn,
        "PrimaryContainer": {"Image": sagemaker.image, "ModelDataUrl": sagemaker.put_model(prediction=prediction)},
    }
    served = {"EndpointName": endpoint, "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}}
    return json.dumps({
        "Resources": {
            "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
            "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [production]}},
            "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": served},
        }
    })  # fmt: skip


def test_a_stack_makes_and_updates_a_serverless_endpoint(sagemaker: SageMakerCloud) -> None:
    cloudformation, name = sagemaker.client("cloudformation"), sagemaker.name("stack")

    def ended() -> str:
        status = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    cloudformation.create_stack(StackName=name, TemplateBody=template(sagemaker, name, "one", "1"))
    assert eventually(ended) == "CREATE_COMPLETE"
    assert sagemaker.invoke(name)["prediction"] == "one"
    cloudformation.update_stack(StackName=name, TemplateBody=template(sagemaker, name, "two", "5"))
    assert eventually(ended) == "UPDATE_COMPLETE"
    assert sagemaker.invoke(name)["prediction"] == "two"
    (described,) = sagemaker.api.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert described["CurrentServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 5}


def test_a_serverless_container_has_three_minutes_to_become_healthy() -> None:
    served = {"Image": "repository:1"}
    models: Any = SimpleNamespace(existing=lambda name: {"Served": served, "ExecutionRoleArn": "r"})
    images: Any = SimpleNamespace(resolve=lambda uri: SimpleNamespace(labels={LABEL: "true"}, digest="d"))
    config = {"EndpointConfigName": "c", "ProductionVariants": [variant("m") | {"InitialVariantWeight": 1.0}]}
    assert plan_deployment(config, models, images).variants[0].health_timeout_seconds == 180


def test_a_document_of_an_older_local_cloud_has_instances() -> None:
    older = {
        "name": "A", "weight": 1.0, "instance_count": 2, "image": "i", "resolved_image": "i", "resolved_at": None,
        "environment": {}, "artifact_uri": None, "artifact_is_prefix": False, "role_arn": "r", "isolated": False,
        "health_timeout_seconds": 480,
    }  # fmt: skip
    deployment = Deployment.from_document({"config_name": "c", "variants": [older]})
    assert not deployment.serverless
    assert deployment.variants[0].summary()["CurrentInstanceCount"] == 2
