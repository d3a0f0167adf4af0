"""The pipeline's record of an approval, on real builds: the buildspec and the grants are those of infra."""

import json

import pytest
from codepipeline_support import PipelineUnderTest, action, approval, stage
from local_cloud_access import make_role
from local_cloud_server import CloudServer

from infra import buildspecs

COMMENT = "better at night; $(touch canary) `touch canary` 'and' \"so\" [red]"
APPROVED_FOR_PRODUCTION = {
    "StringEquals": {
        "sagemaker:ModelLifeCycle:Stage": "Production",
        "sagemaker:ModelLifeCycle:StageStatus": "Approved",
    },
    "Null": {"sagemaker:ModelApprovalStatus": "true"},
}


@pytest.fixture
def pipeline(cloud_server: CloudServer) -> PipelineUnderTest:
    return PipelineUnderTest(cloud_server, {"json.py": "raise SystemExit('of the commit')", ".python-version": "9.9"})


def make_version(pipeline: PipelineUnderTest) -> str:
    sagemaker = pipeline.server.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=pipeline.name)
    answer = sagemaker.create_model_package(ModelPackageGroupName=pipeline.name, ModelApprovalStatus="Approved")
    return str(answer["ModelPackageArn"])


def make_project(pipeline: PipelineUnderTest) -> str:
    name, place = f"{pipeline.name}-record", "us-east-1:000000000000"
    grants = (
        {"Action": ["s3:*", "logs:*", "kms:*"], "Resource": "*"},
        {
            "Action": ["codepipeline:GetPipelineState", "codepipeline:ListActionExecutions"],
            "Resource": f"arn:aws:codepipeline:{place}:{pipeline.name}",
        },
        {
            "Action": "sagemaker:UpdateModelPackage",
            "Resource": f"arn:aws:sagemaker:{place}:model-package/{pipeline.name}/*",
            "Condition": APPROVED_FOR_PRODUCTION,
        },
    )
    pipeline.server.client("codebuild").create_project(
        name=name, serviceRole=make_role(pipeline.server, "codebuild", *grants), artifacts={"type": "CODEPIPELINE"},
        source={"type": "CODEPIPELINE", "buildspec": json.dumps(buildspecs.record_approval())},
        environment={
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [
                {"name": "PIPELINE_NAME", "value": pipeline.name},
                {"name": "APPROVAL_NOTE", "value": buildspecs.APPROVAL_NOTE},
            ],
        },
    )  # fmt: skip
    return name


def test_the_approver_and_the_comment_are_noted_on_the_version_that_was_approved(pipeline: PipelineUnderTest) -> None:
    version, project = make_version(pipeline), make_project(pipeline)
    variables = {"MODEL_PACKAGE_ARN": version, "EXECUTION_ID": "#{codepipeline.PipelineExecutionId}"}
    record = action(
        "RecordApproval", "Build", "CodeBuild", inputArtifacts=[{"name": "Source"}],
        configuration={
            "ProjectName": project,
            "EnvironmentVariables": json.dumps([{"name": key, "value": value} for key, value in variables.items()]),
        },
    )  # fmt: skip

    execution_id = pipeline.create(stage("Approve", approval("Approve")), stage("Production", record))
    pipeline.answer("Approve", "Approve", summary=COMMENT)

    assert pipeline.ended(execution_id) == "Succeeded", pipeline.details(execution_id)
    package = pipeline.server.client("sagemaker").describe_model_package(ModelPackageName=version)
    approver = pipeline.detail(execution_id, "Approve")["updatedBy"]
    assert approver.startswith("arn:aws:iam::000000000000:user/")
    assert package["ApprovalDescription"] == f"{approver}: {COMMENT}"
    assert package["ModelLifeCycle"] == {"Stage": "Production", "StageStatus": "Approved"}
    assert package["ModelApprovalStatus"] == "Approved"
