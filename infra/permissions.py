"""What the roles are allowed: exact actions on exact resources.

Which resource an action is checked against is in AWS's service authorization reference. The statements are written out
because the constructs' own grants use wildcard actions such as s3:GetObject*.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import names
from infra.vpc_config import VpcConfig

ANY = "*"  # only for actions that AWS does not check against a resource; each use says so


def allow(*actions: str, on: str | Sequence[str], when: Mapping[str, Any] | None = None) -> iam.PolicyStatement:
    """A statement that allows actions on resources, under conditions if any."""
    resources = [on] if isinstance(on, str) else list(on)
    return iam.PolicyStatement(actions=list(actions), resources=resources, conditions=when)


def service(name: str, *, source_arn: str | None = None) -> iam.IPrincipal:
    """A service, trusted only while it acts for this account: nobody else's resource can make it use the role.

    Only for services that AWS documents to name the account (and the resource) on whose behalf they assume a role: the
    pages on the confused deputy in the guides of SageMaker and EventBridge, "Allow CodeBuild to interact with other AWS
    services", "IAM role for publishing flow logs to CloudWatch Logs".

    Args:
        name: such as `codebuild.amazonaws.com`.
        source_arn: the one resource, or a pattern of those, that may make the service use the role.
    """
    conditions: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
    if source_arn is not None:
        conditions["ArnLike"] = {"aws:SourceArn": source_arn}
    return iam.ServicePrincipal(name, conditions=conditions)


def role(
    scope: Construct, role_id: str, *, assumed_by: iam.IPrincipal, statements: Sequence[iam.PolicyStatement]
) -> iam.Role:
    """A role for an AWS service with its policy inside, so that neither ever exists without the other."""
    policy = iam.PolicyDocument(statements=statements)
    return iam.Role(scope, role_id, assumed_by=assumed_by, inline_policies={"Permissions": policy})


def pass_role(passed: iam.IRole, *, to: str) -> iam.PolicyStatement:
    """Hand a role to one AWS service, and to no other."""
    return allow("iam:PassRole", on=passed.role_arn, when={"StringEquals": {"iam:PassedToService": to}})


def list_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """List what lies under prefixes of a bucket."""
    listed = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return allow("s3:ListBucket", on=bucket.bucket_arn, when=listed)


def read_objects(bucket: s3.IBucket, *prefixes: str) -> list[iam.PolicyStatement]:
    """Read and list what lies under prefixes of a bucket."""
    return [
        allow("s3:GetObject", on=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]),
        allow("s3:GetBucketLocation", on=bucket.bucket_arn),
        list_objects(bucket, *prefixes),
    ]


def write_objects(bucket: s3.IBucket, *prefixes: str) -> list[iam.PolicyStatement]:
    """Write under prefixes of a bucket."""
    places = [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
    return [allow("s3:PutObject", "s3:AbortMultipartUpload", on=places)]


def decrypt(key: kms.IKey) -> iam.PolicyStatement:
    """Read what a key protects."""
    return allow("kms:Decrypt", "kms:DescribeKey", on=key.key_arn)


def encrypt(key: kms.IKey) -> iam.PolicyStatement:
    """Write what a key protects, and read it: an upload in parts reads its own parts."""
    return allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", on=key.key_arn)


def encrypt_volumes(key: kms.IKey) -> iam.PolicyStatement:
    """Let SageMaker attach volumes that a key protects to its instances."""
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return allow("kms:CreateGrant", on=key.key_arn, when=for_aws)


def log_in_to_registry() -> iam.PolicyStatement:
    """Get a password for the container registry. AWS has no resource for it: it is the same for all repositories."""
    return allow("ecr:GetAuthorizationToken", on=ANY)


def pull_images(repository: ecr.IRepository) -> list[iam.PolicyStatement]:
    """Pull images of one repository."""
    actions = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    return [log_in_to_registry(), allow(*actions, on=repository.repository_arn)]


def push_images(repository: ecr.IRepository) -> iam.PolicyStatement:
    """Push images to one repository, and look for those that are there."""
    return allow(
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
        on=repository.repository_arn,
    )


def read_scans(repository: ecr.IRepository) -> list[iam.PolicyStatement]:
    """Read what scans of one repository's images found, and start one where ECR has not.

    Under enhanced scanning ECR asks Amazon Inspector in the caller's name (Amazon ECR user guide, "IAM permissions
    required for enhanced scanning"). AWS has no resource for that; that ECR asks, and not the caller, is the limit.
    """
    asked_by_ecr = {"Bool": {"aws:ViaAWSService": "true"}}
    return [
        allow("ecr:DescribeImageScanFindings", "ecr:StartImageScan", on=repository.repository_arn),
        allow("inspector2:ListCoverage", "inspector2:ListFindings", on=ANY, when=asked_by_ecr),
    ]


def write_job_logs(log_group: str, *streams: str) -> list[iam.PolicyStatement]:
    """Write the log streams of one's own jobs, in a log group that all jobs of the account share.

    CloudWatch Logs checks a log group's ARN with and without the trailing `:*`, depending on the action.
    """
    group = names.log_group_arn(log_group)
    return [
        allow("logs:CreateLogGroup", "logs:DescribeLogStreams", on=[group, f"{group}:*"]),
        allow("logs:CreateLogStream", "logs:PutLogEvents", on=[f"{group}:log-stream:{stream}" for stream in streams]),
    ]


def read_job_logs(log_group: str, streams: str) -> list[iam.PolicyStatement]:
    """Read the log streams of one's own jobs."""
    group = names.log_group_arn(log_group)
    return [
        allow("logs:DescribeLogStreams", on=[group, f"{group}:*"]),
        allow("logs:GetLogEvents", on=f"{group}:log-stream:{streams}"),
    ]


