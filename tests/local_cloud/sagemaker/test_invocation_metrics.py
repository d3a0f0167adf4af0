"""What CloudWatch is told of an endpoint's calls."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_metrics import Metrics
from eventually import eventually
from local_cloud_sagemaker import SageMakerCloud

from local_cloud.sagemaker.invocation_metrics import InvocationMetrics


@pytest.fixture(scope="module")
def endpoint(sagemaker: SageMakerCloud) -> str:
    return sagemaker.make_endpoint(sagemaker.make_config(sagemaker.make_model("one"), InitialInstanceCount=2))


def test_calls_and_their_errors_are_counted_by_variant_and_config(sagemaker: SageMakerCloud, endpoint: str) -> None:
    sagemaker.invoke(endpoint, "sleep 0.2")
    for _ in range(5):
        sagemaker.invoke(endpoint)
    for body in ("status 400", "status 404", "status 500", "crash"):
        with pytest.raises(ClientError):
            sagemaker.invoke(endpoint, body)
    config = sagemaker.api.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    for metrics in (Metrics(sagemaker, endpoint), Metrics(sagemaker, endpoint, EndpointConfigName=config)):
        eventually(lambda metrics=metrics: metrics.sum("Invocations") == 10)
        assert metrics.sum("InvocationsPerInstance") == 5
        assert metrics.sum("Invocation4XXErrors") == 2
        assert metrics.sum("Invocation5XXErrors") == 2  # one that was answered so, one that was not answered
        assert metrics.sum("InvocationModelErrors") == 4
        assert metrics.statistics("Invocation5XXErrors", "Average")["Average"] == 0.2
        latency = metrics.statistics("ModelLatency", "Maximum", "Minimum", "SampleCount")
        assert latency["SampleCount"] == 10
        assert 200_000 <= latency["Maximum"] < 1_000_000
        assert latency["Minimum"] < 100_000
        assert latency["Unit"] == "Microseconds"
        slowest = metrics.statistics("ModelLatency", percentile="p99")["ExtendedStatistics"]["p99"]
        assert latency["Minimum"] < slowest <= latency["Maximum"]
        assert metrics.statistics("OverheadLatency", "SampleCount")["SampleCount"] == 10


def test_a_refused_call_is_none_of_a_variant(sagemaker: SageMakerCloud, endpoint: str) -> None:
    before = Metrics(sagemaker, endpoint).sum("Invocations")
    with pytest.raises(ClientError, match="Variant Z of endpoint"):
        sagemaker.invoke(endpoint, TargetVariant="Z")
    sagemaker.invoke(endpoint)
    eventually(lambda: Metrics(sagemaker, endpoint).sum("Invocations") == before + 1)


def test_a_variant_without_calls_publishes_zeros(sagemaker: SageMakerCloud, endpoint: str) -> None:
    metrics = Metrics(sagemaker, endpoint)
    before = metrics.sum("Invocations")

    def samples() -> float:
        return float(metrics.statistics("Invocations", "SampleCount").get("SampleCount", 0.0))

    some = samples()
    eventually(lambda: samples() > some)
    assert metrics.sum("Invocations") == before


def test_calls_of_a_second_become_one_datum_of_values_and_counts() -> None:
    published: list[tuple[str, list[dict[str, Any]]]] = []
    metrics = InvocationMetrics(lambda namespace, data: published.append((namespace, data)))
    metrics.flush()
    assert published == []
    for seconds in (0.001234, 0.0012341, 0.5):
        metrics.record("E", "A", 200, seconds, 0.0, instances=4)
    metrics.record("E", "A", 0, None, 0.0)
    metrics.flush()
    ((namespace, data),) = published
    assert namespace == "AWS/SageMaker"
    counted: dict[str, dict[float, float]] = {}
    for datum in data:  # of one second, or of two
        assert datum["Dimensions"] == [{"Name": "EndpointName", "Value": "E"}, {"Name": "VariantName", "Value": "A"}]
        values = counted.setdefault(datum["MetricName"], {})
        for value, count in zip(datum["Values"], datum["Counts"], strict=True):
            values[value] = values.get(value, 0) + count
    assert counted["ModelLatency"] == {1230.0: 2, 500_000.0: 1}
    assert counted["InvocationsPerInstance"] == {0.25: 3, 1.0: 1}
    assert counted["Invocation5XXErrors"] == {0.0: 3, 1.0: 1}
