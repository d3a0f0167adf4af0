"""Each role may do exactly what is listed here, and nothing has a wildcard that AWS could do without."""

import json
import re
from collections.abc import Sequence

import pytest
from infra_support import Deployment, as_list, on

ACCOUNT = "eu-west-1:111122223333"
SAGEMAKER = f"arn:aws:sagemaker:{ACCOUNT}"
LOGS = f"arn:aws:logs:{ACCOUNT}:log-group"
DATA = "<DataBucket.Arn>"
ARTIFACTS = "<ArtifactBucket.Arn>"
KEY = "<Key.Arn>"
IMAGES = "<ImageRepository.Arn>"
VERSIONS = f"{SAGEMAKER}:model-package/flight-delays/*"
PROCESSING_ROLE = "<ExecutionRolesProcessing.Arn>"
TRAINING_ROLE = "<ExecutionRolesTraining.Arn>"
ENDPOINT_ROLE = "<ExecutionRolesEndpoint.Arn>"

FOR_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
FOR_AWS = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
ISOLATED = {"Bool": {"sagemaker:NetworkIsolation": "true"}}
STARTING = {"sagemaker:CreateModel", "sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob"}
STARTERS = {
    "ProjectsPrepareDataRole",
    "ProjectsTrainModelRole",
    "ProjectsEvaluateModelRole",
    "StagingDeploymentRole",
    "ProductionDeploymentRole",
}
APPROVED_FOR_PRODUCTION = {
    "StringEquals": {
        "sagemaker:ModelLifeCycle:Stage": "Production",
        "sagemaker:ModelLifeCycle:StageStatus": "Approved",
    },
    "Null": {"sagemaker:ModelApprovalStatus": "true"},
}
NOTED_IN_METADATA_ALONE = {
    "Null": {
        "sagemaker:CustomerMetadataPropertiesToRemove": "true",
        "sagemaker:ModelApprovalStatus": "true",
        "sagemaker:ModelLifeCycle:Stage": "true",
        "sagemaker:ModelLifeCycle:StageStatus": "true",
    }
}
REPORTS = (
    "report.html",
    "report.md",
    "report_facts.json",
    "model_quality.json",
    "challenger.json",
    "champion.json",
    "comparison.json",
    "decision.json",
)
SAGEMAKER_METRICS = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
DECRYPT = on(KEY, "kms:Decrypt")
ENCRYPT = on(KEY, "kms:Decrypt", "kms:GenerateDataKey")
VOLUMES = on(KEY, "kms:CreateGrant", condition=FOR_AWS)
LOG_IN = on("*", "ecr:GetAuthorizationToken")
SCANS = on(IMAGES, "ecr:DescribeImageScanFindings", "ecr:StartImageScan") | on(
    "*",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
    condition={"Bool": {"aws:ViaAWSService": "true"}},
)
PULL = LOG_IN | on(IMAGES, "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSH = LOG_IN | on(
    IMAGES,
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)


def listing(*prefixes: str) -> set[str]:
    return on(DATA, "s3:ListBucket", condition={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}})


def reading(*prefixes: str) -> set[str]:
    return on([f"{DATA}/{prefix}*" for prefix in prefixes], "s3:GetObject")


def working_on(*, reads: tuple[str, ...], writes: tuple[str, ...]) -> set[str]:
    """What SageMaker needs to bring a job its data and to take its output away."""
    written = on([f"{DATA}/{prefix}*" for prefix in writes], "s3:PutObject", "s3:AbortMultipartUpload")
    return reading(*reads) | listing(*reads) | written | ENCRYPT | on(KEY, "kms:Encrypt") | VOLUMES


def container(log_group: str, *streams: str) -> set[str]:
    """What SageMaker needs around any container."""
    group = f"{LOGS}:{log_group}"
    return (
        on([group, f"{group}:*"], "logs:CreateLogGroup", "logs:DescribeLogStreams")
        | on([f"{group}:log-stream:{stream}" for stream in streams], "logs:CreateLogStream", "logs:PutLogEvents")
        | PULL
        | on("*", "cloudwatch:PutMetricData", condition=SAGEMAKER_METRICS)
    )


