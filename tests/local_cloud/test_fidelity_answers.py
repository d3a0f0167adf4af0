"""Every served operation, answered at least once: `conformity` holds each answer to the operation's model."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from codepipeline_support import PipelineUnderTest, approval, stage
from conformity import ADDED, NonconformityError, faults
from eventually import eventually
from fidelity_support import HARMLESS, Registered, pages, succeeded
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

from local_cloud.wire import service_model

JUNIT = (
    "<testsuite><testcase name='good' classname='c'/><testcase name='bad'><failure>no</failure></testcase></testsuite>"
)
COVERAGE = (
    "<coverage lines-covered='1' lines-valid='2' line-rate='0.5' branch-rate='0'><packages><package><classes>"
    "<class filename='a.py' line-rate='0.5'><lines><line number='1' hits='1'/><line number='2' hits='0'/></lines>"
    "</class>"
    "<class filename='b.py' line-rate='1'><lines><line number='1' hits='1'/></lines></class>"
    "</classes></package></packages></coverage>"
)
BUILDSPEC = json.dumps({
    "version": "0.2",
    "phases": {"build": {"commands": [f"printf %s \"{JUNIT}\" >j.xml", f"printf %s \"{COVERAGE}\" >c.xml"]}},
    "reports": {"tests": {"files": ["j.xml"]}, "coverage": {"files": ["c.xml"], "file-format": "COBERTURAXML"}},
})  # fmt: skip


def test_codecommit_answers_every_served_operation_by_its_model(cloud_server: CloudServer, added: Registered) -> None:
    client = cloud_server.client("codecommit")
    done = succeeded(client)
    name = f"answers-{uuid.uuid4().hex[:8]}"
    made = client.create_repository(repositoryName=name, repositoryDescription="d", tags={"k": "v"}, kmsKeyId="alias/a")
    files = [{"filePath": path, "fileContent": b"x"} for path in ("a", "folder/b", "folder/c")]
    first = client.create_commit(repositoryName=name, branchName="main", putFiles=files)["commitId"]
    second = client.create_commit(
        repositoryName=name, branchName="main", parentCommitId=first, deleteFiles=[{"filePath": "a"}],
        setFileModes=[{"filePath": "folder/b", "fileMode": "EXECUTABLE"}],
    )["commitId"]  # fmt: skip
    client.create_branch(repositoryName=name, branchName="side", commitId=first)
    client.update_default_branch(repositoryName=name, defaultBranchName="side")
    client.update_default_branch(repositoryName=name, defaultBranchName="main")
    assert client.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == second
    assert client.get_commit(repositoryName=name, commitId=second)["commit"]["parents"] == [first]
    assert client.get_file(repositoryName=name, filePath="folder/b")["fileMode"] == "EXECUTABLE"
    assert len(client.get_folder(repositoryName=name, folderPath="/")["subFolders"]) == 1
    compared = {"repositoryName": name, "beforeCommitSpecifier": first, "afterCommitSpecifier": "refs/heads/main"}
    assert len(pages(client.get_differences, "differences", compared, ("MaxResults", "NextToken"))) == 2
    limited = client.get_differences(**compared, beforePath="folder", afterPath="folder")["differences"]
    assert [one["afterBlob"]["path"] for one in limited] == ["folder/b"]
    client.update_repository_description(repositoryName=name, repositoryDescription="e")
    client.update_repository_encryption_key(repositoryName=name, kmsKeyId="alias/b")
    arn = made["repositoryMetadata"]["Arn"]
    client.tag_resource(resourceArn=arn, tags={"l": "w"})
    client.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": "w"}
    client.batch_get_repositories(repositoryNames=[name, "nowhere"])
    client.list_branches(repositoryName=name)
    _review(client, name, first, second)
    client.delete_branch(repositoryName=name, branchName="side")
    client.update_repository_name(oldName=name, newName=f"{name}-renamed")
    client.get_repository(repositoryName=f"{name}-renamed")
    client.list_repositories(sortBy="lastModifiedDate", order="descending")
    client.delete_repository(repositoryName=f"{name}-renamed")
    assert done == set(added.services["codecommit"].served_operations())


def _review(client: Any, name: str, base: str, tip: str) -> None:
    """A pull request of main to side, from its title to its merge."""
    target = {"repositoryName": name, "sourceReference": "main", "destinationReference": "side"}
    made = client.create_pull_request(title="t", description="d", targets=[target], clientRequestToken=name)
    number = {"pullRequestId": made["pullRequest"]["pullRequestId"]}
    client.update_pull_request_title(**number, title="u")
    client.update_pull_request_description(**number, description="e")
    commits = {"repositoryName": name, "beforeCommitId": base, "afterCommitId": tip}
    posted = [client.post_comment_for_pull_request(**number, **commits, content=text)["comment"] for text in "xy"]
    client.update_comment(commentId=posted[0]["commentId"], content="z")
    client.get_comment(commentId=posted[0]["commentId"])
    client.delete_comment_content(commentId=posted[1]["commentId"])
    assert len(pages(client.get_comments_for_pull_request, "commentsForPullRequestData", number)) == 2
    other = client.create_pull_request(title="t", targets=[target])["pullRequest"]["pullRequestId"]
    client.update_pull_request_status(pullRequestId=other, pullRequestStatus="CLOSED")
    assert len(pages(client.list_pull_requests, "pullRequestIds", {"repositoryName": name})) == 2
    client.merge_pull_request_by_fast_forward(**number, repositoryName=name)
    assert client.get_pull_request(**number)["pullRequest"]["pullRequestStatus"] == "CLOSED"


def test_codebuild_answers_every_served_operation_by_its_model(cloud_server: CloudServer, added: Registered) -> None:
    client = cloud_server.client("codebuild")
    done = succeeded(client)
    name = f"answers-{uuid.uuid4().hex[:8]}"
    client.create_project(
        name=name, source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=make_role(cloud_server, "codebuild", EVERYTHING),
    )  # fmt: skip
    build_id = client.start_build(projectName=name, idempotencyToken=name)["build"]["id"]
    assert client.start_build(projectName=name, idempotencyToken=name)["build"]["id"] == build_id
    client.stop_build(id=client.start_build(projectName=name, buildspecOverride=_sleeping())["build"]["id"])
    build = eventually(
        lambda: (found := client.batch_get_builds(ids=[build_id])["builds"][0])["buildComplete"] and found
    )
    assert (build["buildStatus"], len(build["reportArns"])) == ("SUCCEEDED", 2), build["phases"]
    tests, coverage = build["reportArns"]
    assert len(pages(client.describe_test_cases, "testCases", {"reportArn": tests})) == 2
    assert len(pages(client.describe_code_coverages, "codeCoverages", {"reportArn": coverage})) == 2
    for operation, report in ((client.describe_test_cases, tests), (client.describe_code_coverages, coverage)):
        with pytest.raises(client.exceptions.InvalidInputException, match="nextToken 'broken' was not given out"):
            operation(reportArn=report, nextToken="broken")
    with pytest.raises(client.exceptions.InvalidInputException, match="is of type TEST, not CODE_COVERAGE"):
        client.describe_code_coverages(reportArn=tests)
    reports = client.batch_get_reports(reportArns=[*build["reportArns"], "absent"])
    assert (len(reports["reports"]), reports["reportsNotFound"]) == (2, ["absent"])
    group = reports["reports"][0]["reportGroupArn"]
    assert pages(client.list_reports_for_report_group, "reports", {"reportGroupArn": group}) == [tests]
    assert set(build["reportArns"]) <= set(pages(client.list_reports, "reports", {}))
    assert group in pages(client.list_report_groups, "reportGroups", {})
    client.batch_get_report_groups(reportGroupArns=[group])
    client.update_report_group(arn=group, tags=[{"key": "k", "value": "v"}])
    again = client.retry_build(id=build_id, idempotencyToken=f"{name}-again")["build"]["id"]
    assert client.retry_build(id=build_id, idempotencyToken=f"{name}-again")["build"]["id"] == again
    assert name in client.list_projects(sortBy="CREATED_TIME", sortOrder="DESCENDING")["projects"]
    assert len(client.list_builds_for_project(projectName=name)["ids"]) == 3
    client.list_builds(sortOrder="ASCENDING")
    client.update_project(name=name, description="d")
    client.batch_get_projects(names=[name])
    made = client.create_report_group(name=name, type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"})
    client.delete_report_group(arn=made["reportGroup"]["arn"])
    client.delete_report(arn=tests)
    client.batch_delete_builds(ids=[build_id, again])
    client.delete_project(name=name)
    assert done == set(added.services["codebuild"].served_operations())


def _sleeping() -> str:
    return json.dumps({"version": "0.2", "phases": {"build": {"commands": ["sleep 60"]}}})


def test_codepipeline_answers_every_served_operation_by_its_model(cloud_server: CloudServer, added: Registered) -> None:
    pipeline = PipelineUnderTest(cloud_server)
    client, name = pipeline.client, {"pipelineName": pipeline.name}
    done = succeeded(client)
    first = pipeline.create(stage("Review", approval("Person")))
    pipeline.answer("Review", "Person", "Rejected")
    assert pipeline.ended(first) == "Failed"
    retried = {"stageName": "Review", "pipelineExecutionId": first, "retryMode": "FAILED_ACTIONS"}
    client.retry_stage_execution(**name, **retried)
    second = pipeline.start(clientRequestToken="once")
    assert pipeline.start(clientRequestToken="once") == second
    transition = {"stageName": "Review", "transitionType": "Inbound"}
    client.disable_stage_transition(**name, **transition, reason="because")
    client.get_pipeline_state(name=pipeline.name)
    client.enable_stage_transition(**name, **transition)
    client.stop_pipeline_execution(**name, pipelineExecutionId=first, abandon=True, reason="enough")
    eventually(lambda: pipeline.status(first) == "Stopped")
    declared = client.get_pipeline(name=pipeline.name)
    client.update_pipeline(pipeline=declared["pipeline"])
    arn = declared["metadata"]["pipelineArn"]
    client.tag_resource(resourceArn=arn, tags=[{"key": "k", "value": "v"}, {"key": "l", "value": "w"}])
    assert len(pages(client.list_tags_for_resource, "tags", {"resourceArn": arn})) == 2
    client.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert len(pages(client.list_pipeline_executions, "pipelineExecutionSummaries", name)) == 2
    assert len(pages(client.list_action_executions, "actionExecutionDetails", name)) >= 3
    assert pipeline.name in [one["name"] for one in pages(client.list_pipelines, "pipelines", {})]
    client.delete_pipeline(name=pipeline.name)
    assert done == set(added.services["codepipeline"].served_operations())


@pytest.mark.parametrize(
    ("operation", "document", "fault"),
    [
        ("GetBranch", {"branch": {"branchName": 7}}, "GetBranch.branch.branchName must be a string, got 7"),
        ("GetBranch", {"branch": {"branchName": "x" * 257}}, "must be from 1 to 256, is 257"),
        ("GetBranch", {"branch": {"tip": "x"}}, "GetBranch.branch.tip is not of the model"),
        ("GetBranch", {"branch": []}, "GetBranch.branch must be a structure, got []"),
        ("ListBranches", {"branches": {"main": 1}}, "ListBranches.branches[0] must be a string, got {'main': 1}"),
        ("ListTagsForResource", {"tags": {"k": None}}, "ListTagsForResource.tags.k must be a string, got None"),
        ("GetFile", {"commitId": "c"}, "GetFile.blobId is missing"),
        ("CreateBranch", {"branch": "main"}, "CreateBranch answers nothing by its model"),
    ],
)
def test_an_answer_against_its_model_is_noticed(operation: str, document: dict[str, Any], fault: str) -> None:
    model = service_model("codecommit").operation_model(operation)
    assert any(fault in found for found in faults(model.output_shape, document, operation))


@pytest.mark.parametrize("name", ADDED)
def test_the_clients_of_these_tests_hold_every_answer_to_its_model(cloud_server: CloudServer, name: str) -> None:
    client = cloud_server.client(name)
    client.meta.events.register_first("before-parse", _spoil)
    with pytest.raises(NonconformityError, match="the model has no error Spoiled"):
        getattr(client, HARMLESS[name])()


def _spoil(response_dict: dict[str, Any], **_: Any) -> None:
    response_dict |= {"status_code": 400, "body": b'{"__type": "Spoiled"}'}


def test_an_answer_is_an_error_of_boto3_too(cloud_server: CloudServer) -> None:
    with pytest.raises(ClientError) as caught:
        cloud_server.client("codebuild").stop_build(id="absent:1")
    error: dict[str, Any] = dict(caught.value.response["Error"])
    assert error == {"Code": "ResourceNotFoundException", "Message": "Build absent:1 cannot be found"}
