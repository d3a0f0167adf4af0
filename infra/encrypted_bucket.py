"""A bucket as the project wants each of its buckets."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.access_log_bucket import AccessLogBucket

# Parts of an upload that broke off are billed, and are seen nowhere.
_TIDY = s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))


class EncryptedBucket(s3.Bucket):
    """A versioned, private bucket that takes TLS only, encrypts with the project's key and logs every access."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        access_logs: AccessLogBucket,
        access_logs_prefix: str,
        removal_policy: RemovalPolicy,
        lifecycle_rules: Sequence[s3.LifecycleRule] = (),
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            versioned=True,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=access_logs_prefix,
            lifecycle_rules=[_TIDY, *lifecycle_rules],
            removal_policy=removal_policy,
        )
