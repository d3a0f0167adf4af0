"""CodeCommit driven by boto3, real git and CloudFormation."""

import contextlib
import io
import json
import os
import random
import signal
import ssl
import threading
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from codecommit_support import Events, WorkingCopy, error_code
from eventually import eventually
from local_cloud_access import git_authorization, http_request, make_role, open_tls
from local_cloud_server import AWS_HELPER, CloudServer


@pytest.fixture
def codecommit(cloud_server: CloudServer) -> Any:
    return cloud_server.client("codecommit")


@pytest.fixture
def repository(codecommit: Any) -> dict[str, Any]:
    return codecommit.create_repository(repositoryName=f"repository-{uuid.uuid4().hex[:8]}")["repositoryMetadata"]


@pytest.fixture
def work(cloud_server: CloudServer, repository: dict[str, Any], tmp_path: Path) -> WorkingCopy:
    return WorkingCopy(tmp_path / "work", repository["cloneUrlHttp"], cloud_server)


@pytest.fixture
def work_by_aws(cloud_server: CloudServer, repository: dict[str, Any], tmp_path: Path) -> WorkingCopy:
    """A clone whose credentials come from the aws command."""
    return WorkingCopy(tmp_path / "work", repository["cloneUrlHttp"], cloud_server, AWS_HELPER)


@pytest.fixture
def events(cloud_server: CloudServer, repository: dict[str, Any]) -> Events:
    return Events(cloud_server, repository["Arn"])


