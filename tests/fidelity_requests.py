"""For each served operation a request about things that do not exist, valid by its model, and the answer to it."""

from typing import Any

ACCOUNT, REGION = "000000000000", "us-east-1"
COMMIT, EXECUTION = "0" * 40, "00000000-0000-0000-0000-000000000000"
PULL_REQUEST, COMMENT = "999999999", f"{EXECUTION}:{EXECUTION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/absent"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/absent:1"
REPOSITORY = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:absent"
PIPELINE = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:absent"
REPORT_GROUP = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/absent"
REPORT = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report/absent:1"
MODEL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/absent"
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/absent/1"


def _action(category: str, provider: str, **members: Any) -> dict[str, Any]:
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": provider, "actionTypeId": type_id, **members}


DECLARATION = {
    "name": "absent", "roleArn": ROLE, "artifactStore": {"type": "S3", "location": "absent"},
    "stages": [
        {"name": "Source", "actions": [_action(
            "Source", "CodeCommit", configuration={"RepositoryName": "absent", "BranchName": "main"},
            outputArtifacts=[{"name": "Source"}],
        )]},
        {"name": "Approve", "actions": [_action("Approval", "Manual", runOrder=1)]},
    ],
}  # fmt: skip
PROJECT = {
    "name": "absent", "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"}, "serviceRole": ROLE,
    "artifacts": {"type": "NO_ARTIFACTS"}, "timeoutInMinutes": 5, "tags": [{"key": "k", "value": "v"}],
    "environment": {
        "type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL",
        "environmentVariables": [{"name": "NAME", "value": "v", "type": "PLAINTEXT"}],
    },
}  # fmt: skip
_PAGE_OF_ALL = {
    "MaxResults": 1, "NameContains": "absent", "CreationTimeAfter": 1.0, "CreationTimeBefore": 2.0,
    "SortBy": "CreationTime", "SortOrder": "Ascending",
}  # fmt: skip
_VARIANT = {"VariantName": "A", "ModelName": "absent", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0}  # fmt: skip

