"""What every step is given by the pipeline: the execution and its commit."""

from dataclasses import dataclass

from pipeline_steps import names
from pipeline_steps.errors import UsageError

NEW_VERSION = "new"
"""As the version to release: the one that this execution makes."""


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """A field of a step's inputs is the environment variable of the same name in capitals; one with a default may lack.

    Attributes:
        execution_id: the pipeline execution's id, from which jobs and S3 prefixes get their names.
        commit_id: the commit under test.
        released_version: the number of the version that the execution releases again; else `new`.
        model_package_arn_prefix: with a version's number behind it, the version's ARN.
    """

    execution_id: str
    commit_id: str
    released_version: str = NEW_VERSION
    model_package_arn_prefix: str = ""

    def __post_init__(self) -> None:
        if not names.is_execution_id(self.execution_id):
            raise UsageError(f"EXECUTION_ID must be the id of a pipeline execution (a UUID), got {self.execution_id!r}")
        if not names.is_commit_id(self.commit_id):
            raise UsageError(
                "COMMIT_ID must be usable as an image tag (letters, digits, and . _ - inside, 128 at most), "
                f"got {self.commit_id!r}"
            )


@dataclass(frozen=True, kw_only=True)
class JobInputs(StepInputs):
    """What a step that runs SageMaker jobs is given besides.

    Attributes:
        data_bucket: holds all that jobs read and write.
        key_arn: of the project's key.
        subnet_ids: with commas between them; empty where the jobs live in no VPC of ours.
        security_group_ids: likewise.
    """

    data_bucket: str
    key_arn: str
    subnet_ids: str = ""
    security_group_ids: str = ""