def details(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [(e["detail"]["event"], e["detail"]["referenceFullName"]) for e in events]


def test_a_pushed_commit_comes_back_in_a_clone_and_through_the_api(
    codecommit: Any, repository: dict[str, Any], work_by_aws: WorkingCopy, tmp_path: Path
) -> None:
    commit = work_by_aws.commit("model/train.py", b"print('hello')\n")
    work_by_aws.git("push", "--quiet", "origin", "main")
    work_by_aws.git("clone", "--quiet", repository["cloneUrlHttp"], str(tmp_path / "clone"))
    assert (tmp_path / "clone/model/train.py").read_bytes() == b"print('hello')\n"

    name = repository["repositoryName"]
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == commit
    found = codecommit.get_commit(repositoryName=name, commitId=commit)["commit"]
    assert (found["message"], found["author"]["email"], found["parents"]) == (
        "change model/train.py\n",
        "ada@example.com",
        [],
    )
    file = codecommit.get_file(repositoryName=name, filePath="model/train.py")
    assert (file["fileContent"], file["fileMode"], file["commitId"]) == (b"print('hello')\n", "NORMAL", commit)
    folder = codecommit.get_folder(repositoryName=name, folderPath="/")
    assert [one["relativePath"] for one in folder["subFolders"]] == ["model"]
    files = codecommit.get_folder(repositoryName=name, folderPath="model")["files"]
    assert [(one["absolutePath"], one["relativePath"]) for one in files] == [("model/train.py", "train.py")]


def test_the_first_push_sets_the_default_branch(codecommit: Any, repository: dict[str, Any], work: WorkingCopy) -> None:
    name = repository["repositoryName"]
    assert "defaultBranch" not in codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main:trunk")
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "trunk"
    work.git("push", "--quiet", "origin", "main")
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "trunk"
    assert work.git("ls-remote", "--symref", "origin", "HEAD").startswith("ref: refs/heads/trunk")
    codecommit.update_default_branch(repositoryName=name, defaultBranchName="main")
    assert work.git("ls-remote", "--symref", "origin", "HEAD").startswith("ref: refs/heads/main")


def test_each_change_of_a_reference_is_an_event_as_aws_documents_it(
    cloud_server: CloudServer, repository: dict[str, Any], work: WorkingCopy, events: Events
) -> None:
    first = work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    (created,) = events.received(1)
    assert (created["source"], created["detail-type"]) == ("aws.codecommit", "CodeCommit Repository State Change")
    assert created["resources"] == [repository["Arn"]]
    assert created["detail"] == {
        "event": "referenceCreated", "referenceType": "branch", "referenceName": "main",
        "referenceFullName": "refs/heads/main", "repositoryId": repository["repositoryId"],
        "repositoryName": repository["repositoryName"], "commitId": first,
        "callerUserArn": cloud_server.caller_arn,
    }  # fmt: skip
    second = work.commit("a", b"2")
    work.git("tag", "--annotate", "v1", "--message", "one")
    work.git("push", "--quiet", "origin", "main", "v1", "main:feature/x")
    work.git("push", "--quiet", "origin", ":feature/x")
    seen = events.received(5)
    assert sorted(details(seen[1:4])) == [
        ("referenceCreated", "refs/heads/feature/x"), ("referenceCreated", "refs/tags/v1"),
        ("referenceUpdated", "refs/heads/main"),
    ]  # fmt: skip
    by_name = {event["detail"]["referenceName"]: event["detail"] for event in seen[1:4]}
    assert (by_name["main"]["commitId"], by_name["main"]["oldCommitId"]) == (second, first)
    assert (by_name["v1"]["referenceType"], by_name["v1"]["commitId"]) == ("tag", second)
    assert (seen[4]["detail"]["event"], seen[4]["detail"]["oldCommitId"]) == ("referenceDeleted", second)
    assert "commitId" not in seen[4]["detail"]


def test_a_push_that_changes_nothing_is_no_event(work: WorkingCopy, events: Events) -> None:
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    work.git("push", "--quiet", "origin", "main")
    work.git("push", "--quiet", "origin", "main:other")
    assert details(events.received(2)) == [
        ("referenceCreated", "refs/heads/main"),
        ("referenceCreated", "refs/heads/other"),
    ]


def test_history_may_be_rewritten_by_force_only(codecommit: Any, repository: dict[str, Any], work: WorkingCopy) -> None:
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    work.git("commit", "--quiet", "--amend", "--message", "another history")
    assert "non-fast-forward" in work.git("push", "origin", "main", fails=True)
    work.git("push", "--quiet", "--force", "origin", "main")
    found = codecommit.get_branch(repositoryName=repository["repositoryName"], branchName="main")
    assert found["branch"]["commitId"] == work.git("rev-parse", "HEAD")


def test_twenty_megabytes_are_pushed_and_cloned_unchanged(
    repository: dict[str, Any], work: WorkingCopy, tmp_path: Path
) -> None:
    content = random.Random(1).randbytes(20 * 2**20)  # noqa: S311 - test data; more than http.postBuffer: git sends it chunked
    work.commit("data.bin", content)
    work.git("push", "--quiet", "origin", "main")
    work.git("clone", "--quiet", repository["cloneUrlHttp"], str(tmp_path / "clone"))
    assert (tmp_path / "clone/data.bin").read_bytes() == content


def test_a_push_that_just_fills_gits_buffer_ends(work: WorkingCopy) -> None:
    # http.postBuffer is 1 MiB. Where a pack leaves less than a packet of it free, git sends it chunked, and over HTTP/2
    # curl then waits for more than there is.
    for kibibytes in range(960, 1025, 8):
        work.commit("data.bin", random.Random(kibibytes).randbytes(kibibytes * 1024))  # noqa: S311 - test data
        work.git("push", "--quiet", "origin", "main")


def test_a_fetch_whose_request_is_compressed_is_understood(
    cloud_server: CloudServer, work: WorkingCopy, repository: dict[str, Any], tmp_path: Path
) -> None:
    for n in range(60):  # git compresses a request for many objects
        work.commit("a", str(n).encode())
        work.git("branch", f"branch-{n}")
    work.git("push", "--quiet", "origin", "--all")
    other = WorkingCopy(tmp_path / "other", repository["cloneUrlHttp"], cloud_server)
    other.git("-c", "protocol.version=0", "fetch", "--quiet", "origin")
    assert len(other.git("branch", "--remotes").splitlines()) == 61


def test_a_shallow_clone_can_be_pushed_to_an_empty_repository(
    codecommit: Any, repository: dict[str, Any], work: WorkingCopy, tmp_path: Path
) -> None:
    for n in range(3):
        work.commit("a", str(n).encode())
    work.git("clone", "--quiet", "--depth=1", f"file://{work.path}", str(tmp_path / "shallow"))
    commit = work.git("rev-parse", "HEAD")
    work.git("-C", str(tmp_path / "shallow"), "push", "--quiet", repository["cloneUrlHttp"], "main")
    found = codecommit.get_branch(repositoryName=repository["repositoryName"], branchName="main")
    assert found["branch"]["commitId"] == commit


def test_pushes_side_by_side_each_tell_of_their_own_branch(
    cloud_server: CloudServer, repository: dict[str, Any], events: Events, tmp_path: Path
) -> None:
    copies = [WorkingCopy(tmp_path / f"copy-{n}", repository["cloneUrlHttp"], cloud_server) for n in range(4)]
    for n, copy in enumerate(copies):
        copy.commit("a", str(n).encode())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: copies[n].git("push", "--quiet", "origin", f"main:branch-{n}"), range(4)))
    assert sorted(details(events.received(4))) == [("referenceCreated", f"refs/heads/branch-{n}") for n in range(4)]


