"""Where S3 writes down who has touched the project's buckets."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

_KEPT = Duration.days(365)  # whoever looks into an incident looks back a year
_RESTORABLE = Duration.days(30)


class AccessLogBucket(s3.Bucket):
    """Takes the access logs of the project's other buckets; a bucket that logs there adds its own leave to its policy.

    S3 delivers access logs into no bucket whose default encryption is SSE-KMS (Amazon S3 user guide, "Enabling Amazon
    S3 server access logging"): this one alone encrypts with a key of S3's own. It has no access log itself, for each
    log that is written would make another.
    """

    def __init__(self, scope: Construct, construct_id: str, *, removal_policy: RemovalPolicy) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            versioned=True,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[s3.LifecycleRule(expiration=_KEPT, noncurrent_version_expiration=_RESTORABLE)],
            removal_policy=removal_policy,
        )
