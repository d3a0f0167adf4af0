"""Builds of a repository, and builds that a rule starts for a pull request."""

import json
from pathlib import Path
from typing import Any

import pytest
from codebuild_support import Builds, commands, error, failure
from codecommit_support import WorkingCopy
from eventually import eventually
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

SHOWN = ("CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_SOURCE_VERSION", "CODEBUILD_SOURCE_REPO_URL")
SHOWING = commands(build=["cat file", "git rev-parse HEAD", *(f'echo "{name}=[${name}]"' for name in SHOWN)])


class Source:
    """A repository with the branches main and change, and a project that builds it."""

    def __init__(self, server: CloudServer, folder: Path) -> None:
        self.builds = Builds(server)
        self.name = self.builds.name
        self.codecommit = server.client("codecommit")
        made = self.codecommit.create_repository(repositoryName=self.name)["repositoryMetadata"]
        self.arn, self.url = made["Arn"], made["cloneUrlHttp"]
        self.work = WorkingCopy(folder, self.url, server)
        self.base = self.work.commit("file", b"of main\n")
        self.work.git("tag", "v1")
        self.work.git("push", "--quiet", "origin", "main", "v1")
        self.work.git("checkout", "--quiet", "-b", "topic/change")
        self.tip = self.push(b"of the change\n")

    def push(self, content: bytes) -> str:
        commit = self.work.commit("file", content)
        self.work.git("push", "--quiet", "origin", "topic/change")
        return commit

    def project(self, *statements: dict[str, Any], **members: Any) -> None:
        allowed = statements or (EVERYTHING,)
        source = {"type": "CODECOMMIT", "location": self.url, "buildspec": SHOWING}
        role = make_role(self.builds.server, "codebuild", *allowed)
        self.builds.project(**{"source": source, "serviceRole": role} | members)


@pytest.fixture
def source(cloud_server: CloudServer, tmp_path: Path) -> Source:
    return Source(cloud_server, tmp_path / "work")


@pytest.mark.parametrize("version", [None, "topic/change", "refs/heads/topic/change", "v1", "refs/tags/v1", "commit"])
def test_a_repository_is_cloned_at_a_branch_a_tag_or_a_commit(source: Source, version: str | None) -> None:
    source.project()
    wanted = source.tip if version is not None and "v1" not in version else source.base
    asked = source.tip if version == "commit" else version
    build = source.builds.run(**({} if asked is None else {"sourceVersion": asked}))
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    assert build["resolvedSourceVersion"] == wanted
    lines = source.builds.log(build).splitlines()
    assert ("of the change" if wanted == source.tip else "of main") in lines
    assert wanted in lines
    assert [f"{name}=[{value}]" for name, value in zip(SHOWN, (wanted, asked or "", source.url), strict=True)] == [
        line for line in lines if line.startswith("CODEBUILD_")
        and line.partition("=")[0] in SHOWN
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["absent", "HEAD~1", "0" * 40, "--help"])
def test_a_version_that_is_not_there_fails_the_download(source: Source, version: str) -> None:
    source.project()
    build = source.builds.run(sourceVersion=version)
    told = f"reference not found for primary source and source version {version}"
    assert failure(build) == ("DOWNLOAD_SOURCE", "CLIENT_ERROR", told)


def test_a_role_that_may_not_pull_fails_the_download_with_the_action(source: Source) -> None:
    source.project({"Action": ["logs:*", "codecommit:GetFile"], "Resource": "*"})
    phase, code, message = failure(source.builds.run())
    assert (phase, code) == ("DOWNLOAD_SOURCE", "CLIENT_ERROR")
    assert f"is not authorized to perform: codecommit:GitPull on resource: {source.arn}" in message


def test_the_roles_signature_is_in_no_file_of_the_clone(source: Source) -> None:
    looking = commands(build=["cat .git/config", "git remote get-url origin", "! grep -ri authorization .git"])
    source.project(source={"type": "CODECOMMIT", "location": source.url, "buildspec": looking})
    build = source.builds.run()
    assert build["buildStatus"] == "SUCCEEDED", source.builds.log(build)


def test_a_repository_can_be_a_secondary_source(source: Source) -> None:
    other = {"type": "CODECOMMIT", "location": source.url, "sourceIdentifier": "other"}
    showing = commands(build=["cat $CODEBUILD_SRC_DIR_other/file"])
    source.project(
        source={"type": "NO_SOURCE", "buildspec": showing}, secondarySources=[other],
        secondarySourceVersions=[{"sourceIdentifier": "other", "sourceVersion": "topic/change"}],
    )  # fmt: skip
    assert "of the change" in source.builds.log(source.builds.run()).splitlines()


