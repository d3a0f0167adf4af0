"""Builds: started, stopped, retried and listed."""

import json
import shutil
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from local_cloud.authorization import caller_arn
from local_cloud.cloud import Cloud
from local_cloud.codebuild import git_source, source, variables
from local_cloud.codebuild.interruption import Interruption
from local_cloud.codebuild.listing import found_and_missing, paged
from local_cloud.codebuild.projects import Projects
from local_cloud.codebuild.record import close_phase
from local_cloud.codebuild.report_groups import ReportGroups
from local_cloud.codebuild.run import BuildRun, stray_mark, workspaces
from local_cloud.codebuild.toolchain import Toolchain
from local_cloud.strays import end_strays
from local_cloud.wire import ServiceError

Document = dict[str, Any]

_TOKEN_LIFE = timedelta(minutes=5)
_STOP_ANSWER_SECONDS = 2.0  # StopBuild answers with the stopped build when it ends within this time
_REPLACED = {  # what StartBuild replaces as a whole
    "secondarySourcesOverride": "secondarySources", "secondarySourcesVersionOverride": "secondarySourceVersions",
    "artifactsOverride": "artifacts", "secondaryArtifactsOverride": "secondaryArtifacts", "cacheOverride": "cache",
    "serviceRoleOverride": "serviceRole", "timeoutInMinutesOverride": "timeoutInMinutes",
    "queuedTimeoutInMinutesOverride": "queuedTimeoutInMinutes", "encryptionKeyOverride": "encryptionKey",
    "logsConfigOverride": "logsConfig", "sourceVersion": "sourceVersion",
}  # fmt: skip
_REPLACED_IN_SOURCE = {
    "sourceTypeOverride": "type",
    "sourceLocationOverride": "location",
    "buildspecOverride": "buildspec",
}
_REPLACED_IN_ENVIRONMENT = {
    "environmentTypeOverride": "type", "imageOverride": "image", "computeTypeOverride": "computeType",
    "privilegedModeOverride": "privilegedMode",
}  # fmt: skip
# On AWS, CodePipeline tells CodeBuild these two without a request member of their own; their names are reserved.
_FACTS_OF_THE_CALLER = {
    "CODEBUILD_INITIATOR": "initiator",
    "CODEBUILD_RESOLVED_SOURCE_VERSION": "resolvedSourceVersion",
}


