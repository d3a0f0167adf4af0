"""Endpoints as real servers: created, called, updated, crashed, deleted."""

import threading
import time
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import LABEL, SageMakerCloud, alive

PING_REASON = (
    "The primary container for production variant A did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


@pytest.fixture(scope="module")
def endpoint(sagemaker: SageMakerCloud) -> str:
    """An endpoint in service, which tests call and do not change."""
    return sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one")))


def test_an_endpoint_answers_what_its_container_answers(sagemaker: SageMakerCloud, endpoint: str) -> None:
    answer = sagemaker.invoke(
        endpoint, "1,2,3", ContentType="text/csv", Accept="application/json", CustomAttributes="trace=7"
    )

    assert (answer["prediction"], answer["size"], answer["variant"]) == ("one", 5, "A")
    headers = answer["headers"]
    assert headers["content-type"] == "text/csv"
    assert headers["accept"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert not [name for name in headers if name.startswith(("authorization", "x-amz-"))]
    assert answer["environment"]["AWS_ENDPOINT_URL"] == sagemaker.server.endpoint_url


def test_custom_attributes_of_the_container_reach_the_caller(sagemaker: SageMakerCloud, endpoint: str) -> None:
    answer = sagemaker.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=b"x", CustomAttributes="a=1"
    )
    assert answer["CustomAttributes"] == "a=1"
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "A"


def test_an_endpoint_describes_what_it_serves(sagemaker: SageMakerCloud, endpoint: str) -> None:
    described = sagemaker.api.describe_endpoint(EndpointName=endpoint)
    variant = described["ProductionVariants"][0]
    assert described["EndpointStatus"] == "InService"
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    image = variant["DeployedImages"][0]
    assert image["SpecifiedImage"] == sagemaker.image
    assert image["ResolvedImage"].startswith(sagemaker.image.removesuffix(":1") + "@sha256:")
    listed = sagemaker.api.list_endpoints(NameContains=endpoint, StatusEquals="InService")["Endpoints"]
    assert [item["EndpointName"] for item in listed] == [endpoint]
    eventually(lambda: sagemaker.log_lines(f"/aws/sagemaker/Endpoints/{endpoint}", "A/i-") == ["serving one"])


def test_calls_are_quick(sagemaker: SageMakerCloud, endpoint: str) -> None:
    sagemaker.invoke(endpoint)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        sagemaker.invoke(endpoint)
        times.append(time.perf_counter() - start)
    assert sorted(times)[25] < 0.05


def test_many_calls_at_once_are_answered(sagemaker: SageMakerCloud, endpoint: str) -> None:
    """More slow calls than asyncio's own pool has threads; other services answer meanwhile."""
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sagemaker.invoke(endpoint, "sleep 1"))) for _ in range(40)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    sagemaker.api.list_models()
    assert time.monotonic() - start < 1
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    assert time.monotonic() - start < 6


def model_error(sagemaker: SageMakerCloud, endpoint: str, body: str | bytes, **more: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        sagemaker.invoke(endpoint, body, **more)
    return dict(caught.value.response)


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (500, "server"), (503, "server")])
def test_an_error_of_the_container_is_a_model_error(
    sagemaker: SageMakerCloud, endpoint: str, status: int, side: str
) -> None:
    answer = model_error(sagemaker, endpoint, f"status {status}")

    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert answer["OriginalMessage"] == f'{{"error": "status {status}"}}'
    assert answer["Error"]["Message"].startswith(
        f'Received {side} error ({status}) from primary with message "{answer["OriginalMessage"]}". See https://'
    )
    assert answer["LogStreamArn"].endswith(f"/aws/sagemaker/Endpoints/{endpoint}")


def test_a_body_over_the_limit_is_refused(sagemaker: SageMakerCloud, endpoint: str) -> None:
    assert sagemaker.invoke(endpoint, b"x" * 6_291_456)["size"] == 6_291_456
    answer = model_error(sagemaker, endpoint, b"x" * 6_291_457)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "exceeded 6291456 bytes" in answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"EndpointName": "no-such-endpoint"}, "Endpoint no-such-endpoint of account 000000000000 not found."),
        ({"TargetVariant": "Z"}, "Variant Z of endpoint"),
        ({"TargetModel": "a.tar.gz"}, "does not serve the header x-amzn-sagemaker-target-model"),
    ],
    ids=["no endpoint", "no variant", "target model"],
)
def test_a_wrong_call_is_refused(sagemaker: SageMakerCloud, endpoint: str, more: dict[str, str], message: str) -> None:
    with pytest.raises(ClientError) as caught:
        sagemaker.client("sagemaker-runtime").invoke_endpoint(**{"EndpointName": endpoint, "Body": b"x"} | more)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert message in caught.value.response["Error"]["Message"]


