"""Where the pipeline's actions find each other's artifacts, and who may touch which."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infra import permissions

SOURCE = "Source"
TEMPLATES = "Templates"
EVALUATION = "Evaluation"


@dataclass(frozen=True)
class ArtifactStore:
    """The artifact bucket of one pipeline.

    CodePipeline puts an artifact under PIPELINE/ARTIFACT/, the names cut to 20 and 10 characters. So a build that runs
    untrusted code, such as the tests, cannot replace the templates that are deployed later.
    """

    bucket: s3.IBucket
    key: kms.IKey
    pipeline_name: str

    def access(self, *, reads: Sequence[str], writes: Sequence[str]) -> list[iam.PolicyStatement]:
        """Read some artifacts by name and write others."""
        statements = [
            permissions.allow("s3:GetObject", "s3:GetObjectVersion", on=[self._objects(name) for name in reads]),
            permissions.allow("s3:GetBucketAcl", "s3:GetBucketLocation", on=self.bucket.bucket_arn),
            permissions.encrypt(self.key),
        ]
        if writes:
            places = [self._objects(name) for name in writes]
            statements.append(permissions.allow("s3:PutObject", "s3:AbortMultipartUpload", on=places))
        return statements

    def full_access(self) -> list[iam.PolicyStatement]:
        """Read and write all artifacts, as the pipeline itself does."""
        return [
            permissions.allow(
                "s3:AbortMultipartUpload",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
                on=self.bucket.arn_for_objects(f"{self.pipeline_name[:20]}/*"),
            ),
            permissions.allow(
                "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", on=self.bucket.bucket_arn
            ),
            permissions.encrypt(self.key),
        ]

    def _objects(self, artifact: str) -> str:
        return self.bucket.arn_for_objects(f"{self.pipeline_name[:20]}/{artifact[:10]}/*")
