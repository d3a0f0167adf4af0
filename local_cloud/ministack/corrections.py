"""Where ministack differs from AWS in what the project rests on: put right."""

import importlib
import json
import os
from typing import Any

from local_cloud.ministack.encryption import bucket_encryption

_ON_ALARMS = frozenset({
    "DeleteAlarms", "DescribeAlarmHistory", "DescribeAlarms", "DisableAlarmActions", "EnableAlarmActions",
    "PutMetricAlarm", "SetAlarmState",
})  # fmt: skip
_ON_LOG_STREAMS = frozenset({"CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"})


def apply() -> None:
    """Put all of it right; once in a process."""
    _name_resources()
    _keep_bucket_encryption()
    _know_the_managed_key()
    _join_in_conditions()
    _refuse_absent_images()


def _name_resources() -> None:
    """The resources that IAM is asked about, where ministack asks about a wider one."""
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    original = actions.extract_resource_arn

    def extract(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *place: Any) -> str:
        arn: str = original(service, method, path, headers, body, *place)
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "logs" and operation in _ON_LOG_STREAMS:
            return f"{arn}:log-stream:{json.loads(body).get('logStreamName', '')}"
        if service == "ecr" and operation == "DescribeRepositories":
            names = json.loads(body).get("repositoryNames") or ["*"]
            return f"arn:aws:ecr:{place[1]}:{place[2]}:repository/{names[0]}"
        if service == "monitoring" and operation in _ON_ALARMS:
            request = json.loads(body)
            names = [request["AlarmName"]] if "AlarmName" in request else request.get("AlarmNames") or ["*"]
            return f"arn:aws:cloudwatch:{place[1]}:{place[2]}:alarm:{names[0]}"
        return arn

    actions.extract_resource_arn = extract


def _keep_bucket_encryption() -> None:
    """ministack leaves a bucket's encryption out of its template."""
    s3: Any = importlib.import_module("ministack.services.s3")
    provisioners: Any = importlib.import_module("ministack.services.cloudformation.provisioners")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create, update = handlers["create"], handlers["update"]

    def keep(name: str, properties: dict[str, Any]) -> None:
        configuration = bucket_encryption(properties)
        if configuration is None:
            s3._bucket_encryption.pop(name, None)
        else:
            s3._bucket_encryption[name] = configuration

    def create_bucket(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        name, attributes = create(logical_id, properties, stack_name)
        keep(name, properties)
        return name, attributes

    def update_bucket(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Any:
        name, attributes = update(physical_id, old, new, stack_name)
        keep(name, new)
        return name, attributes

    handlers["create"], handlers["update"] = create_bucket, update_bucket


def _know_the_managed_key() -> None:
    """A write that asks for KMS and names no key takes AWS's own key for S3; ministack has none and refuses it."""
    s3: Any = importlib.import_module("ministack.services.s3")
    original = s3._resolve_sse_write_headers
    place = f"arn:aws:kms:{os.environ['MINISTACK_REGION']}:{os.environ['MINISTACK_ACCOUNT_ID']}"

    def resolve(headers: dict[str, str], bucket: str) -> Any:
        if headers.get("x-amz-server-side-encryption") == "aws:kms":
            headers = {"x-amz-server-side-encryption-aws-kms-key-id": f"{place}:alias/aws/s3"} | headers
        return original(headers, bucket)

    s3._resolve_sse_write_headers = resolve


def _join_in_conditions() -> None:
    """Fn::Join of a list parameter in a condition, which ministack takes for true; the CDK's bootstrap asks so."""
    names = ("engine", "stacks", "handlers", "changesets")
    modules = [importlib.import_module(f"ministack.services.cloudformation.{name}") for name in names]
    original: Any = vars(modules[0])["_evaluate_conditions"]

    def evaluate(template: dict[str, Any], parameters: dict[str, Any]) -> Any:
        return original({**template, "Conditions": _joined(template.get("Conditions", {}), parameters)}, parameters)

    for module in modules:
        vars(module)["_evaluate_conditions"] = evaluate


def _joined(value: Any, parameters: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_joined(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        delimiter, items = value["Fn::Join"]
        name = items.get("Ref") if isinstance(items, dict) else None
        if name in parameters:
            return delimiter.join(str(parameters[name]["Value"]).split(","))
    return {key: _joined(item, parameters) for key, item in value.items()}


def _refuse_absent_images() -> None:
    """ECR's DescribeImages refuses an image that it does not have; ministack leaves it out."""
    ecr: Any = importlib.import_module("ministack.services.ecr")
    responses: Any = importlib.import_module("ministack.core.responses")
    original = ecr._describe_images

    def describe(request: dict[str, Any]) -> Any:
        repository = request.get("repositoryName", "")
        for image in request.get("imageIds") or [] if repository in ecr._repositories else []:
            if ecr._find_image(repository, image) is None:
                wanted = ", ".join(f"{key}:'{image.get(key, 'null')}'" for key in ("imageDigest", "imageTag"))
                message = (
                    f"The image with imageId {{{wanted}}} does not exist within the repository with name"
                    f" '{repository}' in the registry with id '{os.environ['MINISTACK_ACCOUNT_ID']}'"
                )
                return responses.error_response_json("ImageNotFoundException", message, 400)
        return original(request)

    ecr._describe_images = describe
