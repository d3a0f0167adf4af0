"""Requests with one fault each, over every member of a request for every served operation.

The services are those that the server registers, read below the network: what breaks the model never gets to them.
"""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from fidelity_requests import OPERATIONS, REQUESTS
from fidelity_support import VALIDATION_CODES, Registered, listed_codes

from local_cloud.codebuild import unserved as codebuild_unserved
from local_cloud.codecommit import service as codecommit_service
from local_cloud.sagemaker import unserved as sagemaker_unserved
from local_cloud.validation import is_set
from local_cloud.wire import JsonService, ServiceError, service_model

LONGEST_TRIED = 3000
UNFIT = ("", " ", "!", "{", "a\nb", "-")
NOTHING = object()


@dataclass(frozen=True)
class Case:
    """A value that does not belong at a place of a request; NOTHING leaves the member out."""

    kind: str
    member: str
    place: tuple[Any, ...]
    value: Any


def cases(shape: Shape, value: Any, member: str = "", place: tuple[Any, ...] = ()) -> Iterator[Case]:
    """Every way to break what the model says of a value, and of what it holds."""
    if place:
        yield Case("wrong type", member, place, 7 if shape.type_name in ("string", "blob") else "text")
        yield from _bounds(shape, value, member, place)
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            inner = f"{member}.{name[0].lower()}{name[1:]}".lstrip(".")
            if name in shape.required_members:
                yield Case("missing", inner, (*place, name), NOTHING)
            yield from cases(shape.members[name], item, inner, (*place, name))
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from cases(shape.member, item, f"{member}.{number + 1}.member", (*place, number))
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from cases(shape.value, item, f"{member}.{key}", (*place, key))


def _bounds(shape: Shape, value: Any, member: str, place: tuple[Any, ...]) -> Iterator[Case]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    is_number = shape.type_name in ("integer", "long", "float", "double")
    if low:
        yield Case("too small", member, place, low - 1 if is_number else _shorter(value, low - 1))
    if high is not None and high <= LONGEST_TRIED:
        yield Case("too large", member, place, high + 1 if is_number else _longer(value, high + 1))
    if getattr(shape, "enum", None):
        yield Case("not of the enumeration", member, place, "NONE_OF_THEM")
    if pattern := shape.metadata.get("pattern"):
        unfit = next((text for text in UNFIT if not _matches(pattern, text)), None)
        if unfit is not None:
            yield Case("against the pattern", member, place, unfit)


def _matches(pattern: str, text: str) -> bool:
    if r"\p{" in pattern:  # of Java, judged below
        return True
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _shorter(value: Any, length: int) -> Any:
    return dict(list(value.items())[:length]) if isinstance(value, dict) else value[:length]


def _longer(value: Any, length: int) -> Any:
    if isinstance(value, dict):
        return {f"{number}": next(iter(value.values())) for number in range(length)}
    return ("x" if isinstance(value, str) else value[:1]) * length


def with_fault(request: dict[str, Any], case: Case) -> dict[str, Any]:
    request = copy.deepcopy(request)
    holder: Any = request
    for step in case.place[:-1]:
        holder = holder[step]
    if case.value is NOTHING:
        del holder[case.place[-1]]
    else:
        holder[case.place[-1]] = case.value
    return request


def refused(service: JsonService, operation: str, request: object) -> tuple[str, str]:
    """Code and message of the refusal; empty when the request is taken."""
    try:
        service.read(operation, request if isinstance(request, bytes) else json.dumps(request).encode())
    except ServiceError as error:
        return error.code, error.message
    return "", ""


def test_every_served_operation_has_a_request_here(added: Registered) -> None:
    ours = {name: service for name, service in added.services.items() if name in REQUESTS}
    assert {name: set(service.served_operations()) for name, service in ours.items()} == {
        name: set(requests) for name, requests in REQUESTS.items()
    }


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_one_fault_is_refused_with_the_services_code_and_the_members_place(
    added: Registered, name: str, operation: str
) -> None:
    service, request = added.services[name], REQUESTS[name][operation]
    model = service.model.operation_model(operation)
    assert refused(service, operation, request) == ("", "")
    wrong = []
    found = list(cases(model.input_shape, request))
    for case in found:
        code, message = refused(service, operation, with_fault(request, case))
        if case.kind == "wrong type":
            allowed = {"SerializationException"}
        elif name == "codecommit":
            allowed = listed_codes(model) | {"ValidationException"}
        else:
            allowed = {VALIDATION_CODES.get(name, "ValidationException")}
        if code not in allowed or f"'{case.member}'" not in message:
            wrong.append(f"{case.kind} at {case.member}: {code or 'taken'} {message}")
    assert not wrong
    assert found or not request


