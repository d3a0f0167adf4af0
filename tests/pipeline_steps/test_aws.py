"""botocore's errors reach the steps in the steps' own words."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline_steps.aws import LARGEST_TEXT_BYTES, Aws, EndpointAnswer, translated
from pipeline_steps.errors import (
    AlreadyExistsError,
    AwsError,
    DocumentError,
    ModelError,
    NotFoundError,
    RequestError,
    ScanNotFoundError,
    ThrottlingError,
    UnsupportedImageError,
)
from tests.pipeline_steps.doubles import answer_instead


def client_error(code: str, message: str = "as it is") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ResourceNotFound", "gone", NotFoundError),
        ("ValidationException", "Requested resource not found.", NotFoundError),
        ("ValidationException", 'Could not find endpoint "arn:..."', NotFoundError),
        ("ValidationError", "Model Package arn does not exist", NotFoundError),
        ("ImageNotFoundException", "no such tag", NotFoundError),
        ("ValidationException", "1 validation error detected", RequestError),
        ("ResourceInUse", "a job with this name already exists", AlreadyExistsError),
        ("ThrottlingException", "Rate exceeded", ThrottlingError),
        ("ScanNotFoundException", "Image scan does not exist", ScanNotFoundError),
        ("UnsupportedImageTypeException", "not this one", UnsupportedImageError),
        ("AccessDeniedException", "role not found in policy", AwsError),
    ],
)
def test_an_error_becomes_the_kind_that_fits(code: str, message: str, kind: type[AwsError]) -> None:
    with pytest.raises(AwsError) as fault, translated("look at the job x"):
        raise client_error(code, message)

    assert type(fault.value) is kind
    assert str(fault.value) == f"could not look at the job x: {code}: {message}"
    assert isinstance(fault.value.__cause__, ClientError)


def test_a_connection_that_fails_is_an_aws_error() -> None:
    with pytest.raises(AwsError, match="could not list x: Could not connect to the endpoint URL"), translated("list x"):
        raise EndpointConnectionError(endpoint_url="https://aws.test")


def test_a_containers_refusal_carries_its_status() -> None:
    answer = {"Error": {"Code": "ModelError", "Message": "no column x"}, "OriginalStatusCode": 400}
    with pytest.raises(ModelError, match=r"no column x \(status 400\)") as fault, translated("ask"):
        raise ClientError(answer, "InvokeEndpoint")

    assert fault.value.status == 400


@pytest.mark.parametrize(
    ("status", "code", "more", "answered"),
    [
        (424, "ModelError", {"OriginalStatusCode": 415, "OriginalMessage": "no"}, EndpointAnswer(415, "", b"no")),
        (424, "ModelError", {"OriginalStatusCode": 0}, EndpointAnswer(0, "", b"as it is")),
        (413, "413", {}, EndpointAnswer(413, "", b"as it is")),
        (400, "ValidationError", {}, EndpointAnswer(400, "", b"as it is")),
    ],
    ids=["of the container", "of a container that ended", "too large", "invalid"],
)
def test_what_a_request_is_refused_with_is_an_answer(
    aws: Aws, status: int, code: str, more: dict[str, Any], answered: EndpointAnswer
) -> None:
    assert refused(aws, status, code, **more) == answered


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDeniedException", AwsError),
        (400, "ThrottlingException", ThrottlingError),
        (503, "ServiceUnavailable", AwsError),
    ],
)
def test_what_has_nothing_to_do_with_the_request_is_no_answer(
    aws: Aws, status: int, code: str, kind: type[AwsError]
) -> None:
    with pytest.raises(kind, match=f"could not ask it: {code}: as it is"):
        refused(aws, status, code)


def refused(aws: Aws, status: int, code: str, **more: Any) -> EndpointAnswer:
    invoker = aws.invoker(connections=1, answer_seconds=1, attempts=1)
    answer = {"Error": {"Code": code, "Message": "as it is"}, **more}
    answer_instead(invoker.client, "InvokeEndpoint", lambda _: (status, answer))
    return invoker.invoke("x", "text/csv", b"1", "ask it")


def test_calls_of_endpoints_wait_and_try_as_long_as_they_are_told(aws: Aws) -> None:
    config = aws.invoker(connections=7, answer_seconds=12.5, attempts=1).client.meta.config

    assert (config.max_pool_connections, config.read_timeout) == (7, 12.5)
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert "slipway/pipeline_steps" in config.user_agent_extra


def test_errors_that_are_not_botocores_pass() -> None:
    with pytest.raises(KeyError), translated("ask"):
        raise KeyError("x")


def test_clients_retry_and_say_who_they_are(aws: Aws) -> None:
    config = aws.sagemaker.meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 10}
    assert "slipway/pipeline_steps" in config.user_agent_extra


def test_a_document_of_the_largest_size_is_read_and_one_byte_more_is_refused(aws: Aws, bucket: str) -> None:
    for key, size in (("large", LARGEST_TEXT_BYTES), ("larger", LARGEST_TEXT_BYTES + 1)):
        aws.s3.put_object(Bucket=bucket, Key=key, Body=b" " * size)

    assert len(aws.read_text(f"s3://{bucket}/large")) == LARGEST_TEXT_BYTES
    with pytest.raises(DocumentError, match=f"s3://{bucket}/larger must have at most 16,777,216 bytes"):
        aws.read_text(f"s3://{bucket}/larger")


def test_an_object_that_is_not_there_is_named(aws: Aws, bucket: str) -> None:
    with pytest.raises(NotFoundError, match=f"could not read s3://{bucket}/datasets/manifest.json: NoSuchKey"):
        aws.read_text(f"s3://{bucket}/datasets/manifest.json")