def publish_metrics() -> iam.PolicyStatement:
    """Publish SageMaker's instance metrics. AWS has no resource for metrics; the namespace is the limit."""
    return allow("cloudwatch:PutMetricData", on=ANY, when={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}})


def confined(vpc_config: VpcConfig | None) -> dict[str, Any]:
    """The condition on all that starts a container: it can call nobody, and its instances live in the project's VPC.

    It is the code of the commit under test that asks for jobs and models, so IAM holds it to this.
    """
    isolated = {"Bool": {"sagemaker:NetworkIsolation": "true"}}
    if vpc_config is None:
        return isolated
    places = {
        "sagemaker:VpcSubnets": list(vpc_config.subnet_ids),
        "sagemaker:VpcSecurityGroupIds": list(vpc_config.security_group_ids),
    }
    # ForAllValues also holds for a request that names no VPC; Null refuses that one.
    return {**isolated, "ForAllValues:StringEquals": places, "Null": dict.fromkeys(places, "false")}


def connect_instances(vpc_config: VpcConfig) -> list[iam.PolicyStatement]:
    """Let SageMaker connect a role's instances to a VPC, in its subnets and security groups only.

    The actions are those that SageMaker's developer guide lists for roles of jobs and models with a VpcConfig. It has
    them on all resources; what they are checked against is in EC2's service authorization reference.
    """
    interfaces = names.ec2_arn("network-interface", "*")
    subnets, groups = vpc_config.subnet_arns, vpc_config.security_group_arns
    return [
        allow("ec2:CreateNetworkInterface", on=[*subnets, *groups]),
        allow(
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
            on=interfaces,
            when={"ArnLike": {"ec2:Subnet": subnets}},
        ),
        allow(
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            on=ANY,  # EC2 checks no Describe action against a resource
        ),
    ]


def run_jobs(
    kind: str, jobs: str, *, execution_role: iam.IRole, key: kms.IKey, vpc_config: VpcConfig | None
) -> list[iam.PolicyStatement]:
    """Start, watch and stop one's own jobs, whose containers can call nobody.

    Args:
        kind: `TrainingJob` or `ProcessingJob`, as in the names of SageMaker's actions.
        jobs: pattern of the jobs' names.
        execution_role: what the jobs run as.
        key: protects their volumes.
        vpc_config: where their instances live; None for nowhere of ours.
    """
    resource = {"TrainingJob": "training-job", "ProcessingJob": "processing-job"}[kind]
    log_group = {"TrainingJob": names.TRAINING_LOG_GROUP, "ProcessingJob": names.PROCESSING_LOG_GROUP}[kind]
    own = names.sagemaker_arn(resource, jobs)
    return [
        allow(f"sagemaker:Create{kind}", on=own, when=confined(vpc_config)),
        allow(f"sagemaker:Describe{kind}", f"sagemaker:Stop{kind}", "sagemaker:AddTags", on=own),
        pass_role(execution_role, to="sagemaker.amazonaws.com"),
        encrypt_volumes(key),
        *read_job_logs(log_group, jobs),
    ]


def register_models(group: str) -> list[iam.PolicyStatement]:
    """Add versions to a model package group and find them; none is ever changed."""
    versions = names.model_package_arns(group)
    return [
        allow(
            "sagemaker:CreateModelPackage",
            "sagemaker:ListModelPackages",
            on=[versions, names.sagemaker_arn("model-package-group", group)],
        ),
        allow("sagemaker:DescribeModelPackage", on=versions),
    ]


def find_served_model(project: str, *environments: str) -> iam.PolicyStatement:
    """Find out which model package the environments' endpoints serve."""
    endpoints = [names.endpoint_name(project, environment) for environment in environments]
    generated = [name for environment in environments for name in names.generated_names(project, environment)]
    return allow(
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DescribeModel",
        on=[
            *(names.sagemaker_arn("endpoint", name) for name in endpoints),
            *(names.sagemaker_arn(kind, name) for kind in ("endpoint-config", "model") for name in generated),
        ],
    )
