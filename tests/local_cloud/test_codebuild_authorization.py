"""What CodeBuild asks IAM for, against AWS's service authorization reference."""

import re
from typing import Any

import pytest
from authorization_reference import (
    check_request,
    condition_keys,
    fits_resource,
    is_exact,
    missing_resources,
    wrong_conditions,
)
from botocore import xform_name

from local_cloud.authorization import Check, pass_role
from local_cloud.codebuild.authorization import rules
from local_cloud.codebuild.builds import user_name
from local_cloud.codebuild.operations import Operations
from local_cloud.wire import service_model

PLACE = "arn:aws:codebuild:eu-west-1:111122223333:"
TAXI = f"{PLACE}project/taxi"
UUID = "12345678-1234-1234-1234-123456789012"
GROUP = f"{PLACE}report-group/taxi-tests"
REPORT = f"{PLACE}report/taxi-tests:{UUID}"
ROLE = "arn:aws:iam::111122223333:role/build"
TAGS = [{"key": "project", "value": "taxi"}, {"key": "owner", "value": "me"}]
TAG_CONDITIONS = {"aws:RequestTag/project": "taxi", "aws:RequestTag/owner": "me", "aws:TagKeys": ["project", "owner"]}

ARTIFACTS = {"type": "S3", "location": "bucket", "bucketOwnerAccess": "NONE", "encryptionDisabled": False}
LOGS = {"s3Logs": {"status": "DISABLED", "location": "logs", "encryptionDisabled": False, "bucketOwnerAccess": "NONE"}}
CACHE = {"type": "LOCAL", "location": "cache", "modes": ["LOCAL_SOURCE_CACHE"]}
VARIABLES = [{"name": "STAGE", "value": "beta"}, {"name": "COLOUR", "value": "blue"}]
SOURCE = {
    "type": "S3", "location": "bucket/source.zip", "buildspec": "version: 0.2", "insecureSsl": False,
    "auth": {"type": "OAUTH", "resource": "token"}, "buildStatusConfig": {"context": "c", "targetUrl": "u"},
}  # fmt: skip
PROJECT = {
    "name": "taxi", "source": SOURCE, "secondarySources": [{**SOURCE, "sourceIdentifier": "Data"}],
    "artifacts": ARTIFACTS, "secondaryArtifacts": [{**ARTIFACTS, "artifactIdentifier": "Reports"}], "cache": CACHE,
    "environment": {
        "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
        "environmentVariables": VARIABLES, "privilegedMode": False, "imagePullCredentialsType": "CODEBUILD",
    },
    "serviceRole": ROLE, "encryptionKey": "alias/taxi", "logsConfig": LOGS, "tags": TAGS,
    "vpcConfig": {"vpcId": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]},
}  # fmt: skip
DESTINATION = {"bucket": "b", "bucketOwner": "111122223333", "path": "p", "encryptionKey": "k",
               "encryptionDisabled": False}  # fmt: skip
EXPORT = {"exportConfigType": "NO_EXPORT", "s3Destination": DESTINATION}

# A request of each served operation that carries all that IAM can be asked about.
REQUESTS: dict[str, dict[str, Any]] = {
    "BatchDeleteBuilds": {"ids": [f"taxi:{UUID}"]},
    "BatchGetBuilds": {"ids": [f"taxi:{UUID}"]},
    "BatchGetProjects": {"names": ["taxi"]},
    "BatchGetReportGroups": {"reportGroupArns": [GROUP]},
    "BatchGetReports": {"reportArns": [REPORT]},
    "CreateProject": PROJECT,
    "CreateReportGroup": {"name": "taxi-tests", "type": "TEST", "exportConfig": EXPORT, "tags": TAGS},
    "DeleteProject": {"name": "taxi"},
    "DeleteReport": {"arn": REPORT},
    "DeleteReportGroup": {"arn": GROUP},
    "DescribeCodeCoverages": {"reportArn": REPORT},
    "DescribeTestCases": {"reportArn": REPORT},
    "ListBuilds": {},
    "ListBuildsForProject": {"projectName": "taxi"},
    "ListProjects": {},
    "ListReportGroups": {},
    "ListReports": {},
    "ListReportsForReportGroup": {"reportGroupArn": GROUP},
    "RetryBuild": {"id": f"taxi:{UUID}"},
    "StartBuild": {
        "projectName": "taxi", "sourceTypeOverride": "S3", "sourceLocationOverride": "bucket/other.zip",
        "buildspecOverride": "version: 0.2", "secondarySourcesOverride": PROJECT["secondarySources"],
        "artifactsOverride": ARTIFACTS, "secondaryArtifactsOverride": PROJECT["secondaryArtifacts"],
        "environmentVariablesOverride": VARIABLES, "environmentTypeOverride": "LINUX_CONTAINER",
        "imageOverride": "image", "computeTypeOverride": "BUILD_GENERAL1_LARGE", "privilegedModeOverride": True,
        "cacheOverride": CACHE, "serviceRoleOverride": ROLE, "encryptionKeyOverride": "alias/other",
        "logsConfigOverride": LOGS,
    },
    "StopBuild": {"id": f"taxi:{UUID}"},
    "UpdateProject": PROJECT,
    "UpdateReportGroup": {"arn": GROUP, "exportConfig": EXPORT, "tags": TAGS},
}  # fmt: skip
WITHOUT_RESOURCE = ["ListBuilds", "ListProjects", "ListReportGroups", "ListReports"]