REQUESTS: dict[str, dict[str, dict[str, Any]]] = {
    "codecommit": {
        "BatchGetRepositories": {"repositoryNames": ["absent"]},
        "CreateBranch": {"repositoryName": "absent", "branchName": "b", "commitId": COMMIT},
        "CreateCommit": {
            "repositoryName": "absent", "branchName": "b", "parentCommitId": COMMIT, "authorName": "a", "email": "e",
            "commitMessage": "m", "putFiles": [{"filePath": "p", "fileMode": "NORMAL", "fileContent": "eA=="}],
            "deleteFiles": [{"filePath": "d"}], "setFileModes": [{"filePath": "m", "fileMode": "NORMAL"}],
        },
        "CreatePullRequest": {
            "title": "t", "description": "d", "clientRequestToken": "t",
            "targets": [{"repositoryName": "absent", "sourceReference": "b", "destinationReference": "main"}],
        },
        "CreateRepository": {"repositoryName": "fidelity-made", "repositoryDescription": "d", "tags": {"k": "v"}},
        "DeleteBranch": {"repositoryName": "absent", "branchName": "b"},
        "DeleteCommentContent": {"commentId": COMMENT},
        "DeleteRepository": {"repositoryName": "absent"},
        "GetBranch": {"repositoryName": "absent", "branchName": "b"},
        "GetComment": {"commentId": COMMENT},
        "GetCommentsForPullRequest": {
            "pullRequestId": PULL_REQUEST, "repositoryName": "absent", "beforeCommitId": COMMIT,
            "afterCommitId": COMMIT, "maxResults": 1,
        },
        "GetCommit": {"repositoryName": "absent", "commitId": COMMIT},
        "GetDifferences": {
            "repositoryName": "absent", "beforeCommitSpecifier": COMMIT, "afterCommitSpecifier": "main",
            "beforePath": "p", "afterPath": "p", "MaxResults": 1,
        },
        "GetFile": {"repositoryName": "absent", "commitSpecifier": "main", "filePath": "p"},
        "GetFolder": {"repositoryName": "absent", "commitSpecifier": "main", "folderPath": "p"},
        "GetPullRequest": {"pullRequestId": PULL_REQUEST},
        "GetRepository": {"repositoryName": "absent"},
        "ListBranches": {"repositoryName": "absent"},
        "ListPullRequests": {
            "repositoryName": "absent", "authorArn": ROLE, "pullRequestStatus": "OPEN", "maxResults": 1,
        },
        "ListRepositories": {"sortBy": "repositoryName", "order": "ascending"},
        "ListTagsForResource": {"resourceArn": REPOSITORY},
        "MergePullRequestByFastForward": {
            "pullRequestId": PULL_REQUEST, "repositoryName": "absent", "sourceCommitId": COMMIT,
        },
        "PostCommentForPullRequest": {
            "pullRequestId": PULL_REQUEST, "repositoryName": "absent", "beforeCommitId": COMMIT,
            "afterCommitId": COMMIT, "content": "c", "clientRequestToken": "t",
        },
        "TagResource": {"resourceArn": REPOSITORY, "tags": {"k": "v"}},
        "UntagResource": {"resourceArn": REPOSITORY, "tagKeys": ["k"]},
        "UpdateComment": {"commentId": COMMENT, "content": "c"},
        "UpdateDefaultBranch": {"repositoryName": "absent", "defaultBranchName": "b"},
        "UpdatePullRequestDescription": {"pullRequestId": PULL_REQUEST, "description": "d"},
        "UpdatePullRequestStatus": {"pullRequestId": PULL_REQUEST, "pullRequestStatus": "CLOSED"},
        "UpdatePullRequestTitle": {"pullRequestId": PULL_REQUEST, "title": "t"},
        "UpdateRepositoryDescription": {"repositoryName": "absent", "repositoryDescription": "d"},
        "UpdateRepositoryEncryptionKey": {"repositoryName": "absent", "kmsKeyId": "alias/absent"},
        "UpdateRepositoryName": {"oldName": "absent", "newName": "other"},
    },
    "codebuild": {
        "BatchDeleteBuilds": {"ids": ["absent:1"]},
        "BatchGetBuilds": {"ids": ["absent:1"]},
        "BatchGetProjects": {"names": ["absent"]},
        "BatchGetReportGroups": {"reportGroupArns": [REPORT_GROUP]},
        "BatchGetReports": {"reportArns": [REPORT]},
        "CreateProject": PROJECT | {"name": "fidelity-made"},
        "CreateReportGroup": {
            "name": "fidelity-made", "type": "TEST", "exportConfig": {"exportConfigType": "NO_EXPORT"},
            "tags": [{"key": "k", "value": "v"}],
        },
        "DeleteProject": {"name": "absent"},
        "DeleteReport": {"arn": REPORT},
        "DeleteReportGroup": {"arn": REPORT_GROUP, "deleteReports": True},
        "DescribeCodeCoverages": {
            "reportArn": REPORT, "maxResults": 1, "sortOrder": "ASCENDING", "sortBy": "FILE_PATH",
            "minLineCoveragePercentage": 0,
        },
        "DescribeTestCases": {"reportArn": REPORT, "maxResults": 1, "filter": {"status": "FAILED", "keyword": "k"}},
        "ListBuilds": {"sortOrder": "ASCENDING"},
        "ListBuildsForProject": {"projectName": "absent", "sortOrder": "ASCENDING"},
        "ListProjects": {"sortBy": "NAME", "sortOrder": "ASCENDING"},
        "ListReportGroups": {"sortBy": "NAME", "sortOrder": "ASCENDING", "maxResults": 1},
        "ListReports": {"sortOrder": "ASCENDING", "maxResults": 1, "filter": {"status": "SUCCEEDED"}},
        "ListReportsForReportGroup": {"reportGroupArn": REPORT_GROUP, "maxResults": 1},
        "RetryBuild": {"id": "absent:1", "idempotencyToken": "t"},
        "StartBuild": {
            "projectName": "absent", "sourceVersion": "v", "buildspecOverride": "b", "timeoutInMinutesOverride": 5,
            "environmentVariablesOverride": [{"name": "NAME", "value": "v"}], "idempotencyToken": "t",
        },
        "StopBuild": {"id": "absent:1"},
        "UpdateProject": {"name": "absent", "description": "d"},
        "UpdateReportGroup": {"arn": REPORT_GROUP, "tags": [{"key": "k", "value": "v"}]},
    },
    "codepipeline": {
        "CreatePipeline": {"pipeline": DECLARATION | {"name": "fidelity-made"}, "tags": [{"key": "k", "value": "v"}]},
        "DeletePipeline": {"name": "absent"},
        "DisableStageTransition": {
            "pipelineName": "absent", "stageName": "S", "transitionType": "Inbound", "reason": "r",
        },
        "EnableStageTransition": {"pipelineName": "absent", "stageName": "S", "transitionType": "Inbound"},
        "GetPipeline": {"name": "absent", "version": 1},
        "GetPipelineExecution": {"pipelineName": "absent", "pipelineExecutionId": EXECUTION},
        "GetPipelineState": {"name": "absent"},
        "ListActionExecutions": {
            "pipelineName": "absent", "filter": {"pipelineExecutionId": EXECUTION}, "maxResults": 1,
        },
        "ListPipelineExecutions": {
            "pipelineName": "absent", "maxResults": 1, "filter": {"succeededInStage": {"stageName": "S"}},
        },
        "ListPipelines": {"maxResults": 1},
        "ListTagsForResource": {"resourceArn": PIPELINE, "maxResults": 1},
        "PutApprovalResult": {
            "pipelineName": "absent", "stageName": "S", "actionName": "A", "token": EXECUTION,
            "result": {"summary": "s", "status": "Approved"},
        },
        "RetryStageExecution": {
            "pipelineName": "absent", "stageName": "S", "pipelineExecutionId": EXECUTION,
            "retryMode": "FAILED_ACTIONS",
        },
        "StartPipelineExecution": {
            "name": "absent", "variables": [{"name": "N", "value": "v"}], "clientRequestToken": "t",
            "sourceRevisions": [{"actionName": "S", "revisionType": "COMMIT_ID", "revisionValue": COMMIT}],
        },
        "StopPipelineExecution": {
            "pipelineName": "absent", "pipelineExecutionId": EXECUTION, "abandon": True, "reason": "r",
        },
        "TagResource": {"resourceArn": PIPELINE, "tags": [{"key": "k", "value": "v"}]},
        "UntagResource": {"resourceArn": PIPELINE, "tagKeys": ["k"]},
        "UpdatePipeline": {"pipeline": DECLARATION},
    },
    "sagemaker": {
        "AddTags": {"ResourceArn": MODEL, "Tags": [{"Key": "k", "Value": "v"}]},
        "BatchDescribeModelPackage": {"ModelPackageArnList": [PACKAGE]},
        "CreateEndpoint": {
            "EndpointName": "fidelity-made", "EndpointConfigName": "absent", "Tags": [{"Key": "k", "Value": "v"}],
        },
        "CreateEndpointConfig": {"EndpointConfigName": "fidelity-made", "ProductionVariants": [_VARIANT]},
        "CreateModel": {
            "ModelName": "fidelity-made", "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://absent/x", "Environment": {"K": "v"}},
        },
        "CreateModelPackage": {
            "ModelPackageGroupName": "absent", "ModelPackageDescription": "d", "ClientToken": "t",
            "CustomerMetadataProperties": {"k": "v"},
            "InferenceSpecification": {"Containers": [{"Image": IMAGE}], "SupportedContentTypes": ["text/csv"]},
        },
        "CreateModelPackageGroup": {
            "ModelPackageGroupName": "fidelity-made", "ModelPackageGroupDescription": "d",
            "Tags": [{"Key": "k", "Value": "v"}],
        },
        "CreateProcessingJob": {
            "ProcessingJobName": "fidelity-made", "RoleArn": ROLE, "Environment": {"K": "v"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            },
            "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["a"]},
            "ProcessingInputs": [
                {
                    "InputName": "i",
                    "S3Input": {
                        "S3Uri": "s3://absent/x", "LocalPath": "/opt/ml/processing/x", "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                },
            ],
        },
        "CreateTrainingJob": {
            "TrainingJobName": "fidelity-made", "RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://absent/x"},
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE, "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "m", "Regex": "x"}],
            },
            "HyperParameters": {"k": "v"}, "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "InputDataConfig": [
                {
                    "ChannelName": "c",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://absent/x"}},
                },
            ],
        },
        "DeleteEndpoint": {"EndpointName": "absent"},
        "DeleteEndpointConfig": {"EndpointConfigName": "absent"},
        "DeleteModel": {"ModelName": "absent"},
        "DeleteModelPackage": {"ModelPackageName": "absent"},
        "DeleteModelPackageGroup": {"ModelPackageGroupName": "absent"},
        "DeleteProcessingJob": {"ProcessingJobName": "absent"},
        "DeleteTags": {"ResourceArn": MODEL, "TagKeys": ["k"]},
        "DeleteTrainingJob": {"TrainingJobName": "absent"},
        "DescribeEndpoint": {"EndpointName": "absent"},
        "DescribeEndpointConfig": {"EndpointConfigName": "absent"},
        "DescribeModel": {"ModelName": "absent"},
        "DescribeModelPackage": {"ModelPackageName": "absent"},
        "DescribeModelPackageGroup": {"ModelPackageGroupName": "absent"},
        "DescribeProcessingJob": {"ProcessingJobName": "absent"},
        "DescribeTrainingJob": {"TrainingJobName": "absent"},
        "ListEndpointConfigs": _PAGE_OF_ALL,
        "ListEndpoints": _PAGE_OF_ALL | {"StatusEquals": "InService"},
        "ListModelPackageGroups": _PAGE_OF_ALL,
        "ListModelPackages": _PAGE_OF_ALL | {"ModelApprovalStatus": "Approved"},
        "ListModels": _PAGE_OF_ALL,
        "ListProcessingJobs": _PAGE_OF_ALL | {"StatusEquals": "Failed"},
        "ListTags": {"ResourceArn": MODEL, "MaxResults": 50},
        "ListTrainingJobs": _PAGE_OF_ALL | {"StatusEquals": "Failed"},
        "StopProcessingJob": {"ProcessingJobName": "absent"},
        "StopTrainingJob": {"TrainingJobName": "absent"},
        "UpdateEndpoint": {"EndpointName": "absent", "EndpointConfigName": "absent"},
        "UpdateEndpointWeightsAndCapacities": {
            "EndpointName": "absent",
            "DesiredWeightsAndCapacities": [{"VariantName": "A", "DesiredWeight": 1.0, "DesiredInstanceCount": 1}],
        },
        "UpdateModelPackage": {
            "ModelPackageArn": PACKAGE, "ModelApprovalStatus": "Approved", "ApprovalDescription": "d",
            "CustomerMetadataProperties": {"k": "v"},
        },
    },
}  # fmt: skip