@pytest.mark.parametrize(
    ("operation", "changes", "code"),
    [
        ("CreateRepository", {"repositoryName": None}, "RepositoryNameRequiredException"),
        ("CreateRepository", {"repositoryName": "a/b"}, "InvalidRepositoryNameException"),
        ("CreateRepository", {"repositoryDescription": "x" * 1001}, "InvalidRepositoryDescriptionException"),
        ("CreateRepository", {"tags": {"k": "x" * 257}}, "InvalidTagsMapException"),
        ("CreateRepository", {"tags": {"x" * 129: "v"}}, "InvalidTagsMapException"),
        ("UpdateRepositoryName", {"newName": None}, "RepositoryNameRequiredException"),
        ("BatchGetRepositories", {"repositoryNames": None}, "RepositoryNamesRequiredException"),
        ("BatchGetRepositories", {"repositoryNames": ["a", "a b"]}, "InvalidRepositoryNameException"),
        ("GetBranch", {"repositoryName": None}, "RepositoryNameRequiredException"),
        ("GetBranch", {"branchName": None}, "BranchNameRequiredException"),
        ("UpdateDefaultBranch", {"defaultBranchName": ""}, "InvalidBranchNameException"),
        ("CreateBranch", {"commitId": None}, "CommitIdRequiredException"),
        ("GetDifferences", {"afterCommitSpecifier": None}, "CommitRequiredException"),
        ("GetFile", {"filePath": None}, "PathRequiredException"),
        ("GetFolder", {"folderPath": None}, "PathRequiredException"),
        ("ListRepositories", {"sortBy": "size"}, "InvalidSortByException"),
        ("ListRepositories", {"order": "up"}, "InvalidOrderException"),
        ("TagResource", {"tags": None}, "TagsMapRequiredException"),
        ("TagResource", {"resourceArn": None}, "ResourceArnRequiredException"),
        ("UntagResource", {"tagKeys": None}, "TagKeysListRequiredException"),
        ("UntagResource", {"tagKeys": [""]}, "InvalidTagKeysListException"),
        ("CreateCommit", {"branchName": "x" * 257}, "InvalidBranchNameException"),
        ("CreateCommit", {"putFiles": [{"filePath": "a", "fileMode": "0755"}]}, "InvalidFileModeException"),
        ("CreateCommit", {"setFileModes": [{"filePath": "a"}]}, "FileModeRequiredException"),
        ("CreateCommit", {"deleteFiles": [{}]}, "PathRequiredException"),
    ],
)
def test_codecommit_has_a_code_for_each_member(
    added: Registered, operation: str, changes: dict[str, Any], code: str
) -> None:
    service = added.services["codecommit"]
    assert code in listed_codes(service.model.operation_model(operation))
    assert refused(service, operation, REQUESTS["codecommit"][operation] | changes)[0] == code


@pytest.mark.parametrize(
    ("name", "operation", "request_", "member"),
    [
        ("codebuild", "RetryBuild", {}, "id"),
        ("codecommit", "GetBranch", {"branchName": "b"}, "repositoryName"),
        ("sagemaker", "CreateTrainingJob", {"AlgorithmSpecification": None}, "algorithmSpecification"),
    ],
)
def test_what_a_service_asks_for_beyond_its_model_is_asked_for(
    added: Registered, name: str, operation: str, request_: dict[str, Any], member: str
) -> None:
    request = REQUESTS[name][operation] | request_ if request_.values() == {None} else request_
    _, message = refused(added.services[name], operation, request)
    assert f"Value null at '{member}' failed to satisfy constraint: Member must not be null" in message


@pytest.mark.parametrize(
    ("value", "taken"),
    [("café 7", True), ("a_b.c:d/e=f+g-h@i", True), ("", True), ("a{b", False), ("a,b", False), ("a\tb", False)],
)
def test_java_classes_of_characters_are_read_as_java_reads_them(added: Registered, value: str, taken: bool) -> None:
    for operation, request in (
        ("AddTags", {"Tags": [{"Key": "k", "Value": value}]}),
        ("UpdateModelPackage", {"CustomerMetadataProperties": {"k": value or "x"}}),
    ):
        code, message = refused(added.services["sagemaker"], operation, REQUESTS["sagemaker"][operation] | request)
        assert code == ("" if taken else "ValidationException")
        assert taken or r"\p{L}" in message


