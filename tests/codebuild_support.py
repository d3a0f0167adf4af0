"""Projects and builds of one test, for tests of the local cloud's CodeBuild."""

import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

ENVIRONMENT = {
    "type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
    "computeType": "BUILD_GENERAL1_SMALL",
}  # fmt: skip


class Builds:
    """Projects and builds of one test, and a bucket."""

    def __init__(self, server: CloudServer) -> None:
        self.server = server
        self.client = server.client("codebuild")
        self.s3 = server.client("s3")
        self.name = f"project-{uuid.uuid4().hex[:8]}"
        self.bucket = f"bucket-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.role_arn = make_role(server, "codebuild", EVERYTHING)

    def project(self, buildspec: str | None = None, **members: Any) -> dict[str, Any]:
        source = {"type": "NO_SOURCE", "buildspec": buildspec} if buildspec else {"type": "S3", "location": "none/none"}
        definition = {
            "name": self.name, "source": source, "artifacts": {"type": "NO_ARTIFACTS"}, "environment": ENVIRONMENT,
            "serviceRole": self.role_arn,
        }  # fmt: skip
        return self.client.create_project(**definition | members)["project"]

    def start(self, **request: Any) -> str:
        return self.client.start_build(projectName=self.name, **request)["build"]["id"]

    def get(self, build_id: str) -> dict[str, Any]:
        return self.client.batch_get_builds(ids=[build_id])["builds"][0]

    def finished(self, build_id: str) -> dict[str, Any]:
        return eventually(lambda: (build := self.get(build_id))["buildComplete"] and build, 60)

    def run(self, buildspec: str | None = None, **request: Any) -> dict[str, Any]:
        """Start a build of the project, which is made when there is none, and wait for its end."""
        if not self.client.batch_get_projects(names=[self.name])["projects"]:
            self.project(buildspec)
        return self.finished(self.start(**request))

    def log(self, build: dict[str, Any]) -> str:
        where = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
        events = self.server.client("logs").get_log_events(**where, startFromHead=True)["events"]
        return "\n".join(event["message"] for event in events)

    def commands_run(self, build: dict[str, Any]) -> list[str]:
        return re.findall(r"Running command (.*)", self.log(build))

    def put_source(self, key: str, files: dict[str, str]) -> str:
        """Put a zip file into the bucket; answers its location."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in files.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (0o755 if content.startswith("#!") else 0o644) << 16
                archive.writestr(entry, content)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=packed.getvalue())
        return f"{self.bucket}/{key}"

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()


def spec(**sections: Any) -> str:
    return json.dumps({"version": "0.2", **sections})


def commands(**phases: list[str]) -> str:
    return spec(phases={name: {"commands": given} for name, given in phases.items()})


def statuses(build: dict[str, Any]) -> dict[str, str]:
    """The phases in which commands run, and the upload, with their status."""
    shown = ("DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS")
    return {p["phaseType"]: p["phaseStatus"] for p in build["phases"] if p["phaseType"] in shown}


def failure(build: dict[str, Any]) -> tuple[str, str, str]:
    """The first failed phase, its status code and its message."""
    phase = next(p for p in build["phases"] if p.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED")
    return phase["phaseType"], phase["contexts"][0]["statusCode"], phase["contexts"][0]["message"]


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