OPERATIONS = [(service, operation) for service, requests in REQUESTS.items() for operation in requests]

_NOT_FOUND = {
    "codecommit": "RepositoryDoesNotExistException",
    "codebuild": "ResourceNotFoundException",
    "codepipeline": "PipelineNotFoundException",
    "sagemaker": "ValidationException",
}
_OTHERWISE = {
    **{
        ("codecommit", operation): "PullRequestDoesNotExistException"
        for operation in (
            "GetCommentsForPullRequest",
            "GetPullRequest",
            "UpdatePullRequestDescription",
            "UpdatePullRequestStatus",
            "UpdatePullRequestTitle",
        )
    },
    **{
        ("codecommit", operation): "CommentDoesNotExistException"
        for operation in (
            "DeleteCommentContent",
            "GetComment",
            "UpdateComment",
        )
    },
    ("codebuild", "DescribeCodeCoverages"): "InvalidInputException",
    ("codepipeline", "ListTagsForResource"): "ResourceNotFoundException",
    ("codepipeline", "TagResource"): "ResourceNotFoundException",
    ("codepipeline", "UntagResource"): "ResourceNotFoundException",
    ("codepipeline", "UpdatePipeline"): "ValidationException",
}
_SUCCEED_ALL_THE_SAME = {
    "codecommit": (
        "BatchGetRepositories", "CreateRepository", "DeleteRepository", "ListRepositories",
    ),
    "codebuild": (
        "BatchDeleteBuilds", "BatchGetBuilds", "BatchGetProjects", "BatchGetReportGroups", "BatchGetReports",
        "CreateProject", "CreateReportGroup", "DeleteProject", "DeleteReport", "DeleteReportGroup", "ListBuilds",
        "ListProjects", "ListReportGroups", "ListReports",
    ),
    "codepipeline": (
        "CreatePipeline", "DeletePipeline", "ListPipelines",
    ),
    "sagemaker": (
        "BatchDescribeModelPackage", "CreateModelPackageGroup", "ListEndpointConfigs", "ListEndpoints",
        "ListModelPackageGroups", "ListModelPackages", "ListModels", "ListProcessingJobs", "ListTrainingJobs",
    ),
}  # fmt: skip


def refusal(service: str, operation: str) -> str:
    """The code of the refusal; empty for an operation that succeeds whether or not the thing exists."""
    if operation in _SUCCEED_ALL_THE_SAME[service]:
        return ""
    return _OTHERWISE.get((service, operation), _NOT_FOUND[service])
