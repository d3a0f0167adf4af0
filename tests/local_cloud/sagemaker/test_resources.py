"""SageMaker's CloudFormation types, through stacks."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_sagemaker import SageMakerCloud


def template(sagemaker: SageMakerCloud, model_uri: str, **changes: Any) -> dict[str, Any]:
    endpoint = {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}}
    variant = {
        "VariantName": "A", "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "InstanceType": "ml.m5.large",
        "InitialInstanceCount": {"Ref": "Count"}, "InitialVariantWeight": "1",
    }  # fmt: skip
    model = {
        "ExecutionRoleArn": sagemaker.role_arn,
        "PrimaryContainer": {"Image": sagemaker.image, "ModelDataUrl": model_uri},
        "EnableNetworkIsolation": "true",
    }
    return {
        "Parameters": {"Count": {"Type": "Number", "Default": "1"}},
        "Resources": {
            "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
            "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
            "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": endpoint | changes},
        },
        "Outputs": {
            "EndpointName": {"Value": {"Fn::GetAtt": ["Endpoint", "EndpointName"]}},
            "EndpointRef": {"Value": {"Ref": "Endpoint"}},
            "ModelRef": {"Value": {"Ref": "Model"}},
            "ModelName": {"Value": {"Fn::GetAtt": ["Model", "ModelName"]}},
        },
    }


class Stack:
    def __init__(self, sagemaker: SageMakerCloud) -> None:
        self.client = sagemaker.client("cloudformation")
        self.name = sagemaker.name("stack")

    def create(self, template: dict[str, Any], **options: str) -> str:
        self.client.create_stack(StackName=self.name, TemplateBody=json.dumps(template), **options)
        return self.ended()

    def update(self, template: dict[str, Any]) -> str:
        self.client.update_stack(StackName=self.name, TemplateBody=json.dumps(template))
        return self.ended()

    def delete(self) -> None:
        self.client.delete_stack(StackName=self.name)
        eventually(self._deleted)

    def _deleted(self) -> bool:
        try:
            return bool(self._describe()["StackStatus"] == "DELETE_COMPLETE")
        except ClientError:
            return True

    def ended(self) -> str:
        return str(eventually(lambda: not self._status().endswith("IN_PROGRESS") and self._status(), 60))

    def outputs(self) -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in self._describe()["Outputs"]}

    def reasons(self) -> str:
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def _status(self) -> str:
        return str(self._describe()["StackStatus"])

    def _describe(self) -> dict[str, Any]:
        return dict(self.client.describe_stacks(StackName=self.name)["Stacks"][0])


def test_a_stack_makes_updates_and_deletes_an_endpoint(sagemaker: SageMakerCloud) -> None:
    stack = Stack(sagemaker)
    assert stack.create(template(sagemaker, sagemaker.put_model(prediction="one"))) == "CREATE_COMPLETE", (
        stack.reasons()
    )
    first = stack.outputs()
    assert sagemaker.invoke(first["EndpointName"])["prediction"] == "one"
    assert "AWS_ACCESS_KEY_ID" not in sagemaker.invoke(first["EndpointName"])["environment"]
    assert first["EndpointRef"] == f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{first['EndpointName'].lower()}"
    assert first["ModelRef"] == f"arn:aws:sagemaker:us-east-1:000000000000:model/{first['ModelName'].lower()}"

    assert stack.update(template(sagemaker, sagemaker.put_model(prediction="two"))) == "UPDATE_COMPLETE", (
        stack.reasons()
    )
    second = stack.outputs()
    assert second["EndpointName"] == first["EndpointName"]
    assert second["ModelName"] != first["ModelName"]
    assert sagemaker.invoke(first["EndpointName"])["prediction"] == "two"
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.api.describe_model(ModelName=first["ModelName"])

    stack.delete()
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.api.describe_endpoint(EndpointName=first["EndpointName"])
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.api.describe_model(ModelName=second["ModelName"])


def test_a_bad_model_rolls_an_update_back_and_the_old_one_serves_on(sagemaker: SageMakerCloud) -> None:
    stack = Stack(sagemaker)
    stack.create(template(sagemaker, sagemaker.put_model(prediction="one")))
    name = stack.outputs()["EndpointName"]
    status = stack.update(template(sagemaker, sagemaker.put_model(prediction="exit")))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "did not pass the ping health check" in stack.reasons()
    assert sagemaker.invoke(name)["prediction"] == "one"
    stack.delete()


def test_a_bad_model_fails_the_creation_and_nothing_is_left(sagemaker: SageMakerCloud) -> None:
    stack = Stack(sagemaker)
    name = sagemaker.name("endpoint")
    bad = template(sagemaker, sagemaker.put_model(prediction="exit"), EndpointName=name)
    assert stack.create(bad) == "ROLLBACK_COMPLETE"
    assert "did not pass the ping health check" in stack.reasons()
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.api.describe_endpoint(EndpointName=name)
    stack.delete()


def test_an_endpoint_that_its_stack_may_not_look_at_is_not_left_behind(sagemaker: SageMakerCloud) -> None:
    role = make_role(
        sagemaker.server,
        "cloudformation",
        {"Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sagemaker:DescribeEndpoint", "Resource": "*"},
    )
    name = sagemaker.name("endpoint")
    stack = Stack(sagemaker)
    good = template(sagemaker, sagemaker.put_model(prediction="one"), EndpointName=name)
    assert stack.create(good, RoleARN=role) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: sagemaker:DescribeEndpoint" in stack.reasons()
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.api.describe_endpoint(EndpointName=name)
    stack.delete()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"EndpointNmae": "misspelt"}, "#: extraneous key [EndpointNmae] is not permitted"),
        ({"EndpointName": "not_a_name"}, "endpointName"),
    ],
    ids=["an unknown property", "a wrong name"],
)
def test_a_faulty_property_fails_the_stack(sagemaker: SageMakerCloud, changes: dict[str, Any], reason: str) -> None:
    stack = Stack(sagemaker)
    assert stack.create(template(sagemaker, sagemaker.put_model(prediction="one"), **changes)) == "ROLLBACK_COMPLETE"
    assert reason in stack.reasons()
    stack.delete()


def test_a_stack_makes_a_model_package_group_with_tags(sagemaker: SageMakerCloud) -> None:
    stack, name = Stack(sagemaker), sagemaker.name("group")
    properties = {
        "ModelPackageGroupName": name,
        "ModelPackageGroupDescription": "d",
        "Tags": [{"Key": "a", "Value": "1"}],
    }

    def group(tags: list[dict[str, str]]) -> dict[str, Any]:
        resource = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties | {"Tags": tags}}
        output = {
            "Arn": {"Value": {"Ref": "Group"}},
            "Status": {"Value": {"Fn::GetAtt": ["Group", "ModelPackageGroupStatus"]}},
        }
        return {"Resources": {"Group": resource}, "Outputs": output}

    assert stack.create(group([{"Key": "a", "Value": "1"}])) == "CREATE_COMPLETE", stack.reasons()
    arn = stack.outputs()["Arn"]
    assert arn.endswith(f":model-package-group/{name}")
    assert stack.outputs()["Status"] == "Completed"
    assert stack.update(group([{"Key": "b", "Value": "2"}])) == "UPDATE_COMPLETE", stack.reasons()
    assert sagemaker.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    stack.delete()
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.api.describe_model_package_group(ModelPackageGroupName=name)
