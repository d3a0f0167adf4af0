"""Where the pipeline's actions find each other's artifacts, and who may touch which."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infra import permissions
from infra.permission import Permission

SOURCE = "Source"
TEMPLATES = "Templates"
EVALUATION = "Evaluation"

_OF_THE_BUCKET = ("s3:GetBucketAcl", "s3:GetBucketLocation")
_ASKED = "the user guides of CodePipeline and CodeBuild give it to their roles; the local cloud asks the object alone"
_OBJECTS_ARE_NAMED_BY_CODEPIPELINE = "CodePipeline names the objects of an artifact"


@dataclass(frozen=True)
class ArtifactStore:
    """The artifact bucket of one pipeline.

    CodePipeline puts an artifact under PIPELINE/ARTIFACT/, the names cut to 20 and 10 characters. So a build that runs
    untrusted code, such as the tests, cannot replace the templates that are deployed later.
    """

    bucket: s3.IBucket
    key: kms.IKey
    pipeline_name: str

    def access(self, *, reads: Sequence[str], writes: Sequence[str]) -> list[Permission]:
        """Read some artifacts by name and write others."""
        statements = [
            permissions.allow(
                "s3:GetObject",
                "s3:GetObjectVersion",
                on=[self._objects(name) for name in reads],
                wildcard=_OBJECTS_ARE_NAMED_BY_CODEPIPELINE,
                unused={"s3:GetObjectVersion": _ASKED},
            ),
            permissions.allow(*_OF_THE_BUCKET, on=self.bucket.bucket_arn, unused=dict.fromkeys(_OF_THE_BUCKET, _ASKED)),
            permissions.encrypt(self.key) if writes else permissions.decrypt(self.key),
        ]
        if writes:
            places = [self._objects(name) for name in writes]
            statements.append(permissions.allow("s3:PutObject", on=places, wildcard=_OBJECTS_ARE_NAMED_BY_CODEPIPELINE))
        return statements

    def full_access(self) -> list[Permission]:
        """Read and write all artifacts, as the pipeline itself does."""
        return [
            permissions.allow(
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
                on=self.bucket.arn_for_objects(f"{self.pipeline_name[:20]}/*"),
                wildcard="the pipeline moves all of its artifacts, whose objects CodePipeline names",
                unused={"s3:GetObjectVersion": _ASKED},
            ),
            permissions.allow(
                *_OF_THE_BUCKET,
                "s3:GetBucketVersioning",
                on=self.bucket.bucket_arn,
                unused=dict.fromkeys((*_OF_THE_BUCKET, "s3:GetBucketVersioning"), _ASKED),
            ),
            permissions.encrypt(self.key),
        ]

    def _objects(self, artifact: str) -> str:
        return self.bucket.arn_for_objects(f"{self.pipeline_name[:20]}/{artifact[:10]}/*")
