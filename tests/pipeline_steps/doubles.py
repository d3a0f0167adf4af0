"""An AWS that does what a test says: moto's, with answers of our own where moto has none or only the happy one."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

from botocore.awsrequest import AWSResponse

from pipeline_steps.aws import Aws, Client
from pipeline_steps.clock import Clock
from tests.model_code.archives import archive, member

REGION = "us-east-1"
EXECUTION_ID = "0f9e8d7c-1111-2222-3333-444455556666"
COMMIT_ID = "3b1f6c2a9d8e7f60514233241506f7e8d9c0b1a2"
IMAGE_URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/flight-delays@sha256:{'a1' * 32}"
ROLE_ARN = "arn:aws:iam::123456789012:role/flight-delays-job"
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
BUCKET = "flight-delays-data"
VPC_INPUTS = {"subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "security_group_ids": "sg-01234567"}
VPC_CONFIG = {
    "Subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "SecurityGroupIds": ["sg-01234567"],
}

MODEL_DATA_URI = f"s3://{BUCKET}/models/{EXECUTION_ID}/flight-delays-train-0f9e8d7c/output/model.tar.gz"
MODEL_SHA256 = "5c0de078168ee18e4d3a16cfb28348bc0b477b54cfa01f2ceaf2df1141b50d72"  # of what put_model puts
MODEL_ARCHIVE_SHA256 = "e5" * 32

SETTINGS = """
name: flight-delays
data:
  prefix: raw/
  split: {by: time, column: scheduled_departure, holdout_days: 14, validation_days: 7}
container: {base_image: "public.ecr.aws/docker/library/python:3.11-slim-bookworm"}
processing: {instance_type: ml.m5.large, volume_gib: 20, max_runtime_minutes: 60}
training:
  instance_type: ml.m5.xlarge
  instance_count: 1
  volume_gib: 30
  max_runtime_minutes: 60
  hyperparameters: {trees: 200, learning_rate: 0.1, grow: lossguide, verbose: true}
evaluation:
  primary: {metric: roc_auc, goal: maximize}
  limits: [{metric: roc_auc, at_least: 0.60}, {metric: log_loss, at_most: 0.70}]
  champion: {not_worse_by: 0.01}
endpoints:
  staging: {instance_type: ml.m5.large, instance_count: 1}
  production: {instance_type: ml.m5.xlarge, instance_count: 2}
tags: {team: delays}
"""


class ManualTime:
    """A clock on which time passes only by sleeping; what happens meanwhile can be set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.today = date(2026, 11, 21)
        self.sleeps: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps.append(seconds)
        self.meanwhile()

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, sleep=self.sleep, today=lambda: self.today)


def put_json(aws: Aws, key: str, document: object) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())


def put_model(aws: Aws) -> bytes:
    """Put what this execution's training job would have made; returns it."""
    content = archive(member("a", b"one"), member("b/2", b"two"))
    aws.s3.create_bucket(Bucket=BUCKET)
    aws.s3.put_object(Bucket=BUCKET, Key=MODEL_DATA_URI.removeprefix(f"s3://{BUCKET}/"), Body=content)
    return content


def script(client: Client, operation: str, answers: Sequence[Mapping[str, Any]]) -> None:
    """Lay each of these over moto's next answer to an operation, the last one over all further ones.

    moto's jobs are born finished: this is how they live.
    """
    remaining = list(answers)

    def overlay(parsed: dict[str, Any], **_: object) -> None:
        if "Error" not in parsed:
            parsed.update(remaining[0] if len(remaining) == 1 else remaining.pop(0))

    client.meta.events.register(f"after-call.*.{operation}", overlay)


def keep_environments(client: Client) -> None:
    """Tell the variables of processing jobs, which moto forgets."""
    kept: dict[str, Any] = {}

    def keep(params: dict[str, Any], **_: object) -> None:
        kept.setdefault(params["ProcessingJobName"], params.get("Environment"))

    def tell(parsed: dict[str, Any], **_: object) -> None:
        if environment := kept.get(parsed.get("ProcessingJobName", "")):
            parsed["Environment"] = environment

    client.meta.events.register("provide-client-params.*.CreateProcessingJob", keep)
    client.meta.events.register("after-call.*.DescribeProcessingJob", tell)


Answer = tuple[int, dict[str, Any]]  # HTTP status and parsed answer


