"""What outlives every release: key, buckets, repositories, the model registry and the execution roles."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra import names
from infra.encrypted_bucket import EncryptedBucket
from infra.execution_roles import ExecutionRoles
from settings import Settings


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
        self.key = kms.Key(
            self, "Key", description=f"Slipway {settings.name}", enable_key_rotation=True, removal_policy=removal
        )
        self.data_bucket = EncryptedBucket(self, "DataBucket", key=self.key, removal_policy=removal)
        self.artifact_bucket = EncryptedBucket(self, "ArtifactBucket", key=self.key, removal_policy=removal)
        self.repository = codecommit.Repository(self, "Repository", repository_name=settings.name)
        self.repository.apply_removal_policy(removal)
        self.image_repository = self._image_repository(settings, removal)
        self.model_package_group = self._model_package_group(settings, removal)
        self.approval_topic = self._approval_topic(settings)
        self.execution_roles = ExecutionRoles(
            self,
            "ExecutionRoles",
            settings=settings,
            data_bucket=self.data_bucket,
            image_repository=self.image_repository,
            key=self.key,
        )
        self._add_outputs(settings)

    def _image_repository(self, settings: Settings, removal: RemovalPolicy) -> ecr.Repository:
        # No lifecycle rule: production may serve, and the gate may score, an image that is many commits old.
        return ecr.Repository(
            self,
            "ImageRepository",
            repository_name=settings.name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
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
        CfnOutput(self, "DataBucketName", value=self.data_bucket.bucket_name)
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
