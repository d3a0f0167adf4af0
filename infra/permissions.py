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
from infra.explanations import explain
from infra.permission import Permission
from infra.vpc_config import VpcConfig

_IN_A_VPC = "only in network mode vpc, and the recorded run is of mode isolated"

ANY = "*"  # only for actions that AWS does not check against a resource
_OBJECTS_ARE_NAMED_BY_THEIR_WRITER = "objects are named as they are written; the prefix is the limit"
_FILES_LIE_UNDER_THE_EXECUTION = "the file lies under the id of the pipeline execution that writes it"


def allow(
    *actions: str,
    on: str | Sequence[str],
    when: Mapping[str, Any] | None = None,
    wildcard: str | None = None,
    unused: Mapping[str, str] | None = None,
) -> Permission:
    """Allow actions on resources.

    Args:
        actions: exact names.
        on: ARNs, or patterns of them.
        when: the conditions.
        wildcard: why there is a wildcard in `on`; every wildcard has its reason.
        unused: of actions that no run on the local cloud uses, why they are there.
    """
    resources = [on] if isinstance(on, str) else list(on)
    return Permission(actions, resources, when, wildcard, unused or {})


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


def role(scope: Construct, role_id: str, *, assumed_by: iam.IPrincipal, statements: Sequence[Permission]) -> iam.Role:
    """A role for an AWS service with its policy inside, so that neither ever exists without the other."""
    policy = iam.PolicyDocument(statements=[permission.statement() for permission in statements])
    made = iam.Role(scope, role_id, assumed_by=assumed_by, inline_policies={"Permissions": policy})
    explain(made, statements)
    return made


def pass_role(passed: iam.IRole, *, to: str) -> Permission:
    """Hand a role to one AWS service, and to no other."""
    return allow("iam:PassRole", on=passed.role_arn, when={"StringEquals": {"iam:PassedToService": to}})


def get_objects(bucket: s3.IBucket, *prefixes: str, unused: str | None = None) -> Permission:
    """Read objects under prefixes of a bucket by their names."""
    get, reason = "s3:GetObject", _OBJECTS_ARE_NAMED_BY_THEIR_WRITER
    return allow(get, on=_objects(bucket, prefixes), wildcard=reason, unused={get: unused} if unused else None)


def get_file(bucket: s3.IBucket, prefix: str, name: str, *, unused: str | None = None) -> Permission:
    """Read one file of each execution under a prefix."""
    get, reason = "s3:GetObject", _FILES_LIE_UNDER_THE_EXECUTION
    file = bucket.arn_for_objects(f"{prefix}*/{name}")
    return allow(get, on=file, wildcard=reason, unused={get: unused} if unused else None)


def put_files(bucket: s3.IBucket, prefix: str, *names: str) -> Permission:
    """Write files of these names of each execution under a prefix."""
    files = [bucket.arn_for_objects(f"{prefix}*/{name}") for name in names]
    return allow("s3:PutObject", on=files, wildcard=_FILES_LIE_UNDER_THE_EXECUTION)


def list_objects(bucket: s3.IBucket, *prefixes: str) -> Permission:
    """List what lies under prefixes of a bucket."""
    listed = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return allow("s3:ListBucket", on=bucket.bucket_arn, when=listed)


def write_objects(bucket: s3.IBucket, *prefixes: str) -> Permission:
    """Write under prefixes of a bucket."""
    return allow(
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        on=_objects(bucket, prefixes),
        wildcard=_OBJECTS_ARE_NAMED_BY_THEIR_WRITER,
        unused={"s3:AbortMultipartUpload": "large files are uploaded in parts; what breaks off is cleaned up"},
    )


def record_calls(bucket: s3.IBucket, key: kms.IKey, *, unused: str) -> list[Permission]:
    """Write what an endpoint is asked and answers."""
    put, seal = "s3:PutObject", "kms:GenerateDataKey"
    captures, reason = _objects(bucket, [names.CAPTURES]), _OBJECTS_ARE_NAMED_BY_THEIR_WRITER
    return [
        allow(put, on=captures, wildcard=reason, unused={put: unused}),
        allow(seal, on=key.key_arn, unused={seal: unused}),
    ]


def _objects(bucket: s3.IBucket, prefixes: Sequence[str]) -> list[str]:
    return [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]