def build(project: str, *, reads: tuple[str, ...] = ("Source",), writes: tuple[str, ...] = ()) -> set[str]:
    """What any build needs: its log, its artifacts, the key."""
    read, written = ([f"{ARTIFACTS}/flight-delays/{name}/*" for name in names] for names in (reads, writes))
    return (
        on(f"<Projects{project}Log.Arn>", "logs:CreateLogStream", "logs:PutLogEvents")
        | on(read, "s3:GetObject", "s3:GetObjectVersion")
        | on(written, "s3:PutObject")
        | (ENCRYPT if writes else DECRYPT)
        | on(ARTIFACTS, "s3:GetBucketAcl", "s3:GetBucketLocation")
    )


def jobs(kind: str, resource: str, log_group: str, names: str, role: str) -> set[str]:
    """What a step needs to run its jobs and show their log."""
    group, own = f"{LOGS}:{log_group}", f"{SAGEMAKER}:{resource}/{names}"
    return (
        on(own, f"sagemaker:Create{kind}", condition=ISOLATED)
        | on(own, f"sagemaker:Describe{kind}", f"sagemaker:Stop{kind}", "sagemaker:AddTags")
        | on(role, "iam:PassRole", condition=FOR_SAGEMAKER)
        | on([group, f"{group}:*"], "logs:DescribeLogStreams")
        | on(f"{group}:log-stream:{names}", "logs:GetLogEvents")
    )


def generated(kind: str, environment: str) -> list[str]:
    """The ARNs of resources to which CloudFormation gives their names."""
    return [f"{SAGEMAKER}:{kind}/{name}" for name in (f"flight-delays-{environment}-*", f"flightdelays{environment}*")]


def alarms(environment: str) -> list[str]:
    """The ARNs of an environment's alarms."""
    place = f"arn:aws:cloudwatch:{ACCOUNT}:alarm:flight-delays-{environment}"
    return [f"{place}-{name}" for name in ("server-errors", "refused", "latency")]


def looking_up(environment: str) -> set[str]:
    """What is needed to find the model package that an endpoint serves."""
    return (
        on(f"{SAGEMAKER}:endpoint/flight-delays-{environment}", "sagemaker:DescribeEndpoint")
        | on(generated("endpoint-config", environment), "sagemaker:DescribeEndpointConfig")
        | on(generated("model", environment), "sagemaker:DescribeModel")
    )


def reports(project: str) -> set[str]:
    """What a build needs to publish the results of tests and the code that they ran."""
    place = f"arn:aws:codebuild:{ACCOUNT}:report-group/{project}"
    publishing = ("codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport")
    return on(f"{place}-pytest", "codebuild:BatchPutTestCases", *publishing) | on(
        f"{place}-coverage", "codebuild:BatchPutCodeCoverages", *publishing
    )


PROCESSING_LOGS = "/aws/sagemaker/ProcessingJobs"
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"

FOUNDATION_ROLES = {
    "ExecutionRolesProcessing": working_on(reads=("raw/", "datasets/", "models/"), writes=("datasets/", "evaluations/"))
    | container(PROCESSING_LOGS, "flight-delays-prepare-*", "flight-delays-evaluate-*"),
    "ExecutionRolesTraining": working_on(reads=("datasets/",), writes=("models/",))
    | container(TRAINING_LOGS, "flight-delays-train-*"),
    "ExecutionRolesEndpoint": reading("models/")
    | DECRYPT
    | container("/aws/sagemaker/Endpoints/flight-delays-staging", "*")
    | container("/aws/sagemaker/Endpoints/flight-delays-production", "*")
    | on(alarms("production"), "cloudwatch:DescribeAlarms"),
}