def test_a_push_to_an_unknown_repository_says_what_to_do(
    cloud_server: CloudServer, repository: dict[str, Any], work: WorkingCopy
) -> None:
    work.commit("a", b"1")
    screen = work.git("push", f"{cloud_server.endpoint_url}/v1/repos/nowhere", "main", fails=True)
    assert "CodeCommit has no repository named nowhere" in screen
    assert "aws codecommit create-repository --repository-name nowhere" in screen
    assert repository["repositoryName"] in screen


def test_a_push_broken_off_in_the_middle_leaves_the_repository_as_it_was(
    cloud_server: CloudServer, repository: dict[str, Any], work: WorkingCopy
) -> None:
    head = b"POST /v1/repos/%s/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\n" % repository["repositoryName"].encode()
    head += b"Authorization: %s\r\n" % git_authorization(cloud_server, repository["repositoryName"]).encode()
    head += b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 5000\r\n\r\n0084" + b"0" * 40
    with open_tls(cloud_server) as connection:
        connection.sendall(head)
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    assert work.git("ls-remote", "--heads", "origin").endswith("refs/heads/main")


def test_git_without_credentials_is_told_how_to_get_them(cloud_server: CloudServer, work: WorkingCopy) -> None:
    setting = f"credential.{cloud_server.endpoint_url}.helper="
    screen = work.git("-c", setting, "ls-remote", "origin", fails=True)
    assert "could not read Username" in screen
    status, told = http_request(cloud_server, "GET", "/v1/repos/any/info/refs")
    assert status == 401
    assert b"aws codecommit credential-helper" in told


@pytest.mark.parametrize(
    ("username", "password"), [("AKIAUNKNOWN", "20260101T000000Zabc"), ("developer", "20260101T000000Zabc")]
)
def test_git_with_wrong_credentials_is_refused(
    cloud_server: CloudServer, work: WorkingCopy, username: str, password: str
) -> None:
    name = cloud_server.keys()["aws_access_key_id"] if username == "developer" else username
    url = f"https://{name}:{password}@{cloud_server.endpoint_url.removeprefix('https://')}/v1/repos/any"
    assert "403" in work.git("ls-remote", url, fails=True)


def test_a_role_that_may_pull_may_not_push(
    cloud_server: CloudServer, repository: dict[str, Any], work_by_aws: WorkingCopy
) -> None:
    role = make_role(cloud_server, "account", {"Action": "codecommit:GitPull", "Resource": repository["Arn"]})
    keys = cloud_server.role_keys(role)
    work_by_aws.commit("a", b"1")
    reader = {name.upper(): value for name, value in keys.items()}
    assert work_by_aws.git("ls-remote", "origin", **reader) == ""
    screen = work_by_aws.git("push", "--quiet", "origin", "main", fails=True, **reader)
    assert f"is not authorized to perform: codecommit:GitPush on resource: {repository['Arn']}" in screen


def test_hooks_and_attributes_of_the_pusher_change_nothing(
    cloud_server: CloudServer, repository: dict[str, Any], work: WorkingCopy, tmp_path: Path
) -> None:
    (work.path / ".gitattributes").write_text("secret.txt export-ignore\nstamp.txt export-subst\n")
    (work.path / "secret.txt").write_text("kept")
    (work.path / "run.sh").write_text("#!/bin/sh\n")
    (work.path / "run.sh").chmod(0o755)
    commit = work.commit("stamp.txt", b"$Format:%H$\n")
    work.git("push", "--quiet", "origin", "main")
    path = f"/v1/archives/{repository['repositoryName']}/{commit}.zip"
    status, content = http_request(cloud_server, "GET", path, keys=cloud_server.keys(), service="codecommit")
    assert status == 200
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert sorted(archive.namelist()) == [".gitattributes", "run.sh", "secret.txt", "stamp.txt"]
    assert archive.read("stamp.txt") == b"$Format:%H$\n"
    assert archive.getinfo("run.sh").external_attr >> 16 & 0o111


