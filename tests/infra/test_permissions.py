"""Each role may do exactly what is listed here, and nothing has a wildcard that AWS could do without."""

import re

import pytest
from infra_support import Deployment, as_list, on

ACCOUNT = "eu-west-1:111122223333"
SAGEMAKER = f"arn:aws:sagemaker:{ACCOUNT}"
LOGS = f"arn:aws:logs:{ACCOUNT}:log-group"
DATA = "<DataBucket.Arn>"
ARTIFACTS = "<ArtifactBucket.Arn>"
KEY = "<Key.Arn>"
IMAGES = "<ImageRepository.Arn>"
PROCESSING_ROLE = "<ExecutionRolesProcessing.Arn>"
TRAINING_ROLE = "<ExecutionRolesTraining.Arn>"
ENDPOINT_ROLE = "<ExecutionRolesEndpoint.Arn>"

FOR_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
FOR_AWS = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
SAGEMAKER_METRICS = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
ENCRYPT = on(KEY, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")
DECRYPT = on(KEY, "kms:Decrypt", "kms:DescribeKey")
VOLUMES = on(KEY, "kms:CreateGrant", condition=FOR_AWS)
LOG_IN = on("*", "ecr:GetAuthorizationToken")
PULL = LOG_IN | on(IMAGES, "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def listing(*prefixes: str) -> set[str]:
    return on(DATA, "s3:ListBucket", condition={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}})


def reading(*prefixes: str) -> set[str]:
    objects = {grant for prefix in prefixes for grant in on(f"{DATA}/{prefix}*", "s3:GetObject")}
    return objects | on(DATA, "s3:GetBucketLocation") | listing(*prefixes)


def writing(*prefixes: str) -> set[str]:
    return {
        grant for prefix in prefixes for grant in on(f"{DATA}/{prefix}*", "s3:PutObject", "s3:AbortMultipartUpload")
    }


def container(log_group: str, *streams: str) -> set[str]:
    """What SageMaker needs around any container."""
    group = {
        grant
        for resource in (f"{LOGS}:{log_group}", f"{LOGS}:{log_group}:*")
        for grant in on(resource, "logs:CreateLogGroup", "logs:DescribeLogStreams")
    }
    written = {
        grant
        for stream in streams
        for grant in on(f"{LOGS}:{log_group}:log-stream:{stream}", "logs:CreateLogStream", "logs:PutLogEvents")
    }
    return group | written | PULL | VOLUMES | on("*", "cloudwatch:PutMetricData", condition=SAGEMAKER_METRICS)


def build(project: str, *, reads: tuple[str, ...] = ("Source",), writes: tuple[str, ...] = ()) -> set[str]:
    """What any build needs: its log, its artifacts, the key."""
    read = {
        grant
        for name in reads
        for grant in on(f"{ARTIFACTS}/flight-delays/{name}/*", "s3:GetObject", "s3:GetObjectVersion")
    }
    written = {
        grant
        for name in writes
        for grant in on(f"{ARTIFACTS}/flight-delays/{name}/*", "s3:PutObject", "s3:AbortMultipartUpload")
    }
    log = on(f"<Projects{project}Log.Arn>", "logs:CreateLogStream", "logs:PutLogEvents")
    return log | read | written | ENCRYPT | on(ARTIFACTS, "s3:GetBucketAcl", "s3:GetBucketLocation")


def jobs(kind: str, resource: str, log_group: str, names: str, role: str) -> set[str]:
    """What a step needs to run its jobs and show their log."""
    group = f"{LOGS}:{log_group}"
    return (
        on(
            f"{SAGEMAKER}:{resource}/{names}",
            f"sagemaker:Create{kind}",
            f"sagemaker:Describe{kind}",
            f"sagemaker:Stop{kind}",
            "sagemaker:AddTags",
        )
        | on(role, "iam:PassRole", condition=FOR_SAGEMAKER)
        | on(group, "logs:DescribeLogStreams")
        | on(f"{group}:*", "logs:DescribeLogStreams")
        | on(f"{group}:log-stream:{names}", "logs:GetLogEvents")
        | VOLUMES
    )


def looking_up(environment: str) -> set[str]:
    """What is needed to find the model package that an endpoint serves."""
    looks = ("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel")
    return {
        grant
        for resource in (
            f"endpoint/flight-delays-{environment}",
            f"endpoint-config/flight-delays-{environment}-*",
            f"endpoint-config/flightdelays{environment}*",
            f"model/flight-delays-{environment}-*",
            f"model/flightdelays{environment}*",
        )
        for grant in on(f"{SAGEMAKER}:{resource}", *looks)
    }


PROCESSING_LOGS = "/aws/sagemaker/ProcessingJobs"
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"

FOUNDATION_ROLES = {
    "ExecutionRolesProcessing": reading("raw/", "datasets/", "models/")
    | writing("datasets/", "evaluations/")
    | ENCRYPT
    | container(PROCESSING_LOGS, "flight-delays-prepare-*", "flight-delays-evaluate-*"),
    "ExecutionRolesTraining": reading("datasets/")
    | writing("models/")
    | ENCRYPT
    | container(TRAINING_LOGS, "flight-delays-train-*"),
    "ExecutionRolesEndpoint": reading("models/") | DECRYPT | container("/aws/sagemaker/Endpoints/flight-delays-*", "*"),
}

BUILD_ROLES = {
    "ProjectsTestRole": build("Test")
    | on(
        f"arn:aws:codebuild:{ACCOUNT}:report-group/flight-delays-test-pytest",
        "codebuild:BatchPutTestCases",
        "codebuild:CreateReport",
        "codebuild:CreateReportGroup",
        "codebuild:UpdateReport",
    ),
    "ProjectsSynthRole": build("Synth", writes=("Templates",)),
    "ProjectsBuildImageRole": build("BuildImage")
    | PULL
    | on(
        IMAGES,
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ),
    "ProjectsPrepareDataRole": build("PrepareData")
    | jobs("ProcessingJob", "processing-job", PROCESSING_LOGS, "flight-delays-prepare-*", PROCESSING_ROLE)
    | listing("raw/")
    | reading("datasets/"),
    "ProjectsTrainModelRole": build("TrainModel")
    | jobs("TrainingJob", "training-job", TRAINING_LOGS, "flight-delays-train-*", TRAINING_ROLE),
    "ProjectsEvaluateModelRole": build("EvaluateModel", writes=("Evaluation",))
    | jobs("ProcessingJob", "processing-job", PROCESSING_LOGS, "flight-delays-evaluate-*", PROCESSING_ROLE)
    | reading("evaluations/")
    | looking_up("production")
    | on(f"{SAGEMAKER}:model-package/flight-delays/*", "sagemaker:DescribeModelPackage"),
    "ProjectsRegisterModelRole": build("RegisterModel", reads=("Source", "Evaluation"))
    | on(
        f"{SAGEMAKER}:model-package-group/flight-delays", "sagemaker:CreateModelPackage", "sagemaker:ListModelPackages"
    )
    | on(
        f"{SAGEMAKER}:model-package/flight-delays/*",
        "sagemaker:CreateModelPackage",
        "sagemaker:DescribeModelPackage",
        "sagemaker:ListModelPackages",
        "sagemaker:UpdateModelPackage",
    )
    | on(f"{SAGEMAKER}:training-job/flight-delays-train-*", "sagemaker:DescribeTrainingJob")
    | reading("models/", "evaluations/")
    | PULL,
    **{
        f"ProjectsVerify{environment.capitalize()}Role": build(
            f"Verify{environment.capitalize()}", reads=("Source", "Evaluation")
        )
        | on(f"{SAGEMAKER}:endpoint/flight-delays-{environment}", "sagemaker:InvokeEndpoint")
        | looking_up(environment)
        for environment in ("staging", "production")
    },
}

GENERATED = ("flight-delays-staging-*", "flightdelaysstaging*", "flight-delays-production-*", "flightdelaysproduction*")
ENDPOINTS = ("flight-delays-staging", "flight-delays-production")
TAGGING = ("sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags")
DEPLOYMENT_ROLE = (
    {
        grant
        for kind, noun in (("model", "Model"), ("endpoint-config", "EndpointConfig"))
        for name in GENERATED
        for grant in on(
            f"{SAGEMAKER}:{kind}/{name}",
            f"sagemaker:Create{noun}",
            f"sagemaker:Delete{noun}",
            f"sagemaker:Describe{noun}",
            *TAGGING,
        )
    }
    | {
        grant
        for name in GENERATED
        for grant in on(f"{SAGEMAKER}:endpoint-config/{name}", "sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
    }
    | {
        grant
        for name in ENDPOINTS
        for grant in on(
            f"{SAGEMAKER}:endpoint/{name}",
            "sagemaker:CreateEndpoint",
            "sagemaker:UpdateEndpoint",
            "sagemaker:DeleteEndpoint",
            "sagemaker:DescribeEndpoint",
            *TAGGING,
        )
    }
    | on(f"{SAGEMAKER}:model-package/flight-delays/*", "sagemaker:DescribeModelPackage")
    | on(ENDPOINT_ROLE, "iam:PassRole", condition=FOR_SAGEMAKER)
    | on(KEY, "kms:DescribeKey")
    | VOLUMES
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
    "VerifyProduction",
)
PIPELINE_ROLE = (
    on(
        f"{ARTIFACTS}/flight-delays/*",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
    )
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
    | {
        grant
        for project in PROJECTS
        for grant in on(
            f"<Projects{project}Project.Arn>", "codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"
        )
    }
    | {
        grant
        for name in ENDPOINTS
        for grant in on(
            f"arn:aws:cloudformation:{ACCOUNT}:stack/{name}/*",
            "cloudformation:CreateStack",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "cloudformation:GetTemplate",
            "cloudformation:UpdateStack",
        )
    }
    | on(f"arn:aws:cloudformation:{ACCOUNT}:stack/flight-delays-staging/*", "cloudformation:DeleteStack")
    | on(
        "<DeploymentRole.Arn>",
        "iam:PassRole",
        condition={"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
    )
    | on("<ApprovalTopic>", "sns:Publish")
)
EVENTS_ROLE = on(f"arn:aws:codepipeline:{ACCOUNT}:<Pipeline>", "codepipeline:StartPipelineExecution")

ROLES = {
    **{("foundation", role): grants for role, grants in FOUNDATION_ROLES.items()},
    **{("pipeline", role): grants for role, grants in BUILD_ROLES.items()},
    ("pipeline", "DeploymentRole"): DEPLOYMENT_ROLE,
    ("pipeline", "PipelineRole"): PIPELINE_ROLE,
    ("pipeline", "PipelineEventsRole"): EVENTS_ROLE,
}

SERVICES = {
    "ExecutionRoles": "sagemaker.amazonaws.com",
    "Projects": "codebuild.amazonaws.com",
    "DeploymentRole": "cloudformation.amazonaws.com",
    "PipelineRole": "codepipeline.amazonaws.com",
    "PipelineEventsRole": "events.amazonaws.com",
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
def test_a_role_can_be_assumed_by_its_own_service_alone(deployment: Deployment, template: str, role: str) -> None:
    (service,) = {service for prefix, service in SERVICES.items() if role.startswith(prefix)}
    trust = deployment.properties(template, "AWS::IAM::Role", role)["AssumeRolePolicyDocument"]["Statement"]

    assert trust == [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service}}]


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

    assert actions == {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}


def test_roles_are_passed_to_one_service_only(deployment: Deployment) -> None:
    passing = [one for _, one in deployment.statements() if "iam:PassRole" in as_list(one["Action"])]

    assert len(passing) == 5
    for statement in passing:
        assert statement["Action"] == "iam:PassRole"
        assert re.fullmatch(r"<(ExecutionRoles\w+|DeploymentRole)\.Arn>", statement["Resource"])
        assert list(statement["Condition"]) == ["StringEquals"]
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"]


def test_grants_follow_the_settings(customized: Deployment) -> None:
    processing = customized.grants("foundation", "ExecutionRolesProcessing")
    test = customized.grants("pipeline", "ProjectsTestRole")
    train = customized.grants("pipeline", "ProjectsTrainModelRole")

    assert f"s3:GetObject on {DATA}/incoming/flights/*" in processing
    assert not any("raw/" in grant for grant in processing)
    # CodePipeline cuts a pipeline's name to 20 characters in the keys of its artifacts.
    assert f"s3:GetObject on {ARTIFACTS}/a-name-of-23-charact/Source/*" in test
    assert f"sagemaker:CreateTrainingJob on {SAGEMAKER}:training-job/a-name-of-23-characters-train-*" in train
