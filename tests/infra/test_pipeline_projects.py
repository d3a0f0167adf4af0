"""The CodeBuild projects: where they run, what they are told, what they run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from infra_support import Deployment

from infra import buildspecs

ROOT = Path(__file__).parents[2]
PROJECT = "AWS::CodeBuild::Project"
NAMES = {
    "Test": "flight-delays-test",
    "Synth": "flight-delays-synth",
    "BuildImage": "flight-delays-build-image",
    "PrepareData": "flight-delays-prepare-data",
    "TrainModel": "flight-delays-train-model",
    "EvaluateModel": "flight-delays-evaluate-model",
    "RegisterModel": "flight-delays-register-model",
    "VerifyStaging": "flight-delays-verify-staging",
    "RecordApproval": "flight-delays-record-approval",
    "PlanRelease": "flight-delays-plan-release",
    "VerifyProduction": "flight-delays-verify-production",
}
STEPS = {
    "BuildImage": ("build_image", ["IMAGE_URI"]),
    "PrepareData": ("prepare_data", ["DATASET_URI", "DATA_VERSION"]),
    "TrainModel": ("train_model", ["TRAINING_JOB_NAME", "MODEL_DATA_URI", "MODEL_SHA256", "MODEL_ARCHIVE_SHA256"]),
    "EvaluateModel": ("evaluate_model", ["VERDICT", "SUMMARY", "APPROVAL_TEXT"]),
    "RegisterModel": ("register_model", ["MODEL_PACKAGE_ARN", "MODEL_PACKAGE_VERSION"]),
    "VerifyStaging": ("verify_endpoint", ["SUMMARY"]),
    "PlanRelease": ("plan_release", ["MODEL_PACKAGE_ARN", "CHALLENGER_MODEL_PACKAGE_ARN", "STRATEGY", "SUMMARY"]),
    "VerifyProduction": ("verify_endpoint", ["SUMMARY"]),
}


REQUIREMENTS = {
    "EvaluateModel": "-r pipeline_steps/requirements.txt -r pipeline_steps/report/requirements.txt",
    "VerifyStaging": "-r pipeline_steps/requirements.txt -r pipeline_steps/verification/requirements.txt "
    "-r pipeline_steps/report/requirements.txt",
    "VerifyProduction": "-r pipeline_steps/requirements.txt -r pipeline_steps/verification/requirements.txt",
}


def project(deployment: Deployment, name: str) -> dict[str, Any]:
    return deployment.properties("pipeline", PROJECT, f"Projects{name}Project")


def variables(deployment: Deployment, name: str) -> dict[str, str]:
    entries = project(deployment, name)["Environment"]["EnvironmentVariables"]
    assert {entry["Type"] for entry in entries} == {"PLAINTEXT"}
    return {entry["Name"]: entry["Value"] for entry in entries}


def buildspec(deployment: Deployment, name: str) -> dict[str, Any]:
    source = project(deployment, name)["Source"]
    assert source["Type"] == "CODEPIPELINE"
    document: dict[str, Any] = json.loads(source["BuildSpec"])
    assert document["version"] == "0.2"
    return document


def test_there_is_a_project_for_each_build_and_no_other(deployment: Deployment) -> None:
    found = {one["Properties"]["Name"] for one in deployment.resources("pipeline", PROJECT).values()}

    assert found == {*NAMES.values(), "flight-delays-pull-request", "flight-delays-record-rollout"}


@pytest.mark.parametrize("name", NAMES)
def test_a_project_runs_as_its_own_role_on_an_encrypted_standard_image(deployment: Deployment, name: str) -> None:
    properties = project(deployment, name)

    assert properties["Name"] == NAMES[name]
    assert properties["ServiceRole"] == f"<Projects{name}Role.Arn>"
    assert properties["EncryptionKey"] == "<Key.Arn>"
    assert properties["Environment"]["Image"] == "aws/codebuild/standard:7.0"
    assert properties["QueuedTimeoutInMinutes"] == 60


@pytest.mark.parametrize("name", NAMES)
def test_only_the_image_build_is_privileged_as_docker_needs_it(deployment: Deployment, name: str) -> None:
    assert project(deployment, name)["Environment"]["PrivilegedMode"] is (name == "BuildImage")


@pytest.mark.parametrize("name", NAMES)
def test_a_projects_log_has_its_own_encrypted_group_that_forgets_and_goes_with_the_stack(
    deployment: Deployment, name: str
) -> None:
    assert project(deployment, name)["LogsConfig"] == {
        "CloudWatchLogs": {"Status": "ENABLED", "GroupName": f"<Projects{name}Log>"}
    }
    log = deployment.resources("pipeline", "AWS::Logs::LogGroup")[f"Projects{name}Log"]
    assert log["Properties"]["LogGroupName"] == f"/aws/codebuild/{NAMES[name]}"
    assert log["Properties"]["RetentionInDays"] == 90
    assert log["Properties"]["KmsKeyId"] == "<Key.Arn>"
    assert log["DeletionPolicy"] == "Delete"


VERSION = {"MODEL_PACKAGE_ARN_PREFIX": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/flight-delays/"}
DATA = {"DATA_BUCKET": "<DataBucket>", "KEY_ARN": "<Key.Arn>", **VERSION}


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "Test": {},
        "Synth": {},
        "BuildImage": {"IMAGE_REPOSITORY": "<ImageRepository>", **VERSION},
        "PrepareData": {**DATA, "PROCESSING_ROLE_ARN": "<ExecutionRolesProcessing.Arn>"},
        "TrainModel": {**DATA, "TRAINING_ROLE_ARN": "<ExecutionRolesTraining.Arn>"},
        "EvaluateModel": {
            **DATA,
            "PROCESSING_ROLE_ARN": "<ExecutionRolesProcessing.Arn>",
            "PRODUCTION_ENDPOINT": "flight-delays-production",
            "DOCUMENTS_DIR": "evaluation",
        },
        "RegisterModel": {"DATA_BUCKET": "<DataBucket>", "MODEL_PACKAGE_GROUP": "flight-delays", **VERSION},
        "VerifyStaging": {
            "ENDPOINT_NAME": "flight-delays-staging",
            "ENVIRONMENT": "staging",
            "DATA_BUCKET": "<DataBucket>",
        },
        "PlanRelease": {"ENDPOINT_NAME": "flight-delays-production"},
        "RecordApproval": {"PIPELINE_NAME": "flight-delays", "APPROVAL_NOTE": buildspecs.APPROVAL_NOTE},
        "VerifyProduction": {
            "ENDPOINT_NAME": "flight-delays-production",
            "ENVIRONMENT": "production",
            "DATA_BUCKET": "<DataBucket>",
        },
    }.items(),
)
def test_a_project_is_told_what_does_not_change_from_run_to_run(
    deployment: Deployment, local_deployment: Deployment, name: str, expected: dict[str, str]
) -> None:
    assert variables(deployment, name) == {"SLIPWAY_OVERLAY": "", **expected}
    assert variables(local_deployment, name) == {"SLIPWAY_OVERLAY": "local", **expected}


@pytest.mark.parametrize(
    ("fixture", "subnets", "groups"),
    [
        (
            "in_a_vpc",
            "<NetworkVpcIsolatedSubnet1Subnet>,<NetworkVpcIsolatedSubnet2Subnet>",
            "<NetworkInstances.GroupId>",
        ),
        ("in_the_teams_vpc", "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "sg-0123456789abcdef0"),
    ],
)
def test_the_steps_that_run_jobs_are_told_where_their_instances_live(
    fixture: str, subnets: str, groups: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)
    told = {name: variables(deployment, name) for name in NAMES}

    assert {name for name, given in told.items() if "SUBNET_IDS" in given or "SECURITY_GROUP_IDS" in given} == {
        "PrepareData",
        "TrainModel",
        "EvaluateModel",
    }
    for name in ("PrepareData", "TrainModel", "EvaluateModel"):
        assert told[name]["SUBNET_IDS"] == subnets
        assert told[name]["SECURITY_GROUP_IDS"] == groups


@pytest.mark.parametrize("name", STEPS)
def test_a_step_installs_locked_requirements_runs_and_exports_its_variables(deployment: Deployment, name: str) -> None:
    step, exports = STEPS[name]
    document = buildspec(deployment, name)

    assert document["env"] == {"exported-variables": exports}
    assert document["phases"]["install"] == {
        "runtime-versions": {"python": "3.11"},
        "commands": [
            "uv --version 2>/dev/null | grep -qF 'uv 0.13.8 ' || "
            "pip install --quiet --require-hashes -r requirements-bootstrap.txt",
            "uv pip install --system --quiet --require-hashes "
            f"{REQUIREMENTS.get(name, '-r pipeline_steps/requirements.txt')}",
        ],
    }
    assert document["phases"]["build"]["commands"][-2:] == [
        f"python -m pipeline_steps {step} --exports exports.sh",
        ". ./exports.sh",
    ]


def test_the_installer_that_a_build_asks_for_is_the_locked_one(deployment: Deployment) -> None:
    command = buildspec(deployment, "Test")["phases"]["install"]["commands"][0]
    (version,) = re.findall(r"'uv ([0-9.]+) '", command)

    assert f"uv=={version} \\\n    --hash=sha256:" in (ROOT / "requirements-bootstrap.txt").read_text()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "RecordApproval"])
def test_a_build_installs_nothing_whose_hash_is_not_locked(deployment: Deployment, name: str) -> None:
    installing = [
        part
        for phase in buildspec(deployment, name)["phases"].values()
        for command in phase["commands"]
        for part in command.split("||")
        if "install" in part
    ]

    assert len(installing) == 2
    assert all("--require-hashes -r " in part for part in installing)


@pytest.mark.parametrize("name", ["RegisterModel", "VerifyStaging", "VerifyProduction"])
def test_a_step_that_needs_the_evaluation_finds_it_in_its_second_source(deployment: Deployment, name: str) -> None:
    commands = buildspec(deployment, name)["phases"]["build"]["commands"]

    assert commands[0] == 'export DOCUMENTS_DIR="$CODEBUILD_SRC_DIR_Evaluation"'


def test_the_evaluations_documents_are_the_actions_artifact(deployment: Deployment) -> None:
    assert buildspec(deployment, "EvaluateModel")["artifacts"] == {"base-directory": "evaluation", "files": ["**/*"]}
    assert [name for name in STEPS if "artifacts" in buildspec(deployment, name)] == ["EvaluateModel"]


def test_the_record_of_an_approval_leaves_the_commits_folder_first_and_installs_nothing(deployment: Deployment) -> None:
    document = buildspec(deployment, "RecordApproval")

    assert set(document["phases"]) == {"build"}
    assert document["phases"]["build"]["commands"][0] == 'folder="$(mktemp -d)" && cd "$folder"'


def test_the_tests_and_what_they_cover_become_reports(deployment: Deployment) -> None:
    document = buildspec(deployment, "Test")

    assert document["phases"]["install"]["commands"][-1] == (
        "uv pip install --system --quiet --require-hashes "
        "-r model_code/requirements.txt -r tests/model_code/requirements.txt"
    )
    assert document["phases"]["build"]["commands"][0] == (
        'if [ "${RELEASED_VERSION:-new}" = new ]; then '
        'python -m pytest tests/model_code -m "not container" --junitxml=reports/junit.xml '
        "--cov=model_code --cov-branch --cov-report=xml:reports/coverage.xml; fi"
    )
    assert document["env"] == {"exported-variables": ["SUMMARY"]}
    assert document["reports"] == {
        "pytest": {"base-directory": "reports", "files": ["junit.xml"], "file-format": "JUNITXML"},
        "coverage": {"base-directory": "reports", "files": ["coverage.xml"], "file-format": "COBERTURAXML"},
    }


@pytest.mark.parametrize(
    ("version", "exit_code", "summary"),
    [
        (None, 0, "the tests ran"),
        ("new", 0, "the tests ran"),
        ("new", 1, ""),
        ("7", 0, "version 7 is released again; its tests ran when it was built"),
        ("7", 1, "version 7 is released again; its tests ran when it was built"),
    ],
)
def test_a_version_that_is_released_again_is_not_tested_with_the_code_of_another_commit(
    deployment: Deployment, tmp_path: Path, version: str | None, exit_code: int, summary: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$2" = pytest ] && exit {exit_code}\necho "the tests ran"\n')
    python.chmod(0o755)
    commands = buildspec(deployment, "Test")["phases"]["build"]["commands"]
    told = {"RELEASED_VERSION": version} if version else {}

    done = subprocess.run(
        ["/bin/sh", "-ec", "\n".join([*commands, 'echo "$SUMMARY"'])],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **told},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.strip(), done.returncode == 0) == (summary, summary != "")


def test_the_synth_leaves_the_two_endpoint_templates(deployment: Deployment) -> None:
    document = buildspec(deployment, "Synth")

    assert document["phases"]["install"]["runtime-versions"] == {"python": "3.11", "nodejs": "22"}
    assert document["phases"]["install"]["commands"][-1].endswith("-r infra/requirements.txt")
    assert document["phases"]["build"]["commands"] == [
        "python app.py",
        "mkdir -p templates",
        "cp cdk.out/assembly-Staging/*.template.json templates/staging.template.json",
        "cp cdk.out/assembly-Production/*.template.json templates/production.template.json",
    ]
    assert document["artifacts"] == {"base-directory": "templates", "files": ["*.template.json"]}


@pytest.mark.parametrize(
    ("name", "minutes"), [("PrepareData", 245), ("EvaluateModel", 245), ("TrainModel", 345), ("RegisterModel", 30)]
)
def test_a_build_that_waits_for_a_job_outlasts_the_jobs_own_limit(
    customized: Deployment, name: str, minutes: int
) -> None:
    assert project(customized, name)["TimeoutInMinutes"] == minutes


def test_the_build_of_the_image_outlasts_the_scan_where_there_is_one(
    deployment: Deployment, customized: Deployment
) -> None:
    assert project(deployment, "BuildImage")["TimeoutInMinutes"] == 95
    assert project(customized, "BuildImage")["TimeoutInMinutes"] == 60
