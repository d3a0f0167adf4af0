"""What outlives every release: key, buckets, repositories, the model registry, the execution roles and the network."""

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra import names
from infra.access_log_bucket import AccessLogBucket
from infra.encrypted_bucket import EncryptedBucket
from infra.execution_roles import ExecutionRoles
from infra.private_network import PrivateNetwork
from infra.vpc_config import VpcConfig
from settings import Settings

# As long as the builds' logs: nobody reads an artifact once its execution has ended, and an approval waits a week.
_ARTIFACTS_EXPIRE = s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(7))


class FoundationStack(Stack):
    """The resources that hold something, and what they are protected with.

    Attributes:
        key: encrypts everything that the project stores.
        data_bucket: the team's data, data sets, model artifacts, evaluations.
        artifact_bucket: what the pipeline's actions hand to each other.
        repository: the team's code.
        image_repository: the model's container, one image a commit.
        model_package_group: the model registry.
        approval_topic: hears of models that wait for approval.
        vpc_config: what the instances of jobs and endpoints are connected to; None where they are in no VPC of ours.
        execution_roles: as which SageMaker runs the container.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=f"{settings.name}-foundation",
            description="Slipway: data, code, registry, key",
        )
        removal = RemovalPolicy(settings.removal_policy.upper())
        self.key = self._key(settings, removal)
        self._add_buckets(removal)
        self.repository = codecommit.Repository(self, "Repository", repository_name=settings.name)
        self.repository.apply_removal_policy(removal)
        self.image_repository = self._image_repository(settings, removal)
        self.model_package_group = self._model_package_group(settings, removal)
        self.approval_topic = self._approval_topic(settings)
        self.vpc_config = self._vpc_config(settings)
        self.execution_roles = ExecutionRoles(
            self,
            "ExecutionRoles",
            settings=settings,
            data_bucket=self.data_bucket,
            image_repository=self.image_repository,
            key=self.key,
            vpc_config=self.vpc_config,
        )
        self._add_outputs(settings)

    def _key(self, settings: Settings, removal: RemovalPolicy) -> kms.Key:
        """The key leaves it to IAM who in this account may use it; CloudWatch Logs uses it for our log groups alone."""
        key = kms.Key(
            self, "Key", description=f"Slipway {settings.name}", enable_key_rotation=True, removal_policy=removal
        )
        groups = [names.build_log_group(f"{settings.name}-*")]
        groups += [names.flow_log_group(settings.name)] if settings.network.makes_vpc else []
        # The statement is that of CloudWatch Logs' user guide, "Encrypt log data ... using AWS Key Management Service",
        # its wildcards written out for a key that encrypts data.
        encrypt_logs = iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],  # in a key's policy, the key
            conditions={
                "ArnLike": {"kms:EncryptionContext:aws:logs:arn": [names.log_group_arn(group) for group in groups]}
            },
        )
        key.add_to_resource_policy(encrypt_logs)
        return key

    def _add_buckets(self, removal: RemovalPolicy) -> None:
        access_logs = AccessLogBucket(self, "AccessLogBucket", removal_policy=removal)
        # Nothing in it expires: model packages refer to models and evaluations, and a version that somebody deleted by
        # mistake is the only copy.
        self.data_bucket = EncryptedBucket(
            self,
            "DataBucket",
            key=self.key,
            access_logs=access_logs,
            access_logs_prefix="data/",
            removal_policy=removal,
        )
        self.artifact_bucket = EncryptedBucket(
            self,
            "ArtifactBucket",
            key=self.key,
            access_logs=access_logs,
            access_logs_prefix="artifacts/",
            removal_policy=removal,
            lifecycle_rules=[_ARTIFACTS_EXPIRE],
        )

    def _vpc_config(self, settings: Settings) -> VpcConfig | None:
        network = settings.network
        if network.mode != "vpc":
            return None
        if not network.makes_vpc:
            return VpcConfig(network.subnet_ids, network.security_group_ids, account="*")
        return PrivateNetwork(self, "Network", settings=settings, data_bucket=self.data_bucket, key=self.key).vpc_config

    def _image_repository(self, settings: Settings, removal: RemovalPolicy) -> ecr.Repository:
        # No lifecycle rule: production may serve, and the gate may score, an image that is many commits old.
        return ecr.Repository(
            self,
            "ImageRepository",
            repository_name=settings.name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption_key=self.key,
            empty_on_delete=removal == RemovalPolicy.DESTROY,
            removal_policy=removal,
        )

    def _model_package_group(self, settings: Settings, removal: RemovalPolicy) -> sagemaker.CfnModelPackageGroup:
        group = sagemaker.CfnModelPackageGroup(
            self,
            "ModelPackageGroup",
            model_package_group_name=settings.name,
            model_package_group_description=f"The models of {settings.name}, each with its evidence",
        )
        group.apply_removal_policy(removal)
        return group

    def _approval_topic(self, settings: Settings) -> sns.Topic:
        topic = sns.Topic(self, "ApprovalTopic", master_key=self.key, display_name=f"{settings.name}: approval needed")
        for address in settings.approval.notify:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _add_outputs(self, settings: Settings) -> None:
        bucket_name, bucket_export = self.data_bucket.bucket_name, names.data_bucket_export(settings.name)
        CfnOutput(self, "DataBucketName", value=bucket_name, export_name=bucket_export)
        CfnOutput(self, "ArtifactBucketName", value=self.artifact_bucket.bucket_name)
        CfnOutput(self, "RepositoryName", value=self.repository.repository_name)
        CfnOutput(self, "RepositoryCloneUrlHttp", value=self.repository.repository_clone_url_http)
        CfnOutput(self, "ImageRepositoryUri", value=self.image_repository.repository_uri)
        CfnOutput(self, "ModelPackageGroupName", value=self.model_package_group.model_package_group_name)
        CfnOutput(self, "ApprovalTopicArn", value=self.approval_topic.topic_arn)
        CfnOutput(self, "KeyArn", value=self.key.key_arn, export_name=names.key_export(settings.name))
        # The endpoint stacks import these by name, for they are deployed from the pipeline, one at a time.
        endpoint_role_arn = self.execution_roles.endpoint.role_arn
        CfnOutput(
            self, "EndpointRoleArn", value=endpoint_role_arn, export_name=names.endpoint_role_export(settings.name)
        )
        if self.vpc_config and settings.network.makes_vpc:
            exports = zip(names.subnet_exports(settings.name), self.vpc_config.subnet_ids, strict=True)
            for number, (export, subnet_id) in enumerate(exports, start=1):
                CfnOutput(self, f"SubnetId{number}", value=subnet_id, export_name=export)
            (group_id,) = self.vpc_config.security_group_ids
            CfnOutput(self, "SecurityGroupId", value=group_id, export_name=names.security_group_export(settings.name))