BUILD_ROLES = {
    "ProjectsTestRole": build("Test") | reports("flight-delays-test"),
    "ProjectsSynthRole": build("Synth", writes=("Templates",)),
    "ProjectsBuildImageRole": build("BuildImage") | PUSH | SCANS | on(VERSIONS, "sagemaker:DescribeModelPackage"),
    "ProjectsPrepareDataRole": build("PrepareData")
    | jobs("ProcessingJob", "processing-job", PROCESSING_LOGS, "flight-delays-prepare-*", PROCESSING_ROLE)
    | listing("raw/")
    | reading("datasets/")
    | on(VERSIONS, "sagemaker:DescribeModelPackage"),
    "ProjectsTrainModelRole": build("TrainModel")
    | jobs("TrainingJob", "training-job", TRAINING_LOGS, "flight-delays-train-*", TRAINING_ROLE)
    | reading("models/")
    | on(VERSIONS, "sagemaker:DescribeModelPackage"),
    "ProjectsEvaluateModelRole": build("EvaluateModel", writes=("Evaluation",))
    | jobs("ProcessingJob", "processing-job", PROCESSING_LOGS, "flight-delays-evaluate-*", PROCESSING_ROLE)
    | reading("evaluations/")
    | on(f"{DATA}/datasets/*/manifest.json", "s3:GetObject")
    | on(f"{SAGEMAKER}:training-job/flight-delays-train-*", "sagemaker:DescribeTrainingJob")
    | on([f"{DATA}/evaluations/*/{name}" for name in REPORTS], "s3:PutObject")
    | looking_up("production")
    | on(VERSIONS, "sagemaker:DescribeModelPackage"),
    "ProjectsRegisterModelRole": build("RegisterModel", reads=("Source", "Evaluation"))
    | on(VERSIONS, "sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages")
    | on(f"{SAGEMAKER}:model-package-group/flight-delays", "sagemaker:CreateModelPackage")
    | on(f"{SAGEMAKER}:training-job/flight-delays-train-*", "sagemaker:DescribeTrainingJob")
    | reading("models/")
    | on([f"{DATA}/evaluations/*/model_quality.json", f"{DATA}/datasets/*/baseline.json"], "s3:GetObject")
    | on(IMAGES, "ecr:BatchGetImage"),
    "ProjectsRecordApprovalRole": build("RecordApproval")
    | on(
        f"arn:aws:codepipeline:{ACCOUNT}:flight-delays",
        "codepipeline:GetPipelineState",
        "codepipeline:ListActionExecutions",
    )
    | on(VERSIONS, "sagemaker:UpdateModelPackage", condition=APPROVED_FOR_PRODUCTION),
    "ProjectsPlanReleaseRole": build("PlanRelease") | looking_up("production"),
    **{
        f"ProjectsVerify{environment.capitalize()}Role": build(
            f"Verify{environment.capitalize()}", reads=("Source", "Evaluation")
        )
        | on(f"{SAGEMAKER}:endpoint/flight-delays-{environment}", "sagemaker:InvokeEndpoint")
        | looking_up(environment)
        | on([f"{DATA}/evaluations/*/{name}" for name in written], "s3:PutObject")
        | ENCRYPT
        for environment, written in (
            ("staging", ("staging/verification.json", "report.html", "report.md")),
            ("production", ("production/verification.json",)),
        )
    },
}


