"""The pipeline as CodePipeline gets it: its stages, what the actions hand to each other, what starts it."""

import json
from typing import Any

import pytest
from infra_support import Deployment

PIPELINE = "AWS::CodePipeline::Pipeline"


@pytest.fixture(scope="module")
def pipeline(deployment: Deployment) -> dict[str, Any]:
    return deployment.properties("pipeline", PIPELINE, "Pipeline")


@pytest.fixture(scope="module")
def actions(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All actions, by `Stage.Action`."""
    return {f"{stage['Name']}.{action['Name']}": action for stage in pipeline["Stages"] for action in stage["Actions"]}


def variables(action: dict[str, Any]) -> dict[str, str]:
    entries = json.loads(action["Configuration"]["EnvironmentVariables"])
    assert {entry["type"] for entry in entries} == {"PLAINTEXT"}
    return {entry["name"]: entry["value"] for entry in entries}


def test_the_pipeline_is_of_type_v2_and_gives_each_commit_its_turn(pipeline: dict[str, Any]) -> None:
    assert pipeline["Name"] == "flight-delays"
    assert pipeline["PipelineType"] == "V2"
    assert pipeline["ExecutionMode"] == "QUEUED"
    assert pipeline["RestartExecutionOnUpdate"] is False


def test_artifacts_lie_in_the_artifact_bucket_under_the_projects_key(pipeline: dict[str, Any]) -> None:
    assert pipeline["ArtifactStore"] == {
        "Type": "S3",
        "Location": "<ArtifactBucket>",
        "EncryptionKey": {"Type": "KMS", "Id": "<Key.Arn>"},
    }


def test_the_stages_and_the_order_of_their_actions_are_those_of_the_design(pipeline: dict[str, Any]) -> None:
    stages = {
        stage["Name"]: [(action["RunOrder"], action["Name"]) for action in stage["Actions"]]
        for stage in pipeline["Stages"]
    }

    assert list(stages) == ["Source", "Test", "Build", "Train", "Staging", "Approve", "Production"]
    assert stages == {
        "Source": [(1, "Source")],
        "Test": [(1, "Test")],
        "Build": [(1, "BuildImage"), (1, "Synth")],
        "Train": [(1, "PrepareData"), (2, "TrainModel"), (3, "EvaluateModel"), (4, "RegisterModel")],
        "Staging": [(1, "Deploy"), (2, "Verify")],
        "Approve": [(1, "Approve")],
        "Production": [(1, "RecordApproval"), (2, "PlanRelease"), (3, "Deploy"), (4, "Verify")],
    }


def test_where_promotion_is_automatic_nobody_is_asked_and_no_approval_is_recorded(eager: Deployment) -> None:
    stages = {
        stage["Name"]: [(action["RunOrder"], action["Name"]) for action in stage["Actions"]]
        for stage in eager.properties("pipeline", PIPELINE, "Pipeline")["Stages"]
    }

    assert list(stages) == ["Source", "Test", "Build", "Train", "Staging", "Production"]
    assert stages["Production"] == [(1, "PlanRelease"), (2, "Deploy"), (3, "Verify")]
    assert "ProjectsRecordApprovalProject" not in eager.resources("pipeline", "AWS::CodeBuild::Project")


def test_an_execution_may_name_a_version_to_release_again_and_a_strategy(pipeline: dict[str, Any]) -> None:
    assert [(one["Name"], one["DefaultValue"]) for one in pipeline["Variables"]] == [
        ("ModelPackageVersion", "new"),
        ("Strategy", "settings"),
    ]


def test_an_approval_that_nobody_gives_expires(deployment: Deployment, customized: Deployment) -> None:
    for one, minutes in ((deployment, 168 * 60), (customized, 24 * 60)):
        stages = {stage["Name"]: stage for stage in one.properties("pipeline", PIPELINE, "Pipeline")["Stages"]}
        (approve,) = stages["Approve"]["Actions"]
        assert approve["TimeoutInMinutes"] == minutes


def test_all_actions_run_as_the_pipelines_one_role(pipeline: dict[str, Any], actions: dict[str, Any]) -> None:
    assert pipeline["RoleArn"] == "<PipelineRole.Arn>"
    assert not any("RoleArn" in action for action in actions.values())


def test_actions_export_their_variables_under_the_agreed_namespaces(actions: dict[str, Any]) -> None:
    assert {name: action["Namespace"] for name, action in actions.items() if "Namespace" in action} == {
        "Source.Source": "Source",
        "Test.Test": "Test",
        "Build.BuildImage": "BuildImage",
        "Train.PrepareData": "PrepareData",
        "Train.TrainModel": "TrainModel",
        "Train.EvaluateModel": "EvaluateModel",
        "Train.RegisterModel": "RegisterModel",
        "Staging.Verify": "VerifyStaging",
        "Production.RecordApproval": "RecordApproval",
        "Production.PlanRelease": "PlanRelease",
        "Production.Verify": "VerifyProduction",
    }


def test_a_push_to_the_branch_of_the_settings_starts_the_pipeline(customized: Deployment) -> None:
    pipeline = customized.properties("pipeline", PIPELINE, "Pipeline")
    (source,) = pipeline["Stages"][0]["Actions"]
    rule = customized.resources("pipeline", "AWS::Events::Rule")["PipelinePush"]

    assert source["Configuration"] == {
        "RepositoryName": "<Repository.Name>",
        "BranchName": "release/one",
        "PollForSourceChanges": False,
    }
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.codecommit"],
        "resources": ["<Repository.Arn>"],
        "detail-type": ["CodeCommit Repository State Change"],
        "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["release/one"]},
    }
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == "arn:aws:codepipeline:eu-west-1:111122223333:<Pipeline>"
    assert target["RoleArn"] == "<PipelinePushRole.Arn>"
    assert rule["Properties"]["Name"] == "a-name-of-23-characters-push"


EXECUTION = {"EXECUTION_ID": "#{codepipeline.PipelineExecutionId}", "COMMIT_ID": "#{Source.CommitId}"}
RELEASED = {"RELEASED_VERSION": "#{variables.ModelPackageVersion}"}
IMAGE = {"IMAGE_URI": "#{BuildImage.IMAGE_URI}"}
DATASET = {"DATASET_URI": "#{PrepareData.DATASET_URI}"}
MODEL = {"MODEL_DATA_URI": "#{TrainModel.MODEL_DATA_URI}", "MODEL_SHA256": "#{TrainModel.MODEL_SHA256}"}
LINEAGE = {
    "DATA_VERSION": "#{PrepareData.DATA_VERSION}",
    "TRAINING_JOB_NAME": "#{TrainModel.TRAINING_JOB_NAME}",
}
ARCHIVE = {"MODEL_ARCHIVE_SHA256": "#{TrainModel.MODEL_ARCHIVE_SHA256}"}
PLANNED = {
    name: f"#{{PlanRelease.{name}}}" for name in ("MODEL_PACKAGE_ARN", "CHALLENGER_MODEL_PACKAGE_ARN", "STRATEGY")
}
PACKAGE = {"MODEL_PACKAGE_ARN": "#{RegisterModel.MODEL_PACKAGE_ARN}"}


@pytest.mark.parametrize(
    ("action", "expected"),
    {
        "Build.BuildImage": RELEASED,
        "Train.PrepareData": RELEASED | IMAGE,
        "Train.TrainModel": RELEASED | IMAGE | DATASET,
        "Train.EvaluateModel": RELEASED | IMAGE | DATASET | MODEL | LINEAGE,
        "Train.RegisterModel": RELEASED | IMAGE | DATASET | MODEL | LINEAGE | ARCHIVE,
        "Staging.Verify": PACKAGE,
        "Production.RecordApproval": PACKAGE,
        "Production.PlanRelease": PACKAGE | {"STRATEGY": "#{variables.Strategy}"},
        "Production.Verify": PLANNED,
    }.items(),
)
def test_values_flow_forward_as_variables(actions: dict[str, Any], action: str, expected: dict[str, str]) -> None:
    assert variables(actions[action]) == EXECUTION | expected


def test_the_tests_know_whether_a_version_is_released_again(actions: dict[str, Any]) -> None:
    assert variables(actions["Test.Test"]) == RELEASED


@pytest.mark.parametrize(
    ("action", "inputs", "outputs"),
    [
        ("Source.Source", [], ["Source"]),
        ("Test.Test", ["Source"], []),
        ("Build.BuildImage", ["Source"], []),
        ("Build.Synth", ["Source"], ["Templates"]),
        ("Train.PrepareData", ["Source"], []),
        ("Train.TrainModel", ["Source"], []),
        ("Train.EvaluateModel", ["Source"], ["Evaluation"]),
        ("Train.RegisterModel", ["Source", "Evaluation"], []),
        ("Staging.Deploy", ["Templates"], []),
        ("Staging.Verify", ["Source", "Evaluation"], []),
        ("Approve.Approve", [], []),
        ("Production.RecordApproval", ["Source"], []),
        ("Production.PlanRelease", ["Source"], []),
        ("Production.Deploy", ["Templates"], []),
        ("Production.Verify", ["Source", "Evaluation"], []),
    ],
)
def test_documents_travel_as_artifacts(
    actions: dict[str, Any], action: str, inputs: list[str], outputs: list[str]
) -> None:
    assert [artifact["Name"] for artifact in actions[action].get("InputArtifacts", [])] == inputs
    assert [artifact["Name"] for artifact in actions[action].get("OutputArtifacts", [])] == outputs
    if len(inputs) > 1:
        assert actions[action]["Configuration"]["PrimarySource"] == "Source"


@pytest.mark.parametrize(
    ("environment", "mode", "parameters"),
    [
        ("staging", "REPLACE_ON_FAILURE", {"ModelPackageArn": "#{RegisterModel.MODEL_PACKAGE_ARN}"}),
        (
            "production",
            "CREATE_UPDATE",
            {
                "ModelPackageArn": "#{PlanRelease.MODEL_PACKAGE_ARN}",
                "ChallengerModelPackageArn": "#{PlanRelease.CHALLENGER_MODEL_PACKAGE_ARN}",
                "Strategy": "#{PlanRelease.STRATEGY}",
            },
        ),
    ],
)
def test_cloudformation_deploys_the_commits_own_template_with_what_is_released(
    actions: dict[str, Any], deployment: Deployment, environment: str, mode: str, parameters: dict[str, str]
) -> None:
    configuration = dict(actions[f"{environment.capitalize()}.Deploy"]["Configuration"])

    assert json.loads(configuration.pop("ParameterOverrides")) == parameters
    assert parameters.keys() <= deployment.templates[environment]["Parameters"].keys()
    assert configuration == {
        "ActionMode": mode,
        "StackName": f"flight-delays-{environment}",
        "TemplatePath": f"Templates::{environment}.template.json",
        "RoleArn": f"<{environment.capitalize()}DeploymentRole.Arn>",
    }


def test_the_approver_sees_the_numbers_the_package_and_the_commit(actions: dict[str, Any]) -> None:
    configuration = actions["Approve.Approve"]["Configuration"]

    assert configuration["NotificationArn"] == "<ApprovalTopic>"
    assert configuration["CustomData"].splitlines() == [
        "#{EvaluateModel.APPROVAL_TEXT}",
        "Staging: #{VerifyStaging.SUMMARY}",
        "Model package: #{RegisterModel.MODEL_PACKAGE_ARN}",
        "Commit: #{Source.CommitId}",
    ]


def test_the_approvers_link_is_the_consoles_page_of_this_executions_report(actions: dict[str, Any]) -> None:
    assert actions["Approve.Approve"]["Configuration"]["ExternalEntityLink"] == (
        "https://eu-west-1.console.aws.amazon.com/s3/object/<DataBucket>?region=eu-west-1"
        "&prefix=evaluations/#{codepipeline.PipelineExecutionId}/report.html"
    )


def test_no_value_of_a_configuration_is_longer_than_codepipeline_takes(actions: dict[str, Any]) -> None:
    lengths = {
        f"{name} {key}": len(str(value))
        for name, action in actions.items()
        for key, value in action["Configuration"].items()
    }

    assert {place: length for place, length in lengths.items() if length > 1000} == {}


def test_the_approval_text_fits_when_its_variables_have_their_longest_values(actions: dict[str, Any]) -> None:
    text = actions["Approve.Approve"]["Configuration"]["CustomData"]
    package = f"arn:aws:sagemaker:ap-southeast-1:111122223333:model-package/{'x' * 24}/99999"
    longest = {
        "#{EvaluateModel.APPROVAL_TEXT}": "x" * 400,
        "#{VerifyStaging.SUMMARY}": "x" * 300,
        "#{RegisterModel.MODEL_PACKAGE_ARN}": package,
        "#{Source.CommitId}": "x" * 40,
    }

    for variable, value in longest.items():
        text = text.replace(variable, value)

    assert "#{" not in text
    assert len(text) <= 1000
