"""A server that is killed without warning: what it had acknowledged is there afterwards, and nothing of it lives on."""

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from codepipeline_support import PipelineUnderTest, approval, stage
from eventually import eventually
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

from local_cloud.server import bind

ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL"}
STUBBORN = "trap '' TERM; setsid sleep 600 & sleep 600 & touch started; sleep 600"
REPORTING = "printf '<testsuite><testcase name=\"kept\"/></testsuite>' >j.xml"


def buildspec(command: str) -> str:
    reports = {"kept": {"files": ["j.xml"]}}
    return json.dumps({"version": "0.2", "phases": {"build": {"commands": [command]}}, "reports": reports})


def push(server: CloudServer, repository: str, folder: Path) -> str:
    """Push a commit; its id."""

    def git(*arguments: str) -> str:
        environment = {
            **os.environ,
            **server.environment(),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    folder.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    (folder / "file").write_text("pushed")
    git("add", "file")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "pushed")
    git("push", "--quiet", f"{server.endpoint_url}/v1/repos/{repository}", "main")
    return git("rev-parse", "HEAD")


def processes_with(text: str) -> list[int]:
    """The processes that were started with this text in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if text.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def report_groups(codebuild: Any) -> set[str]:
    pages = codebuild.get_paginator("list_report_groups").paginate()
    return {arn for page in pages for arn in page["reportGroups"]}


class Burst:
    """Writes as fast as the services take them, until they take no more."""

    def __init__(self, server: CloudServer) -> None:
        codecommit, sagemaker, codebuild = (server.client(name) for name in ("codecommit", "sagemaker", "codebuild"))
        codecommit.create_repository(repositoryName="burst")
        sagemaker.create_model_package_group(ModelPackageGroupName="burst")
        self._commits: list[str] = []
        self._packages: list[str] = []
        self._groups: list[str] = []
        self._writers = [
            threading.Thread(target=_write_until_refused, args=(write, acknowledged))
            for write, acknowledged in (
                (_commits(codecommit, self._commits), self._commits),
                (_packages(sagemaker), self._packages),
                (_packages(sagemaker), self._packages),
                (_report_groups(codebuild, self._groups), self._groups),
            )
        ]
        for writer in self._writers:
            writer.start()

    def least(self) -> int:
        return min(len(self._commits), len(self._packages), len(self._groups))

    def join(self) -> None:
        for writer in self._writers:
            writer.join(30)

    def check(self, server: CloudServer) -> None:
        """All that was acknowledged is there, and no version of a package is given twice."""
        codecommit, sagemaker = server.client("codecommit"), server.client("sagemaker")
        history = [codecommit.get_branch(repositoryName="burst", branchName="main")["branch"]["commitId"]]
        while parents := codecommit.get_commit(repositoryName="burst", commitId=history[-1])["commit"]["parents"]:
            history += parents
        assert history[::-1][: len(self._commits)] == self._commits
        assert len(set(self._packages)) == len(self._packages)
        for arn in self._packages:
            sagemaker.describe_model_package(ModelPackageName=arn)
        highest = max(int(arn.rpartition("/")[2]) for arn in self._packages)
        following = sagemaker.create_model_package(ModelPackageGroupName="burst")["ModelPackageArn"]
        assert int(following.rpartition("/")[2]) > highest
        assert set(self._groups) <= report_groups(server.client("codebuild"))


def _write_until_refused(write: Callable[[], str], acknowledged: list[str]) -> None:
    with contextlib.suppress(BotoCoreError, ClientError):  # the server is gone
        while True:
            acknowledged.append(write())


def _commits(client: Any, made: list[str]) -> Callable[[], str]:
    def write() -> str:
        parent = {"parentCommitId": made[-1]} if made else {}
        files = [{"filePath": "file", "fileContent": str(len(made)).encode()}]
        return str(
            client.create_commit(repositoryName="burst", branchName="main", putFiles=files, **parent)["commitId"]
        )

    return write


def _packages(client: Any) -> Callable[[], str]:
    return lambda: str(client.create_model_package(ModelPackageGroupName="burst")["ModelPackageArn"])


def _report_groups(client: Any, made: list[str]) -> Callable[[], str]:
    def write() -> str:
        export = {"exportConfigType": "NO_EXPORT"}
        answer = client.create_report_group(name=f"burst-{len(made)}", type="TEST", exportConfig=export)
        return str(answer["reportGroup"]["arn"])

    return write


def test_what_was_acknowledged_is_kept_and_what_ran_is_ended_with_a_reason(
    start_cloud: Callable[[], CloudServer], tmp_path: Path
) -> None:
    server = start_cloud()
    codebuild, codecommit, sagemaker = (server.client(name) for name in ("codebuild", "codecommit", "sagemaker"))
    pipeline = PipelineUnderTest(server)
    project = {
        "name": "kept", "source": {"type": "NO_SOURCE", "buildspec": buildspec(REPORTING)}, "environment": ENVIRONMENT,
        "artifacts": {"type": "NO_ARTIFACTS"}, "serviceRole": make_role(server, "codebuild", EVERYTHING),
    }  # fmt: skip
    codebuild.create_project(**project)
    reported = codebuild.start_build(projectName="kept")["build"]["id"]
    running = codebuild.start_build(projectName="kept", buildspecOverride=buildspec(STUBBORN))["build"]["id"]
    execution = pipeline.create(stage("Review", approval("Person")), stage("After", approval("Other")))
    token = pipeline.token("Review", "Person")
    report = eventually(lambda: codebuild.batch_get_builds(ids=[reported])["builds"][0].get("reportArns"))[0]
    eventually(lambda: len(processes_with(running)) >= 4)
    # what ministack keeps, roles and buckets, is written once a second
    eventually(lambda: pipeline.role_arn in (server.state_dir / "ministack" / "iam.json").read_text())

    codecommit.create_repository(repositoryName="kept", tags={"k": "v"})
    pushed = push(server, "kept", tmp_path / "work")
    burst = Burst(server)
    committed = codecommit.create_commit(
        repositoryName="kept", branchName="main", parentCommitId=pushed, deleteFiles=[{"filePath": "file"}]
    )["commitId"]  # fmt: skip
    codebuild.update_project(name="kept", description="changed")
    codebuild.create_report_group(name="empty", type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"})
    sagemaker.create_model_package_group(ModelPackageGroupName="kept")
    package = sagemaker.create_model_package(ModelPackageGroupName="kept", ModelApprovalStatus="Approved")
    arn = package["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ApprovalDescription="good")
    pipeline.client.disable_stage_transition(
        pipelineName=pipeline.name, stageName="After", transitionType="Inbound", reason="freeze"
    )
    pipeline.put_result("Review", "Person", token)
    eventually(lambda: burst.least() >= 5)
    server.stop(signal.SIGKILL)
    burst.join()

    eventually(lambda: not processes_with(running), 5)
    bind(int(server.endpoint_url.rpartition(":")[2])).close()
    after = start_cloud()
    pipeline.move_to(after)
    codebuild, codecommit, sagemaker = (after.client(name) for name in ("codebuild", "codecommit", "sagemaker"))
    assert codecommit.get_branch(repositoryName="kept", branchName="main")["branch"]["commitId"] == committed
    assert codecommit.get_commit(repositoryName="kept", commitId=committed)["commit"]["parents"] == [pushed]
    metadata = codecommit.get_repository(repositoryName="kept")["repositoryMetadata"]
    assert metadata["defaultBranch"] == "main"
    assert codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"] == {"k": "v"}
    assert codebuild.batch_get_projects(names=["kept"])["projects"][0]["description"] == "changed"
    assert [case["name"] for case in codebuild.describe_test_cases(reportArn=report)["testCases"]] == ["kept"]
    assert any(arn.endswith("/empty") for arn in report_groups(codebuild))
    cut_off = codebuild.batch_get_builds(ids=[running])["builds"][0]
    assert (cut_off["buildStatus"], cut_off["buildComplete"]) == ("FAULT", True)
    assert "The local cloud ended while this build ran" in json.dumps(cut_off["phases"], default=str)
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "good")
    assert pipeline.stage("After")["inboundTransitionState"]["disabledReason"] == "freeze"
    eventually(lambda: pipeline.stage("Review")["latestExecution"]["status"] == "Succeeded")
    assert pipeline.stage("After")["inboundExecution"]["pipelineExecutionId"] == execution
    burst.check(after)