def deploying(environment: str) -> set[str]:
    """What CloudFormation may do with the template of an environment, which is the commit's own."""
    models, configs = generated("model", environment), generated("endpoint-config", environment)
    endpoint = f"{SAGEMAKER}:endpoint/flight-delays-{environment}"
    return (
        on(models, "sagemaker:CreateModel", condition=ISOLATED)
        | on(models, "sagemaker:DeleteModel", "sagemaker:DescribeModel")
        | on(
            configs,
            "sagemaker:CreateEndpointConfig",
            "sagemaker:DeleteEndpointConfig",
            "sagemaker:DescribeEndpointConfig",
        )
        | on(endpoint, "sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint")
        | on([endpoint, *configs], "sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
        | on([endpoint, *configs, *models], "sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags")
        | on(VERSIONS, "sagemaker:DescribeModelPackage")
        | on(ENDPOINT_ROLE, "iam:PassRole", condition=FOR_SAGEMAKER)
        | VOLUMES
        | on(
            alarms(environment),
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:ListTagsForResource",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        )
        | on(
            f"arn:aws:cloudwatch::111122223333:dashboard/flight-delays-{environment}",
            "cloudwatch:DeleteDashboards",
            "cloudwatch:GetDashboard",
            "cloudwatch:PutDashboard",
        )
    )


def scaling(environment: str) -> set[str]:
    """What is needed where an endpoint's instances follow its calls."""
    of_variants = {
        "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
        "application-autoscaling:service-namespace": "sagemaker",
    }
    endpoint, service = f"flight-delays-{environment}", "sagemaker.application-autoscaling.amazonaws.com"
    return (
        on(
            f"arn:aws:application-autoscaling:{ACCOUNT}:scalable-target/*",
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
            condition={"StringEquals": of_variants},
        )
        | on(
            f"arn:aws:application-autoscaling:{ACCOUNT}:scalable-target/*",
            "application-autoscaling:ListTagsForResource",
            "application-autoscaling:TagResource",
            "application-autoscaling:UntagResource",
        )
        | on(
            "*",
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingActivities",
            "application-autoscaling:DescribeScalingPolicies",
        )
        | on(
            f"arn:aws:cloudwatch:{ACCOUNT}:alarm:TargetTracking-endpoint/{endpoint}/variant/AllTraffic-*",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricAlarm",
        )
        | on(f"{SAGEMAKER}:endpoint/{endpoint}", "sagemaker:UpdateEndpointWeightsAndCapacities")
        | on(
            f"arn:aws:iam::111122223333:role/aws-service-role/{service}/"
            "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            "iam:CreateServiceLinkedRole",
            condition={"StringEquals": {"iam:AWSServiceName": service}},
        )
    )


PROJECTS = (
    "Test",
    "Synth",
    "BuildImage",
    "PrepareData",
    "TrainModel",
    "EvaluateModel",
    "RegisterModel",
    "VerifyStaging",
    "RecordApproval",
    "PlanRelease",
    "VerifyProduction",
)
PROJECT_NAMES = {name: f"flight-delays-{re.sub('(?<!^)(?=[A-Z])', '-', name).lower()}" for name in PROJECTS}
STACKS = f"arn:aws:cloudformation:{ACCOUNT}:stack"
PIPELINE_ROLE = (
    on(f"{ARTIFACTS}/flight-delays/*", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
    | on(ARTIFACTS, "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning")
    | ENCRYPT
    | on(
        "<Repository.Arn>",
        "codecommit:CancelUploadArchive",
        "codecommit:GetBranch",
        "codecommit:GetCommit",
        "codecommit:GetUploadArchiveStatus",
        "codecommit:UploadArchive",
    )
    | on(
        [f"<Projects{project}Project.Arn>" for project in PROJECTS],
        "codebuild:BatchGetBuilds",
        "codebuild:StartBuild",
        "codebuild:StopBuild",
    )
    | on(
        [f"{STACKS}/flight-delays-staging/*", f"{STACKS}/flight-delays-production/*"],
        "cloudformation:CreateStack",
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "cloudformation:UpdateStack",
    )
    | on(f"{STACKS}/flight-delays-staging/*", "cloudformation:DeleteStack")
    | on(
        ["<StagingDeploymentRole.Arn>", "<ProductionDeploymentRole.Arn>"],
        "iam:PassRole",
        condition={"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
    )
    | on("<ApprovalTopic>", "sns:Publish")
)
PUSH_ROLE = on(f"arn:aws:codepipeline:{ACCOUNT}:<Pipeline>", "codepipeline:StartPipelineExecution")

# Code that nobody has reviewed runs with the first: nothing in it writes what anybody else reads, but for its reports.
PULL_REQUEST_ROLES = {
    "PullRequestsRole": on("<PullRequestsLog.Arn>", "logs:CreateLogStream", "logs:PutLogEvents")
    | on("<Repository.Arn>", "codecommit:GitPull")
    | on("<PullRequestsCommentRole.Arn>", "sts:AssumeRole")
    | reports("flight-delays-pull-request")
    | reading("datasets/", "evaluations/")
    | DECRYPT
    | looking_up("production")
    | on(VERSIONS, "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"),
    "PullRequestsCommentRole": on(
        "<Repository.Arn>",
        "codecommit:GetCommentsForPullRequest",
        "codecommit:PostCommentForPullRequest",
        "codecommit:UpdateComment",
    ),
    "PullRequestsStartRole": on("<PullRequestsProject.Arn>", "codebuild:StartBuild"),
}

ROLLOUT_ROLES = {
    "RolloutRecordRole": on("<RolloutRecordLog.Arn>", "logs:CreateLogStream", "logs:PutLogEvents")
    | on(f"arn:aws:codepipeline:{ACCOUNT}:flight-delays", "codepipeline:ListActionExecutions")
    | on(alarms("production"), "cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms")
    | on(VERSIONS, "sagemaker:UpdateModelPackage", condition=NOTED_IN_METADATA_ALONE),
    "RolloutRecordStartRole": on("<RolloutRecordProject.Arn>", "codebuild:StartBuild"),
}

ROLES = {
    **{("foundation", role): grants for role, grants in FOUNDATION_ROLES.items()},
    **{("pipeline", role): grants for role, grants in BUILD_ROLES.items()},
    ("pipeline", "StagingDeploymentRole"): deploying("staging"),
    ("pipeline", "ProductionDeploymentRole"): deploying("production"),
    ("pipeline", "PipelineRole"): PIPELINE_ROLE,
    ("pipeline", "PipelinePushRole"): PUSH_ROLE,
    **{("pipeline", role): grants for role, grants in PULL_REQUEST_ROLES.items()},
    **{("pipeline", role): grants for role, grants in ROLLOUT_ROLES.items()},
}

IN_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def trusted(service: str, condition: dict[str, object] | None = None) -> dict[str, object]:
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service}}
    return statement | ({"Condition": condition} if condition else {})


def acting_for(source_arn: str) -> dict[str, object]:
    return IN_THIS_ACCOUNT | {"ArnLike": {"aws:SourceArn": source_arn}}


# CloudFormation and CodePipeline have no condition: AWS does not say that they name whom they act for.
TRUST = {
    **dict.fromkeys(FOUNDATION_ROLES, trusted("sagemaker.amazonaws.com", IN_THIS_ACCOUNT)),
    **{
        f"Projects{name}Role": trusted(
            "codebuild.amazonaws.com", acting_for(f"arn:aws:codebuild:{ACCOUNT}:project/{PROJECT_NAMES[name]}")
        )
        for name in PROJECTS
    },
    "StagingDeploymentRole": trusted("cloudformation.amazonaws.com"),
    "ProductionDeploymentRole": trusted("cloudformation.amazonaws.com"),
    "PipelineRole": trusted("codepipeline.amazonaws.com"),
    "PipelinePushRole": trusted(
        "events.amazonaws.com", acting_for(f"arn:aws:events:{ACCOUNT}:rule/flight-delays-push")
    ),
    "PullRequestsRole": trusted(
        "codebuild.amazonaws.com", acting_for(f"arn:aws:codebuild:{ACCOUNT}:project/flight-delays-pull-request")
    ),
    "PullRequestsStartRole": trusted(
        "events.amazonaws.com", acting_for(f"arn:aws:events:{ACCOUNT}:rule/flight-delays-pull-request")
    ),
    "RolloutRecordRole": trusted(
        "codebuild.amazonaws.com", acting_for(f"arn:aws:codebuild:{ACCOUNT}:project/flight-delays-record-rollout")
    ),
    "RolloutRecordStartRole": trusted(
        "events.amazonaws.com", acting_for(f"arn:aws:events:{ACCOUNT}:rule/flight-delays-record-rollout")
    ),
    # One session name: CodeCommit takes a comment's changes from its author alone, and a build has a name of its own.
    "PullRequestsCommentRole": {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"AWS": "<PullRequestsRole.Arn>"},
        "Condition": {"StringEquals": {"sts:RoleSessionName": "slipway"}},
    },
}


@pytest.mark.parametrize(("template", "role"), ROLES, ids=[role for _, role in ROLES])
def test_a_role_may_do_exactly_this(deployment: Deployment, template: str, role: str) -> None:
    granted, expected = deployment.grants(template, role), ROLES[template, role]

    assert granted - expected == set(), "granted, but not expected"
    assert expected - granted == set(), "expected, but not granted"


def test_there_are_no_other_roles(deployment: Deployment) -> None:
    roles = {(name, role) for name in deployment.templates for role in deployment.resources(name, "AWS::IAM::Role")}

    assert roles == set(ROLES)


@pytest.mark.parametrize(("template", "role"), ROLES, ids=[role for _, role in ROLES])
def test_a_role_can_be_assumed_by_its_own_service_alone_and_for_this_account(
    deployment: Deployment, template: str, role: str
) -> None:
    trust = deployment.properties(template, "AWS::IAM::Role", role)["AssumeRolePolicyDocument"]["Statement"]

    assert trust == [TRUST[role]]


def test_a_flow_log_of_this_account_alone_assumes_the_flow_logs_role(in_a_vpc: Deployment) -> None:
    role = in_a_vpc.properties("foundation", "AWS::IAM::Role", "NetworkFlowLogRole")

    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        trusted("vpc-flow-logs.amazonaws.com", acting_for(f"arn:aws:ec2:{ACCOUNT}:vpc-flow-log/*"))
    ]