class BuildOperations:
    """The part of CodeBuild's API that is about builds."""

    def __init__(self, cloud: Cloud, projects: Projects, toolchain: Toolchain, report_groups: ReportGroups) -> None:
        self._cloud = cloud
        self._build_projects = projects
        self._toolchain = toolchain
        self._build_report_groups = report_groups
        self._builds = cloud.store.table("codebuild.builds")
        self._tokens = cloud.store.table("codebuild.idempotency-tokens")
        self._starting = threading.Lock()
        self._running: dict[str, tuple[Interruption, threading.Event]] = {}

    def start_build(self, request: Document) -> Document:
        return self.start_build_for(user_name(caller_arn()), request)

    def start_build_for(self, initiator: str, request: Document) -> Document:
        """StartBuild, in the name of somebody who is not the caller."""
        with self._starting:
            repeated = self._repeated(request)
            if repeated is not None:
                return {"build": repeated}
            build = self._new_build(initiator, request)
            self._builds.put(build["id"], build)
            self._note_token(request, build["id"])
        self._launch(build)
        return {"build": build}

    def retry_build(self, request: Document) -> Document:
        build = self._build(request["id"])
        if not build["buildComplete"]:
            raise ServiceError(
                "InvalidInputException", f"Build {build['id']} still runs: only a completed one can be retried"
            )
        again = {key: value for key, value in build["request"].items() if key != "idempotencyToken"}
        token = {"idempotencyToken": request["idempotencyToken"]} if "idempotencyToken" in request else {}
        return self.start_build(again | token)

    def stop_build(self, request: Document) -> Document:
        build = self._build(request["id"])
        running = self._running.get(build["id"])
        if running is not None:
            interruption, ended = running
            interruption.stop()
            ended.wait(_STOP_ANSWER_SECONDS)
        return {"build": self._build(build["id"])}

    def batch_get_builds(self, request: Document) -> Document:
        ids = [one.removeprefix(self._arn("")) for one in request["ids"]]
        return found_and_missing(self._builds.get, ids, "builds", "buildsNotFound")

    def list_builds(self, request: Document) -> Document:
        return self._listed([key for key, _ in self._builds.items()], request)

    def list_builds_for_project(self, request: Document) -> Document:
        name = request["projectName"]
        self._build_projects.get(name)
        return self._listed([key for key, build in self._builds.items() if build["projectName"] == name], request)

    def batch_delete_builds(self, request: Document) -> Document:
        deleted, kept = [], []
        for build_id in request["ids"]:
            build = self._builds.get(build_id)
            if build is None or build["buildComplete"]:
                self._builds.delete(build_id)
                deleted.append(self._arn(build_id))
            else:
                kept.append({"id": build_id, "statusCode": "BUILD_IN_PROGRESS"})
        return {"buildsDeleted": deleted, "buildsNotDeleted": kept}

    def fail_interrupted(self) -> None:
        """End the records, processes and folders of builds that ran when the server before this one ended."""
        for build_id, build in self._builds.items():
            if build["buildComplete"]:
                continue
            end_strays(stray_mark(build_id))
            message = "The local cloud ended while this build ran; start it again (RetryBuild)."
            with self._builds.change(build_id) as ended:
                close_phase(ended["phases"][-1], "FAULT", "INTERNAL_SERVICE_ERROR", message)
                ended["phases"].append({"phaseType": "COMPLETED", "startTime": datetime.now(UTC)})
                ended.update(
                    buildStatus="FAULT", currentPhase="COMPLETED", buildComplete=True, endTime=datetime.now(UTC)
                )
        shutil.rmtree(workspaces(self._cloud), ignore_errors=True)

    def _launch(self, build: Document) -> None:
        interruption = Interruption(build["timeoutInMinutes"] * 60)
        ended = threading.Event()
        self._running[build["id"]] = interruption, ended

        def work() -> None:
            try:
                BuildRun(
                    self._cloud, self._builds, build["id"], self._toolchain, self._build_report_groups, interruption
                ).run()
            finally:
                ended.set()
                self._running.pop(build["id"], None)

        self._cloud.background(work, f"build-{build['id']}")

    def _build(self, build_id: str) -> Document:
        build = self._builds.get(build_id.removeprefix(self._arn("")))
        if build is None:
            raise ServiceError("ResourceNotFoundException", f"Build {build_id} cannot be found")
        return build

    def _arn(self, build_id: str) -> str:
        return f"arn:aws:codebuild:{self._cloud.region}:{self._cloud.account_id}:build/{build_id}"

    def _new_build(self, initiator: str, request: Document) -> Document:
        name = request["projectName"].rpartition("/")[2]
        project = self._build_projects.get(name)
        definition, caller_facts = _definition(project, request)
        _check_sources(definition)
        build_id = f"{name}:{uuid.uuid4()}"
        now = datetime.now(UTC)
        submitted = {"phaseType": "SUBMITTED", "startTime": now}
        queued = {"phaseType": "QUEUED", "startTime": now}
        for phase in (submitted, queued):
            close_phase(phase, "SUCCEEDED", "", "")
        return {
            **definition, "initiator": initiator, **caller_facts,
            "id": build_id, "arn": self._arn(build_id), "projectName": name, "request": request,
            "buildNumber": self._build_projects.next_build_number(name), "startTime": now,
            "currentPhase": "QUEUED", "buildStatus": "IN_PROGRESS", "buildComplete": False,
            "phases": [submitted, queued], "logs": self._logs(definition, name, build_id),
        }  # fmt: skip

    def _logs(self, definition: Document, project: str, build_id: str) -> Document:
        """LogsLocation; a log that is switched off has no group."""
        config = definition.get("logsConfig", {}).get("cloudWatchLogs", {"status": "ENABLED"})
        if config["status"] == "DISABLED":
            return {"cloudWatchLogs": config}
        group = config.get("groupName") or f"/aws/codebuild/{project}"
        prefix = f"{config['streamName']}/" if config.get("streamName") else ""
        stream = prefix + build_id.rpartition(":")[2]
        region, account = self._cloud.region, self._cloud.account_id
        console = f"https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        return {
            "groupName": group, "streamName": stream, "cloudWatchLogs": config,
            "deepLink": f"{console}{quote(group, safe='')}/log-events/{quote(stream, safe='')}",
            "cloudWatchLogsArn": f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}",
        }  # fmt: skip

    def _repeated(self, request: Document) -> Document | None:
        """The build that a request with this token has started already."""
        known = self._tokens.get(request["idempotencyToken"]) if "idempotencyToken" in request else None
        if known is None or datetime.now(UTC) - known["time"] > _TOKEN_LIFE:
            return None
        if known["request"] != _fingerprint(request):
            raise ServiceError("InvalidInputException", "The idempotencyToken was used with other parameters")
        return self._builds.get(known["build"])

    def _note_token(self, request: Document, build_id: str) -> None:
        if "idempotencyToken" in request:
            self._tokens.put(
                request["idempotencyToken"],
                {"build": build_id, "time": datetime.now(UTC), "request": _fingerprint(request)},
            )

    def _listed(self, ids: list[str], request: Document) -> Document:
        ordered = ids if request.get("sortOrder") == "ASCENDING" else ids[::-1]
        return paged("ids", ordered, request)


