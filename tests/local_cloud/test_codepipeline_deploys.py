"""CloudFormation actions and pipelines made by CloudFormation."""

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from codepipeline_support import FAILING_TEMPLATE, PipelineUnderTest, approval, deploy, stage, topic_template
from eventually import eventually
from local_cloud_server import CloudServer


@pytest.fixture
def name() -> str:
    return f"deploys-{uuid.uuid4().hex[:8]}"


def display_name(server: CloudServer, topic: str) -> str:
    arn = f"arn:aws:sns:{server.region}:{server.account_id}:{topic}"
    return str(server.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"])


def stack_status(server: CloudServer, stack: str) -> str | None:
    try:
        return str(server.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError:
        return None


def test_a_variable_reaches_a_parameter_of_the_stack_with_quotes_and_all(cloud_server: CloudServer, name: str) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": topic_template(name)})
    pipeline.commit({"README.md": "changed"}, 'fix the "late" label')
    overrides = json.dumps({"DisplayName": "#{Source.CommitMessage}"})

    execution_id = pipeline.create(
        stage("Deploy", deploy("Topic", name, "t.json", configuration={"ParameterOverrides": overrides}))
    )

    assert pipeline.ended(execution_id) == "Succeeded"
    assert display_name(cloud_server, name) == 'fix the "late" label'


def test_outputs_of_a_stack_are_variables_and_a_file_for_later_actions(cloud_server: CloudServer, name: str) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": topic_template(name)})
    topic = deploy(
        "Topic", name, "t.json", namespace="Deployed", configuration={"OutputFileName": "outputs.json"},
        outputArtifacts=[{"name": "StackOutputs"}],
    )  # fmt: skip

    execution_id = pipeline.create(
        stage("Deploy", topic, approval("Review", 2, CustomData="topic: #{Deployed.TopicArn}"))
    )
    pipeline.token("Deploy", "Review")

    arn = f"arn:aws:sns:us-east-1:000000000000:{name}"
    review, deployed = pipeline.detail(execution_id, "Review"), pipeline.detail(execution_id, "Topic")
    assert review["input"]["resolvedConfiguration"]["CustomData"] == f"topic: {arn}"
    assert deployed["output"]["outputVariables"] == {"TopicArn": arn}
    assert f"stack/{name}/" in deployed["output"]["executionResult"]["externalExecutionId"]
    place = deployed["output"]["outputArtifacts"][0]["s3location"]
    content = cloud_server.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("outputs.json")) == {"TopicArn": arn}


def test_the_second_deployment_updates_the_stack_and_a_third_without_changes_succeeds(
    cloud_server: CloudServer, name: str
) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": topic_template(name, "one")})
    assert pipeline.ended(pipeline.create(stage("Deploy", deploy("Topic", name, "t.json")))) == "Succeeded"
    pipeline.commit({"t.json": topic_template(name, "two")}, "rename")

    assert pipeline.ended(pipeline.start()) == "Succeeded"
    assert display_name(cloud_server, name) == "two"
    assert stack_status(cloud_server, name) == "UPDATE_COMPLETE"
    unchanged = pipeline.start()
    assert pipeline.ended(unchanged) == "Succeeded"

    detail = pipeline.detail(unchanged, "Topic")
    assert detail["output"]["executionResult"]["externalExecutionSummary"] == "No updates are to be performed."
    assert detail["output"]["outputVariables"]["TopicArn"].endswith(name)


def test_a_stack_that_cannot_be_created_fails_with_the_first_resources_reason(
    cloud_server: CloudServer, name: str
) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": FAILING_TEMPLATE})
    execution_id = pipeline.create(stage("Deploy", deploy("Topic", name, "t.json")))

    assert pipeline.ended(execution_id) == "Failed"

    details = pipeline.action("Deploy", "Topic")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert f"Stack {name} ended in ROLLBACK_COMPLETE" in details["message"]
    assert "Rule (AWS::CodePipeline::Pipeline)" in details["message"]
    assert "minimum of 2 stages" in details["message"]


def test_a_stack_in_rollback_complete_is_left_alone_unless_it_may_be_replaced(
    cloud_server: CloudServer, name: str
) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": FAILING_TEMPLATE})
    assert pipeline.ended(pipeline.create(stage("Deploy", deploy("Topic", name, "t.json")))) == "Failed"
    pipeline.commit({"t.json": topic_template(name)}, "repair")

    assert pipeline.ended(pipeline.start()) == "Failed"
    message = pipeline.action("Deploy", "Topic")["errorDetails"]["message"]
    assert "is in ROLLBACK_COMPLETE state and can not be updated" in message
    replacing = deploy("Topic", name, "t.json", configuration={"ActionMode": "REPLACE_ON_FAILURE"})
    pipeline.client.update_pipeline(pipeline=pipeline.declaration(stage("Deploy", replacing)))

    assert pipeline.ended(pipeline.start()) == "Succeeded"
    assert stack_status(cloud_server, name) == "CREATE_COMPLETE"


def test_a_stack_is_deleted_and_deleting_an_absent_one_succeeds(cloud_server: CloudServer, name: str) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": topic_template(name)})
    removal = deploy("Remove", name, "t.json", 2, configuration={"ActionMode": "DELETE_ONLY"})

    execution_id = pipeline.create(stage("Deploy", deploy("Topic", name, "t.json"), removal))

    assert pipeline.ended(execution_id) == "Succeeded"
    assert stack_status(cloud_server, name) in (None, "DELETE_COMPLETE")
    pipeline.client.update_pipeline(pipeline=pipeline.declaration(stage("Deploy", removal)))
    assert pipeline.ended(pipeline.start()) == "Succeeded"


def test_a_change_set_is_made_shown_and_carried_out(cloud_server: CloudServer, name: str) -> None:
    pipeline = PipelineUnderTest(cloud_server, {"t.json": topic_template(name)})
    make = {"ActionMode": "CHANGE_SET_REPLACE", "ChangeSetName": "release"}
    carry_out = {"ActionMode": "CHANGE_SET_EXECUTE", "ChangeSetName": "release"}
    execution_id = pipeline.create(
        stage(
            "Deploy",
            deploy("Prepare", name, "t.json", 1, configuration=make),
            approval("Review", 2),
            deploy("Execute", name, "t.json", 3, configuration=carry_out),
        )
    )

    pipeline.token("Deploy", "Review")
    change_set = cloud_server.client("cloudformation").describe_change_set(StackName=name, ChangeSetName="release")
    assert change_set["Changes"][0]["ResourceChange"]["LogicalResourceId"] == "Topic"
    pipeline.answer("Deploy", "Review")

    assert pipeline.ended(execution_id) == "Succeeded"
    assert stack_status(cloud_server, name) == "CREATE_COMPLETE"
    pipeline.commit({"t.json": topic_template(name, "two")}, "rename")
    second = pipeline.start()
    pipeline.put_result("Deploy", "Review", pipeline.token("Deploy", "Review", second))
    assert pipeline.ended(second) == "Succeeded"
    assert display_name(cloud_server, name) == "two"


def test_a_template_larger_than_a_request_may_be_is_deployed(cloud_server: CloudServer, name: str) -> None:
    template = json.loads(topic_template(name)) | {"Metadata": {"Padding": ["x" * 100] * 600}}
    text = json.dumps(template)
    assert len(text) > 51_200
    pipeline = PipelineUnderTest(cloud_server, {"t.json": text})

    execution_id = pipeline.create(stage("Deploy", deploy("Topic", name, "t.json")))

    assert pipeline.ended(execution_id) == "Succeeded"


def test_parameters_and_tags_come_from_a_template_configuration(cloud_server: CloudServer, name: str) -> None:
    document = {"Parameters": {"DisplayName": "configured"}, "Tags": {"team": "flights"}}
    files = {"t.json": topic_template(name), "config.json": json.dumps(document)}
    pipeline = PipelineUnderTest(cloud_server, files)
    configuration = {"TemplateConfiguration": "Source::config.json"}

    execution_id = pipeline.create(stage("Deploy", deploy("Topic", name, "t.json", configuration=configuration)))

    assert pipeline.ended(execution_id) == "Succeeded"
    assert display_name(cloud_server, name) == "configured"
    stack = cloud_server.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    assert {"Key": "team", "Value": "flights"} in stack["Tags"]


def test_a_template_that_the_artifact_lacks_is_named(cloud_server: CloudServer, name: str) -> None:
    pipeline = PipelineUnderTest(cloud_server)
    execution_id = pipeline.create(stage("Deploy", deploy("Topic", name, "absent.json")))

    assert pipeline.ended(execution_id) == "Failed"

    details = pipeline.action("Deploy", "Topic")["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "[absent.json] does not exist in artifact [Source]" in details["message"]
    assert "README.md" in details["message"]


def pipeline_template(pipeline: PipelineUnderTest, text: str, **properties: Any) -> str:
    """A template of one pipeline, in the form that the CDK writes."""
    source = {
        "Name": "Source", "Namespace": "Source", "RunOrder": 1, "OutputArtifacts": [{"Name": "Source"}],
        "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "CodeCommit", "Version": "1"},
        "Configuration": {"RepositoryName": pipeline.name, "BranchName": "main", "PollForSourceChanges": False},
    }  # fmt: skip
    review = {
        "Name": "Review", "RunOrder": 1, "TimeoutInMinutes": 60, "Configuration": {"CustomData": text},
        "ActionTypeId": {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"},
    }  # fmt: skip
    resource = {
        "Type": "AWS::CodePipeline::Pipeline",
        "Properties": {
            "Name": pipeline.name, "RoleArn": pipeline.role_arn, "PipelineType": "V2", "ExecutionMode": "QUEUED",
            "ArtifactStore": {"Type": "S3", "Location": pipeline.bucket},
            "Stages": [{"Name": "Source", "Actions": [source]}, {"Name": "Approve", "Actions": [review]}],
            "Tags": [{"Key": "team", "Value": "flights"}], **properties,
        },
    }  # fmt: skip
    outputs = {
        "Name": {"Value": {"Ref": "Pipeline"}},
        "Version": {"Value": {"Fn::GetAtt": ["Pipeline", "Version"]}},
    }
    return json.dumps({"Resources": {"Pipeline": resource}, "Outputs": outputs})


def test_cloudformation_makes_a_pipeline_updates_it_in_place_and_deletes_it(cloud_server: CloudServer) -> None:
    pipeline = PipelineUnderTest(cloud_server)
    cloudformation, stack = cloud_server.client("cloudformation"), f"stack-{pipeline.name}"

    def outputs() -> dict[str, str]:
        outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    cloudformation.create_stack(StackName=stack, TemplateBody=pipeline_template(pipeline, "one"))
    eventually(lambda: stack_status(cloud_server, stack) == "CREATE_COMPLETE")
    assert outputs() == {"Name": pipeline.name, "Version": "1"}
    first = pipeline.executions()[0]["pipelineExecutionId"]
    pipeline.answer("Approve", "Review")
    assert pipeline.ended(first) == "Succeeded"
    template = pipeline_template(
        pipeline, "two", DisableInboundStageTransitions=[{"StageName": "Approve", "Reason": "freeze"}]
    )
    cloudformation.update_stack(StackName=stack, TemplateBody=template)
    eventually(lambda: stack_status(cloud_server, stack) == "UPDATE_COMPLETE")

    answer = pipeline.client.get_pipeline(name=pipeline.name)
    assert answer["pipeline"]["version"] == 2
    assert answer["pipeline"]["stages"][1]["actions"][0]["configuration"] == {"CustomData": "two"}
    assert answer["pipeline"]["stages"][1]["actions"][0]["timeoutInMinutes"] == 60
    source = answer["pipeline"]["stages"][0]["actions"][0]
    assert source["configuration"]["PollForSourceChanges"] == "false"
    assert pipeline.stage("Approve")["inboundTransitionState"]["disabledReason"] == "freeze"
    assert [e["pipelineExecutionId"] for e in pipeline.executions()] == [first]
    arn = answer["metadata"]["pipelineArn"]
    assert {"key": "team", "value": "flights"} in pipeline.client.list_tags_for_resource(resourceArn=arn)["tags"]

    cloudformation.delete_stack(StackName=stack)
    eventually(lambda: stack_status(cloud_server, stack) in (None, "DELETE_COMPLETE"))
    assert pipeline.name not in [p["name"] for p in pipeline.client.list_pipelines()["pipelines"]]