@pytest.mark.parametrize("path", ["nowhere/" + "0" * 40, "{name}/" + "0" * 40, "{name}/main"])
def test_an_archive_of_what_does_not_exist_is_not_found(
    cloud_server: CloudServer, repository: dict[str, Any], path: str
) -> None:
    where = f"/v1/archives/{path.format(name=repository['repositoryName'])}.zip"
    assert http_request(cloud_server, "GET", where, keys=cloud_server.keys(), service="codecommit")[0] == 404


def test_branches_are_made_listed_and_deleted(
    codecommit: Any, repository: dict[str, Any], work: WorkingCopy, events: Events
) -> None:
    name = repository["repositoryName"]
    commit = work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    codecommit.create_branch(repositoryName=name, branchName="side", commitId=commit)
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["main", "side"]
    assert (
        error_code(codecommit.create_branch, repositoryName=name, branchName="side", commitId=commit)
        == "BranchNameExistsException"
    )
    deleted = codecommit.delete_branch(repositoryName=name, branchName="side")["deletedBranch"]
    assert deleted == {"branchName": "side", "commitId": commit}
    assert "deletedBranch" not in codecommit.delete_branch(repositoryName=name, branchName="side")
    assert (
        error_code(codecommit.delete_branch, repositoryName=name, branchName="main")
        == "DefaultBranchCannotBeDeletedException"
    )
    assert [event for event, _ in details(events.received(3))] == [
        "referenceCreated",
        "referenceCreated",
        "referenceDeleted",
    ]


def test_commits_made_through_the_api_are_pulled_by_git(
    codecommit: Any, repository: dict[str, Any], work: WorkingCopy, events: Events
) -> None:
    name = repository["repositoryName"]
    files = [
        {"filePath": "a.txt", "fileContent": b"one"},
        {"filePath": "d/b.sh", "fileContent": b"two", "fileMode": "EXECUTABLE"},
    ]
    first = codecommit.create_commit(
        repositoryName=name,
        branchName="main",
        putFiles=files,
        authorName="Eve",
        email="eve@example.com",
        commitMessage="first",
    )
    assert [one["absolutePath"] for one in first["filesAdded"]] == ["a.txt", "d/b.sh"]
    second = codecommit.create_commit(
        repositoryName=name, branchName="main", parentCommitId=first["commitId"],
        putFiles=[{"filePath": "c", "fileContent": b"three"}], deleteFiles=[{"filePath": "a.txt"}],
    )  # fmt: skip
    work.git("pull", "--quiet", "origin", "main")
    assert sorted(work.git("ls-files").splitlines()) == ["c", "d/b.sh"]
    assert work.git("log", "--format=%an %s", "--max-parents=0") == "Eve first"
    assert os.access(work.path / "d/b.sh", os.X_OK)
    differences = codecommit.get_differences(
        repositoryName=name, beforeCommitSpecifier=first["commitId"], afterCommitSpecifier="main"
    )
    changed = {(d["changeType"], d.get("afterBlob", d.get("beforeBlob"))["path"]) for d in differences["differences"]}
    assert changed == {("D", "a.txt"), ("A", "c")}
    assert details(events.received(2)) == [
        ("referenceCreated", "refs/heads/main"),
        ("referenceUpdated", "refs/heads/main"),
    ]
    outdated = {"repositoryName": name, "branchName": "main", "putFiles": files}
    assert error_code(codecommit.create_commit, **outdated) == "ParentCommitIdRequiredException"
    assert (
        error_code(codecommit.create_commit, **outdated, parentCommitId=first["commitId"])
        == "ParentCommitIdOutdatedException"
    )
    same = [{"filePath": "c", "fileContent": b"three"}]
    assert (
        error_code(
            codecommit.create_commit,
            repositoryName=name,
            branchName="main",
            parentCommitId=second["commitId"],
            putFiles=same,
        )
        == "NoChangeException"
    )