@pytest.mark.parametrize("location", ["https://127.0.0.1/elsewhere", "https://h/v1/repos/", "https://h/v1/repos/a b"])
def test_a_place_that_is_no_repository_is_refused(source: Source, location: str) -> None:
    source.project(source={"type": "CODECOMMIT", "location": location, "buildspec": SHOWING})
    code, message = error(source.builds.client.start_build, projectName=source.name)
    assert (code, "is no clone URL" in message) == ("InvalidInputException", True)


PATTERN = {
    "source": ["aws.codecommit"], "detail-type": ["CodeCommit Pull Request State Change"],
    "detail": {
        "event": ["pullRequestCreated", "pullRequestSourceBranchUpdated"],
        "destinationReference": ["refs/heads/main"],
    },
}  # fmt: skip
TRANSFORMER = {
    "InputPathsMap": {"commit": "$.detail.sourceCommit", "number": "$.detail.pullRequestId"},
    "InputTemplate": '{"sourceVersion":<commit>,"environmentVariablesOverride":'
    '[{"name":"NUMBER","type":"PLAINTEXT","value":<number>}]}',
}


def put_rule(source: Source, target: dict[str, Any], *allowed: dict[str, Any]) -> str:
    """A rule on the repository's pull requests with the project as target; its name."""
    server = source.builds.server
    arn = f"arn:aws:codebuild:{server.region}:{server.account_id}:project/{source.name}"
    role = make_role(server, "events", *(allowed or [{"Action": "codebuild:StartBuild", "Resource": arn}]))
    events = server.client("events")
    events.put_rule(Name=source.name, EventPattern=json.dumps(PATTERN | {"resources": [source.arn]}))
    events.put_targets(Rule=source.name, Targets=[{"Id": "1", "Arn": arn, "RoleArn": role} | target])
    return source.name


def open_pull_request(source: Source, title: str = "t") -> str:
    target = {"repositoryName": source.name, "sourceReference": "topic/change", "destinationReference": "main"}
    made = source.codecommit.create_pull_request(title=title, targets=[target])
    return str(made["pullRequest"]["pullRequestId"])


def builds_started(source: Source, count: int) -> list[dict[str, Any]]:
    """The project's builds once there are that many and they have ended, the oldest first."""
    client = source.builds.client
    listed = lambda: client.list_builds_for_project(projectName=source.name, sortOrder="ASCENDING")["ids"]  # noqa: E731
    eventually(lambda: len(listed()) >= count, 60)
    return [source.builds.finished(build_id) for build_id in listed()]


def test_a_rule_builds_a_pull_request_when_it_is_opened_and_at_each_push(source: Source) -> None:
    source.project(source={"type": "CODECOMMIT", "location": source.url, "buildspec": commands(
        build=["cat file", 'echo "pull request [$NUMBER]"'])})  # fmt: skip
    rule = put_rule(source, {"InputTransformer": TRANSFORMER})
    number = open_pull_request(source, 'a title", "sourceVersion": "main')
    first = builds_started(source, 1)[0]
    assert (first["resolvedSourceVersion"], first["initiator"]) == (source.tip, f"rule/{rule}")
    tip = source.push(b"again\n")
    second = builds_started(source, 2)[1]
    assert (second["resolvedSourceVersion"], second["buildStatus"]) == (tip, "SUCCEEDED")
    assert {"again", f"pull request [{number}]"} <= set(source.builds.log(second).splitlines())


@pytest.mark.parametrize(
    "target", [{}, {"Input": '{"sourceVersion": "v1"}'}, {"InputPath": "$.detail"}], ids=["none", "text", "path"]
)
def test_what_a_target_is_sent_are_members_of_start_build_and_others_are_passed_over(
    source: Source, target: dict[str, Any]
) -> None:
    source.project()
    put_rule(source, target)
    open_pull_request(source)
    (build,) = builds_started(source, 1)
    assert build["resolvedSourceVersion"] == source.base
    assert build["projectName"] == source.name


@pytest.mark.parametrize(
    ("target", "allowed", "told"),
    [
        ({}, {"Action": "codebuild:StopBuild", "Resource": "*"}, "codebuild:StartBuild"),
        ({"Input": "[]"}, EVERYTHING, "its input is no JSON object"),
        ({"Input": '{"sourceVersion": 7}'}, EVERYTHING, "sourceVersion"),
    ],
    ids=["role", "list", "type"],
)
def test_a_build_that_may_not_or_cannot_be_started_is_told_in_the_log(
    source: Source, target: dict[str, Any], allowed: dict[str, Any], told: str
) -> None:
    source.project()
    put_rule(source, target, allowed)
    open_pull_request(source)
    log = source.builds.server.state_dir / "server.log"
    place = f"not delivered to arn:aws:codebuild:us-east-1:000000000000:project/{source.name}"
    eventually(lambda: any(place in line and told in line for line in log.read_text().splitlines()))
    assert source.builds.client.list_builds_for_project(projectName=source.name)["ids"] == []
