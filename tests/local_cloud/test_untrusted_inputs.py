"""What a commit brings along, names, messages and files, passes through git, pipeline and builds as data.

Whatever a shell would run leaves a canary: a file of that name at an absolute path.
"""

import io
import json
import os
import subprocess
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_access import http_request, make_role
from local_cloud_server import CloudServer

ANYTHING = {"Action": "*", "Resource": "*"}
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def hostile(canary: Path) -> str:
    """Text that a shell, JSON, a pipeline's variables or a terminal could take for something of their own."""
    return (
        f"'; touch {canary}; $(touch {canary}) `touch {canary}` \" && touch {canary} | touch {canary} #\n"
        f'"}}, {{"name": "PATH", "value": "{canary}"}}] #{{Source.CommitId}} ${{HOME}} \\\\ \x1b[2J\u202e'
    )


def file_names(canary: Path) -> list[str]:
    """Hostile names of files; a name holds no slash, so the canary's are left to printf."""
    path = str(canary).replace("/", "\\057")
    return [
        f"$(touch $(printf '{path}'))",
        f"`touch $(printf '{path}')`",
        f"a; touch $(printf '{path}') #",
        "two\nlines",
        "'quoted' \"twice\"",
        "--output=canary",
        "-rf",
        "*",
        "\x1b[2J",
        "#{Source.CommitId}",
    ]


class Delivery:
    """A repository, a project and a pipeline of its own: Source, and two builds of which one hands to the other."""

    def __init__(self, server: CloudServer, folder: Path) -> None:
        self.server = server
        self.name = f"delivery-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        folder.mkdir()
        created = server.client("codecommit").create_repository(repositoryName=self.name)["repositoryMetadata"]
        server.client("s3").create_bucket(Bucket=self.name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", created["cloneUrlHttp"])

    def git(self, *arguments: str, given: bytes = b"", **variables: str) -> str:
        person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
                  for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip
        ended = subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, input=given, check=True,
            env={"PATH": os.environ["PATH"], "HOME": os.devnull, **self.server.environment(), **person, **variables},
        )  # fmt: skip
        return ended.stdout.decode().strip()

    def push(self, message: str = "hello", **variables: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, **variables)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def project(self, suffix: str, exports: list[str], *commands: str) -> str:
        buildspec = {"version": "0.2", "env": {"exported-variables": exports},
                     "phases": {"build": {"commands": list(commands)}}}  # fmt: skip
        name = f"{self.name}-{suffix}"
        self.server.client("codebuild").create_project(
            name=name, serviceRole=make_role(self.server, "codebuild", ANYTHING), environment=ENVIRONMENT,
            artifacts={"type": "CODEPIPELINE"}, source={"type": "CODEPIPELINE", "buildspec": json.dumps(buildspec)},
        )  # fmt: skip
        return name

    def run(self, *builds: Mapping[str, Any]) -> str:
        """Make the pipeline, and wait for its first execution to end; its status."""
        source = {
            "name": "Source", "namespace": "Source", "outputArtifacts": [{"name": "Source"}],
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
            "configuration": {"RepositoryName": self.name, "BranchName": "main", "PollForSourceChanges": "false"},
        }  # fmt: skip
        client = self.server.client("codepipeline")
        client.create_pipeline(pipeline={
            "name": self.name, "roleArn": make_role(self.server, "codepipeline", ANYTHING), "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": self.name},
            "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": list(builds)}],
        })  # fmt: skip

        def ended() -> str | None:
            (summary,) = client.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"]
            return None if summary["status"] == "InProgress" else str(summary["status"])

        return str(eventually(ended, 60))

    def action(self, name: str) -> dict[str, Any]:
        """The run of an action, as ListActionExecutions tells it."""
        details = self.server.client("codepipeline").list_action_executions(pipelineName=self.name)
        (found,) = [one for one in details["actionExecutionDetails"] if one["actionName"] == name]
        return found

    def source_names(self) -> list[str]:
        """The names in the source's artifact."""
        place = self.action("Source")["output"]["outputArtifacts"][0]["s3location"]
        body = self.server.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
        return zipfile.ZipFile(io.BytesIO(body)).namelist()


@pytest.fixture
def delivery(cloud_server: CloudServer, tmp_path: Path) -> Delivery:
    return Delivery(cloud_server, tmp_path / "work")