def test_repositories_are_listed_renamed_tagged_and_deleted(
    codecommit: Any, work: WorkingCopy, repository: dict[str, Any]
) -> None:
    old, new = repository["repositoryName"], f"renamed-{uuid.uuid4().hex[:8]}"
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    codecommit.tag_resource(resourceArn=repository["Arn"], tags={"team": "ml", "gone": "soon"})
    codecommit.untag_resource(resourceArn=repository["Arn"], tagKeys=["gone"])
    codecommit.update_repository_name(oldName=old, newName=new)
    metadata = codecommit.get_repository(repositoryName=new)["repositoryMetadata"]
    assert (metadata["repositoryId"], metadata["cloneUrlHttp"].rpartition("/")[2]) == (repository["repositoryId"], new)
    assert codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"] == {"team": "ml"}
    work.git("ls-remote", "--exit-code", metadata["cloneUrlHttp"], "main")
    answer = codecommit.batch_get_repositories(repositoryNames=[old, new])
    assert (answer["repositoriesNotFound"], len(answer["repositories"])) == ([old], 1)
    assert {"repositoryName": new, "repositoryId": repository["repositoryId"]} in codecommit.list_repositories()[
        "repositories"
    ]
    assert codecommit.delete_repository(repositoryName=new)["repositoryId"] == repository["repositoryId"]
    assert "repositoryId" not in codecommit.delete_repository(repositoryName=new)
    assert "no repository named" in work.git("ls-remote", metadata["cloneUrlHttp"], fails=True)


def test_errors_have_the_codes_of_aws(codecommit: Any, repository: dict[str, Any]) -> None:
    name = repository["repositoryName"]
    assert error_code(codecommit.create_repository, repositoryName=name) == "RepositoryNameExistsException"
    assert error_code(codecommit.create_repository, repositoryName="a/b") == "InvalidRepositoryNameException"
    assert error_code(codecommit.create_repository, repositoryName="a.git") == "InvalidRepositoryNameException"
    assert error_code(codecommit.get_repository, repositoryName="nowhere") == "RepositoryDoesNotExistException"
    assert error_code(codecommit.get_branch, repositoryName=name, branchName="no") == "BranchDoesNotExistException"
    assert error_code(codecommit.get_commit, repositoryName=name, commitId="123") == "InvalidCommitIdException"
    assert error_code(codecommit.get_commit, repositoryName=name, commitId="0" * 40) == "CommitIdDoesNotExistException"
    assert error_code(codecommit.get_file, repositoryName=name, filePath="a") == "CommitDoesNotExistException"
    assert (
        error_code(codecommit.create_branch, repositoryName=name, branchName="a..b", commitId="0" * 40)
        == "InvalidBranchNameException"
    )


def test_a_killed_server_keeps_the_commits_and_tells_of_the_push_it_did_not_tell_of(
    start_cloud: Callable[[], CloudServer], tmp_path: Path
) -> None:
    server = start_cloud()
    made = server.client("codecommit").create_repository(repositoryName="kept")["repositoryMetadata"]
    Events(server, made["Arn"])
    server.stop(signal.SIGTERM)  # the rule and the queue are stored; what is under test is killed below
    server = start_cloud()
    made = server.client("codecommit").get_repository(repositoryName="kept")["repositoryMetadata"]
    work = WorkingCopy(tmp_path / "work", made["cloneUrlHttp"], server)
    work.commit("a", b"1")
    work.git("push", "--quiet", "origin", "main")
    server.stop(signal.SIGKILL)
    commit = work.commit("a", b"2")
    bare = tmp_path / "cloud/codecommit/kept.git"
    work.git("push", "--quiet", str(bare), "main")  # a push whose event the killed server did not publish
    again = start_cloud()
    client = again.client("codecommit")
    assert client.get_branch(repositoryName="kept", branchName="main")["branch"]["commitId"] == commit
    queue = again.client("sqs")
    url = queue.list_queues(QueueNamePrefix="events-")["QueueUrls"][0]
    seen: list[str] = []

    def told() -> bool:
        for message in queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"])["detail"]["commitId"])
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return commit in seen

    eventually(told)


def test_lists_are_answered_while_repositories_go(cloud_server: CloudServer, codecommit: Any) -> None:
    name, ended, other = f"going-{uuid.uuid4().hex[:8]}", threading.Event(), cloud_server.client("codecommit")

    def come_and_go() -> None:
        while not ended.is_set():
            other.create_repository(repositoryName=name)
            other.delete_repository(repositoryName=name)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(60):
            answer = codecommit.batch_get_repositories(repositoryNames=[name] * 25)
            assert len(answer["repositories"]) in (0, 25)
            codecommit.list_repositories()
    finally:
        ended.set()
        thread.join()


