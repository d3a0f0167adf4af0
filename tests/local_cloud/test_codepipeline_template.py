"""The properties of AWS::CodePipeline::Pipeline as a PipelineDeclaration."""

from typing import Any

import pytest

from local_cloud.codepipeline.template import closed_transitions_of, declaration_of, restarts_on_update, tags_of
from local_cloud.wire import ServiceError

STORE = {"Type": "S3", "Location": "bucket", "EncryptionKey": {"Id": "arn:aws:kms:key", "Type": "KMS"}}


def an_action(**properties: Any) -> dict[str, Any]:
    return {
        "Name": "Build",
        "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": 1},
        **properties,
    }


def properties(**more: Any) -> dict[str, Any]:
    return {"RoleArn": "arn:role", "ArtifactStore": STORE, **more}


def test_names_are_translated_at_every_depth_and_types_made_right() -> None:
    stages = [
        {"Name": "Build", "Actions": [an_action(RunOrder="2", TimeoutInMinutes=60, InputArtifacts=[{"Name": "In"}])]}
    ]

    declaration = declaration_of(properties(Stages=stages, PipelineType="V2"), "flights")

    assert declaration == {
        "name": "flights", "roleArn": "arn:role", "pipelineType": "V2",
        "artifactStore": {
            "type": "S3", "location": "bucket", "encryptionKey": {"id": "arn:aws:kms:key", "type": "KMS"},
        },
        "stages": [{"name": "Build", "actions": [{
            "name": "Build", "runOrder": 2, "timeoutInMinutes": 60, "inputArtifacts": [{"name": "In"}],
            "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        }]}],
    }  # fmt: skip


def test_keys_of_a_configuration_stay_as_they_are_and_values_become_text() -> None:
    configuration = {"ProjectName": "p", "pollForChanges": False, "Count": 3}

    declaration = declaration_of(
        properties(Stages=[{"Name": "S", "Actions": [an_action(Configuration=configuration)]}]), "p"
    )

    assert declaration["stages"][0]["actions"][0]["configuration"] == {
        "ProjectName": "p", "pollForChanges": "false", "Count": "3",
    }  # fmt: skip


def test_artifact_stores_become_a_map_by_region() -> None:
    stores = [{"Region": "us-east-1", "ArtifactStore": {"Type": "S3", "Location": "bucket"}}]

    declaration = declaration_of({"RoleArn": "r", "ArtifactStores": stores, "Stages": []}, "p")

    assert declaration["artifactStores"] == {"us-east-1": {"type": "S3", "location": "bucket"}}


def test_what_is_not_of_the_declaration_is_read_beside_it() -> None:
    more = properties(
        Stages=[], Tags=[{"Key": "team", "Value": "flights"}], RestartExecutionOnUpdate="true",
        DisableInboundStageTransitions=[{"StageName": "Production", "Reason": "freeze"}],
    )  # fmt: skip

    assert declaration_of(more, "p").keys() == {"name", "roleArn", "artifactStore", "stages"}
    assert tags_of(more) == {"team": "flights"}
    assert restarts_on_update(more)
    assert not restarts_on_update(properties())
    assert closed_transitions_of(more) == {"Production": "freeze"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (properties(Stages=[], Colour="blue"), "unsupported property Colour in Properties"),
        (properties(Stages=[{"Name": "S", "Actions": [an_action(runOrder=1)]}]), r"property runOrder in .*Stages\[0\]"),
        (properties(Stages=[{"Name": "S", "Actions": [an_action(RunOrder="two")]}]), "RunOrder must be a number"),
        (properties(Stages={"Name": "S"}), "Properties.Stages must be a list"),
    ],
    ids=["unknown property", "lower case", "no number", "no list"],
)
def test_a_wrong_property_is_named_with_its_place(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        declaration_of(wrong, "p")