def test_weights_split_the_traffic_and_can_be_changed(sagemaker: SageMakerCloud) -> None:
    config = sagemaker.make_config(sagemaker.make_model("one"), sagemaker.make_model("two"))
    name = sagemaker.make_endpoint(config)

    seen = Counter(sagemaker.invoke(name)["prediction"] for _ in range(100))
    assert min(seen["one"], seen["two"]) > 20
    assert {sagemaker.invoke(name, TargetVariant="B")["prediction"] for _ in range(5)} == {"two"}

    weights = [{"VariantName": "A", "DesiredWeight": 0.0}, {"VariantName": "B", "DesiredWeight": 1.0}]
    sagemaker.api.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=weights)
    described = sagemaker.endpoint_settled(name)
    assert [variant["CurrentWeight"] for variant in described["ProductionVariants"]] == [0.0, 1.0]
    assert {sagemaker.invoke(name)["prediction"] for _ in range(20)} == {"two"}

    for wrong, message in (
        ([{"VariantName": "B", "DesiredWeight": 0.0}], "a DesiredWeight above 0"),
        ([{"VariantName": "Z", "DesiredWeight": 1.0}], 'Variant "Z" not found'),
        ([{"VariantName": "A", "DesiredInstanceCount": 0}], "DesiredInstanceCount must be 1 or more"),
    ):
        with pytest.raises(ClientError, match=message):
            sagemaker.api.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wrong)
    delete(sagemaker, name)


def test_several_instances_take_turns_and_can_be_added_and_removed(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one"), InitialInstanceCount=2))
    pids = [sagemaker.invoke(name)["pid"] for _ in range(4)]
    assert pids[:2] == pids[2:]
    assert len(set(pids)) == 2

    for count in (3, 1):
        sagemaker.api.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "A", "DesiredInstanceCount": count}]
        )
        described = sagemaker.endpoint_settled(name)
        assert described["ProductionVariants"][0]["CurrentInstanceCount"] == count
        assert len({sagemaker.invoke(name)["pid"] for _ in range(6)}) == count
    delete(sagemaker, name)
    assert not [pid for pid in set(pids) if alive(pid)]


def delete(sagemaker: SageMakerCloud, name: str) -> None:
    sagemaker.api.delete_endpoint(EndpointName=name)

    def gone() -> bool:
        try:
            sagemaker.api.describe_endpoint(EndpointName=name)
        except ClientError as error:
            return "Could not find endpoint" in error.response["Error"]["Message"]
        return False

    eventually(gone)


def test_a_deleted_endpoint_is_gone_with_its_process(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one")))
    pid = sagemaker.invoke(name)["pid"]
    delete(sagemaker, name)
    assert not alive(pid)
    assert model_error(sagemaker, name, "x")["Error"]["Message"].startswith(f"Endpoint {name} of account")


def test_a_crashed_container_is_started_again(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one")))
    pid = sagemaker.invoke(name)["pid"]

    answer = model_error(sagemaker, name, "crash")
    assert answer["Error"]["Code"] == "ModelError"
    assert "the model process exited" in answer["Error"]["Message"]

    codes = set()

    def back() -> bool:
        try:
            return bool(sagemaker.invoke(name)["pid"] != pid)
        except ClientError as error:
            codes.add(error.response["Error"]["Code"])
            return False

    eventually(back)
    assert codes <= {"ServiceUnavailable", "ModelError"}
    assert sagemaker.api.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    eventually(lambda: "The container ended with exit code 7; it is started again."
               in sagemaker.log_lines(f"/aws/sagemaker/Endpoints/{name}", "A/"))  # fmt: skip
    delete(sagemaker, name)


def test_of_two_instances_the_one_that_is_up_answers(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one"), InitialInstanceCount=2))
    pids = {sagemaker.invoke(name)["pid"] for _ in range(2)}
    assert model_error(sagemaker, name, "crash 2")["Error"]["Code"] == "ModelError"  # it is back after two seconds
    group = f"/aws/sagemaker/Endpoints/{name}"
    eventually(lambda: [line for line in sagemaker.log_lines(group, "A/") if "it is started again" in line])
    answered = {sagemaker.invoke(name)["pid"] for _ in range(6)}
    assert len(answered) == 1
    assert answered < pids
    eventually(lambda: len({sagemaker.invoke(name)["pid"] for _ in range(2)}) == 2)
    delete(sagemaker, name)


def test_a_model_that_does_not_start_fails_the_endpoint(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("exit")))
    described = sagemaker.api.describe_endpoint(EndpointName=name)
    assert (described["EndpointStatus"], described["FailureReason"]) == ("Failed", PING_REASON)
    lines = sagemaker.log_lines(f"/aws/sagemaker/Endpoints/{name}", "A/")
    assert "the model is broken" in lines
    assert lines[-1] == "The container is not healthy: it ended with exit code 1 before it answered /ping with 200."
    with pytest.raises(ClientError, match="in status Failed; delete it"):
        sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=described["EndpointConfigName"])
    delete(sagemaker, name)


def test_an_artifact_that_is_no_archive_fails_the_endpoint(sagemaker: SageMakerCloud) -> None:
    uri = sagemaker.put("models/broken/model.tar.gz", b"this is no archive")
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model(ModelDataUrl=uri)))
    reason = sagemaker.api.describe_endpoint(EndpointName=name)["FailureReason"]
    assert reason.startswith('Failed to extract model data archive for container "container_1" from URL "s3://')
    delete(sagemaker, name)


