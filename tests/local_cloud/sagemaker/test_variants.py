"""A/B variants and shadow variants under load, as callers and CloudWatch see them."""

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud
from steady_load import SteadyLoad, failed


def variant(name: str, model: str, weight: float = 1.0) -> dict[str, Any]:
    return {
        "VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }  # fmt: skip


def make_shadowed(sagemaker: SageMakerCloud, shadow: str, weight: float = 1.0, **more: Any) -> str:
    """An endpoint with the variant Champion and a shadow variant Challenger, which serves the model `shadow`."""
    name = sagemaker.name("config")
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant("Champion", sagemaker.make_model("champion"))],
        ShadowProductionVariants=[variant("Challenger", sagemaker.make_model(shadow), weight)],
        **more,
    )
    return sagemaker.make_endpoint(name)


def total(sagemaker: SageMakerCloud, metric: str, endpoint: str, variant_name: str) -> float:
    """The sum of a metric over the last hour."""
    now = datetime.now(UTC)
    points = sagemaker.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=metric, Statistics=["Sum"], Period=3600,
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant_name}],
    )["Datapoints"]  # fmt: skip
    return float(sum(point["Sum"] for point in points))


def call_often(sagemaker: SageMakerCloud, endpoint: str, count: int) -> Counter[str]:
    """Which variants have answered."""
    answered: Counter[str] = Counter()

    def call() -> None:
        for _ in range(count // 8):
            answered[sagemaker.invoke(endpoint)["variant"]] += 1

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answered


def five_sigma(count: int, share: float) -> float:
    return float(5 * (count * share * (1 - share)) ** 0.5)


def test_an_ab_test_splits_the_calls_by_weight_and_counts_them_by_variant(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.name("config")
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            variant("Champion", sagemaker.make_model("champion"), 90),
            variant("Challenger", sagemaker.make_model("challenger"), 10),
        ],
    )
    endpoint = sagemaker.make_endpoint(name)

    answered = call_often(sagemaker, endpoint, 800)

    assert abs(answered["Challenger"] - 80) < five_sigma(800, 0.1)
    eventually(lambda: total(sagemaker, "Invocations", endpoint, "Champion") == answered["Champion"])
    eventually(lambda: total(sagemaker, "Invocations", endpoint, "Challenger") == answered["Challenger"])


def test_a_shadow_gets_its_share_of_copies_and_callers_hear_the_champion_alone(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "challenger", 0.25)

    assert call_often(sagemaker, endpoint, 400) == {"Champion": 400}
    assert sagemaker.invoke(endpoint)["prediction"] == "champion"

    eventually(lambda: total(sagemaker, "Invocations", endpoint, "Champion") == 401)
    copies = total(sagemaker, "Invocations", endpoint, "Challenger")
    assert abs(copies - 100) < five_sigma(400, 0.25)
    assert total(sagemaker, "Invocation5XXErrors", endpoint, "Challenger") == 0


def test_the_copied_share_can_be_changed(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "challenger", 0.0)
    call_often(sagemaker, endpoint, 80)
    assert total(sagemaker, "Invocations", endpoint, "Challenger") == 0

    sagemaker.api.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": "Challenger", "DesiredWeight": 1.0, "DesiredInstanceCount": 2},
        ],
    )
    shadow = sagemaker.endpoint_settled(endpoint)["ShadowProductionVariants"][0]
    assert (shadow["CurrentWeight"], shadow["CurrentInstanceCount"]) == (1.0, 2)
    call_often(sagemaker, endpoint, 80)
    eventually(lambda: total(sagemaker, "Invocations", endpoint, "Challenger") == 80)


def test_a_shadow_is_no_variant_to_be_called(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "challenger")
    with pytest.raises(ClientError, match="Variant Challenger of endpoint"):
        sagemaker.invoke(endpoint, TargetVariant="Challenger")


@pytest.mark.parametrize("shadow", ["slow 60", "bad 500"], ids=["hanging", "failing"])
def test_a_shadow_that_hangs_or_fails_touches_no_caller(sagemaker: SageMakerCloud, shadow: str) -> None:
    endpoint = make_shadowed(sagemaker, shadow)
    runtime = sagemaker.client("sagemaker-runtime")

    with SteadyLoad(runtime, endpoint, 25).running() as calls:
        eventually(lambda: len(calls) >= 150)

    assert not failed(calls)
    assert {json.loads(call.answer or "")["prediction"] for call in calls} == {"champion"}
    assert max(call.seconds for call in calls) < 5  # one that waited for the hanging shadow would take a minute
    if shadow.startswith("bad"):
        eventually(lambda: total(sagemaker, "Invocation5XXErrors", endpoint, "Challenger") == len(calls))
    else:  # as many copies as may hang at once do so, the others are refused at once
        eventually(lambda: total(sagemaker, "Invocation5XXErrors", endpoint, "Challenger") == len(calls) - 64)
    assert total(sagemaker, "Invocation5XXErrors", endpoint, "Champion") == 0


def test_an_endpoint_with_a_hanging_shadow_is_updated_at_once(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "slow 60")
    sagemaker.invoke(endpoint)
    plain = sagemaker.name("config")
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=plain, ProductionVariants=[variant("Champion", sagemaker.make_model("challenger"))]
    )

    sagemaker.api.update_endpoint(EndpointName=endpoint, EndpointConfigName=plain)
    started = time.monotonic()
    described = sagemaker.endpoint_settled(endpoint)

    assert time.monotonic() - started < 20  # the call of the shadow would take a minute
    assert "ShadowProductionVariants" not in described
    assert sagemaker.invoke(endpoint)["prediction"] == "challenger"


def test_a_shadow_whose_container_does_not_come_up_fails_the_endpoint(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "exit")
    described = sagemaker.api.describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "Failed"
    assert "production variant Challenger did not pass the ping health check" in described["FailureReason"]


@pytest.mark.parametrize(
    ("champions", "challengers", "message"),
    [
        (["A", "B"], ["C"], "one variant in ProductionVariants and one in ShadowProductionVariants, got 2 and 1"),
        (["A"], ["B", "C"], "got 1 and 2"),
        (["A"], ["A"], "names must be unique, got A, A"),
    ],
    ids=["two production variants", "two shadows", "one name twice"],
)
def test_a_wrong_config_is_refused(
    sagemaker: SageMakerCloud, champions: list[str], challengers: list[str], message: str
) -> None:
    model = sagemaker.make_model()
    with pytest.raises(ClientError, match=message):
        sagemaker.api.create_endpoint_config(
            EndpointConfigName=sagemaker.name("config"),
            ProductionVariants=[variant(name, model) for name in champions],
            ShadowProductionVariants=[variant(name, model) for name in challengers],
        )


def test_a_config_is_described_with_its_shadow_and_without_one(sagemaker: SageMakerCloud) -> None:
    endpoint = make_shadowed(sagemaker, "challenger", 0.5)
    config = sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    described = sagemaker.api.describe_endpoint_config(EndpointConfigName=config)
    assert [item["InitialVariantWeight"] for item in described["ShadowProductionVariants"]] == [0.5]
    plain = sagemaker.make_config(sagemaker.make_model())
    assert "ShadowProductionVariants" not in sagemaker.api.describe_endpoint_config(EndpointConfigName=plain)