def build(name: str, project: str, order: int = 1, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    pairs = [{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in (variables or {}).items()]
    return {
        "name": name, "namespace": name, "runOrder": order, "inputArtifacts": [{"name": "Source"}],
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "configuration": {"ProjectName": project, "EnvironmentVariables": json.dumps(pairs)},
    }  # fmt: skip


def error(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_hostile_names_messages_authors_and_values_pass_from_the_push_to_the_last_build(
    delivery: Delivery, canary: Path
) -> None:
    text, names = hostile(canary), file_names(canary)
    (delivery.folder / "text").write_text(text)
    for name in names:
        (delivery.folder / name).write_text("x")
    delivery.push(text, GIT_AUTHOR_NAME=text.replace("\n", " "), GIT_COMMITTER_NAME=text.replace("\n", " "))
    first = delivery.project("first", ["TEXT"], 'export TEXT="$(cat text)"')
    second = delivery.project("second", ["SEEN", "MESSAGE"], 'export SEEN="$GIVEN" MESSAGE="$SAID"')

    status = delivery.run(
        build("First", first),
        build("Second", second, 2, {"GIVEN": "#{First.TEXT}", "SAID": "#{Source.CommitMessage}"}),
    )

    assert status == "Succeeded"
    assert set(names) <= set(delivery.source_names())
    assert delivery.action("Source")["output"]["outputVariables"]["CommitMessage"] == text
    given = json.loads(delivery.action("Second")["input"]["resolvedConfiguration"]["EnvironmentVariables"])
    assert {pair["name"]: pair["value"] for pair in given} == {"GIVEN": text, "SAID": text}
    assert delivery.action("Second")["output"]["outputVariables"] == {"SEEN": text, "MESSAGE": text}
    assert not canary.exists()


def test_a_link_that_leads_out_of_the_repository_fails_the_build_that_would_follow_it(delivery: Delivery) -> None:
    (delivery.folder / "passwords").symlink_to("/etc/passwd")
    delivery.push()

    assert delivery.run(build("Build", delivery.project("build", [], "cat passwords"))) == "Failed"
    told = delivery.action("Build")["output"]["executionResult"]["errorDetails"]["message"]
    assert "Phase: DOWNLOAD_SOURCE" in told
    assert "leads out of the archive" in told


@pytest.mark.parametrize("folder", ["..", ".git", "a/../.."])
def test_a_tree_with_names_that_lead_elsewhere_is_no_source(delivery: Delivery, folder: str) -> None:
    blob = bytes.fromhex(delivery.git("hash-object", "-w", "--stdin", given=b"evil"))
    inner = delivery.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=b"100644 evil\0" + blob)
    tree = f"40000 {folder}\0".encode() + bytes.fromhex(inner)
    root = delivery.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=tree)
    commit = delivery.git("commit-tree", root, "-m", "hello")
    delivery.git("push", "--quiet", "origin", f"{commit}:refs/heads/main")

    assert delivery.run(build("Build", delivery.project("build", [], "true"))) == "Failed"
    told = delivery.action("Source")["output"]["executionResult"]["errorDetails"]
    assert told["code"] == "RevisionUnavailable"
    assert f"The files of commit {commit} of {delivery.name} cannot be read" in told["message"]
    assert not list(delivery.server.state_dir.rglob("evil"))


@pytest.mark.parametrize("name", ["A=B", "", "A\0B"])
def test_a_variable_cannot_carry_another_one(cloud_server: CloudServer, name: str) -> None:
    client, project = cloud_server.client("codebuild"), f"project-{uuid.uuid4().hex[:8]}"
    buildspec = json.dumps({"version": "0.2", "phases": {"build": {"commands": ["env"]}}})
    client.create_project(
        name=project, source={"type": "NO_SOURCE", "buildspec": buildspec}, artifacts={"type": "NO_ARTIFACTS"},
        environment=ENVIRONMENT, serviceRole=make_role(cloud_server, "codebuild", ANYTHING),
    )  # fmt: skip
    override = [{"name": name or "A", "value": "x" if name else "x\0LD_PRELOAD=/evil"}]
    started = client.start_build(projectName=project, environmentVariablesOverride=override)["build"]["id"]

    def ended() -> dict[str, Any] | None:
        (found,) = client.batch_get_builds(ids=[started])["builds"]
        return found if found["buildComplete"] else None

    ended_build = eventually(ended, 60)
    phase = next(one for one in ended_build["phases"] if one.get("phaseStatus") == "FAILED")
    assert (phase["phaseType"], phase["contexts"][0]["statusCode"]) == ("DOWNLOAD_SOURCE", "CLIENT_ERROR")
    assert "cannot be a variable" in phase["contexts"][0]["message"]


class TestCodeCommit:
    """What callers name reaches git as what it is: never as an option, a pattern or a path elsewhere."""

    @pytest.fixture
    def name(self, cloud_server: CloudServer) -> str:
        name = f"repository-{uuid.uuid4().hex[:8]}"
        codecommit = cloud_server.client("codecommit")
        codecommit.create_repository(repositoryName=name)
        put = [{"filePath": "a/b", "fileContent": b"x"}, {"filePath": ":(top)c", "fileContent": b"y"}]
        codecommit.create_commit(repositoryName=name, branchName="main", putFiles=put)
        return name

    @pytest.mark.parametrize(
        "path", ["../x", "a/../../x", "..", ".git/config", "a/.GIT/hooks/post-receive", "a//b", "a\0b", "./a"]
    )
    def test_a_path_that_leads_elsewhere_is_refused(self, cloud_server: CloudServer, name: str, path: str) -> None:
        codecommit = cloud_server.client("codecommit")
        refused = "InvalidPathException"
        assert error(codecommit.get_file, repositoryName=name, filePath=path) == refused
        assert error(codecommit.get_folder, repositoryName=name, folderPath=path) == refused
        put = [{"filePath": path, "fileContent": b"x"}]
        assert error(codecommit.create_commit, repositoryName=name, branchName="new", putFiles=put) == refused
        assert codecommit.list_branches(repositoryName=name)["branches"] == ["main"]

    def test_a_path_is_no_pattern(self, cloud_server: CloudServer, name: str) -> None:
        codecommit = cloud_server.client("codecommit")
        assert codecommit.get_file(repositoryName=name, filePath=":(top)c")["fileContent"] == b"y"
        for path in ("a/*", ":(glob)**", ":/a/b", "-z"):
            assert error(codecommit.get_file, repositoryName=name, filePath=path) == "FileDoesNotExistException"

    @pytest.mark.parametrize(
        "specifier", ["--output=/tmp/x", "-h", "HEAD:a", "HEAD@{0}", "main^{tree}", "main~0:a/b", "a\0b", "$(id)"]
    )
    def test_a_commit_specifier_is_a_name_or_an_id(self, cloud_server: CloudServer, name: str, specifier: str) -> None:
        codecommit = cloud_server.client("codecommit")
        refused = "CommitDoesNotExistException"
        assert error(codecommit.get_file, repositoryName=name, filePath="a/b", commitSpecifier=specifier) == refused
        assert error(codecommit.get_commit, repositoryName=name, commitId=specifier) == "InvalidCommitIdException"

    @pytest.mark.parametrize("branch", ["--upload-pack=touch", "-f", "$(id)", "a;b", "'a'", "a`id`"])
    def test_a_branchs_name_is_a_name(self, cloud_server: CloudServer, name: str, branch: str) -> None:
        codecommit = cloud_server.client("codecommit")
        put = [{"filePath": "new", "fileContent": b"x"}]
        made = codecommit.create_commit(repositoryName=name, branchName=branch, putFiles=put)["commitId"]
        assert codecommit.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"] == made
        assert codecommit.delete_branch(repositoryName=name, branchName=branch)["deletedBranch"]["commitId"] == made

    @pytest.mark.parametrize("branch", ["a..b", "a b", "a\nb", "a\x1bb", "a.lock", "@{", "a\0b"])
    def test_a_name_that_git_forbids_is_refused(self, cloud_server: CloudServer, name: str, branch: str) -> None:
        codecommit = cloud_server.client("codecommit")
        put = [{"filePath": "new", "fileContent": b"x"}]
        refused = "InvalidBranchNameException"
        assert error(codecommit.create_commit, repositoryName=name, branchName=branch, putFiles=put) == refused


@pytest.mark.parametrize(
    "path",
    [
        "/v1/repos/../../../../etc/info/refs?service=git-upload-pack",
        "/v1/repos/..%2f..%2f..%2fetc/info/refs?service=git-upload-pack",
        "/v1/repos/%00/info/refs",
        "/v1/repos/--upload-pack=x/git-upload-pack",
        "/v1/repos/",
        f"/v1/archives/..%2fx/{'0' * 40}.zip",
        f"/v1/archives/--output=x/{'0' * 40}.zip",
        "/v1/archives/x/--output=x.zip",
        "/endpoints/..%2f..%2fx/invocations",
        "/endpoints/%0a/invocations",
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_a_path_of_http_leads_to_what_is_served_or_nowhere(cloud_server: CloudServer, path: str, signed: bool) -> None:
    status, _ = http_request(cloud_server, "GET", path, keys=cloud_server.keys() if signed else None)

    assert status in (400, 401, 403, 404)


@pytest.mark.parametrize("folder", ["../../../../", "a/../../../../", "/../", "a\nb/", "$(id)/", "a//"])
def test_an_objects_key_is_no_path_of_this_machine(cloud_server: CloudServer, folder: str) -> None:
    s3, unique = cloud_server.client("s3"), uuid.uuid4().hex[:8]
    s3.create_bucket(Bucket=f"bucket-{unique}")
    key = f"{folder}evil-{unique}"

    s3.put_object(Bucket=f"bucket-{unique}", Key=key, Body=b"content")

    assert s3.get_object(Bucket=f"bucket-{unique}", Key=key)["Body"].read() == b"content"
    place = cloud_server.state_dir / "s3" / cloud_server.account_id / f"bucket-{unique}"
    written = [path for path in cloud_server.state_dir.parent.rglob(f"*evil-{unique}*") if path.is_file()]
    assert written
    assert all(path.is_relative_to(place) for path in written)