def user_name(arn: str) -> str:
    """How a build names who started it: a user by the name, and a role, which is a guess, by `ROLE/SESSION`."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return name if kind == "assumed-role" else name.rpartition("/")[2] or kind


def _definition(project: Document, request: Document) -> tuple[Document, Document]:
    """What a build is made by: the project with the request's overrides; and what the caller says of itself."""
    kept = ("source", "secondarySources", "secondarySourceVersions", "sourceVersion", "artifacts", "secondaryArtifacts",
            "cache", "environment", "serviceRole", "timeoutInMinutes", "queuedTimeoutInMinutes", "encryptionKey",
            "logsConfig", "vpcConfig")  # fmt: skip
    definition: Document = {"secondarySources": [], "secondarySourceVersions": [], "secondaryArtifacts": []}
    definition |= {key: project[key] for key in kept if key in project}
    definition |= {member: request[key] for key, member in _REPLACED.items() if key in request}
    source_override = {member: request[key] for key, member in _REPLACED_IN_SOURCE.items() if key in request}
    overrides = {member: request[key] for key, member in _REPLACED_IN_ENVIRONMENT.items() if key in request}
    given = request.get("environmentVariablesOverride", [])
    facts = {_FACTS_OF_THE_CALLER[v["name"]]: v["value"] for v in given if v["name"] in _FACTS_OF_THE_CALLER}
    environment = {**project["environment"], **overrides}
    environment["environmentVariables"] = variables.merged(
        project["environment"].get("environmentVariables", []),
        [v for v in given if v["name"] not in _FACTS_OF_THE_CALLER],
    )
    return definition | {"source": {**project["source"], **source_override}, "environment": environment}, facts


def _check_sources(definition: Document) -> None:
    for one in (definition["source"], *definition["secondarySources"]):
        if one["type"] not in source.SERVED_TYPES:
            served = ", ".join(source.SERVED_TYPES)
            raise ServiceError(
                "InvalidInputException",
                f"Source type {one['type']} cannot be built: the local cloud builds from {served}. CodePipeline names "
                "a zip file in S3; without it use sourceTypeOverride and sourceLocationOverride",
            )
        if one["type"] == git_source.TYPE and git_source.repository_name(one.get("location", "")) is None:
            message = f"{one.get('location')} is no clone URL of a repository: https://HOST/v1/repos/NAME"
            raise ServiceError("InvalidInputException", message)
        if one["type"] == "S3" and one.get("location", "").endswith("/"):
            raise ServiceError(
                "InvalidInputException", f"{one['location']}: a folder cannot be built here, name a zip file"
            )
    if definition["source"]["type"] == "NO_SOURCE" and not definition["source"].get("buildspec"):
        raise ServiceError("InvalidInputException", "Build specification is required when source type is NO_SOURCE")
    targets = [definition["artifacts"], *definition["secondaryArtifacts"]]
    if any(target["type"] == "CODEPIPELINE" for target in targets):
        raise ServiceError(
            "InvalidInputException", "Artifacts of type CODEPIPELINE need CodePipeline, or artifactsOverride"
        )


def _fingerprint(request: Document) -> str:
    return json.dumps(request, sort_keys=True, default=str)
