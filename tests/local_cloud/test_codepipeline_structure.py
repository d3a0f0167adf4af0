"""What CodePipeline refuses in the structure of a pipeline."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from codepipeline_support import action, approval, stage

from local_cloud.codepipeline.structure import find_faults, validate
from local_cloud.wire import ServiceError

Declaration = dict[str, Any]


def valid() -> Declaration:
    """A pipeline with every provider that is served."""
    source = action(
        "Source", "Source", "CodeCommit", namespace="Source", outputArtifacts=[{"name": "Source"}],
        configuration={"RepositoryName": "r", "BranchName": "main"},
    )  # fmt: skip
    build = action(
        "Build", "Build", "CodeBuild", namespace="Built", inputArtifacts=[{"name": "Source"}],
        outputArtifacts=[{"name": "Templates"}],
        configuration={
            "ProjectName": "p",
            "EnvironmentVariables": '[{"name": "COMMIT", "value": "#{Source.CommitId}", "type": "PLAINTEXT"}]',
        },
    )  # fmt: skip
    deploy = action(
        "Deploy", "Deploy", "CloudFormation", inputArtifacts=[{"name": "Templates"}],
        configuration={
            "ActionMode": "CREATE_UPDATE", "StackName": "s", "TemplatePath": "Templates::t.json",
            "ParameterOverrides": '{"Arn": "#{Built.ARN}"}',
        },
    )  # fmt: skip
    return {
        "name": "flights", "roleArn": "arn:aws:iam::000000000000:role/r", "pipelineType": "V2",
        "executionMode": "QUEUED", "artifactStore": {"type": "S3", "location": "bucket"},
        "stages": [
            stage("Source", source),
            stage("Build", build),
            stage("Approve", approval("Review", CustomData="#{variables.Text} #{codepipeline.PipelineExecutionId}")),
            stage("Deploy", deploy),
        ],
        "variables": [{"name": "Text"}],
    }  # fmt: skip


def the_action(declaration: Declaration, stage_name: str) -> Declaration:
    found: Declaration = next(s for s in declaration["stages"] if s["name"] == stage_name)["actions"][0]
    return found


def test_a_pipeline_with_every_served_provider_is_valid() -> None:
    validate(valid(), "us-east-1")


def one_stage(p: Declaration) -> None:
    del p["stages"][1:]
    p["variables"] = []


def build_first(p: Declaration) -> None:
    p["stages"][0]["actions"].append(approval("Early"))


def source_later(p: Declaration) -> None:
    later = copy.deepcopy(the_action(p, "Source"))
    p["stages"][2]["actions"].append(later | {"outputArtifacts": [{"name": "Other"}], "namespace": "Other"})


def same_stage_twice(p: Declaration) -> None:
    p["stages"].append(stage("Approve", approval("Again")))


def same_action_twice(p: Declaration) -> None:
    p["stages"][2]["actions"].append(approval("Review"))


def empty_stage(p: Declaration) -> None:
    p["stages"].append(stage("Nothing"))


def unknown_provider(p: Declaration) -> None:
    the_action(p, "Deploy")["actionTypeId"]["provider"] = "CodeDeploy"


def custom_owner(p: Declaration) -> None:
    the_action(p, "Deploy")["actionTypeId"]["owner"] = "Custom"


def missing_key(p: Declaration) -> None:
    del the_action(p, "Build")["configuration"]["ProjectName"]


def unknown_key(p: Declaration) -> None:
    the_action(p, "Build")["configuration"]["Colour"] = "blue"


def wrong_mode(p: Declaration) -> None:
    the_action(p, "Deploy")["configuration"]["ActionMode"] = "UPSERT"


def overrides_not_json(p: Declaration) -> None:
    the_action(p, "Deploy")["configuration"]["ParameterOverrides"] = "Arn=#{Built.ARN}"


def variables_not_a_list(p: Declaration) -> None:
    the_action(p, "Build")["configuration"]["EnvironmentVariables"] = '{"COMMIT": "1"}'


def no_input(p: Declaration) -> None:
    the_action(p, "Build")["inputArtifacts"] = []


def two_outputs_of_a_source(p: Declaration) -> None:
    the_action(p, "Source")["outputArtifacts"].append({"name": "Second"})


def output_name_twice(p: Declaration) -> None:
    the_action(p, "Build")["outputArtifacts"] = [{"name": "Source"}]


def input_from_nowhere(p: Declaration) -> None:
    the_action(p, "Build")["inputArtifacts"] = [{"name": "Absent"}]


def input_made_side_by_side(p: Declaration) -> None:
    sibling = copy.deepcopy(the_action(p, "Build")) | {
        "name": "Sibling", "namespace": "Sibling", "inputArtifacts": [{"name": "Templates"}],
        "outputArtifacts": [{"name": "More"}],
    }  # fmt: skip
    p["stages"][1]["actions"].append(sibling)


def two_inputs_without_a_primary(p: Declaration) -> None:
    p["stages"][3]["actions"].append(
        action(
            "Verify",
            "Test",
            "CodeBuild",
            runOrder=2,
            configuration={"ProjectName": "p"},
            inputArtifacts=[{"name": "Source"}, {"name": "Templates"}],
        )
    )  # fmt: skip


def namespace_twice(p: Declaration) -> None:
    the_action(p, "Build")["namespace"] = "Source"
    the_action(p, "Deploy")["configuration"].pop("ParameterOverrides")


def reserved_namespace(p: Declaration) -> None:
    the_action(p, "Deploy")["namespace"] = "variables"


def namespace_of_a_later_action(p: Declaration) -> None:
    the_action(p, "Approve")["configuration"]["CustomData"] = "#{Later.Output}"
    the_action(p, "Deploy")["namespace"] = "Later"


def undeclared_variable(p: Declaration) -> None:
    the_action(p, "Approve")["configuration"]["CustomData"] = "#{variables.Txet}"


def queued_v1(p: Declaration) -> None:
    p["pipelineType"] = "V1"


def no_artifact_store(p: Declaration) -> None:
    del p["artifactStore"]


def store_of_another_region(p: Declaration) -> None:
    p["artifactStores"] = {"eu-west-1": p.pop("artifactStore")}


def another_region(p: Declaration) -> None:
    the_action(p, "Deploy")["region"] = "eu-west-1"


def stage_condition(p: Declaration) -> None:
    p["stages"][3]["onFailure"] = {"result": "ROLLBACK"}


STRUCTURE, STAGE, ACTION = (
    "InvalidStructureException", "InvalidStageDeclarationException", "InvalidActionDeclarationException",
)  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (one_stage, STRUCTURE, "minimum of 2 stages"),
        (build_first, STRUCTURE, "start with a stage that only contains source actions"),
        (source_later, STRUCTURE, "Source actions may only occur in the first stage"),
        (same_stage_twice, STAGE, "'Approve' has been used more than once"),
        (same_action_twice, STAGE, "'Review' occurs more than once in 'Approve'"),
        (empty_stage, STAGE, "'Nothing' must have at least one action"),
        (unknown_provider, ACTION, "Provider: 'CodeDeploy'"),
        (custom_owner, ACTION, "Owner: 'Custom'"),
        (missing_key, ACTION, "missing required configuration 'ProjectName'"),
        (unknown_key, ACTION, "contains unknown configuration 'Colour'"),
        (wrong_mode, ACTION, "ActionMode must be one of CREATE_UPDATE"),
        (overrides_not_json, ACTION, "ParameterOverrides must be a JSON map"),
        (variables_not_a_list, ACTION, "EnvironmentVariables must be a JSON list"),
        (no_input, ACTION, "declares 0 input artifacts which is less than the minimum count (1)"),
        (two_outputs_of_a_source, ACTION, "declares 2 output artifacts which exceeds the maximum count (1)"),
        (output_name_twice, STRUCTURE, "Source has been used more than once"),
        (input_from_nowhere, STRUCTURE, "Input Artifact Bundle Absent in action Build is not declared"),
        (input_made_side_by_side, STRUCTURE, "Input Artifact Bundle Templates in action Sibling"),
        (two_inputs_without_a_primary, ACTION, "missing required configuration 'PrimarySource'"),
        (namespace_twice, ACTION, "Namespaces must be unique across the pipeline definition"),
        (reserved_namespace, ACTION, "namespace variables is reserved"),
        (namespace_of_a_later_action, ACTION, "VariableReferenceText=[#{Later.Output}]"),
        (undeclared_variable, ACTION, "declares no variable 'Txet'"),
        (queued_v1, STRUCTURE, "QUEUED needs pipelineType V2"),
        (no_artifact_store, STRUCTURE, "either artifactStore or artifactStores"),
        (store_of_another_region, STRUCTURE, "no artifact store for the pipeline's region us-east-1"),
        (another_region, ACTION, "the local cloud has us-east-1 only"),
        (stage_condition, STAGE, "onFailure cannot be served by the local cloud"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_fault_is_refused_with_codepipelines_code(
    spoil: Callable[[Declaration], None], code: str, message: str
) -> None:
    declaration = valid()
    spoil(declaration)

    faults = list(find_faults(declaration, "us-east-1"))

    assert [fault for fault in faults if fault.code == code and message in fault.message], faults


def test_all_faults_are_in_one_error() -> None:
    declaration = valid()
    unknown_key(declaration)
    undeclared_variable(declaration)

    with pytest.raises(ServiceError) as caught:
        validate(declaration, "us-east-1")

    assert "Colour" in caught.value.message
    assert "Txet" in caught.value.message


def test_the_same_run_order_is_no_order() -> None:
    declaration = valid()
    input_made_side_by_side(declaration)
    assert list(find_faults(declaration, "us-east-1"))
    declaration["stages"][1]["actions"][1]["runOrder"] = 2

    assert not list(find_faults(declaration, "us-east-1"))