def test_no_role_is_granted_a_wildcard_action(deployment: Deployment) -> None:
    wildcards = [
        (place, action) for place, one in deployment.statements() for action in as_list(one["Action"]) if "*" in action
    ]

    assert wildcards == []


def test_only_actions_that_aws_checks_against_no_resource_are_granted_on_all(deployment: Deployment) -> None:
    actions = {
        action
        for _, statement in deployment.statements()
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }

    assert actions == {
        "ecr:GetAuthorizationToken",
        "cloudwatch:PutMetricData",
        "inspector2:ListCoverage",
        "inspector2:ListFindings",
    }


def test_roles_are_passed_to_one_service_only(deployment: Deployment) -> None:
    passing = [one for _, one in deployment.statements() if "iam:PassRole" in as_list(one["Action"])]

    assert len(passing) == 6
    for statement in passing:
        assert statement["Action"] == "iam:PassRole"
        for role in as_list(statement["Resource"]):
            assert re.fullmatch(r"<(ExecutionRoles\w+|(Staging|Production)DeploymentRole)\.Arn>", role)
        assert list(statement["Condition"]) == ["StringEquals"]
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"]


def test_only_the_records_of_approval_and_rollout_change_a_registered_version(deployment: Deployment) -> None:
    changing = [
        place
        for place, one in deployment.statements()
        if {"sagemaker:UpdateModelPackage", "sagemaker:DeleteModelPackage"} & set(as_list(one["Action"]))
    ]

    assert changing == ["pipeline ProjectsRecordApprovalRole", "pipeline RolloutRecordRole"]