def decrypt(key: kms.IKey) -> Permission:
    """Read what a key protects."""
    return allow("kms:Decrypt", on=key.key_arn)


def encrypt(key: kms.IKey) -> Permission:
    """Write what a key protects, and read it: an upload in parts reads its own parts."""
    return allow("kms:Decrypt", "kms:GenerateDataKey", on=key.key_arn)


def encrypt_job_output(key: kms.IKey) -> Permission:
    """Write a job's output under a key, and read its input."""
    asked = "SageMaker's developer guide asks for it on the key of a job's output; S3 itself asks for GenerateDataKey"
    return allow("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", on=key.key_arn, unused={"kms:Encrypt": asked})


def encrypt_volumes(key: kms.IKey) -> Permission:
    """Let SageMaker attach volumes that a key protects to its instances."""
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return allow("kms:CreateGrant", on=key.key_arn, when=for_aws)


def publish_report(report_group: str, put: str) -> Permission:
    """What a build asks of its role for a report (CodeBuild user guide, "Test report permissions").

    Args:
        report_group: PROJECT-REPORT, with the report's name in the buildspec.
        put: the action for this kind of report.
    """
    return allow(
        put,
        "codebuild:CreateReport",
        "codebuild:CreateReportGroup",
        "codebuild:UpdateReport",
        on=f"arn:{Aws.PARTITION}:codebuild:{Aws.REGION}:{Aws.ACCOUNT_ID}:report-group/{report_group}",
    )


def log_in_to_registry() -> Permission:
    """Get a password for the container registry."""
    no_resource = "AWS checks it against no resource: the password is the same for all repositories"
    return allow("ecr:GetAuthorizationToken", on=ANY, wildcard=no_resource)


def pull_images(repository: ecr.IRepository) -> list[Permission]:
    """Pull images of one repository."""
    actions = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    return [log_in_to_registry(), allow(*actions, on=repository.repository_arn)]


def push_images(repository: ecr.IRepository) -> Permission:
    """Push images to one repository, and look for those and the layers that are there."""
    return allow(
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
        on=repository.repository_arn,
    )


def read_scans(repository: ecr.IRepository) -> list[Permission]:
    """Read what scans of one repository's images found, and start one where ECR has not.

    Under enhanced scanning ECR asks Amazon Inspector in the caller's name (Amazon ECR user guide, "IAM permissions
    required for enhanced scanning").
    """
    asked_by_ecr = {"Bool": {"aws:ViaAWSService": "true"}}
    no_resource = "AWS checks it against no resource; that ECR asks, and not the caller, is the limit"
    actions = ("inspector2:ListCoverage", "inspector2:ListFindings")
    enhanced = dict.fromkeys(actions, "enhanced scanning is AWS's alone")
    not_begun = {"ecr:StartImageScan": "for an image that ECR has not begun to scan when it was pushed"}
    return [
        allow("ecr:DescribeImageScanFindings", "ecr:StartImageScan", on=repository.repository_arn, unused=not_begun),
        allow(*actions, on=ANY, when=asked_by_ecr, wildcard=no_resource, unused=enhanced),
    ]


def write_job_logs(log_group: str, *streams: str) -> list[Permission]:
    """Write the log streams of one's own jobs, in a log group that all jobs of the account share."""
    group = names.log_group_arn(log_group)
    return [
        *_open_log_group(group),
        allow(
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            on=[f"{group}:log-stream:{stream}" for stream in streams],
            wildcard=names.JOBS_END_WITH_THE_EXECUTION,
        ),
    ]


def write_endpoint_logs(project: str, *environments: str) -> list[Permission]:
    """Write the logs of the environments' endpoints, each of which has its log group to itself."""
    groups = [names.log_group_arn(names.endpoint_log_group(project, environment)) for environment in environments]
    return [
        *(permission for group in groups for permission in _open_log_group(group)),
        allow(
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            on=[f"{group}:log-stream:*" for group in groups],
            wildcard="SageMaker names a stream after variant and instance; the log group is the endpoint's own",
        ),
    ]


def read_job_logs(log_group: str, streams: str) -> list[Permission]:
    """Read the log streams of one's own jobs."""
    group = names.log_group_arn(log_group)
    return [
        *_use_log_group("logs:DescribeLogStreams", group=group),
        allow("logs:GetLogEvents", on=f"{group}:log-stream:{streams}", wildcard=names.JOBS_END_WITH_THE_EXECUTION),
    ]


