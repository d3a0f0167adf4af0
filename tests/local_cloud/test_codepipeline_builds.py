"""CodeBuild actions, with builds that really run."""

import io
import json
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codepipeline_support import PipelineUnderTest, action, approval, deploy, saved, stage, topic_template
from eventually import eventually
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer


@pytest.fixture
def pipeline(cloud_server: CloudServer) -> PipelineUnderTest:
    return PipelineUnderTest(cloud_server)


def make_project(pipeline: PipelineUnderTest, suffix: str, buildspec: dict[str, Any]) -> str:
    """A CodeBuild project of a pipeline, as the CDK makes it; returns its name."""
    name = f"{pipeline.name}-{suffix}"
    role_arn = make_role(pipeline.server, "codebuild", EVERYTHING)
    pipeline.server.client("codebuild").create_project(
        name=name, serviceRole=role_arn, artifacts={"type": "CODEPIPELINE"},
        source={"type": "CODEPIPELINE", "buildspec": json.dumps({"version": 0.2, **buildspec})},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
                     "computeType": "BUILD_GENERAL1_SMALL"},
    )  # fmt: skip
    return name


def commands(*lines: str) -> dict[str, Any]:
    return {"phases": {"build": {"commands": list(lines)}}}


def build(
    name: str,
    project: str,
    run_order: int = 1,
    inputs: tuple[str, ...] = ("Source",),
    outputs: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
    **members: Any,
) -> dict[str, Any]:
    configuration = {"ProjectName": project, **members.pop("configuration", {})}
    if variables:
        pairs = [{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items()]
        configuration["EnvironmentVariables"] = json.dumps(pairs)
    return action(
        name, "Build", "CodeBuild", runOrder=run_order, configuration=configuration,
        inputArtifacts=[{"name": i} for i in inputs], outputArtifacts=[{"name": o} for o in outputs], **members,
    )  # fmt: skip


def test_values_and_artifacts_flow_from_build_to_build_and_into_a_stack(pipeline: PipelineUnderTest) -> None:
    template = topic_template(pipeline.name)
    commit_id = pipeline.commit({"t.json": template}, "template")
    make = make_project(pipeline, "make", {
        "env": {"exported-variables": ["COLOUR"]},
        **commands("mkdir out", "cp t.json out/", "export COLOUR=\"$BASE blue\"", "test -n \"$CODEBUILD_INITIATOR\""),
        "artifacts": {"base-directory": "out", "files": ["**/*"]},
    })  # fmt: skip
    use = make_project(pipeline, "use", {
        "env": {"exported-variables": ["SEEN"]},
        **commands("export SEEN=\"$COLOUR of $(ls $CODEBUILD_SRC_DIR_Templates)\""),
    })  # fmt: skip
    topic = deploy("Topic", pipeline.name, "t.json", 3, configuration={
        "TemplatePath": "Templates::t.json",
        "ParameterOverrides": json.dumps({"DisplayName": "#{Used.SEEN}"}),
    })  # fmt: skip
    topic["inputArtifacts"] = [{"name": "Templates"}]

    execution_id = pipeline.create(
        stage(
            "Build",
            build("Make", make, 1, outputs=("Templates",), namespace="Made",
                  variables={"BASE": "#{Source.BranchName}"}),
            build("Use", use, 2, ("Source", "Templates"), variables={"COLOUR": "#{Made.COLOUR}"}, namespace="Used",
                  configuration={"PrimarySource": "Source"}),
            topic,
        )
    )  # fmt: skip

    assert pipeline.ended(execution_id) == "Succeeded", pipeline.details(execution_id)
    arn = f"arn:aws:sns:us-east-1:000000000000:{pipeline.name}"
    attributes = pipeline.server.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["DisplayName"] == "main blue of t.json"
    made = pipeline.detail(execution_id, "Make")["output"]
    assert made["outputVariables"] == {"COLOUR": "main blue"}
    assert made["executionResult"]["externalExecutionId"].startswith(f"{make}:")
    assert f":log-group:/aws/codebuild/{make}:log-stream:" in made["executionResult"]["logStreamARN"]
    [artifact] = made["outputArtifacts"]
    assert artifact["s3location"]["key"].startswith(f"{pipeline.name[:20]}/Templates/")
    build_id = made["executionResult"]["externalExecutionId"]
    [record] = pipeline.server.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    assert record["initiator"] == f"codepipeline/{pipeline.name}"
    assert record["resolvedSourceVersion"] == commit_id


def test_several_output_artifacts_are_the_secondary_artifacts_of_the_build(pipeline: PipelineUnderTest) -> None:
    project = make_project(pipeline, "two", {
        **commands("mkdir a b", "echo 1 > a/one", "echo 2 > b/two"),
        "artifacts": {"secondary-artifacts": {
            "First": {"base-directory": "a", "files": ["**/*"]}, "Second": {"base-directory": "b", "files": ["**/*"]},
        }},
    })  # fmt: skip

    execution_id = pipeline.create(stage("Build", build("Two", project, outputs=("First", "Second"))))

    assert pipeline.ended(execution_id) == "Succeeded", pipeline.details(execution_id)
    files = {}
    for artifact in pipeline.detail(execution_id, "Two")["output"]["outputArtifacts"]:
        place = artifact["s3location"]
        content = pipeline.server.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files[artifact["name"]] = archive.namelist()
    assert files == {"First": ["one"], "Second": ["two"]}


def test_a_failed_build_says_which_command_failed_as_aws_does(pipeline: PipelineUnderTest) -> None:
    project = make_project(pipeline, "fail", commands("echo fine", "exit 3"))

    execution_id = pipeline.create(stage("Build", build("Break", project)), stage("After", approval("Never")))

    assert pipeline.ended(execution_id) == "Failed"
    details = pipeline.action("Build", "Break")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert details["message"].startswith(
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, "
        "Message: Error while executing command: exit 3."
    )
    assert "Reason: exit status 3" in details["message"]
    assert pipeline.action("After", "Never") == {}


def test_a_project_that_does_not_exist_fails_the_action_by_name(pipeline: PipelineUnderTest) -> None:
    execution_id = pipeline.create(stage("Build", build("Break", "absent-project")))

    assert pipeline.ended(execution_id) == "Failed"

    details = pipeline.action("Build", "Break")["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "absent-project" in details["message"]


def test_abandoning_an_execution_stops_its_build(pipeline: PipelineUnderTest) -> None:
    project = make_project(pipeline, "slow", commands("sleep 300"))
    execution_id = pipeline.create(stage("Build", build("Slow", project)))
    build_id = eventually(lambda: pipeline.action("Build", "Slow").get("externalExecutionId"))
    codebuild = pipeline.server.client("codebuild")

    pipeline.client.stop_pipeline_execution(pipelineName=pipeline.name, pipelineExecutionId=execution_id, abandon=True)

    assert pipeline.status(execution_id) == "Stopped"
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["buildStatus"] == "STOPPED")


def test_builds_of_one_run_order_run_at_the_same_time(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    """Each waits for a file that only the other one writes."""
    wait = 'for n in $(seq 300); do [ -e "$FOLDER/$OTHER" ] && exit 0; sleep 0.1; done; exit 1'
    project = make_project(pipeline, "pair", commands('touch "$FOLDER/$MINE"', wait))
    left = build("Left", project, variables={"MINE": "left", "OTHER": "right", "FOLDER": str(tmp_path)})
    right = build("Right", project, variables={"MINE": "right", "OTHER": "left", "FOLDER": str(tmp_path)})

    execution_id = pipeline.create(stage("Build", left, right))

    assert pipeline.ended(execution_id) == "Succeeded", pipeline.details(execution_id)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_build_that_a_stopped_server_ran_fails_with_a_reason_and_the_retry_builds_again(
    start_cloud: Callable[[], CloudServer], number: signal.Signals
) -> None:
    server = start_cloud()
    pipeline = PipelineUnderTest(server)
    project = make_project(pipeline, "slow", commands("sleep ${SECONDS_TO_SLEEP:-300}"))
    execution_id = pipeline.create(stage("Build", build("Slow", project)))
    build_id = eventually(lambda: pipeline.action("Build", "Slow").get("externalExecutionId"))
    codebuild = server.client("codebuild")
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD", 60)
    eventually(lambda: saved(server, f"{pipeline.name}-slow"))

    server.stop(number)
    pipeline.move_to(start_cloud())

    assert pipeline.ended(execution_id) == "Failed"
    message = pipeline.action("Build", "Slow")["errorDetails"]["message"]
    assert message.startswith("Build terminated with state: ")
    assert "Phase: BUILD" in message
    pipeline.server.client("codebuild").update_project(
        name=project, source={"type": "CODEPIPELINE", "buildspec": json.dumps({"version": 0.2, **commands("true")})}
    )
    pipeline.client.retry_stage_execution(
        pipelineName=pipeline.name, stageName="Build", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )
    assert pipeline.ended(execution_id) == "Succeeded", pipeline.action("Build", "Slow")
