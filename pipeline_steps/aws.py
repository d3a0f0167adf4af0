"""The one place that touches botocore: the clients, their retries, and its errors in our words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from pipeline_steps.errors import (
    AlreadyExistsError,
    AwsError,
    DocumentError,
    ModelError,
    NoAnswerError,
    NotFoundError,
    RequestError,
    ScanNotFoundError,
    ThrottlingError,
    UnsupportedImageError,
)

LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
"""Of an endpoint: the predictions for the largest body are some 2 MB."""

Client = Any  # boto3 makes its clients' methods at run time; a step installs no stubs for them

_CONFIG = Config(
    user_agent_extra="slipway/pipeline_steps",
    retries={"mode": "standard", "total_max_attempts": 10},  # backs off up to 20 s a time, for about two minutes
    connect_timeout=10,
    read_timeout=70,  # an endpoint has 60 s to answer
)

LARGEST_TEXT_BYTES = 16 * 1024 * 1024
"""A hundred records with their predictions, the largest of the documents, are some 30 KB in the example."""

_NOT_FOUND = {
    "ResourceNotFound",
    "ResourceNotFoundException",
    "RepositoryNotFoundException",
    "ImageNotFoundException",
    "NoSuchKey",
    "NoSuchBucket",
}
_ALREADY_EXISTS = {"ResourceInUse", "ResourceInUseException", "ImageAlreadyExistsException"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
}
_REFUSED = {"ValidationException", "ValidationError", "InvalidParameterException"}
_INVALID_INVOCATION = {"ValidationError", "ValidationException"}
_OF_ONE_CODE: Mapping[str, type[AwsError]] = {
    "ScanNotFoundException": ScanNotFoundError,
    "UnsupportedImageTypeException": UnsupportedImageError,
}
# SageMaker answers ValidationException for most things that do not exist (github.com/aws/aws-sdk/issues/165).
_SAYS_NOT_FOUND = re.compile(r"could not find|cannot find|not found|does not exist", re.IGNORECASE)


class Aws:
    """The clients of one region, each made when it is first used.

    Args:
        region: e.g. us-east-1. Credentials and endpoint URL come from where boto3 looks for them.
    """

    def __init__(self, region: str) -> None:
        self.region = region
        self._session = boto3.session.Session(region_name=region)

    @cached_property
    def sagemaker(self) -> Client:
        """SageMaker: jobs, the model registry, endpoints."""
        return self._client("sagemaker")

    def invoker(self, *, connections: int, answer_seconds: float, attempts: int) -> "Invoker":
        """Calls endpoints, from several threads at once.

        Args:
            connections: that are kept.
            answer_seconds: how long an answer may take.
            attempts: how often a call is tried that SageMaker, not the container, could not serve.
        """
        config = _CONFIG.merge(
            Config(
                max_pool_connections=connections,
                read_timeout=answer_seconds,
                retries={"mode": "standard", "total_max_attempts": attempts},
            )
        )
        return Invoker(self._session.client("sagemaker-runtime", config=config))

    @cached_property
    def logs(self) -> Client:
        """CloudWatch Logs."""
        return self._client("logs")

    @cached_property
    def s3(self) -> Client:
        """S3."""
        return self._client("s3")

    @cached_property
    def ecr(self) -> Client:
        """The container registry."""
        return self._client("ecr")

    def codecommit_as(self, role_arn: str, session_name: str) -> tuple[Client, str]:
        """CodeCommit as a role, for an hour, and the ARN by which CodeCommit knows the caller."""
        with translated(f"become {role_arn}"):
            assumed = self._client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session_name)
        keys = assumed["Credentials"]
        session = boto3.session.Session(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            region_name=self._session.region_name,
        )
        return session.client("codecommit", config=_CONFIG), assumed["AssumedRoleUser"]["Arn"]

    def read_text(self, uri: str) -> str:
        """The UTF-8 text of an object in S3, e.g. `s3://bucket/datasets/manifest.json`.

        Raises:
            NotFoundError: there is no such object.
            DocumentError: it is larger than any of the documents that containers write.
        """
        return self.read_bytes(uri, LARGEST_TEXT_BYTES).decode("utf-8", errors="replace")

    def read_bytes(self, uri: str, largest: int) -> bytes:
        """An object in S3.

        Raises:
            NotFoundError: there is no such object.
            DocumentError: it has more than `largest` bytes.
        """
        with self.opened(uri) as answer:
            body: bytes = answer["Body"].read(largest + 1)
        if len(body) > largest:
            raise DocumentError(f"{uri} must have at most {largest:,} bytes, it has more")
        return body

    def write_bytes(self, uri: str, content: bytes, content_type: str) -> None:
        """Put an object into S3; the bucket encrypts it."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with translated(f"write {uri}"):
            self.s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)

    @contextmanager
    def opened(self, uri: str) -> Iterator[Mapping[str, Any]]:
        """What GetObject answers for an object in S3: `Body`, a stream to be read once, `LastModified` and more.

        Raises:
            NotFoundError: there is no such object.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with translated(f"read {uri}"):
            answer = self.s3.get_object(Bucket=bucket, Key=key)
            with closing(answer["Body"]):
                yield answer

    def _client(self, service: str) -> Client:
        return self._session.client(service, config=_CONFIG)


@dataclass(frozen=True)
class EndpointAnswer:
    """What came back from an endpoint.

    Attributes:
        status: the container's own; SageMaker's where it refused the request itself; 0 when the container gave none.
    """

    status: int
    content_type: str
    body: bytes


class Invoker:
    """InvokeEndpoint, with errors of the container as the answers that they are."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def invoke(
        self, endpoint: str, content_type: str, body: bytes, doing: str, *, variant: str | None = None
    ) -> EndpointAnswer:
        """Send a request.

        Args:
            doing: as for `translated`.
            variant: the production variant that is to answer; None for any, by their weights.

        Raises:
            NoAnswerError: there was no answer in time.
            AwsError: SageMaker did not serve the call.
        """
        target = {} if variant is None else {"TargetVariant": variant}
        request = {"EndpointName": endpoint, "ContentType": content_type, "Accept": content_type, "Body": body}
        try:
            with translated(doing):
                answer = self.client.invoke_endpoint(**request, **target)
                return EndpointAnswer(200, answer.get("ContentType", ""), answer["Body"].read(LARGEST_ANSWER_BYTES))
        except AwsError as error:
            refusal = _refusal(error.__cause__)
            if refusal is None:
                raise
            return refusal