def _open_log_group(group: str) -> list[Permission]:
    asked = "SageMaker's developer guide asks for it; the local cloud opens a stream without looking for it"
    return [
        *_use_log_group("logs:CreateLogGroup", group=group),
        *_use_log_group("logs:DescribeLogStreams", group=group, unused=asked),
    ]


def _use_log_group(action: str, *, group: str, unused: str | None = None) -> list[Permission]:
    """CloudWatch Logs checks the ARN of a log group with `:*` behind it or without, depending on the action."""
    checked = "it is the log group's ARN as some actions are checked against it"
    reference = "the service authorization reference, and so the local cloud, has the ARN without `:*`"
    return [
        allow(action, on=group, unused={action: unused} if unused else None),
        allow(action, on=f"{group}:*", wildcard=checked, unused={action: reference}),
    ]


def publish_metrics() -> Permission:
    """Publish SageMaker's instance metrics."""
    limit = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
    no_resource = "AWS checks it against no resource; the namespace is the limit"
    instances = {"cloudwatch:PutMetricData": "the metrics of instances, which the local cloud does not have"}
    return allow("cloudwatch:PutMetricData", on=ANY, when=limit, wildcard=no_resource, unused=instances)


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


def connect_instances(vpc_config: VpcConfig) -> list[Permission]:
    """Let SageMaker connect a role's instances to a VPC, in its subnets and security groups only.

    The actions are those that SageMaker's developer guide lists for roles of jobs and models with a VpcConfig. It has
    them on all resources; what they are checked against is in EC2's service authorization reference.
    """
    subnets, groups = vpc_config.subnet_arns, vpc_config.security_group_arns
    create = "ec2:CreateNetworkInterface"
    actions = (
        create,
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
    )
    return [
        allow(create, on=[*subnets, *groups], wildcard=vpc_config.wildcard, unused={create: _IN_A_VPC}),
        allow(
            *actions,
            on=names.ec2_arn("network-interface", "*"),
            when={"ArnLike": {"ec2:Subnet": subnets}},
            wildcard="a network interface gets its id when it is created; the subnet is the limit",
            unused=dict.fromkeys(actions, _IN_A_VPC),
        ),
        describe_network(
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ),
    ]


def describe_network(*actions: str) -> Permission:
    """Look at what a VPC is made of."""
    no_resource = "EC2 checks no Describe action against a resource"
    return allow(*actions, on=ANY, wildcard=no_resource, unused=dict.fromkeys(actions, _IN_A_VPC))


def run_jobs(kind: str, jobs: str, *, execution_role: iam.IRole, vpc_config: VpcConfig | None) -> list[Permission]:
    """Start, watch and stop one's own jobs, whose containers can call nobody.

    Args:
        kind: `TrainingJob` or `ProcessingJob`, as in the names of SageMaker's actions.
        jobs: pattern of the jobs' names.
        execution_role: what the jobs run as.
        vpc_config: where their instances live; None for nowhere of ours.
    """
    resource = {"TrainingJob": "training-job", "ProcessingJob": "processing-job"}[kind]
    log_group = {"TrainingJob": names.TRAINING_LOG_GROUP, "ProcessingJob": names.PROCESSING_LOG_GROUP}[kind]
    own, by_execution = names.sagemaker_arn(resource, jobs), names.JOBS_END_WITH_THE_EXECUTION
    return [
        allow(f"sagemaker:Create{kind}", on=own, when=confined(vpc_config), wildcard=by_execution),
        allow(
            f"sagemaker:Describe{kind}",
            f"sagemaker:Stop{kind}",
            "sagemaker:AddTags",
            on=own,
            wildcard=by_execution,
            unused={f"sagemaker:Stop{kind}": "a build that is stopped stops its job"},
        ),
        pass_role(execution_role, to="sagemaker.amazonaws.com"),
        *read_job_logs(log_group, jobs),
    ]


def register_models(group: str) -> list[Permission]:
    """Add versions to a model package group and find them; none is changed."""
    create = "sagemaker:CreateModelPackage"
    versions, numbered = names.model_package_arns(group), names.VERSIONS_ARE_NUMBERED
    reference = "the service authorization reference names the group beside the version, of which the local cloud asks"
    return [
        allow(create, "sagemaker:ListModelPackages", on=versions, wildcard=numbered),
        allow(create, on=names.sagemaker_arn("model-package-group", group), unused={create: reference}),
        describe_model_packages(group),
    ]


