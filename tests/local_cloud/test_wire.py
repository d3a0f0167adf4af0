import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local_cloud.authorization import Check, acting_as
from local_cloud.wire import JsonService, ServiceError


class Reader:
    """A principal who may do anything but create."""

    arn = "arn:aws:iam::000000000000:user/reader"

    def authorize(self, check: Check) -> None:
        if ":Create" in check.action:
            raise ServiceError("AccessDeniedException", f"not authorized to perform {check.action} on {check.resource}")


class Operations:
    """Answers two operations of SageMaker."""

    def __init__(self) -> None:
        self.requests: list[dict] = []

    def describe_training_job(self, request: dict) -> dict:
        self.requests.append(request)
        if request["TrainingJobName"] == "absent":
            raise ServiceError("ValidationException", "Requested resource not found.")
        if request["TrainingJobName"] == "bug":
            raise RuntimeError("a bug")
        return {
            "TrainingJobName": request["TrainingJobName"],
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
            "FailureReason": None,
            "OwnNote": "not in the model",
        }

    def create_model_package_group(self, request: dict) -> dict:
        self.requests.append(request)
        return {"ModelPackageGroupArn": "arn:x"}


@pytest.fixture
def operations() -> Operations:
    return Operations()


@pytest.fixture
def service(operations: Operations) -> Iterator[JsonService]:
    rules = {
        "DescribeTrainingJob": lambda request: [Check("sagemaker:DescribeTrainingJob", request["TrainingJobName"])],
        "CreateModelPackageGroup": lambda request: [Check("sagemaker:Create", request["ModelPackageGroupName"])],
    }
    served = JsonService(
        "sagemaker", operations, rules, also_required={"CreateModelPackageGroup": ["Tags"]},
        not_served={"CreateModelPackageGroup": ["ManagedConfiguration"]},
    )  # fmt: skip
    with acting_as(Reader()):
        yield served


def _ask(service: JsonService, operation: str, request: object) -> tuple[int, dict, dict]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    status, headers, answer = asyncio.run(service.handle({"x-amz-target": f"SageMaker.{operation}"}, body))
    return status, headers, json.loads(answer)


def test_an_answer_holds_what_the_model_has_and_nothing_else(service: JsonService) -> None:
    status, headers, answer = _ask(service, "DescribeTrainingJob", {"TrainingJobName": "a"})
    assert (status, headers["Content-Type"]) == (200, "application/x-amz-json-1.1")
    assert answer == {"TrainingJobName": "a", "CreationTime": 1767225600.0}


def test_an_unknown_member_of_a_request_is_passed_over_as_aws_does(
    service: JsonService, operations: Operations
) -> None:
    _ask(service, "DescribeTrainingJob", {"TrainingJobName": "a", "Later": 1})
    assert operations.requests == [{"TrainingJobName": "a"}]


def test_all_faults_of_a_request_are_named_at_once_in_aws_words(service: JsonService, operations: Operations) -> None:
    status, _, answer = _ask(service, "CreateModelPackageGroup", {
        "ModelPackageGroupName": "no_underscores", "Tags": [{"Key": "k"}], "ModelPackageGroupDescription": "x" * 1025,
    })  # fmt: skip
    assert status == 400
    assert answer["__type"] == "ValidationException"
    assert answer["message"].startswith("3 validation errors detected: ")
    assert "Value 'no_underscores' at 'modelPackageGroupName' failed to satisfy constraint: Member must satisfy regular" in answer["message"]  # fmt: skip  # noqa: E501
    assert (
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null" in answer["message"]
    )
    assert "'modelPackageGroupDescription' failed to satisfy constraint: Member must have length less" in answer["message"]  # fmt: skip  # noqa: E501
    assert operations.requests == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "NUMBER_VALUE can not be converted to a String"),
        (True, "TRUE_VALUE can not be converted to a String"),
        ([], "Start of list found where not expected"),
        ({}, "Start of structure or map found where not expected"),
    ],
)
def test_a_value_of_another_type_is_refused_in_aws_words_and_named(
    service: JsonService, value: object, message: str
) -> None:
    status, _, answer = _ask(service, "DescribeTrainingJob", {"TrainingJobName": value})
    assert (status, answer["__type"]) == (400, "SerializationException")
    assert answer["message"] == f"{message} ('trainingJobName')"


@pytest.mark.parametrize(
    ("length", "refused"), [(63, "AccessDenied"), (64, "Validation")], ids=["at the limit", "over"]
)
def test_a_limit_of_length_holds_on_its_boundary(service: JsonService, length: int, refused: str) -> None:
    group = {"ModelPackageGroupName": "a" * length, "Tags": []}
    _, _, answer = _ask(service, "CreateModelPackageGroup", group)
    assert answer["__type"] == f"{refused}Exception"


def test_what_iam_does_not_allow_is_not_done(service: JsonService, operations: Operations) -> None:
    status, _, answer = _ask(service, "CreateModelPackageGroup", {"ModelPackageGroupName": "a", "Tags": []})
    assert (status, answer["__type"]) == (400, "AccessDeniedException")
    assert answer["message"] == "not authorized to perform sagemaker:Create on a"
    assert operations.requests == []


def test_what_the_service_asks_for_beyond_its_model_is_missed_as_the_models_members_are(service: JsonService) -> None:
    _, _, answer = _ask(service, "CreateModelPackageGroup", {"ModelPackageGroupName": "a"})
    assert answer["message"].endswith("Value null at 'tags' failed to satisfy constraint: Member must not be null")


def test_a_member_that_does_nothing_here_is_refused_by_name(service: JsonService) -> None:
    request = {"ModelPackageGroupName": "a", "Tags": [], "ManagedConfiguration": {"ManagedStorageType": "Restricted"}}
    _, _, answer = _ask(service, "CreateModelPackageGroup", request)
    assert answer["message"] == "The local cloud does not serve ManagedConfiguration of CreateModelPackageGroup"


def test_a_refusal_carries_its_code_and_message(service: JsonService) -> None:
    status, headers, answer = _ask(service, "DescribeTrainingJob", {"TrainingJobName": "absent"})
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert answer == {"__type": "ValidationException", "message": "Requested resource not found."}


def test_a_bug_is_an_internal_failure_and_not_a_lost_connection(service: JsonService) -> None:
    status, _, answer = _ask(service, "DescribeTrainingJob", {"TrainingJobName": "bug"})
    assert (status, answer["__type"]) == (500, "InternalFailure")
    assert "sagemaker DescribeTrainingJob" in answer["message"]


def test_an_operation_that_is_not_served_is_told_apart_from_one_that_does_not_exist(service: JsonService) -> None:
    _, _, unserved = _ask(service, "CreateCluster", {})
    _, _, unknown = _ask(service, "MakeTea", {})
    assert unserved["message"].endswith("it serves: CreateModelPackageGroup, DescribeTrainingJob")
    assert unknown["message"] == "sagemaker has no operation 'MakeTea'"


def test_a_body_that_is_not_json_is_refused(service: JsonService) -> None:
    status, _, answer = _ask(service, "DescribeTrainingJob", b"{")
    assert (status, answer["__type"]) == (400, "SerializationException")
