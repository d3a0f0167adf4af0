"""What IAM is asked before CodeBuild acts.

Sources: the service authorization reference (resources, condition keys and their types, and in its table of operations
the iam:PassRole of CreateProject, UpdateProject and StartBuild) and CodeBuild's user guide, "AWS CodeBuild condition
keys".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from local_cloud.authorization import Check, Rules, pass_role

_SERVICE = "codebuild.amazonaws.com"

Context = dict[str, str | list[str]]
Request = Mapping[str, Any]


def _project(name_or_arn: str) -> str:
    return f"project/{name_or_arn.rpartition('/')[2]}"


def _project_of_build(id_or_arn: str) -> str:
    return _project(_owner(id_or_arn))


def _report_group(name_or_arn: str) -> str:
    return f"report-group/{name_or_arn.rpartition('/')[2]}"


def _group_of_report(arn: str) -> str:
    return _report_group(_owner(arn))


def _owner(id_or_arn: str) -> str:
    """The project of a build and the group of a report, whose ids are `OWNER:UUID`; empty for what is no such id."""
    owner, _, uuid = id_or_arn.rpartition("/")[2].rpartition(":")
    return owner if uuid else ""


# For each operation: what names its resource, or its resources, in the request, and which part of the ARN that makes.
_RESOURCES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "BatchDeleteBuilds": ("ids", _project_of_build),
    "BatchGetBuilds": ("ids", _project_of_build),
    "BatchGetProjects": ("names", _project),
    "BatchGetReportGroups": ("reportGroupArns", _report_group),
    "BatchGetReports": ("reportArns", _group_of_report),
    "CreateProject": ("name", _project),
    "CreateReportGroup": ("name", _report_group),
    "DeleteProject": ("name", _project),
    "DeleteReport": ("arn", _group_of_report),
    "DeleteReportGroup": ("arn", _report_group),
    "DescribeCodeCoverages": ("reportArn", _group_of_report),
    "DescribeTestCases": ("reportArn", _group_of_report),
    "ListBuildsForProject": ("projectName", _project),
    "ListReportsForReportGroup": ("reportGroupArn", _report_group),
    "RetryBuild": ("id", _project_of_build),
    "StartBuild": ("projectName", _project),
    "StopBuild": ("id", _project_of_build),
    "UpdateProject": ("name", _project),
    "UpdateReportGroup": ("arn", _report_group),
}
_WITHOUT_RESOURCE = ("ListBuilds", "ListProjects", "ListReportGroups", "ListReports")

# The members of a project that StartBuild replaces for one build, as far as that is served.
_OVERRIDES = {
    "artifactsOverride": "artifacts",
    "buildspecOverride": "source.buildspec",
    "cacheOverride": "cache",
    "computeTypeOverride": "environment.computeType",
    "encryptionKeyOverride": "encryptionKey",
    "environmentTypeOverride": "environment.type",
    "environmentVariablesOverride": "environment.environmentVariables",
    "imageOverride": "environment.image",
    "logsConfigOverride": "logsConfig",
    "privilegedModeOverride": "environment.privilegedMode",
    "secondaryArtifactsOverride": "secondaryArtifacts",
    "secondarySourcesOverride": "secondarySources",
    "serviceRoleOverride": "serviceRole",
    "sourceLocationOverride": "source.location",
    "sourceTypeOverride": "source.type",
}


def _below(member: str, *members: str) -> tuple[str, ...]:
    return tuple(f"{member}.{one}" for one in members)


_OF_ARTIFACTS = ("bucketOwnerAccess", "encryptionDisabled", "location")
_OF_A_SOURCE = (
    *_below("auth", "resource", "type"), *_below("buildStatusConfig", "context", "targetUrl"), "insecureSsl",
    "location",
)  # fmt: skip

# The condition keys are the members of a project or report group, as far as they are served. These tell that there is
# such a member,
_KEYS_OF_PRESENCE = (
    "artifacts", "cache", "environment", "environment.environmentVariables", "logsConfig", "logsConfig.s3Logs",
    "secondaryArtifacts", "secondarySources", "secondarySources.buildspec", "source", "source.buildspec", "vpcConfig",
)  # fmt: skip
# these have its value,
_KEYS_OF_ONE_VALUE = (
    "encryptionKey", "serviceRole", "vpcConfig.vpcId",
    *_below("artifacts", *_OF_ARTIFACTS),
    *_below("cache", "location", "type"),
    *_below("environment", "computeType", "image", "imagePullCredentialsType", "privilegedMode", "type"),
    *_below("exportConfig.s3Destination", "bucket", "bucketOwner", "encryptionDisabled", "encryptionKey", "path"),
    *_below("logsConfig.s3Logs", *_OF_ARTIFACTS, "status"),
    *_below("source", *_OF_A_SOURCE),
)  # fmt: skip
# these the values of all elements of a list,
_KEYS_OF_VALUES = (
    "cache.modes",
    *_below("environment.environmentVariables", "name", "value"),
    *_below("secondaryArtifacts", "artifactIdentifier", *_OF_ARTIFACTS),
    *_below("secondarySources", "sourceIdentifier", *_OF_A_SOURCE),
    *_below("vpcConfig", "securityGroupIds", "subnets"),
)
# and these the value of one element, such as `secondarySources/IDENTIFIER.location`.
_KEYS_BY_ELEMENT = (
    ("environment.environmentVariables", "name", ("value",)),
    ("secondaryArtifacts", "artifactIdentifier", _OF_ARTIFACTS),
    ("secondarySources", "sourceIdentifier", _OF_A_SOURCE),
)


def rules(region: str, account_id: str) -> Rules:
    """What each served operation asks IAM for."""
    place = f"arn:aws:codebuild:{region}:{account_id}:"
    asked: dict[str, Callable[[dict[str, Any]], Iterator[Check]]]
    asked = {operation: partial(_on_resources, operation, place) for operation in _RESOURCES}
    return asked | {operation: partial(_on_anything, operation) for operation in _WITHOUT_RESOURCE}


def _on_anything(operation: str, request: Request) -> Iterator[Check]:
    yield Check(f"codebuild:{operation}", "*")


def _on_resources(operation: str, place: str, request: Request) -> Iterator[Check]:
    member, resource = _RESOURCES[operation]
    definition = _overrides(request) if operation == "StartBuild" else request
    context = _conditions(definition) | _tags(definition)
    for name in _values(request, member) or [""]:
        yield Check(f"codebuild:{operation}", place + resource(name), context)
    for role_arn in _values(definition, "serviceRole"):
        yield pass_role(role_arn, _SERVICE)


def _overrides(request: Request) -> dict[str, Any]:
    """What StartBuild replaces, as a project has it."""
    definition: dict[str, Any] = {}
    for override, path in _OVERRIDES.items():
        if override in request:
            *parents, member = path.split(".")
            target = definition
            for parent in parents:
                target = target.setdefault(parent, {})
            target[member] = request[override]
    return definition


def _conditions(definition: Request) -> Context:
    found: Context = {key: "true" for key in _KEYS_OF_PRESENCE if _values(definition, key)}
    found |= _single(definition, "", _KEYS_OF_ONE_VALUE)
    for key in _KEYS_OF_VALUES:
        if values := _values(definition, key):
            found[key] = [_text(value) for value in values]
    for path, identifier, members in _KEYS_BY_ELEMENT:
        for element in _values(definition, path):
            found |= _single(element, f"{path}/{element.get(identifier, '')}.", members)
    for source in _values(definition, "secondarySources"):
        if "buildspec" in source:
            found[f"secondarySources/{source.get('sourceIdentifier', '')}.buildspec"] = "true"
    return {f"codebuild:{key}": value for key, value in found.items()}


def _single(definition: Request, prefix: str, members: Iterable[str]) -> Context:
    return {f"{prefix}{member}": _text(values[0]) for member in members if (values := _values(definition, member))}


def _tags(request: Request) -> Context:
    tags = {tag.get("key", ""): tag.get("value", "") for tag in request.get("tags") or []}
    context: Context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return context | ({"aws:TagKeys": list(tags)} if tags else {})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(request: Request, path: str) -> list[Any]:
    """What stands at a path such as `vpcConfig.subnets`, in each element of the lists on its way; absent, nothing."""
    values: list[Any] = [request]
    for member in path.split("."):
        found = [value[member] for value in values if isinstance(value, Mapping) and member in value]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return values
