import asyncio
import json
from datetime import UTC, datetime

import pytest

from local_cloud.wire import JsonService, ServiceError


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
def service(operations: Operations) -> JsonService:
    return JsonService("sagemaker", operations)


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
        "ModelPackageGroupName": "no_underscores", "Tags": [{"Key": "k"}], "ModelPackageGroupDescription": 3,
    })  # fmt: skip
    assert status == 400
    assert answer["__type"] == "ValidationException"
    assert answer["message"].startswith("3 validation errors detected: ")
    assert "Value 'no_underscores' at 'modelPackageGroupName' failed to satisfy constraint: Member must satisfy regular" in answer["message"]  # fmt: skip  # noqa: E501
    assert (
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null" in answer["message"]
    )
    assert "Value '3' at 'modelPackageGroupDescription' failed to satisfy constraint: Member must be a string" in answer["message"]  # fmt: skip  # noqa: E501
    assert operations.requests == []


@pytest.mark.parametrize(
    ("length", "accepted"), [(63, True), (64, False)], ids=["at the limit", "one more"]
)  # fmt: skip
def test_a_limit_of_length_holds_on_its_boundary(service: JsonService, length: int, accepted: bool) -> None:
    status, _, answer = _ask(service, "CreateModelPackageGroup", {"ModelPackageGroupName": "a" * length})
    assert (status == 200) is accepted
    if not accepted:
        assert "Member must have length less than or equal to 63" in answer["message"]


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
