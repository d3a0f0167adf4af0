"""Data capture: what the variants of endpoints are asked and answer, as JSON lines in S3.

    DESTINATION/ENDPOINT/VARIANT/yyyy/mm/dd/hh/mm-ss-mmm-UUID.jsonl      by the hour in which the call was made

Source: SageMaker's developer guide, "Capture data from real-time endpoint". What it does not say is marked as a guess.
"""

import base64
import json
import logging
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.authorization import Check, authorize
from local_cloud.cloud import Cloud
from local_cloud.sagemaker.errors import TransferError
from local_cloud.sagemaker.s3_content import S3Location
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

_DELIVERY_SECONDS = 2.0  # SageMaker: "a couple of minutes"
_MAXIMUM_WAITING_BYTES = 256 * 1024 * 1024  # SageMaker stops capturing when the instance's disk fills up

Config = Mapping[str, Any]
"""A DataCaptureConfig."""


@dataclass(frozen=True)
class Exchange:
    """One call of a variant and its answer.

    Attributes:
        answer_type: the answer's content type; None when the container names none.
        inference_id: the caller's InferenceId.
    """

    time: datetime
    body: bytes
    content_type: str | None
    answer: bytes
    answer_type: str | None
    inference_id: str | None


@dataclass(frozen=True)
class _Destination:
    """What the lines of one object have in common."""

    endpoint: str
    variant: str
    role_arn: str
    uri: str
    kms_key_id: str | None
    hour: str


class DataCapture:
    """Captures for all endpoints; a call only leaves its bytes here, the rest is done in the background.

    What waits for delivery is lost when the server is killed.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._waiting: dict[_Destination, list[tuple[Config, Exchange]]] = defaultdict(list)
        self._waiting_bytes = 0
        self._failing: set[str] = set()

    def start(self) -> None:
        self._cloud.background(self._deliver_for_ever, "data capture")

    def capture(self, endpoint: str, variant: str, role_arn: str, config: Config | None, exchange: Exchange) -> None:
        """Capture the share of calls that the config asks for.

        Each variant's calls are sampled on their own, as on AWS each instance sees its own (a guess).
        """
        if not enabled(config) or random.random() * 100 >= config["InitialSamplingPercentage"]:  # noqa: S311
            return
        destination = _Destination(
            endpoint, variant, role_arn, config["DestinationS3Uri"], config.get("KmsKeyId"),
            f"{exchange.time:%Y/%m/%d/%H}",
        )  # fmt: skip
        size = len(exchange.body) + len(exchange.answer)
        with self._lock:
            if self._waiting_bytes + size > _MAXIMUM_WAITING_BYTES:
                return
            self._waiting_bytes += size
            self._waiting[destination].append((config, exchange))

    def summary(self, endpoint: str, config: Config) -> dict[str, Any]:
        """A DataCaptureConfig as DescribeEndpoint tells it; Stopped when the last lines were refused (a guess)."""
        functional = enabled(config) and endpoint not in self._failing
        return {
            "EnableCapture": config.get("EnableCapture", True),
            "CaptureStatus": "Started" if functional else "Stopped",
            "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
            "DestinationS3Uri": config["DestinationS3Uri"],
            "KmsKeyId": config.get("KmsKeyId", ""),
        }

    def _deliver_for_ever(self) -> None:
        while True:
            time.sleep(_DELIVERY_SECONDS)
            with self._lock:
                batches, self._waiting, self._waiting_bytes = self._waiting, defaultdict(list), 0
            for destination, exchanges in batches.items():
                self._deliver(destination, exchanges)

    def _deliver(self, destination: _Destination, exchanges: list[tuple[Config, Exchange]]) -> None:
        try:
            self._put(destination, exchanges)
        except (ServiceError, TransferError, ClientError, BotoCoreError) as error:
            self._failing.add(destination.endpoint)
            logger.warning(
                "%d calls of endpoint %s are not captured: %s", len(exchanges), destination.endpoint, error
            )  # fmt: skip
        except Exception:
            self._failing.add(destination.endpoint)
            logger.exception("calls of endpoint %s could not be captured", destination.endpoint)
        else:
            self._failing.discard(destination.endpoint)

    def _put(self, to: _Destination, exchanges: list[tuple[Config, Exchange]]) -> None:
        lines = "".join(f"{json.dumps(_line(*exchange))}\n" for exchange in exchanges)
        first = exchanges[0][1].time
        name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        location = S3Location.parse(to.uri) / f"{to.endpoint}/{to.variant}/{to.hour}/{name}"
        encryption = {}
        if to.kms_key_id is not None:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": to.kms_key_id}
            self._check_key(to.role_arn, to.kms_key_id)
        client = self._cloud.client("s3", to.role_arn)
        client.put_object(
            Bucket=location.bucket,
            Key=location.key,
            Body=lines.encode(),
            ContentType="application/jsonlines",
            **encryption,
        )

    def _check_key(self, role_arn: str, key_id: str) -> None:
        """S3 asks KMS for a data key with the permissions of whoever writes; ministack's S3 does not."""
        place = f"arn:aws:kms:{self._cloud.region}:{self._cloud.account_id}"
        resource = key_id if key_id.startswith("alias/") else f"key/{key_id}"
        key_arn = key_id if key_id.startswith("arn:") else f"{place}:{resource}"
        context: dict[str, str | list[str]] = {"kms:ViaService": f"s3.{self._cloud.region}.amazonaws.com"}
        with self._cloud.acting_as_role(role_arn, "SageMaker"):
            authorize([Check("kms:GenerateDataKey", key_arn, context)])


def enabled(config: Config | None) -> TypeGuard[Config]:
    """Whether a DataCaptureConfig, if there is one, asks for anything to be captured."""
    return config is not None and bool(config.get("EnableCapture", True))


def _line(config: Config, exchange: Exchange) -> dict[str, Any]:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    captured = {}
    if modes & {"Input", "InputAndOutput"}:
        captured["endpointInput"] = _part("INPUT", exchange.body, exchange.content_type, config)
    if modes & {"Output", "InputAndOutput"}:
        captured["endpointOutput"] = _part("OUTPUT", exchange.answer, exchange.answer_type, config)
    metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{exchange.time:%Y-%m-%dT%H:%M:%SZ}"}
    if exchange.inference_id is not None:
        metadata["inferenceId"] = exchange.inference_id
    return {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}


def _part(mode: str, data: bytes, content_type: str | None, config: Config) -> dict[str, Any]:
    encoding = _encoding(content_type or "", config.get("CaptureContentTypeHeader", {}))
    try:
        text = data.decode() if encoding != "BASE64" else base64.b64encode(data).decode()
    except UnicodeDecodeError:  # said to be text and is none
        encoding, text = "BASE64", base64.b64encode(data).decode()
    part = {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
    return {name: value for name, value in part.items() if value is not None}


def _encoding(content_type: str, header: Mapping[str, list[str]]) -> str:
    """A type is compared without its parameters, such as the charset."""
    media_type = content_type.partition(";")[0].strip().lower()
    for encoding, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if media_type in {value.lower() for value in header.get(member, [])}:
            return encoding
    return "BASE64"