# Members that are refused before IAM is asked.
NOT_SERVED = re.compile(
    r"codebuild:(autoRetryLimit|buildBatchConfig|concurrentBuildLimit|fileSystemLocations"
    r"|environment\.(certificate|computeConfiguration|fleet|registryCredential))([./].*)?"
)
NOT_SERVED_OF_START_BUILD = re.compile(
    r"codebuild:(source\.(auth|buildStatusConfig|insecureSsl)|environment\.imagePullCredentialsType)(\..*)?"
)


def asked(operation: str, request: dict[str, Any] | None = None) -> list[Check]:
    table = rules("eu-west-1", "111122223333")
    return list(table[operation](REQUESTS[operation] if request is None else request))


def test_every_served_operation_has_a_rule_and_a_request_here() -> None:
    served = {name for name in service_model("codebuild").operation_names if hasattr(Operations, xform_name(name))}
    assert served == set(REQUESTS) == set(rules("r", "a"))


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_requests_here_are_of_the_services_model(operation: str) -> None:
    check_request("codebuild", operation, REQUESTS[operation])


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_reference_knows_every_action_with_its_resources_and_conditions(operation: str) -> None:
    checks = asked(operation)
    assert missing_resources(f"codebuild:{operation}", checks) == []
    for check in checks:
        assert fits_resource(check), check
        assert wrong_conditions(check) == [], check


@pytest.mark.parametrize("operation", REQUESTS)
def test_every_condition_key_of_the_reference_that_a_served_request_can_have_is_given(operation: str) -> None:
    given = asked(operation)[0].context
    for key, pattern in condition_keys(f"codebuild:{operation}").items():
        not_served = NOT_SERVED.fullmatch(key) or (
            operation == "StartBuild" and NOT_SERVED_OF_START_BUILD.fullmatch(key)
        )
        assert not_served or any(map(pattern.fullmatch, given)), key


@pytest.mark.parametrize("operation", [name for name in REQUESTS if name not in WITHOUT_RESOURCE])
@pytest.mark.parametrize("name", [None, "", "arn:", "::::", PLACE, f"{PLACE}project/", f"{PLACE}build/", "//"])
def test_a_name_that_is_none_is_no_resource_of_an_exact_policy(operation: str, name: str | None) -> None:
    members = ("id", "ids", "name", "names", "arn", "reportArn", "reportArns", "reportGroupArn", "reportGroupArns",
               "projectName")  # fmt: skip
    named = next(member for member in members if member in REQUESTS[operation])
    request = {} if name is None else {named: [name] if named.endswith("s") else name}
    checks = asked(operation, request)
    assert checks
    assert not [check for check in checks if is_exact(check)]


