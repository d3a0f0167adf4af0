"""Build and test action: a CodeBuild build of the input artifacts, whose artifacts and exported variables go on."""

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local_cloud.codepipeline.actions.action import (
    ActionEndedError,
    ActionFailedError,
    ActionRun,
    ActionType,
    Outcome,
    Place,
)
from local_cloud.codepipeline.records import Artifact
from local_cloud.codepipeline.variables import REFERENCE

logger = logging.getLogger(__name__)

_GOOD_PHASE_STATUSES = (None, "SUCCEEDED", "QUEUED", "IN_PROGRESS")
_VARIABLES_FORM = '[{"name": "KEY", "value": "text", "type": "PLAINTEXT"}]'


def _perform(run: ActionRun) -> Outcome:
    client = run.client("codebuild")
    build_id = run.external_execution_id or _start(run, client)
    try:
        build = run.poll(lambda: _ended_build(run, client, build_id))
    except (ActionEndedError, ActionFailedError):
        _stop(client, build_id)
        raise
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionFailedError("JobFailed", failure_message(build))
    exported = {v["name"]: v.get("value", "") for v in build.get("exportedEnvironmentVariables", [])}
    return Outcome(output_variables=exported)


def _start(run: ActionRun, client: Any) -> str:
    build = client.start_build(**start_request(run))["build"]
    build_id: str = build["id"]
    project, _, _ = build_id.partition(":")
    place = Place(run.cloud.region, run.cloud.account_id)
    path = f"{place.account_id}/projects/{quote(project)}/build/{quote(build_id, safe='')}/?region={place.region}"
    run.report(external_execution_id=build_id, external_execution_url=place.console("codesuite/codebuild", path))
    return build_id


def start_request(run: ActionRun) -> dict[str, Any]:
    """The StartBuild request of an action.

    One output artifact is the build's primary artifact; several are its secondary artifacts of the same names.
    """
    primary = primary_source(run.configuration, run.inputs)
    request: dict[str, Any] = {
        "projectName": run.configuration["ProjectName"],
        "idempotencyToken": run.id,
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": _location(primary),
        "secondarySourcesOverride": [
            {"type": "S3", "location": _location(artifact), "sourceIdentifier": artifact.name}
            for artifact in run.inputs
            if artifact is not primary
        ],
        "environmentVariablesOverride": _variables(run, primary),
        "artifactsOverride": {"type": "NO_ARTIFACTS"},
        "secondaryArtifactsOverride": [],
    }
    if len(run.outputs) == 1:
        request["artifactsOverride"] = _artifact_override(run.outputs[0])
    elif run.outputs:
        request["secondaryArtifactsOverride"] = [
            _artifact_override(artifact) | {"artifactIdentifier": artifact.name} for artifact in run.outputs
        ]
    return request


def _variables(run: ActionRun, primary: Artifact) -> list[dict[str, str]]:
    """The action's variables, and the two reserved ones by which the local CodeBuild learns who builds what."""
    facts = {"CODEBUILD_INITIATOR": f"codepipeline/{run.pipeline}"}
    if primary.name in run.commit_ids:
        facts["CODEBUILD_RESOLVED_SOURCE_VERSION"] = run.commit_ids[primary.name]
    given: list[dict[str, str]] = json.loads(run.configuration.get("EnvironmentVariables", "[]"))
    return [*given, *({"name": name, "value": value, "type": "PLAINTEXT"} for name, value in facts.items())]


def primary_source(configuration: Mapping[str, str], inputs: tuple[Artifact, ...]) -> Artifact:
    """The input artifact in whose folder the build runs."""
    name = configuration.get("PrimarySource", inputs[0].name)
    return next(artifact for artifact in inputs if artifact.name == name)


def _location(artifact: Artifact) -> str:
    return f"{artifact.bucket}/{artifact.key}"


def _artifact_override(artifact: Artifact) -> dict[str, Any]:
    path, _, name = artifact.key.rpartition("/")
    return {
        "type": "S3", "location": artifact.bucket, "path": path, "name": name,
        "namespaceType": "NONE", "packaging": "ZIP", "overrideArtifactName": False,
    }  # fmt: skip


def _ended_build(run: ActionRun, client: Any, build_id: str) -> dict[str, Any] | None:
    builds = client.batch_get_builds(ids=[build_id])["builds"]
    if not builds:
        message = f"The build {build_id} is not known any more; retry the stage to build again."
        raise ActionFailedError("JobFailed", message)
    build: dict[str, Any] = builds[0]
    run.report(log_stream_arn=build.get("logs", {}).get("cloudWatchLogsArn"))
    return None if build["buildStatus"] == "IN_PROGRESS" else build


def failure_message(build: Mapping[str, Any]) -> str:
    """What went wrong in a build, in CodePipeline's words."""
    failed = next((p for p in build.get("phases", []) if p.get("phaseStatus") not in _GOOD_PHASE_STATUSES), None)
    text = f"Build terminated with state: {build['buildStatus']}"
    if failed is None:
        return text
    contexts: list[dict[str, str]] = failed.get("contexts", [])
    context = next((c for c in contexts if c.get("message") or c.get("statusCode")), {})
    text += f". Phase: {failed['phaseType']}, Code: {context.get('statusCode', failed['phaseStatus'])}"
    return f"{text}, Message: {context['message']}" if context.get("message") else text


def _stop(client: Any, build_id: str) -> None:
    try:
        client.stop_build(id=build_id)
    except ClientError as error:
        logger.warning("the build %s of an ended action could not be stopped: %s", build_id, error)


def _faults(configuration: Mapping[str, str]) -> list[str]:
    faults = []
    if configuration.get("BatchEnabled", "false").lower() == "true":
        faults.append("BatchEnabled must be false: batch builds are not served")
    variables = configuration.get("EnvironmentVariables")
    if variables is not None and not _is_list_of_variables(variables):
        faults.append(f"EnvironmentVariables must be a JSON list like {_VARIABLES_FORM}")
    return faults


def _is_list_of_variables(text: str) -> bool:
    try:
        variables = json.loads(REFERENCE.sub("0", text))
    except ValueError:
        return False
    return isinstance(variables, list) and all(isinstance(v, dict) and {"name", "value"} <= v.keys() for v in variables)


def _entity_url(configuration: Mapping[str, str], place: Place) -> str:
    project = quote(configuration["ProjectName"])
    return place.console("codesuite/codebuild", f"{place.account_id}/projects/{project}/details?region={place.region}")


CODEBUILD = ActionType(
    provider="CodeBuild",
    categories=("Build", "Test"),
    required=frozenset({"ProjectName"}),
    optional=frozenset({"PrimarySource", "EnvironmentVariables", "BatchEnabled", "CombineArtifacts"}),
    inputs=range(1, 6),
    outputs=range(0, 6),
    perform=_perform,
    faults=_faults,
    entity_url=_entity_url,
)