class TestCloudFormation:
    """The type AWS::CodeCommit::Repository, through CloudFormation."""

    @staticmethod
    def deploy(server: CloudServer, stack: str, properties: dict[str, Any], *, update: bool = False) -> dict[str, Any]:
        outputs = {
            key: {"Value": {"Fn::GetAtt": ["Repository", key]}}
            for key in ("Arn", "Name", "CloneUrlHttp", "CloneUrlSsh")
        }
        template = {
            "Resources": {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": properties}},
            "Outputs": {"Id": {"Value": {"Ref": "Repository"}}} | outputs,
        }
        client = server.client("cloudformation")
        (client.update_stack if update else client.create_stack)(StackName=stack, TemplateBody=json.dumps(template))

        def settled() -> dict[str, Any] | None:
            found = client.describe_stacks(StackName=stack)["Stacks"][0]
            return None if found["StackStatus"].endswith("IN_PROGRESS") else found

        return eventually(settled)

    @pytest.mark.parametrize(("properties", "wanted"), [
        ({"RepositoryName": "refused", "Colour": "blue"}, "Encountered unsupported property Colour"),
        ({"RepositoryName": "refused", "Triggers": []}, "The local cloud does not serve Triggers"),
        ({"RepositoryDescription": "nameless"}, "Missing required property RepositoryName"),
    ])  # fmt: skip
    def test_a_property_that_is_missing_or_would_be_passed_over_fails_the_stack(
        self, cloud_server: CloudServer, properties: dict[str, Any], wanted: str
    ) -> None:
        name = f"stack-{uuid.uuid4().hex[:8]}"
        self.deploy(cloud_server, name, properties)
        events = cloud_server.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        assert any(wanted in event.get("ResourceStatusReason", "") for event in events)

    def test_a_repository_is_made_renamed_in_place_and_deleted(
        self, cloud_server: CloudServer, codecommit: Any
    ) -> None:
        name = f"stack-{uuid.uuid4().hex[:8]}"
        tags = [{"Key": "team", "Value": "ml"}]
        made = self.deploy(cloud_server, name, {"RepositoryName": name, "Tags": tags})
        outputs = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
        metadata = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
        assert outputs == {
            "Id": metadata["repositoryId"], "Name": name, "Arn": metadata["Arn"],
            "CloneUrlHttp": f"{cloud_server.endpoint_url}/v1/repos/{name}", "CloneUrlSsh": metadata["cloneUrlSsh"],
        }  # fmt: skip
        assert codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"] == {"team": "ml"}
        self.deploy(cloud_server, name, {"RepositoryName": f"{name}-2", "RepositoryDescription": "new"}, update=True)
        renamed = codecommit.get_repository(repositoryName=f"{name}-2")["repositoryMetadata"]
        assert (renamed["repositoryId"], renamed["repositoryDescription"]) == (metadata["repositoryId"], "new")
        cloud_server.client("cloudformation").delete_stack(StackName=name)
        eventually(lambda: codecommit.batch_get_repositories(repositoryNames=[f"{name}-2"])["repositoriesNotFound"])

    def test_code_from_a_bucket_is_refused_clearly(self, cloud_server: CloudServer) -> None:
        name = f"stack-{uuid.uuid4().hex[:8]}"
        made = self.deploy(cloud_server, name, {"RepositoryName": name, "Code": {"S3": {"Bucket": "b", "Key": "k"}}})
        assert made["StackStatus"] in ("CREATE_FAILED", "ROLLBACK_COMPLETE")
        recorded = cloud_server.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        assert any("does not serve Code" in event.get("ResourceStatusReason", "") for event in recorded)


def _half_a_push(server: CloudServer, name: str) -> ssl.SSLSocket:
    """Begin to send a push of 5,000 bytes, and stop after a few."""
    server.client("codecommit").create_repository(repositoryName=name)
    connection = open_tls(server)
    connection.sendall(
        f"POST /v1/repos/{name}/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n"
        f"Authorization: {git_authorization(server, name)}\r\n"
        "Content-Type: application/x-git-receive-pack-request\r\n\r\n00a5half of a line".encode()
    )
    eventually(lambda: _backends(server))
    return connection


def _backends(server: CloudServer) -> list[int]:
    """The git processes that work on the server's repositories."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"GIT_PROJECT_ROOT={server.state_dir}".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def test_a_client_that_hangs_up_halfway_leaves_no_process_behind(start_cloud: Callable[[], CloudServer]) -> None:
    server = start_cloud()
    _half_a_push(server, "half").close()
    eventually(lambda: not _backends(server))


def test_a_server_that_is_killed_during_a_push_leaves_no_process_behind(
    start_cloud: Callable[[], CloudServer],
) -> None:
    server = start_cloud()
    connection = _half_a_push(server, "half")
    server.stop(signal.SIGKILL)
    connection.close()
    eventually(lambda: not _backends(server))