@pytest.mark.parametrize(
    ("operation", "request_", "resources"),
    [
        ("BatchGetBuilds", {"ids": [f"taxi:{UUID}", f"flights:{UUID}"]}, ["project/taxi", "project/flights"]),
        ("BatchGetBuilds", {"ids": [f"{PLACE}build/taxi:{UUID}"]}, ["project/taxi"]),
        ("BatchGetBuilds", {"ids": ["taxi"]}, ["project/"]),
        ("StopBuild", {"id": f"taxi:{UUID}"}, ["project/taxi"]),
        ("RetryBuild", {"id": f"taxi:{UUID}"}, ["project/taxi"]),
        ("BatchDeleteBuilds", {"ids": [f"taxi:{UUID}", "nonsense"]}, ["project/taxi", "project/"]),
        ("BatchGetProjects", {"names": ["taxi", f"{PLACE}project/flights"]}, ["project/taxi", "project/flights"]),
        ("StartBuild", {"projectName": TAXI}, ["project/taxi"]),
        ("ListBuildsForProject", {"projectName": "taxi"}, ["project/taxi"]),
        ("DescribeTestCases", {"reportArn": REPORT}, ["report-group/taxi-tests"]),
        ("BatchGetReports", {"reportArns": [REPORT]}, ["report-group/taxi-tests"]),
        ("DeleteReport", {"arn": REPORT}, ["report-group/taxi-tests"]),
        ("DeleteReportGroup", {"arn": GROUP}, ["report-group/taxi-tests"]),
        ("CreateReportGroup", {"name": "taxi-tests"}, ["report-group/taxi-tests"]),
    ],
)
def test_an_operation_asks_on_the_project_or_the_report_group(
    operation: str, request_: dict[str, Any], resources: list[str]
) -> None:
    assert asked(operation, request_) == [Check(f"codebuild:{operation}", PLACE + one) for one in resources]


@pytest.mark.parametrize("operation", WITHOUT_RESOURCE)
def test_a_list_of_everything_names_no_resource(operation: str) -> None:
    assert asked(operation) == [Check(f"codebuild:{operation}", "*")]


@pytest.mark.parametrize(
    ("operation", "member"),
    [("CreateProject", "serviceRole"), ("UpdateProject", "serviceRole"), ("StartBuild", "serviceRoleOverride")],
)
def test_a_service_role_is_passed_when_it_is_given(operation: str, member: str) -> None:
    assert asked(operation)[1:] == [pass_role(ROLE, "codebuild.amazonaws.com")]
    without = {key: value for key, value in REQUESTS[operation].items() if key != member}
    assert [check.action for check in asked(operation, without)] == [f"codebuild:{operation}"]


def test_the_overrides_of_a_build_are_conditions_and_what_is_not_overridden_is_none() -> None:
    overrides = {
        "projectName": "taxi", "buildspecOverride": "version: 0.2", "imageOverride": "image",
        "environmentVariablesOverride": VARIABLES[:1],
    }  # fmt: skip
    assert asked("StartBuild", {"projectName": "taxi"})[0].context == {}
    assert asked("StartBuild", overrides)[0].context == {
        "codebuild:source": "true",
        "codebuild:source.buildspec": "true",
        "codebuild:environment": "true",
        "codebuild:environment.image": "image",
        "codebuild:environment.environmentVariables": "true",
        "codebuild:environment.environmentVariables.name": ["STAGE"],
        "codebuild:environment.environmentVariables.value": ["beta"],
        "codebuild:environment.environmentVariables/STAGE.value": "beta",
    }


def test_a_projects_conditions_are_its_members() -> None:
    context = asked("CreateProject")[0].context
    assert (
        context.items()
        >= {
            **TAG_CONDITIONS,
            "codebuild:environment.privilegedMode": "false",
            "codebuild:secondarySources.location": ["bucket/source.zip"],
            "codebuild:secondarySources/Data.location": "bucket/source.zip",
            "codebuild:secondarySources/Data.buildspec": "true",
            "codebuild:secondaryArtifacts/Reports.encryptionDisabled": "false",
            "codebuild:serviceRole": ROLE,
            "codebuild:vpcConfig.subnets": ["subnet-1", "subnet-2"],
        }.items()
    )


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::111122223333:user/developer", "developer"),
        ("arn:aws:iam::111122223333:user/team/taxi/developer", "developer"),
        ("arn:aws:sts::111122223333:assumed-role/builder/nightly", "builder/nightly"),
        ("arn:aws:iam::111122223333:root", "root"),
    ],
    ids=["a user", "a user below a path", "a role's session", "the account"],
)
def test_a_build_names_who_has_started_it(arn: str, name: str) -> None:
    assert user_name(arn) == name
