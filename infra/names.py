"""Names and ARNs in AWS, all made from the project's name."""

from aws_cdk import Aws

STAGING = "staging"
PRODUCTION = "production"
ENVIRONMENTS = (STAGING, PRODUCTION)

# Why there is a wildcard in the patterns below.
JOBS_END_WITH_THE_EXECUTION = "a job's name ends with the pipeline execution that started it"
VERSIONS_ARE_NUMBERED = "the versions of the group are numbered as they are registered"
NAMES_ARE_GENERATED = "CloudFormation ends a name that it generates with random characters"
STACKS_END_WITH_AN_ID = "a stack's ARN ends with an id that it gets when it is created"

# The variants of an endpoint. That of the champion stays the same over all updates, for a blue/green deployment shifts
# traffic within one variant.
CHAMPION = "AllTraffic"
CHALLENGER = "Challenger"
NO_CHALLENGER = "none"

CAPTURES = "captures/"
"""Where in the data bucket endpoints record calls."""

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
PROCESSING_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


def prepare_jobs(project: str) -> str:
    """Pattern of the names of the jobs that prepare data."""
    return f"{project}-prepare-*"


def evaluate_jobs(project: str) -> str:
    """Pattern of the names of the jobs that evaluate models."""
    return f"{project}-evaluate-*"


def train_jobs(project: str) -> str:
    """Pattern of the names of the jobs that train."""
    return f"{project}-train-*"


def endpoint_name(project: str, environment: str) -> str:
    """Name of an environment's endpoint, and of the stack that owns it."""
    return f"{project}-{environment}"


def alarm_names(project: str, environment: str) -> tuple[str, str, str]:
    """Names of the alarms of an environment's endpoint: on server errors, on refused calls, on latency."""
    endpoint = endpoint_name(project, environment)
    return f"{endpoint}-server-errors", f"{endpoint}-refused", f"{endpoint}-latency"


def alarm_arns(project: str, environment: str) -> list[str]:
    """ARNs of the alarms of an environment's endpoint."""
    return [alarm_arn(name) for name in alarm_names(project, environment)]


def alarm_arn(name: str) -> str:
    """ARN of an alarm."""
    return f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:{name}"


def dashboard_arn(project: str, environment: str) -> str:
    """ARN of the dashboard of an environment's endpoint; it belongs to no region."""
    return f"arn:{Aws.PARTITION}:cloudwatch::{Aws.ACCOUNT_ID}:dashboard/{endpoint_name(project, environment)}"


def logical_id(project: str, environment: str, resource: str) -> str:
    """Logical id of a resource whose name CloudFormation generates.

    The name is LOGICALID-RANDOM, without the stack's name, and SageMaker writes names in ARNs in lower case. So the
    logical id says whose it is, in lower case, and grants can rest on it.
    """
    return f"{project}{environment}{resource}".replace("-", "")


def generated_names(project: str, environment: str) -> list[str]:
    """Patterns of the names that CloudFormation generates in an environment's stack.

    Types that are newer in CloudFormation's registry get the stack's name in front.
    """
    return [f"{logical_id(project, environment, '')}*", f"{endpoint_name(project, environment)}-*"]


def endpoint_role_export(project: str) -> str:
    """Name of the export that holds the ARN of the endpoints' execution role."""
    return f"{project}:EndpointRoleArn"


def key_export(project: str) -> str:
    """Name of the export that holds the ARN of the project's key."""
    return f"{project}:KeyArn"


def data_bucket_export(project: str) -> str:
    """Name of the export that holds the name of the data bucket."""
    return f"{project}:DataBucketName"


def subnet_exports(project: str) -> tuple[str, str]:
    """Names of the exports that hold the ids of the subnets that Slipway makes."""
    return f"{project}:SubnetId1", f"{project}:SubnetId2"


def security_group_export(project: str) -> str:
    """Name of the export that holds the id of the security group that Slipway makes."""
    return f"{project}:SecurityGroupId"


def sagemaker_arn(kind: str, name: str) -> str:
    """ARN of a SageMaker resource such as `training-job/NAME`."""
    return f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:{kind}/{name}"


def pipeline_arn(project: str) -> str:
    """ARN of the pipeline, for grants of those that the pipeline itself starts."""
    return f"arn:{Aws.PARTITION}:codepipeline:{Aws.REGION}:{Aws.ACCOUNT_ID}:{project}"


def model_package_arns(group: str) -> str:
    """ARNs of all versions in a model package group; they do not begin with the group's own ARN."""
    return sagemaker_arn("model-package", f"{group}/*")


def ec2_arn(kind: str, resource_id: str, *, account: str = Aws.ACCOUNT_ID) -> str:
    """ARN of an EC2 resource such as `subnet/ID`."""
    return f"arn:{Aws.PARTITION}:ec2:{Aws.REGION}:{account}:{kind}/{resource_id}"


def endpoint_log_group(project: str, environment: str) -> str:
    """Name of the log group of an environment's endpoint."""
    return f"/aws/sagemaker/Endpoints/{endpoint_name(project, environment)}"


def build_log_group(build_project: str) -> str:
    """Name of the log group of a CodeBuild project."""
    return f"/aws/codebuild/{build_project}"


def flow_log_group(project: str) -> str:
    """Name of the log group that tells of all traffic in the project's VPC."""
    return f"/aws/vpc/{project}"


def log_group_arn(name: str) -> str:
    """ARN of a log group, as CreateLogGroup is checked against."""
    return f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{name}"


def stack_arn(name: str) -> str:
    """ARN of a CloudFormation stack, whose last part is an id that it gets when it is created."""
    return f"arn:{Aws.PARTITION}:cloudformation:{Aws.REGION}:{Aws.ACCOUNT_ID}:stack/{name}/*"
