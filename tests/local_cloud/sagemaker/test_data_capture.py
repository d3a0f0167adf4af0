"""Data capture: what lands in S3 after calls, in SageMaker's layout, and what it needs."""

import base64
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_sagemaker import PERMISSIONS, SageMakerCloud

BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}


@pytest.fixture
def prefix() -> str:
    return f"captures/{uuid.uuid4().hex}"


def variant(name: str, model: str) -> dict[str, Any]:
    return {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


def make_capturing(
    sagemaker: SageMakerCloud, prefix: str, *, model: str = "", percent: int = 100, shadow: str = "", **capture: Any
) -> str:
    """An endpoint with the variant AllTraffic, and a shadow variant when there is a model for it, that captures."""
    name = sagemaker.name("config")
    shadows = {"ShadowProductionVariants": [variant("Challenger", sagemaker.make_model(shadow))]} if shadow else {}
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant("AllTraffic", model or sagemaker.make_model("champion"))],
        DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": percent, "CaptureOptions": BOTH,
            "DestinationS3Uri": f"s3://{sagemaker.bucket}/{prefix}", "CaptureContentTypeHeader": TYPES,
        } | capture,
        **shadows,
    )  # fmt: skip
    return sagemaker.make_endpoint(name)


def captured(sagemaker: SageMakerCloud, prefix: str) -> list[dict[str, Any]]:
    """All lines below a prefix, in the order of their keys."""
    lines = []
    for key in sorted(sagemaker.keys(prefix)):
        content = sagemaker.get(f"s3://{sagemaker.bucket}/{key}").decode()
        assert content.endswith("\n")
        lines += [json.loads(line) for line in content.splitlines()]
    return lines


def wait_for(sagemaker: SageMakerCloud, prefix: str, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(captured(sagemaker, prefix)) >= count)
    found = captured(sagemaker, prefix)
    assert len(found) == count
    return found


def test_a_call_is_captured_as_the_developer_guide_shows_it(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix)
    before = datetime.now(UTC).replace(microsecond=0)

    answer = sagemaker.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=b"1,2\n3,4\n", ContentType="text/csv; charset=utf-8", InferenceId="trip-7"
    )
    body = answer["Body"].read().decode()

    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv; charset=utf-8", "mode": "INPUT", "data": "1,2\n3,4\n", "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "application/json", "mode": "OUTPUT", "data": body, "encoding": "JSON",
        },
    }  # fmt: skip
    assert line["eventVersion"] == "0"
    metadata = line["eventMetadata"]
    assert str(uuid.UUID(metadata["eventId"])) == metadata["eventId"]
    assert metadata["inferenceId"] == "trip-7"
    time = datetime.strptime(metadata["inferenceTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert before <= time <= before + timedelta(minutes=1)
    (key,) = sagemaker.keys(prefix)
    folder = f"{prefix}/{endpoint}/AllTraffic/{time:%Y/%m/%d/%H}/"
    assert re.fullmatch(re.escape(folder) + r"\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl", key)


def test_an_endpoint_describes_its_capture(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix, percent=30)
    described = sagemaker.api.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]
    assert described == {
        "EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 30,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/{prefix}", "KmsKeyId": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"\x00\xff", "application/octet-stream"), (b"\xff\xfe", "text/csv"), (b"1", "text/plain")],
    ids=["a type of no encoding", "no text though it says so", "text of no encoding"],
)
def test_what_is_neither_csv_nor_json_is_captured_in_base64(
    sagemaker: SageMakerCloud, prefix: str, body: bytes, content_type: str
) -> None:
    endpoint = make_capturing(sagemaker, prefix)
    sagemaker.invoke(endpoint, body, ContentType=content_type)
    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": content_type, "mode": "INPUT", "data": base64.b64encode(body).decode(),
        "encoding": "BASE64",
    }  # fmt: skip
    assert "inferenceId" not in line["eventMetadata"]


@pytest.mark.parametrize(
    ("modes", "parts"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_the_options_say_what_is_captured(
    sagemaker: SageMakerCloud, prefix: str, modes: list[str], parts: set[str]
) -> None:
    options = [{"CaptureMode": mode} for mode in modes]
    endpoint = make_capturing(sagemaker, prefix, CaptureOptions=options)
    sagemaker.invoke(endpoint)
    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"].keys() == parts


def test_the_percentage_of_the_calls_is_captured(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix, percent=30)
    marker = make_capturing(sagemaker, f"{prefix}-marker")
    for _ in range(200):
        sagemaker.invoke(endpoint)
    sagemaker.invoke(marker)
    wait_for(sagemaker, f"{prefix}-marker", 1)  # what was called before it has been delivered as well
    assert abs(len(captured(sagemaker, f"{prefix}/")) - 60) < 5 * (200 * 0.3 * 0.7) ** 0.5


@pytest.mark.parametrize("off", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}], ids=["disabled", "0 %"])
def test_capture_that_is_off_captures_nothing(sagemaker: SageMakerCloud, prefix: str, off: dict[str, Any]) -> None:
    endpoint = make_capturing(sagemaker, prefix, **off)
    marker = make_capturing(sagemaker, f"{prefix}-marker")
    sagemaker.invoke(endpoint)
    sagemaker.invoke(marker)
    wait_for(sagemaker, f"{prefix}-marker", 1)
    assert captured(sagemaker, f"{prefix}/") == []


