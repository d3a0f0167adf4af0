"""What a build can print of itself ends in no log, no record and no file that others can read."""

import json
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_server import CloudServer

ANYTHING = {"Action": "*", "Resource": "*"}
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}
MODE = "stat -c 'mode of the workspace: %a' \"$(dirname $CODEBUILD_SRC_DIR)\""
TELL_ALL = [
    "env",
    "set",
    "export -p",
    "cat /proc/self/environ | tr '\\0' '\\n'",
    "cat ~/.docker/config.json ~/.aws/* || true",
]


def run_build(server: CloudServer, *commands: str, files: tuple[str, ...] = ()) -> tuple[dict[str, Any], str, str]:
    """A build's record and log, and the bucket that has its files."""
    name = f"build-{uuid.uuid4().hex[:8]}"
    server.client("s3").create_bucket(Bucket=name)
    artifacts = {"type": "S3", "location": name, "packaging": "NONE", "name": "kept", "namespaceType": "NONE"}
    buildspec: dict[str, Any] = {"version": "0.2", "phases": {"build": {"commands": list(commands)}}}
    if files:
        buildspec["artifacts"] = {"files": list(files)}
    client = server.client("codebuild")
    client.create_project(
        name=name, serviceRole=make_role(server, "codebuild", ANYTHING), environment=ENVIRONMENT,
        source={"type": "NO_SOURCE", "buildspec": json.dumps(buildspec)},
        artifacts=artifacts if files else {"type": "NO_ARTIFACTS"},
    )  # fmt: skip
    started = client.start_build(projectName=name)["build"]["id"]

    def ended() -> dict[str, Any] | None:
        (found,) = client.batch_get_builds(ids=[started])["builds"]
        return found if found["buildComplete"] else None

    build: dict[str, Any] = eventually(ended, 60)
    place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
    events = server.client("logs").get_log_events(**place, startFromHead=True)["events"]
    return build, "\n".join(event["message"] for event in events), name


def read(server: CloudServer, bucket: str, name: str) -> str:
    body: bytes = server.client("s3").get_object(Bucket=bucket, Key=f"kept/{name}")["Body"].read()
    return body.decode()


@pytest.fixture(scope="module")
def told(cloud_server: CloudServer) -> tuple[dict[str, Any], str, dict[str, str], str]:
    """Record and log of a build that prints all it knows, the credentials that it had, and its environment."""
    finding = "import boto3, json; print(json.dumps(boto3.Session().get_credentials().get_frozen_credentials()))"
    keep = (f"{sys.executable} -c '{finding}' >keys.json", "env >env.txt")  # wherever a build finds its credentials
    build, log, bucket = run_build(cloud_server, *TELL_ALL, MODE, *keep, files=("keys.json", "env.txt"))
    assert build["buildStatus"] == "SUCCEEDED", log
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    keys = dict(zip(names, json.loads(read(cloud_server, bucket, "keys.json")), strict=False))
    return build, log, keys, read(cloud_server, bucket, "env.txt")


def test_a_build_has_temporary_credentials_of_its_role_and_no_others(
    cloud_server: CloudServer, told: tuple[dict[str, Any], str, dict[str, str], str]
) -> None:
    build, _, keys, environment = told

    arn = cloud_server.client("sts", **keys).get_caller_identity()["Arn"]

    assert f":assumed-role/{build['serviceRole'].rpartition('/')[2]}/" in arn
    for secret in cloud_server.keys().values():  # the developer's key, which does not expire
        assert secret not in environment
    assert cloud_server.credentials_file not in environment


def test_a_build_that_prints_its_environment_publishes_no_credentials(
    cloud_server: CloudServer, told: tuple[dict[str, Any], str, dict[str, str], str]
) -> None:
    build, log, keys, _ = told
    assert "CODEBUILD_BUILD_ID=" in log  # it did print

    for secret in keys.values():
        assert secret not in log
        assert secret not in json.dumps(build, default=str)
        assert secret not in (cloud_server.state_dir / "server.log").read_text()


def test_a_file_that_holds_a_secret_is_the_persons_alone(
    cloud_server: CloudServer, told: tuple[dict[str, Any], str, dict[str, str], str]
) -> None:
    of_build = (told[2]["aws_secret_access_key"], told[2]["aws_session_token"])
    secrets = [*of_build, cloud_server.keys()["aws_secret_access_key"]]
    kept = [Path(folder, name) for folder, _, names in os.walk(cloud_server.state_dir) for name in names]
    holding = [path for path in kept if _holds(path, secrets)]

    assert Path(cloud_server.credentials_file) in holding
    assert [path for path in holding if _others_can_read(path, cloud_server.state_dir)] == []
    assert "mode of the workspace: 700" in told[1]  # it held the build's environment, and is gone by now


def _holds(path: Path, secrets: list[str]) -> bool:
    try:
        content = b"" if "site-packages" in path.parts or not path.is_file() else path.read_bytes()
    except FileNotFoundError:  # of a build, which cleans up after its end
        return False
    return any(secret.encode() in content for secret in secrets)


def _others_can_read(path: Path, top: Path) -> bool:
    """Whether neither the file nor a folder on the way to it, from `top` on, keeps others out."""
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH) == 0:
        return False
    folders = [folder for folder in path.parents if folder.is_relative_to(top)]
    return all(folder.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH) for folder in folders)


@pytest.fixture
def cloud_with_private_index(tmp_path: Path) -> Iterator[CloudServer]:
    variables = {
        "PIP_EXTRA_INDEX_URL": "https://ann:pa55w0rd-of-ann@127.0.0.1:1/simple",
        "UV_PUBLISH_TOKEN": "publish-t0ken",
    }
    server = CloudServer.start(tmp_path / "cloud", variables=variables)
    yield server
    server.stop()


def test_the_password_of_the_persons_package_index_is_in_no_log(cloud_with_private_index: CloudServer) -> None:
    build, log, _ = run_build(cloud_with_private_index, *TELL_ALL)

    assert build["buildStatus"] == "SUCCEEDED", log
    assert "PIP_EXTRA_INDEX_URL=https://ann:***@127.0.0.1:1/simple" in log
    assert "pa55w0rd-of-ann" not in log
    assert "publish-t0ken" not in log
    assert "pa55w0rd-of-ann" not in (cloud_with_private_index.state_dir / "server.log").read_text()