def test_what_goes_to_staging_cannot_touch_what_production_serves(deployment: Deployment) -> None:
    staging = deployment.grants("pipeline", "StagingDeploymentRole")

    assert not [grant for grant in staging if "production" in grant]


def test_no_role_can_start_a_container_that_reaches_the_network(deployment: Deployment) -> None:
    starting = [(place, one) for place, one in deployment.statements() if STARTING & set(as_list(one["Action"]))]

    assert {place.split()[1] for place, _ in starting} == STARTERS
    assert all(statement["Condition"] == ISOLATED for _, statement in starting)


SUBNETS = ("<NetworkVpcIsolatedSubnet1Subnet>", "<NetworkVpcIsolatedSubnet2Subnet>")
GROUP = "<NetworkInstances.GroupId>"
TEAMS_SUBNETS = ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1")
TEAMS_GROUP = "sg-0123456789abcdef0"
VPCS = {
    "in_a_vpc": (SUBNETS, GROUP, ACCOUNT),
    # They may be shared with this account: then their ARNs are the owner's.
    "in_the_teams_vpc": (TEAMS_SUBNETS, TEAMS_GROUP, "eu-west-1:*"),
}


def connecting(subnets: Sequence[str], group: str, owner: str) -> set[str]:
    """What SageMaker needs to connect instances to a VPC."""
    subnet_arns = [f"arn:aws:ec2:{owner}:subnet/{subnet}" for subnet in subnets]
    places = on([*subnet_arns, f"arn:aws:ec2:{owner}:security-group/{group}"], "ec2:CreateNetworkInterface")
    interfaces = on(
        f"arn:aws:ec2:{ACCOUNT}:network-interface/*",
        "ec2:CreateNetworkInterface",
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
        condition={"ArnLike": {"ec2:Subnet": subnet_arns}},
    )
    looks = on(
        "*",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    )
    return places | interfaces | looks


@pytest.mark.parametrize(
    ("role", "more"),
    {
        "ExecutionRolesProcessing": set(),
        "ExecutionRolesTraining": set(),
        "ExecutionRolesEndpoint": on("*", "ec2:DescribeVpcEndpoints"),
    }.items(),
)
@pytest.mark.parametrize("fixture", VPCS)
def test_in_a_vpc_sagemaker_may_connect_instances_to_its_subnets_and_groups_alone(
    fixture: str, role: str, more: set[str], request: pytest.FixtureRequest
) -> None:
    granted = request.getfixturevalue(fixture).grants("foundation", role)

    assert granted == FOUNDATION_ROLES[role] | connecting(*VPCS[fixture]) | more