def test_the_answers_of_a_shadow_are_captured_under_its_name(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix, shadow="challenger")
    for number in range(3):
        sagemaker.invoke(endpoint, f"{number}", ContentType="text/csv", InferenceId=f"trip-{number}")

    predictions = {}
    for name in ("AllTraffic", "Challenger"):
        for line in wait_for(sagemaker, f"{prefix}/{endpoint}/{name}/", 3):
            output = json.loads(line["captureData"]["endpointOutput"]["data"])["prediction"]
            sent = line["captureData"]["endpointInput"]["data"]
            predictions[name, line["eventMetadata"]["inferenceId"]] = (sent, output)
    assert predictions == {
        (name, f"trip-{number}"): (f"{number}", model)
        for name, model in (("AllTraffic", "champion"), ("Challenger", "challenger"))
        for number in range(3)
    }


def test_a_failed_call_is_not_captured(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix)
    with pytest.raises(ClientError):
        sagemaker.invoke(endpoint, "status 500")
    sagemaker.invoke(endpoint, "good", ContentType="text/csv")
    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"]["endpointInput"]["data"] == "good"


def test_capturing_needs_the_permission_of_the_execution_role_and_calls_do_not(
    sagemaker: SageMakerCloud, prefix: str
) -> None:
    role = sagemaker.make_role(sagemaker.name("role"), without="s3:PutObject")
    endpoint = make_capturing(sagemaker, prefix, model=sagemaker.make_model("champion", role_arn=role))
    assert sagemaker.invoke(endpoint, "refused", ContentType="text/csv")["prediction"] == "champion"

    def status() -> str:
        described = sagemaker.api.describe_endpoint(EndpointName=endpoint)
        return str(described["DataCaptureConfig"]["CaptureStatus"])

    eventually(lambda: status() == "Stopped")
    assert captured(sagemaker, prefix) == []

    sagemaker.put_permissions(role.rpartition("/")[2])
    sagemaker.invoke(endpoint, "written", ContentType="text/csv")
    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"]["endpointInput"]["data"] == "written"
    eventually(lambda: status() == "Started")


def test_captures_are_encrypted_with_the_key_that_the_role_may_use(sagemaker: SageMakerCloud, prefix: str) -> None:
    key = sagemaker.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = sagemaker.make_role(sagemaker.name("role"))
    endpoint = make_capturing(
        sagemaker, prefix, model=sagemaker.make_model("champion", role_arn=role), KmsKeyId=key
    )  # fmt: skip
    sagemaker.invoke(endpoint, "refused", ContentType="text/csv")
    eventually(
        lambda: (
            sagemaker.api.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
        )
    )

    sagemaker.put_permissions(role.rpartition("/")[2], permissions={**PERMISSIONS, "kms:GenerateDataKey": key})
    sagemaker.invoke(endpoint, "written", ContentType="text/csv")
    (line,) = wait_for(sagemaker, prefix, 1)
    assert line["captureData"]["endpointInput"]["data"] == "written"
    (name,) = sagemaker.keys(prefix)
    head = sagemaker.client("s3").head_object(Bucket=sagemaker.bucket, Key=name)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_capture_is_retained_by_an_update_that_says_so(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix)
    plain = sagemaker.name("config")
    sagemaker.api.create_endpoint_config(
        EndpointConfigName=plain, ProductionVariants=[variant("AllTraffic", sagemaker.make_model("next"))]
    )
    request = {"EndpointName": endpoint, "EndpointConfigName": plain, "RetainAllVariantProperties": True}

    sagemaker.api.update_endpoint(**request)
    assert sagemaker.endpoint_settled(endpoint)["DataCaptureConfig"]["CurrentSamplingPercentage"] == 100

    excluded = [{"VariantPropertyType": "DataCaptureConfig"}]
    sagemaker.api.update_endpoint(**request, ExcludeRetainedVariantProperties=excluded)
    assert "DataCaptureConfig" not in sagemaker.endpoint_settled(endpoint)


def test_only_buckets_are_served_as_destinations(sagemaker: SageMakerCloud) -> None:
    with pytest.raises(ClientError, match="other than s3://BUCKET/PREFIX: https://bucket/prefix"):
        sagemaker.api.create_endpoint_config(
            EndpointConfigName=sagemaker.name("config"),
            ProductionVariants=[variant("AllTraffic", sagemaker.make_model())],
            DataCaptureConfig={
                "InitialSamplingPercentage": 100, "CaptureOptions": BOTH, "DestinationS3Uri": "https://bucket/prefix",
            },
        )  # fmt: skip


def test_an_inference_id_has_its_limit(sagemaker: SageMakerCloud, prefix: str) -> None:
    endpoint = make_capturing(sagemaker, prefix)
    sagemaker.invoke(endpoint, InferenceId="x" * 64)
    with pytest.raises(ClientError, match="x-amzn-sagemaker-inference-id must have at most 64 characters"):
        sagemaker.invoke(endpoint, InferenceId="x" * 65)


@pytest.mark.parametrize(("seconds", "refused"), [(10, False), (45, True)])
def test_metrics_can_be_asked_for_at_certain_frequencies(
    sagemaker: SageMakerCloud, seconds: int, refused: bool
) -> None:
    request = {
        "EndpointConfigName": sagemaker.name("config"),
        "ProductionVariants": [variant("AllTraffic", sagemaker.make_model())],
        "MetricsConfig": {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": seconds},
    }
    if not refused:
        sagemaker.api.create_endpoint_config(**request)
        return
    with pytest.raises(ClientError, match="240, 300, got 45"):
        sagemaker.api.create_endpoint_config(**request)
