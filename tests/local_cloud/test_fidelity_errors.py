"""What is answered to requests about things that do not exist, and to requests that no client would send."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from conformity import GENERAL_CODES
from fidelity_requests import (
    COMMENT,
    COMMIT,
    DECLARATION,
    EXECUTION,
    OPERATIONS,
    PULL_REQUEST,
    REQUESTS,
    refusal,
)
from fidelity_support import RawService, Registered, listed_codes
from local_cloud_server import CloudServer

from local_cloud.wire import ServiceError, service_model

HOSTILE = ("a\0b", "../../etc/passwd", "--help", "a\nb é🙂", "x" * 20_000)
DESTROYING = ("Delete", "BatchDelete", "UpdateRepositoryName", "StopPipelineExecution", "CreatePipeline")


@pytest.fixture(scope="module")
def services(cloud_server: CloudServer) -> dict[str, RawService]:
    return {name: RawService(cloud_server, name) for name in REQUESTS}


@pytest.fixture(scope="module")
def present(cloud_server: CloudServer) -> dict[str, Any]:
    """The requests, about things that do exist."""
    codecommit, codepipeline = cloud_server.client("codecommit"), cloud_server.client("codepipeline")
    sagemaker = cloud_server.client("sagemaker")
    codecommit.create_repository(repositoryName="fidelity")
    files = [{"filePath": path, "fileContent": b"x"} for path in ("p", "d", "m", "folder/file")]
    commit = codecommit.create_commit(repositoryName="fidelity", branchName="main", putFiles=files)["commitId"]
    codepipeline.create_pipeline(pipeline=DECLARATION | {"name": "fidelity"})
    for branch in ("b", "c"):
        codecommit.create_branch(repositoryName="fidelity", branchName=branch, commitId=commit)
    number, comment = reviewed(codecommit, commit)
    executions = codepipeline.list_pipeline_executions(pipelineName="fidelity")["pipelineExecutionSummaries"]
    group = {"name": "fidelity", "type": "TEST", "exportConfig": {"exportConfigType": "NO_EXPORT"}}
    cloud_server.client("codebuild").create_report_group(**group)
    sagemaker.create_model_package_group(ModelPackageGroupName="fidelity")
    sagemaker.create_model_package(ModelPackageGroupName="fidelity")
    text = json.dumps(REQUESTS).replace("absent", "fidelity").replace(COMMIT, commit)
    text = text.replace(PULL_REQUEST, number).replace(COMMENT, comment)
    found: dict[str, Any] = json.loads(text.replace(EXECUTION, executions[0]["pipelineExecutionId"]))
    return found


def reviewed(codecommit: Any, base: str) -> tuple[str, str]:
    """A pull request with a comment: the number of the one and the id of the other."""
    files = [{"filePath": "p", "fileContent": b"y"}]
    codecommit.create_branch(repositoryName="fidelity", branchName="review", commitId=base)
    on_review = {"repositoryName": "fidelity", "branchName": "review", "parentCommitId": base}
    tip = codecommit.create_commit(**on_review, putFiles=files)["commitId"]
    target = {"repositoryName": "fidelity", "sourceReference": "review", "destinationReference": "main"}
    number = codecommit.create_pull_request(title="t", targets=[target])["pullRequest"]["pullRequestId"]
    posted = codecommit.post_comment_for_pull_request(
        pullRequestId=number, repositoryName="fidelity", beforeCommitId=base, afterCommitId=tip, content="c"
    )["comment"]
    return number, posted["commentId"]


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_a_thing_that_does_not_exist_is_refused_with_a_code_of_the_operations_model(
    services: dict[str, RawService], name: str, operation: str
) -> None:
    service, expected = services[name], refusal(name, operation)
    answer = service.call(operation, REQUESTS[name][operation])
    assert (answer.code, answer.status) == (expected, 400 if expected else 200), answer.message
    # SageMaker answers so for most of its resources, and says it in the message (github.com/aws/aws-sdk/issues/165)
    general = {"ValidationException"} if name == "sagemaker" else set()
    assert not expected or expected in listed_codes(service.model.operation_model(operation)) | general


@pytest.mark.parametrize(("name", "operation"), [pair for pair in OPERATIONS if not pair[1].startswith(DESTROYING)])
def test_hostile_text_that_the_model_allows_is_no_internal_failure(
    services: dict[str, RawService], added: Registered, present: dict[str, Any], name: str, operation: str
) -> None:
    service = services[name]
    allowed = listed_codes(service.model.operation_model(operation)) | GENERAL_CODES | {""}
    bad = []
    for place in texts(present[name][operation]):
        for text in HOSTILE:
            request = replaced(present[name][operation], place, text)
            if not taken(added, name, operation, request):
                continue
            answer = service.call(operation, request)
            if answer.status >= 500 or answer.code not in allowed:
                bad.append((place, text[:20], answer.code, answer.message))
    assert not bad


def texts(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all texts in a request."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(item, (*place, key))


def replaced(request: dict[str, Any], place: tuple[Any, ...], text: str) -> dict[str, Any]:
    request = copy.deepcopy(request)
    holder: Any = request
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = text
    return request


def taken(added: Registered, name: str, operation: str, request: dict[str, Any]) -> bool:
    """Whether a request satisfies the model."""
    try:
        added.services[name].read(operation, json.dumps(request).encode())
    except ServiceError:
        return False
    return True


_TOKEN_CODES = {
    "codecommit": "InvalidContinuationTokenException",
    "codebuild": "InvalidInputException",
    "codepipeline": "InvalidNextTokenException",
}
_OF_PAGES = [
    (name, operation)
    for name, operation in OPERATIONS
    if name in _TOKEN_CODES
    and operation not in ("DescribeTestCases", "DescribeCodeCoverages", "ListBuildsForProject")  # of things not here
    and {"nextToken", "NextToken"} & service_model(name).operation_model(operation).input_shape.members.keys()
]


@pytest.mark.parametrize("token", ["broken", "-1", "1" * 5000, "é"])
@pytest.mark.parametrize(("name", "operation"), _OF_PAGES)
def test_a_token_that_no_list_has_given_out_is_refused(
    services: dict[str, RawService], present: dict[str, Any], name: str, operation: str, token: str
) -> None:
    service, request = services[name], present[name][operation]
    model = service.model.operation_model(operation)
    member = "nextToken" if "nextToken" in model.input_shape.members else "NextToken"
    answer = service.call(operation, request | {member: token})
    code = _TOKEN_CODES[name] if _TOKEN_CODES[name] in listed_codes(model) else "ValidationException"
    assert answer.code in (code, "ValidationException" if len(token) > 1000 else code), answer.message


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[1]", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b"", ""),
        (b"{}", ""),
        (b'{"SomethingNewer": {"a": 1}}', ""),
    ],
    ids=["unfinished", "a list", "not UTF-8", "no body", "empty", "a member of a later model"],
)
def test_a_body_is_read_as_aws_reads_it(services: dict[str, RawService], name: str, body: bytes, code: str) -> None:
    harmless = next(operation for operation in REQUESTS[name] if operation in _WITHOUT_REQUIRED_MEMBERS)
    answer = services[name].call(harmless, body)
    assert (answer.code, answer.status) == (code, 400 if code else 200)


_WITHOUT_REQUIRED_MEMBERS = ("ListRepositories", "ListBuilds", "ListPipelines", "ListModels")


@pytest.mark.parametrize("name", REQUESTS)
def test_an_operation_that_is_unknown_or_not_served_is_told_apart(services: dict[str, RawService], name: str) -> None:
    service = services[name]
    unserved = next(operation for operation in service.model.operation_names if operation not in REQUESTS[name])
    answers = service.call(unserved, {}), service.call("MakeTea", {})
    assert [answer.code for answer in answers] == ["UnknownOperationException"] * 2
    assert answers[0].message.startswith(f"The local cloud does not serve {name} {unserved}; it serves: ")
    assert answers[0].message.endswith(", ".join(REQUESTS[name]))
    assert answers[1].message == f"{name} has no operation 'MakeTea'"


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("target", [None, "", "Nobody_20000101.ListModels"], ids=["none", "empty", "of nobody"])
def test_a_request_without_a_target_of_the_service_is_refused(
    services: dict[str, RawService], name: str, target: str | None
) -> None:
    answer = services[name].send(target, {})
    assert 400 <= answer.status < 500
    assert answer.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("operation", "changes", "code"),
    [
        ("GetFile", {"filePath": "/"}, "PathRequiredException"),
        ("GetFile", {"filePath": "folder"}, "FileDoesNotExistException"),
        ("GetFile", {"filePath": "a/../p"}, "InvalidPathException"),
        ("GetFile", {"filePath": "none"}, "FileDoesNotExistException"),
        ("GetFile", {"commitSpecifier": "HEAD~1"}, "CommitDoesNotExistException"),
        ("GetFile", {"commitSpecifier": "0123456"}, "CommitDoesNotExistException"),
        ("GetFile", {"commitSpecifier": ""}, "InvalidCommitException"),
        ("GetFolder", {"folderPath": "none"}, "FolderDoesNotExistException"),
        ("GetDifferences", {"afterPath": "p", "beforePath": "d"}, "ValidationException"),
        ("GetDifferences", {"afterPath": "none", "beforePath": "none"}, "PathDoesNotExistException"),
        ("GetDifferences", {"MaxResults": 0}, "InvalidMaxResultsException"),
        ("CreateBranch", {"commitId": "main"}, "InvalidCommitIdException"),
        ("CreateBranch", {"branchName": "0" * 40}, "InvalidBranchNameException"),
        ("CreateCommit", {"putFiles": [{"filePath": "/", "fileContent": ""}]}, "PathRequiredException"),
        ("CreateCommit", {"putFiles": [{"filePath": "a/.git/b", "fileContent": ""}]}, "InvalidPathException"),
        ("CreateCommit", {"putFiles": [{"filePath": "p"}]}, "SourceFileOrContentRequiredException"),
        ("CreateCommit", {"putFiles": [{"filePath": "p/q", "fileContent": ""}]},
         "DirectoryNameConflictsWithFileNameException"),
        ("CreateCommit", {"putFiles": [{"filePath": "folder", "fileContent": ""}]},
         "FileNameConflictsWithDirectoryNameException"),
        ("CreateCommit", {"putFiles": [{"filePath": "n", "fileContent": ""}, {"filePath": "n/o", "fileContent": ""}]},
         "PutFileEntryConflictException"),
        ("CreateCommit", {"deleteFiles": [{"filePath": "m"}]}, "SamePathRequestException"),
        ("CreateCommit", {"authorName": "."}, "ValidationException"),
        ("CreateCommit", {"email": "a\0b"}, "InvalidEmailException"),
        ("CreateCommit", {"commitMessage": "x" * (256 * 1024 + 1)}, "CommitMessageLengthExceededException"),
        ("TagResource", {"tags": {"aws:x": "v"}}, "InvalidSystemTagUsageException"),
        ("TagResource", {"tags": {str(n): "v" for n in range(51)}}, "TooManyTagsException"),
        ("BatchGetRepositories", {"repositoryNames": ["a"] * 101}, "MaximumRepositoryNamesExceededException"),
    ],
)  # fmt: skip
def test_codecommit_refuses_what_aws_refuses_with_its_code(
    services: dict[str, RawService], present: dict[str, Any], operation: str, changes: dict[str, Any], code: str
) -> None:
    at_its_tip = {"branchName": "c"} if operation == "CreateCommit" else {}
    answer = services["codecommit"].call(operation, present["codecommit"][operation] | at_its_tip | changes)
    assert (answer.code, answer.status) == (code, 400), answer.message


@pytest.mark.parametrize(("size", "code"), [(6 * 2**20, ""), (6 * 2**20 + 1, "FileContentSizeLimitExceededException")])
def test_a_file_of_a_commit_has_a_largest_size(cloud_server: CloudServer, size: int, code: str) -> None:
    codecommit = cloud_server.client("codecommit")
    name = f"fidelity-of-{size}"
    codecommit.create_repository(repositoryName=name)
    files = [{"filePath": "large", "fileContent": b"x" * size}]
    try:
        codecommit.create_commit(repositoryName=name, branchName="main", putFiles=files)
    except codecommit.exceptions.FileContentSizeLimitExceededException:
        assert code
    else:
        assert not code
        assert len(codecommit.get_file(repositoryName=name, filePath="large")["fileContent"]) == size
