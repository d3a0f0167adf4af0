"""No secret stands in a template, and only ids, names and URIs travel from build to build."""

import json
import re
from typing import Any

import pytest
from infra_support import Deployment

from local_cloud.codepipeline.variables import references

PROJECT = "AWS::CodeBuild::Project"
PIPELINE = "AWS::CodePipeline::Pipeline"
TEMPLATES = ("foundation", "pipeline", "staging", "production")

# All that builds are told, by their project and by the pipeline: names, places and ids, and one program.
VARIABLES = {
    "ALARM_NAMES",
    "APPROVAL_NOTE",
    "COMMENT_ROLE_ARN",
    "CHALLENGER_MODEL_PACKAGE_ARN",
    "COMMENT_SESSION",
    "COMMIT_ID",
    "DATASET_URI",
    "DATA_BUCKET",
    "DATA_VERSION",
    "DOCUMENTS_DIR",
    "ENDPOINT_NAME",
    "ENVIRONMENT",
    "EXECUTION_ID",
    "IMAGE_REPOSITORY",
    "IMAGE_URI",
    "KEY_ARN",
    "MODEL_ARCHIVE_SHA256",
    "MODEL_DATA_URI",
    "MODEL_PACKAGE_ARN",
    "MODEL_PACKAGE_ARN_PREFIX",
    "MODEL_PACKAGE_GROUP",
    "MODEL_SHA256",
    "PIPELINE_NAME",
    "PROCESSING_ROLE_ARN",
    "PRODUCTION_ENDPOINT",
    "PULL_REQUESTS",
    "RELEASED_VERSION",
    "REPOSITORY",
    "ROLLOUT_NOTE",
    "SLIPWAY_OVERLAY",
    "STRATEGY",
    "TRAINING_JOB_NAME",
    "TRAINING_ROLE_ARN",
}
SECRET_NAME = re.compile(r"secret|passw|token|credential|private|api_?key|access_?key", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN|\{\{resolve:|://[^/\s:@\"]+:[^/\s@\"]+@|\bgh[pousr]_\w{20}|\bxox[abp]-"
)
# Text that people or data wrote; everything else that actions export is an id, a URI or a name of ours.
FREE_TEXT = {
    ("Test", "SUMMARY"),
    ("EvaluateModel", "APPROVAL_TEXT"),
    ("EvaluateModel", "SUMMARY"),
    ("VerifyStaging", "SUMMARY"),
    ("VerifyProduction", "SUMMARY"),
    ("Source", "AuthorDate"),
    ("Source", "BranchName"),
    ("Source", "CommitMessage"),
    ("Source", "CommitterDate"),
}


def actions(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The configuration of all actions, by `Stage.Action`."""
    stages = deployment.properties("pipeline", PIPELINE, "Pipeline")["Stages"]
    return {f"{s['Name']}.{a['Name']}": a["Configuration"] for s in stages for a in s["Actions"]}


def build_variables(deployment: Deployment) -> list[dict[str, str]]:
    """Every environment variable of every build, as the API names its members."""
    given = [
        {key.lower(): value for key, value in entry.items()}
        for project in deployment.resources("pipeline", PROJECT).values()
        for entry in project["Properties"]["Environment"]["EnvironmentVariables"]
    ]
    for configuration in actions(deployment).values():
        given += json.loads(configuration.get("EnvironmentVariables", "[]"))
    return given


def buildspecs(deployment: Deployment) -> dict[str, dict[str, Any]]:
    projects = deployment.resources("pipeline", PROJECT)
    return {name: json.loads(one["Properties"]["Source"]["BuildSpec"]) for name, one in projects.items()}


def test_all_that_builds_are_told_is_listed_and_none_of_it_is_of_a_secrets_kind(customized: Deployment) -> None:
    told = build_variables(customized)

    assert {entry["name"] for entry in told} == VARIABLES
    assert {entry["type"] for entry in told} == {"PLAINTEXT"}
    assert not [name for name in VARIABLES if SECRET_NAME.search(name)]


def test_no_build_takes_or_exports_a_secret(deployment: Deployment) -> None:
    for name, buildspec in buildspecs(deployment).items():
        environment = buildspec.get("env", {})
        assert set(environment) <= {"exported-variables"}, name  # neither parameter-store nor secrets-manager
        assert not [one for one in environment.get("exported-variables", []) if SECRET_NAME.search(one)], name


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_template_holds_a_secret_or_asks_for_one(customized: Deployment, template: str) -> None:
    document = customized.templates[template]

    assert SECRET_VALUE.findall(json.dumps(document)) == []
    parameters = [name for name in document.get("Parameters", {}) if SECRET_NAME.search(name)]
    assert parameters == []
    types = {resource["Type"] for resource in document["Resources"].values()}
    assert not types & {"AWS::IAM::AccessKey", "AWS::IAM::User", "AWS::SecretsManager::Secret"}


def test_a_secret_would_be_found() -> None:
    for text in ("AKIA" + "A" * 16, "https://user:word@host/", "{{resolve:ssm:x}}", "-----BEGIN RSA PRIVATE KEY"):
        assert SECRET_VALUE.search(json.dumps({"Value": f"x {text}"}))


def test_the_commands_of_builds_are_the_same_whatever_the_settings_say(
    deployment: Deployment, customized: Deployment
) -> None:
    assert buildspecs(customized) == buildspecs(deployment)


def test_free_text_goes_to_the_approver_and_into_no_builds_variable_and_no_parameter(deployment: Deployment) -> None:
    used = {
        (place, key): set(references(text))
        for place, configuration in actions(deployment).items()
        for key, text in configuration.items()
        if isinstance(text, str)
    }

    assert used["Approve.Approve", "CustomData"] & FREE_TEXT == {
        ("EvaluateModel", "APPROVAL_TEXT"),
        ("VerifyStaging", "SUMMARY"),
    }
    others = {place: found & FREE_TEXT for place, found in used.items() if place != ("Approve.Approve", "CustomData")}
    assert not any(others.values())
    assert any(found - FREE_TEXT for place, found in used.items() if place[1] == "EnvironmentVariables")
