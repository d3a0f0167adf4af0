from typing import Any

import pytest

from pipeline_steps.steps import train_model
from slipway.errors import PipelineError
from slipway.experiment_line import deployed_line, newest_dataset, person
from slipway.project import Project
from tests.slipway.answers import AnsweringAws
from tests.slipway.recorded import COMMIT, EXECUTION, OLDER, START, at

STEPS = ["build-image", "prepare-data", "train-model", "evaluate-model"]
VARIABLES = {
    "build-image": {"IMAGE_REPOSITORY": "flight-delays"},
    "prepare-data": {"DATA_BUCKET": "data", "KEY_ARN": "key", "PROCESSING_ROLE_ARN": "processing"},
    "train-model": {"DATA_BUCKET": "data", "KEY_ARN": "key", "TRAINING_ROLE_ARN": "training"},
    "evaluate-model": {"PRODUCTION_ENDPOINT": "flight-delays-production"},
}


def build_project(step: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in VARIABLES[step].items()]
    environment = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"}
    return {"name": f"flight-delays-{step}", "environment": {**environment, "environmentVariables": variables}}


def foundation() -> dict[str, Any]:
    stack = {"StackName": "flight-delays-foundation", "CreationTime": START, "StackStatus": "CREATE_COMPLETE"}
    return {"Stacks": [{**stack, "Outputs": [{"OutputKey": "ArtifactBucketName", "OutputValue": "artifacts"}]}]}


def prepared(execution: str, seconds: float, status: str = "Succeeded", action: str = "PrepareData") -> dict[str, Any]:
    variables = {"DATASET_URI": f"s3://data/datasets/{execution}/", "DATA_VERSION": execution[:8]}
    return {
        "pipelineExecutionId": execution, "actionName": action, "stageName": "Train", "status": status,
        "startTime": at(seconds), "output": {"outputVariables": variables},
    }  # fmt: skip


def test_the_steps_inputs_are_those_of_the_deployed_pipeline(project: Project) -> None:
    projects = {"projects": [build_project(step) for step in STEPS]}
    aws = AnsweringAws({"BatchGetProjects": projects, "DescribeStacks": foundation()})

    line = deployed_line(aws.target(), project)

    assert line.artifact_bucket == "artifacts"
    inputs = line.inputs(
        train_model.Inputs, execution_id=EXECUTION, commit_id=COMMIT, image_uri="image", dataset_uri="dataset"
    )
    assert (inputs.data_bucket, inputs.key_arn, inputs.training_role_arn) == ("data", "key", "training")
    assert inputs.subnet_ids == ""
    assert aws.called("BatchGetProjects") == [{"names": [f"flight-delays-{step}" for step in STEPS]}]


def test_without_a_pipeline_the_way_to_one_is_told(project: Project) -> None:
    aws = AnsweringAws({"BatchGetProjects": {"projects": [], "projectsNotFound": ["flight-delays-train-model"]}})

    with pytest.raises(PipelineError, match="there is no build project flight-delays-train-model") as raised:
        deployed_line(aws.target(), project)

    assert raised.value.next_step == "slipway up"


def test_the_newest_data_set_is_of_the_last_preparation_that_succeeded(project: Project) -> None:
    newest = "cccccccc-1111-4222-8333-444455556666"
    details = [
        prepared(newest, 300, "Failed"), prepared(newest, 250, action="TrainModel"), prepared(OLDER, 100),
        prepared(EXECUTION, 200),
    ]  # fmt: skip
    aws = AnsweringAws({"ListActionExecutions": {"actionExecutionDetails": details}})

    dataset = newest_dataset(aws.target(), project)

    assert dataset.uri == f"s3://data/datasets/{EXECUTION}/"
    assert (dataset.version, dataset.execution_id) == (EXECUTION[:8], EXECUTION)


def test_without_a_data_set_it_is_told_what_makes_one(project: Project) -> None:
    aws = AnsweringAws({"ListActionExecutions": {"actionExecutionDetails": [prepared(OLDER, 1, "Failed")]}})

    with pytest.raises(PipelineError, match="has not prepared data yet") as raised:
        newest_dataset(aws.target(), project)

    assert raised.value.next_step == "git push slipway HEAD:main, or slipway experiment --prepare"


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::000000000000:user/team/ann", "ann"),
        ("arn:aws:sts::000000000000:assumed-role/DataScientist/ann@example.com", "ann@example.com"),
        ("arn:aws:iam::000000000000:root", "root"),
    ],
    ids=["user", "role", "root"],
)
def test_a_person_is_who_acts(arn: str, name: str) -> None:
    aws = AnsweringAws({"GetCallerIdentity": {"Arn": arn, "Account": "0" * 12, "UserId": "x"}})

    assert person(aws.target()) == name