def list_model_packages(group: str) -> Permission:
    """Find the versions in a model package group, where no model serves yet."""
    action, versions = "sagemaker:ListModelPackages", names.model_package_arns(group)
    not_yet = {action: "for a pull request before the first model serves; the recorded run's comes after it"}
    return allow(action, on=versions, wildcard=names.VERSIONS_ARE_NUMBERED, unused=not_yet)


def describe_model_packages(group: str) -> Permission:
    """Look at the versions in a model package group."""
    versions = names.model_package_arns(group)
    return allow("sagemaker:DescribeModelPackage", on=versions, wildcard=names.VERSIONS_ARE_NUMBERED)


def record_approvals(project: str) -> list[Permission]:
    """Read who approved an execution, and note it on the version that was approved.

    UpdateModelPackage can give a version another model, so no role that runs a commit's code has it. The conditions
    leave what a version was registered as, Approved or Rejected, as it is.
    """
    noted = {
        "StringEquals": {
            "sagemaker:ModelLifeCycle:Stage": "Production",
            "sagemaker:ModelLifeCycle:StageStatus": "Approved",
        },
        "Null": {"sagemaker:ModelApprovalStatus": "true"},
    }
    versions, numbered = names.model_package_arns(project), names.VERSIONS_ARE_NUMBERED
    return [
        allow("codepipeline:GetPipelineState", "codepipeline:ListActionExecutions", on=names.pipeline_arn(project)),
        allow("sagemaker:UpdateModelPackage", on=versions, when=noted, wildcard=numbered),
    ]


def record_rollouts(project: str) -> list[Permission]:
    """Read what became of a rollout, and note it in the metadata of the version that was rolled out, and there alone.

    As for record_approvals, no role that runs a commit's code has it.
    """
    elsewhere = (
        "sagemaker:CustomerMetadataPropertiesToRemove",
        "sagemaker:ModelApprovalStatus",
        "sagemaker:ModelLifeCycle:Stage",
        "sagemaker:ModelLifeCycle:StageStatus",
    )
    versions, numbered = names.model_package_arns(project), names.VERSIONS_ARE_NUMBERED
    return [
        allow("codepipeline:ListActionExecutions", on=names.pipeline_arn(project)),
        allow(
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            on=names.alarm_arns(project, names.PRODUCTION),
        ),
        allow(
            "sagemaker:UpdateModelPackage",
            on=versions,
            when={"Null": dict.fromkeys(elsewhere, "true")},
            wildcard=numbered,
        ),
    ]


def describe_training_jobs(project: str) -> Permission:
    """Look at the project's training jobs."""
    jobs = names.sagemaker_arn("training-job", names.train_jobs(project))
    return allow("sagemaker:DescribeTrainingJob", on=jobs, wildcard=names.JOBS_END_WITH_THE_EXECUTION)


def find_served_model(project: str, environment: str) -> list[Permission]:
    """Find out which model package an environment's endpoint serves."""
    endpoint = names.sagemaker_arn("endpoint", names.endpoint_name(project, environment))
    return [
        allow("sagemaker:DescribeEndpoint", on=endpoint),
        *on_generated(project, environment, "endpoint-config", "sagemaker:DescribeEndpointConfig"),
        *on_generated(project, environment, "model", "sagemaker:DescribeModel"),
    ]


def on_generated(
    project: str,
    environment: str,
    kind: str,
    *actions: str,
    when: Mapping[str, Any] | None = None,
    unused: Mapping[str, str] | None = None,
) -> list[Permission]:
    """Actions on resources of a kind to which CloudFormation gives their names in an environment's stack.

    Args:
        kind: `model` or `endpoint-config`.
        unused: as for `allow`.
    """
    by_logical_id, by_stack = (names.sagemaker_arn(kind, name) for name in names.generated_names(project, environment))
    newer = dict.fromkeys(actions, "names as CloudFormation gives them to newer types; the local cloud gives the older")
    reason = names.NAMES_ARE_GENERATED
    return [
        allow(*actions, on=by_logical_id, when=when, wildcard=reason, unused=unused),
        allow(*actions, on=by_stack, when=when, wildcard=reason, unused=newer),
    ]
