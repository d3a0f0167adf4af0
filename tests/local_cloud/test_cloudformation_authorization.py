"""What CloudFormation asks IAM for, as whoever makes a stack, before our services' resources come, change and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import codebuild, codecommit, codepipeline
from local_cloud.authorization import Check, acting_as
from local_cloud.store import Store
from local_cloud.wire import ServiceError

PLACE = "eu-west-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/service"
CALLER = "arn:aws:sts::111122223333:assumed-role/deploy/AWSCloudFormation"
TAGS = [{"Key": "team", "Value": "taxi"}]

REPOSITORY = {"RepositoryName": "taxi", "Tags": TAGS}
PROJECT = {
    "Name": "taxi", "ServiceRole": ROLE, "Artifacts": {"Type": "NO_ARTIFACTS"},
    "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
    "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "standard:7.0"},
}  # fmt: skip
GROUP = {"Name": "taxi", "Type": "TEST", "ExportConfig": {"ExportConfigType": "NO_EXPORT"}}


def action(name: str, category: str, provider: str, **members: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "ActionTypeId": kind, **members}


SOURCE = action(
    "Source", "Source", "CodeCommit", OutputArtifacts=[{"Name": "Source"}],
    Configuration={"RepositoryName": "taxi", "BranchName": "main"},
)  # fmt: skip
PIPELINE = {
    "Name": "taxi", "RoleArn": ROLE, "ArtifactStore": {"Type": "S3", "Location": "bucket"},
    "Stages": [
        {"Name": "Source", "Actions": [SOURCE]},
        {"Name": "Approve", "Actions": [action("Review", "Approval", "Manual")]},
    ],
}  # fmt: skip
CLOSED = {"DisableInboundStageTransitions": [{"StageName": "Approve", "Reason": "freeze"}]}

Asked = list[str]
"""An action, the last part of its resource and, of a role, the service that it is passed to."""

# By type: the properties, and what their creation asks; the properties changed, and what that asks; what deletion asks.
CASES: dict[str, tuple[dict[str, Any], Asked, dict[str, Any], Asked, Asked]] = {
    "AWS::CodeCommit::Repository": (
        REPOSITORY, ["codecommit:CreateRepository taxi", "codecommit:TagResource taxi"],
        {"RepositoryName": "flights", "RepositoryDescription": "d", "KmsKeyId": "alias/k",
         "Tags": [{"Key": "owner", "Value": "me"}]},
        ["codecommit:UpdateRepositoryName taxi", "codecommit:UpdateRepositoryDescription flights",
         "codecommit:UpdateRepositoryEncryptionKey flights", "codecommit:UntagResource flights",
         "codecommit:TagResource flights"],
        ["codecommit:DeleteRepository flights"],
    ),
    "AWS::CodeBuild::Project": (
        PROJECT, ["codebuild:CreateProject project/taxi", "iam:PassRole role/service codebuild.amazonaws.com"],
        {**PROJECT, "Description": "d"},
        ["codebuild:UpdateProject project/taxi", "iam:PassRole role/service codebuild.amazonaws.com"],
        ["codebuild:DeleteProject project/taxi"],
    ),
    "AWS::CodeBuild::ReportGroup": (
        GROUP, ["codebuild:CreateReportGroup report-group/taxi"],
        {**GROUP, "Tags": TAGS}, ["codebuild:UpdateReportGroup report-group/taxi"],
        ["codebuild:DeleteReportGroup report-group/taxi"],
    ),
    "AWS::CodePipeline::Pipeline": (
        {**PIPELINE, **CLOSED, "Tags": TAGS},
        ["codepipeline:CreatePipeline taxi", "codepipeline:TagResource taxi",
         "iam:PassRole role/service codepipeline.amazonaws.com", "codepipeline:DisableStageTransition taxi/Approve"],
        {**PIPELINE, "Tags": [{"Key": "owner", "Value": "me"}], "RestartExecutionOnUpdate": "true"},
        ["codepipeline:UpdatePipeline taxi", "iam:PassRole role/service codepipeline.amazonaws.com",
         "codepipeline:UntagResource taxi", "codepipeline:TagResource taxi",
         "codepipeline:StartPipelineExecution taxi"],
        ["codepipeline:DeletePipeline taxi"],
    ),
}  # fmt: skip


class Caller:
    """A principal that may do everything but `refused`, and remembers what it was asked for."""

    arn = CALLER

    def __init__(self, refused: str = "") -> None:
        self.asked: Asked = []
        self._refused = refused

    def authorize(self, check: Check) -> None:
        passed = str(check.context.get("iam:PassedToService", ""))
        question = f"{check.action} {check.resource.rpartition(':')[2]} {passed}".rstrip()
        if question == self._refused:
            raise ServiceError("AccessDeniedException", question)
        self.asked.append(question)


class Handlers(dict[str, Any]):
    """A platform that keeps what is added for CloudFormation, by type."""

    def add_resource(self, type_name: str, handler: Any) -> None:
        self[type_name] = handler

    def add_anything_else(self, *arguments: Any) -> None:
        """Nothing."""

    add_service = add_route = add_signed_route = add_event_target = add_anything_else


@pytest.fixture
def handlers(tmp_path: Path) -> Iterator[Handlers]:
    def nothing(*arguments: Any) -> None:
        """Neither events nor background work."""

    store, found = Store(tmp_path / "state.db"), Handlers()
    region, account_id = PLACE.split(":")
    cloud: Any = SimpleNamespace(
        region=region, account_id=account_id, endpoint_url="https://127.0.0.1", state_dir=tmp_path, store=store,
        publish=nothing, background=nothing, on_behalf_of=lambda source_arn: cloud,
    )  # fmt: skip
    for service in (codecommit, codebuild, codepipeline):
        service.register(cloud, found)  # type: ignore[arg-type]
    yield found
    store.close()


@contextmanager
def asks(*questions: str) -> Iterator[None]:
    caller = Caller()
    with acting_as(caller):
        yield
    assert caller.asked == list(questions)


@pytest.mark.parametrize("kind", CASES)
def test_a_resource_asks_for_each_operation_that_makes_changes_and_deletes_it(handlers: Handlers, kind: str) -> None:
    before, creating, after, changing, deleting = CASES[kind]
    handler = handlers[kind]
    with asks(*creating):
        physical_id, _ = handler.create("Logical", before, "stack")
    with asks(*changing):
        handler.update(physical_id, before, after)
    with asks(*deleting):
        handler.delete(physical_id, after)


@pytest.mark.parametrize(("kind", "refused"), [(kind, one) for kind in CASES for one in CASES[kind][1]])
def test_what_may_not_be_made_is_not_there_afterwards(handlers: Handlers, kind: str, refused: str) -> None:
    before, creating, *_ = CASES[kind]
    with acting_as(Caller(refused)), pytest.raises(ServiceError, match=refused):
        handlers[kind].create("Logical", before, "stack")
    with asks(*creating):
        handlers[kind].create("Logical", before, "stack")


@pytest.mark.parametrize(
    ("kind", "refused"), [(kind, CASES[kind][part][0]) for kind in CASES for part in (3, 4)]
)  # fmt: skip
def test_a_refused_change_or_deletion_is_an_error(handlers: Handlers, kind: str, refused: str) -> None:
    before, _, after, *_ = CASES[kind]
    handler = handlers[kind]
    with acting_as(Caller()):
        physical_id, _ = handler.create("Logical", before, "stack")
    with acting_as(Caller(refused)), pytest.raises(ServiceError, match=refused):
        handler.update(physical_id, before, after)
        handler.delete(physical_id, after)


@pytest.mark.parametrize("kind", CASES)
def test_an_update_that_changes_nothing_beside_the_definition_asks_for_nothing_else(
    handlers: Handlers, kind: str
) -> None:
    before, *_ = CASES[kind]
    caller = Caller()
    with acting_as(Caller()):
        physical_id, _ = handlers[kind].create("Logical", before, "stack")
    with acting_as(caller):
        handlers[kind].update(physical_id, before, before)
    operations = {question.partition(" ")[0].partition(":")[2] for question in caller.asked}
    assert operations <= {"UpdateProject", "UpdateReportGroup", "UpdatePipeline", "PassRole", "DisableStageTransition"}