def test_an_update_serves_without_a_gap(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one")))
    old_pid = sagemaker.invoke(name)["pid"]
    answers: list[str] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            answers.append(sagemaker.invoke(name)["prediction"])

    caller = threading.Thread(target=call)
    caller.start()
    config = sagemaker.make_config(sagemaker.make_model("two"))
    sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=config)
    described = sagemaker.endpoint_settled(name)
    over.set()
    caller.join()

    assert described["EndpointConfigName"] == config
    assert "PendingDeploymentSummary" not in described
    assert "FailureReason" not in described
    assert sagemaker.invoke(name)["prediction"] == "two"
    assert answers == sorted(answers)  # first "one", then "two", never back, and never an error
    assert not alive(old_pid)
    delete(sagemaker, name)


def test_an_update_to_a_bad_model_keeps_the_old_one(sagemaker: SageMakerCloud) -> None:
    good = sagemaker.make_config(sagemaker.make_model("one"))
    name = sagemaker.make_endpoint(good)
    sagemaker.api.update_endpoint(
        EndpointName=name, EndpointConfigName=sagemaker.make_config(sagemaker.make_model("exit"))
    )
    described = sagemaker.endpoint_settled(name)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", good)
    assert described["FailureReason"] == PING_REASON
    assert sagemaker.invoke(name)["prediction"] == "one"
    delete(sagemaker, name)


def test_an_update_may_retain_counts_and_weights(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one"), InitialInstanceCount=2))
    sagemaker.api.update_endpoint(
        EndpointName=name, EndpointConfigName=sagemaker.make_config(sagemaker.make_model("two")),
        RetainAllVariantProperties=True,
    )  # fmt: skip
    assert sagemaker.endpoint_settled(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    delete(sagemaker, name)


def test_an_endpoint_that_is_being_changed_cannot_be_changed(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one")))
    arn = sagemaker.api.describe_endpoint(EndpointName=name)["EndpointArn"]
    slow = sagemaker.make_config(sagemaker.make_model("two"))
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    wait = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 2}}
    sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=slow, DeploymentConfig=wait)
    pending = sagemaker.api.describe_endpoint(EndpointName=name)
    assert pending["EndpointStatus"] == "Updating"
    assert pending["PendingDeploymentSummary"]["EndpointConfigName"] == slow
    for call in (
        lambda: sagemaker.api.delete_endpoint(EndpointName=name),
        lambda: sagemaker.api.update_endpoint(EndpointName=name, EndpointConfigName=slow),
    ):
        with pytest.raises(ClientError, match=f'Cannot update in-progress endpoint "{arn}"'):
            call()
    assert sagemaker.endpoint_settled(name)["EndpointStatus"] == "InService"
    delete(sagemaker, name)


def test_an_image_without_the_port_label_is_refused(sagemaker: SageMakerCloud) -> None:
    image = sagemaker.image.replace(":1", ":without-label")
    sagemaker.push_image(image, "")
    config = sagemaker.make_config(sagemaker.make_model(Image=image))
    with pytest.raises(ClientError, match=f"`LABEL {LABEL}=true`"):
        sagemaker.make_endpoint(config)


def test_names_of_endpoints_and_configs_are_used_once_and_must_exist(sagemaker: SageMakerCloud, endpoint: str) -> None:
    config = sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    api = sagemaker.api
    with pytest.raises(ClientError, match="Cannot create already existing endpoint "):
        api.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(ClientError, match="Could not find endpoint configuration "):
        api.create_endpoint(EndpointName=sagemaker.name(), EndpointConfigName="no-such-config")
    variants = api.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration "):
        api.create_endpoint_config(EndpointConfigName=config, ProductionVariants=variants)
    with pytest.raises(ClientError, match="variant names must be unique"):
        api.create_endpoint_config(EndpointConfigName=sagemaker.name(), ProductionVariants=variants * 2)
    with pytest.raises(ClientError, match="Could not find model "):
        api.create_endpoint_config(
            EndpointConfigName=sagemaker.name(), ProductionVariants=[variants[0] | {"ModelName": "no-such-model"}]
        )
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker'):
        api.describe_endpoint(EndpointName="no-such-endpoint")