def answer_instead(
    client: Client, operation: str, answer: Callable[[dict[str, Any]], Answer], *, times: int | None = None
) -> None:
    """Answer an operation in moto's place.

    Not botocore's Stubber, which would take all of the client's calls: most of them are moto's to answer.

    Args:
        client: whose operation it is.
        operation: e.g. StopTrainingJob.
        answer: answers a request as botocore is about to send it (`body`, `headers`, ...).
        times: how often, before moto answers again; None for always.
    """
    remaining = itertools.count() if times is None else iter(range(times))

    def handle(params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        if next(remaining, None) is None:
            return None
        status, parsed = answer(params)
        return AWSResponse(params["url"], status, {}, None), {"ResponseMetadata": {"HTTPStatusCode": status}, **parsed}

    client.meta.events.register_first(f"before-call.*.{operation}", handle)


def record(client: Client, operation: str) -> list[dict[str, Any]]:
    """Accept all calls of an operation that moto lacks or must not see; returns the requests as they come."""
    requests: list[dict[str, Any]] = []

    def answer(params: dict[str, Any]) -> Answer:
        requests.append(json.loads(params["body"]))
        return 200, {}

    answer_instead(client, operation, answer)
    return requests


def refuse(client: Client, operation: str, code: str, message: str, *, times: int | None = None) -> None:
    """Answer an operation with an error."""
    answer_instead(client, operation, lambda _: (400, {"Error": {"Code": code, "Message": message}}), times=times)


Look = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str  # an answer, its pages, or an error's code


def answer_scan(aws: Aws, *looks: Look) -> list[dict[str, Any]]:
    """Answer DescribeImageScanFindings with one of these after the other, the last one from then on.

    Returns:
        The requests as they come.
    """
    remaining = list(looks)
    requests: list[dict[str, Any]] = []

    def answer(params: dict[str, Any]) -> Answer:
        requests.append(json.loads(params["body"]))
        page = int(requests[-1].get("nextToken", 0))
        look = remaining[0]
        pages = [look] if isinstance(look, Mapping | str) else look
        is_last_page = page == len(pages) - 1
        if is_last_page and len(remaining) > 1:
            remaining.pop(0)
        if isinstance(content := pages[page], str):
            return 400, {"Error": {"Code": content, "Message": f"{content} it is"}}
        return 200, dict(content) if is_last_page else {**content, "nextToken": str(page + 1)}

    answer_instead(aws.ecr, "DescribeImageScanFindings", answer)
    return requests


def scan_status(status: str, description: str = "") -> dict[str, Any]:
    """An answer of DescribeImageScanFindings without findings."""
    return {"imageScanStatus": {"status": status, **({"description": description} if description else {})}}


def scan_found(*findings: Mapping[str, Any], status: str = "COMPLETE", kind: str = "findings") -> dict[str, Any]:
    """An answer of DescribeImageScanFindings to a scan that is done."""
    return {**scan_status(status), "imageScanFindings": {"imageScanCompletedAt": 1.7e9, kind: list(findings)}}


def basic_finding(id: str, severity: str, package: str = "openssl", version: str = "3.0.1") -> dict[str, Any]:
    """A finding of basic scanning."""
    attributes = [{"key": "package_version", "value": version}, {"key": "package_name", "value": package}]
    return {"name": id, "severity": severity, "uri": f"https://cve.test/{id}", "attributes": attributes}


def serve_model_package(
    aws: Aws,
    endpoint: str,
    *,
    image_uri: str,
    model_data_uri: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    registered: bool = True,
    capacity: Mapping[str, Any] = MappingProxyType({"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}),
) -> str:
    """Make an endpoint as CloudFormation does; returns the ARN of the model package that it serves."""
    group = "flight-delays"
    if not aws.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    container = {"Image": image_uri, "ModelDataUrl": model_data_uri, "Environment": dict(environment)}
    arn: str = aws.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    aws.sagemaker.create_model(
        ModelName=f"{endpoint}-model",
        ExecutionRoleArn=ROLE_ARN,
        PrimaryContainer={"ModelPackageName": arn} if registered else container,
    )
    variant = {"VariantName": "AllTraffic", "ModelName": f"{endpoint}-model", **capacity}
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{endpoint}-config", ProductionVariants=[variant])
    aws.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-config")
    return arn