def _refusal(error: BaseException | None) -> EndpointAnswer | None:
    """The answer of the container, or SageMaker's to a request that it does not pass on; None for all other errors."""
    if not isinstance(error, ClientError):
        return None
    response = error.response
    code, message = response["Error"]["Code"], response["Error"]["Message"]
    if code == "ModelError":
        said: str = response.get("OriginalMessage", message)
        return EndpointAnswer(response.get("OriginalStatusCode", 0), "", said.encode())
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    # A body that is too large has no code but its status; an empty one is no valid request.
    if status == 413 or code in _INVALID_INVOCATION:
        return EndpointAnswer(status, "", message.encode())
    return None


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours.

    Args:
        doing: what the calls inside are for, as it reads after "could not", e.g. `read s3://bucket/key`.

    Raises:
        AwsError: or the one of its kinds that fits.
    """
    try:
        yield
    except ClientError as error:
        raise _our_error(doing, error) from error
    except ReadTimeoutError as error:
        raise NoAnswerError(f"could not {doing}: there was no answer in time") from error
    except BotoCoreError as error:
        raise AwsError(f"could not {doing}: {error}") from error


def _our_error(doing: str, error: ClientError) -> AwsError:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    text = f"could not {doing}: {code}: {message}"
    if code == "ModelError":
        status: int = error.response.get("OriginalStatusCode", 0)
        return ModelError(f"{text} (status {status})", status=status)
    return _kind(code, message)(text)


def _kind(code: str, message: str) -> type[AwsError]:
    if code in _NOT_FOUND or (code in _REFUSED and _SAYS_NOT_FOUND.search(message)):
        return NotFoundError
    if code in _ALREADY_EXISTS:
        return AlreadyExistsError
    if code in _THROTTLED:
        return ThrottlingError
    return RequestError if code in _REFUSED else _OF_ONE_CODE.get(code, AwsError)