def test_keys_of_a_map_are_held_to_their_model(added: Registered) -> None:
    request = REQUESTS["sagemaker"]["CreateTrainingJob"] | {"HyperParameters": {"k" * 257: "v"}}
    code, message = refused(added.services["sagemaker"], "CreateTrainingJob", request)
    assert code == "ValidationException"
    assert (
        "at 'hyperParameters' failed to satisfy constraint: Map keys must satisfy constraint: [Member must" in message
    )


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"MaxResults": NaN}', b'{"CreationTimeAfter": 1e20}',
     b'{"NameContains": "\\ud800"}', b'{"CreationTimeAfter": "yesterday"}', b'{"MaxResults": 1.5}'],
    ids=["unfinished", "list", "number", "not UTF-8", "deep", "NaN", "no time", "half a character", "text", "fraction"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_a_serialization_error(added: Registered, body: bytes) -> None:
    assert refused(added.services["sagemaker"], "ListModels", body)[0] == "SerializationException"


def _unserved() -> list[tuple[str, str, str]]:
    """Every member that is refused, as the services name it, read without registering them."""
    tables = {"codecommit": codecommit_service, "codebuild": codebuild_unserved, "sagemaker": sagemaker_unserved}
    return [
        (name, op, path) for name, module in tables.items() for op, paths in module.NOT_SERVED.items() for path in paths
    ]


@pytest.mark.parametrize(("name", "operation", "path"), _unserved())
def test_a_member_that_is_refused_is_one_of_the_model(name: str, operation: str, path: str) -> None:
    path, _, value = path.partition("=")
    shape: Any = service_model(name).operation_model(operation).input_shape
    for step in path.split("."):
        shape = (shape.member if isinstance(shape, ListShape) else shape).members[step]
    assert not value or value in shape.enum


@pytest.mark.parametrize(
    ("name", "operation", "changes", "named"),
    [
        ("codecommit", "CreateCommit", {"keepEmptyFolders": True}, "keepEmptyFolders"),
        ("codecommit", "CreateCommit", {"putFiles": [{"filePath": "a", "sourceFile": {"filePath": "b"}}]},
         "putFiles.sourceFile"),
        ("codebuild", "StartBuild", {"debugSessionEnabled": True, "fleetOverride": {}}, "debugSessionEnabled"),
        ("codebuild", "CreateProject", {"logsConfig": {"s3Logs": {"status": "ENABLED", "location": "b"}}},
         "logsConfig.s3Logs.status=ENABLED"),
        ("codebuild", "UpdateProject", {"concurrentBuildLimit": 1}, "concurrentBuildLimit"),
        ("sagemaker", "CreateTrainingJob", {"CheckpointConfig": {"S3Uri": "s3://b/k"}, "RetryStrategy":
         {"MaximumRetryAttempts": 1}}, "CheckpointConfig, RetryStrategy"),
        ("sagemaker", "CreateEndpointConfig", {"EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
        ("sagemaker", "ListModelPackageGroups", {"CrossAccountFilterOption": "CrossAccount"}, "=CrossAccount"),
    ],
)  # fmt: skip
def test_a_member_that_would_do_nothing_here_is_refused_by_name(
    added: Registered, name: str, operation: str, changes: dict[str, Any], named: str
) -> None:
    code, message = refused(added.services[name], operation, REQUESTS[name][operation] | changes)
    assert code == VALIDATION_CODES.get(name, "ValidationException")
    assert message.startswith("The local cloud does not serve ")
    assert named in message


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        ({}, False), ({"A": {}}, False), ({"A": {"B": False}}, False), ({"A": {"B": []}}, False),
        ({"A": [{"B": 0}, {"B": 1}]}, True), ({"A": {"B": "x"}}, True), ({"B": "x"}, False), ({"A": "B"}, False),
    ],
)  # fmt: skip
def test_a_member_is_asked_for_when_it_is_neither_absent_false_zero_nor_empty(
    request_: dict[str, Any], asked: bool
) -> None:
    assert is_set(request_, "A.B") is asked
    assert is_set(request_, "A.B=x") is (request_ == {"A": {"B": "x"}})