@pytest.mark.parametrize("fixture", VPCS)
def test_in_a_vpc_no_role_can_start_a_container_outside_of_it(fixture: str, request: pytest.FixtureRequest) -> None:
    subnets, group, _ = VPCS[fixture]
    confined = ISOLATED | {
        "ForAllValues:StringEquals": {
            "sagemaker:VpcSubnets": list(subnets),
            "sagemaker:VpcSecurityGroupIds": [group],
        },
        "Null": {"sagemaker:VpcSubnets": "false", "sagemaker:VpcSecurityGroupIds": "false"},
    }

    deployment: Deployment = request.getfixturevalue(fixture)
    starting = [(place, one) for place, one in deployment.statements() if STARTING & set(as_list(one["Action"]))]

    assert {place.split()[1] for place, _ in starting} == STARTERS
    assert all(statement["Condition"] == confined for _, statement in starting)


@pytest.mark.parametrize("fixture", VPCS)
def test_a_vpc_changes_the_grants_of_jobs_models_and_flow_logs_only(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)
    changed = {role for (template, role), grants in ROLES.items() if deployment.grants(template, role) != grants}
    roles = {role for name in deployment.templates for role in deployment.resources(name, "AWS::IAM::Role")}

    assert changed == {*FOUNDATION_ROLES, *STARTERS}
    assert roles - {role for _, role in ROLES} == ({"NetworkFlowLogRole"} if fixture == "in_a_vpc" else set())


def test_scans_are_not_granted_where_no_finding_fails_a_build(deployment: Deployment, customized: Deployment) -> None:
    with_scans, without = (one.grants("pipeline", "ProjectsBuildImageRole") for one in (deployment, customized))

    assert [grant for grant in with_scans if "Scan" in grant or "inspector2" in grant]
    assert not [grant for grant in without if "Scan" in grant or "inspector2" in grant]


def test_an_endpoint_that_follows_its_calls_needs_autoscaling_and_the_other_one_not(eager: Deployment) -> None:
    staging, production = (eager.grants("pipeline", f"{name}DeploymentRole") for name in ("Staging", "Production"))

    assert staging == ROLES["pipeline", "StagingDeploymentRole"]
    assert production == ROLES["pipeline", "ProductionDeploymentRole"] | scaling("production")


def test_only_the_role_that_deploys_a_serverless_endpoint_may_make_a_model_that_is_not_isolated(
    deployment: Deployment, serverless: Deployment
) -> None:
    limit = f" if {json.dumps(ISOLATED, sort_keys=True)}"
    expected = {
        grant.removesuffix(limit) if grant.startswith("sagemaker:CreateModel ") else grant
        for grant in ROLES["pipeline", "ProductionDeploymentRole"]
    }

    assert serverless.grants("pipeline", "ProductionDeploymentRole") == expected
    for (template, role), grants in ROLES.items():
        if role != "ProductionDeploymentRole":
            assert serverless.grants(template, role) == grants == deployment.grants(template, role), role


def test_calls_are_written_where_they_are_recorded_and_nowhere_else(eager: Deployment) -> None:
    expected = on(f"{DATA}/captures/*", "s3:PutObject") | on(KEY, "kms:GenerateDataKey")

    assert eager.grants("foundation", "ExecutionRolesEndpoint") == FOUNDATION_ROLES["ExecutionRolesEndpoint"] | expected


def test_where_nobody_approves_no_role_records_an_approval(eager: Deployment) -> None:
    roles = eager.resources("pipeline", "AWS::IAM::Role")
    starts = eager.grants("pipeline", "PipelineRole")

    assert "ProjectsRecordApprovalRole" not in roles
    assert not [grant for grant in starts if "RecordApproval" in grant]


def test_grants_follow_the_settings(customized: Deployment) -> None:
    processing = customized.grants("foundation", "ExecutionRolesProcessing")
    test = customized.grants("pipeline", "ProjectsTestRole")
    train = customized.grants("pipeline", "ProjectsTrainModelRole")

    assert f"s3:GetObject on {DATA}/incoming/flights/*" in processing
    assert not any("raw/" in grant for grant in processing)
    # CodePipeline cuts a pipeline's name to 20 characters in the keys of its artifacts.
    assert f"s3:GetObject on {ARTIFACTS}/a-name-of-23-charact/Source/*" in test
    assert f"sagemaker:StopTrainingJob on {SAGEMAKER}:training-job/a-name-of-23-characters-train-*" in train
