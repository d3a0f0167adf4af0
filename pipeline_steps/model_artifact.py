"""What a training job made, by its digest: what is judged, registered and served is this and nothing else.

The model's container reckons the same digest of its unpacked files (model_code/artifact.py) and refuses another one. It
is of the files, for SageMaker unpacks the archive before a server can look at it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline_steps.aws import Aws
from pipeline_steps.errors import ArtifactError
from pipeline_steps.model_archive import LIMITS, ArchiveError, Limits, Readable, digest_of, read_files

DIGEST_VARIABLE = "SLIPWAY_MODEL_SHA256"
"""The container's variable that holds the digest which the model's files must have."""

CLOCKS_DIFFER = timedelta(seconds=30)
"""S3 tells whole seconds, and its clock is not SageMaker's."""


@dataclass(frozen=True)
class ArtifactDigests:
    """A model artifact in S3, in hexadecimal.

    Attributes:
        model: of the files in it, which the container checks.
        archive: the SHA-256 of the object itself, for people who compare it by hand.
    """

    model: str
    archive: str


def read_digests(aws: Aws, uri: str, job_ended: datetime, limits: Limits = LIMITS) -> ArtifactDigests:
    """Read a model artifact in one stream, without unpacking it to a disk.

    Args:
        uri: model.tar.gz in S3.
        job_ended: the training job's TrainingEndTime, which is after the artifact was uploaded.
        limits: for tests.

    Raises:
        ArtifactError: it is no archive of files, a larger one than a model may be, or not what the job has written.
    """
    digests = {}
    with aws.opened(uri) as answer:
        _check_time(uri, answer["LastModified"], job_ended)
        hashed = _Hashed(answer["Body"])
        try:
            for path, content in read_files(hashed, uri, limits):
                digest = hashlib.sha256()
                for block in content:
                    digest.update(block)
                digests[str(path)] = digest.hexdigest()
        except ArchiveError as error:
            raise ArtifactError(f"the model artifact cannot be used: {error}") from error
    return ArtifactDigests(digest_of(digests), hashed.digest.hexdigest())


def _check_time(uri: str, written: datetime, job_ended: datetime) -> None:
    """Tell what somebody else has put there since, also when this step runs again much later."""
    if written > job_ended + CLOCKS_DIFFER:
        raise ArtifactError(
            f"the model artifact {uri} was written at {written:%Y-%m-%d %H:%M:%S}, but its training job ended at "
            f"{job_ended:%H:%M:%S}: somebody has replaced it; find out who, and train again"
        )


class _Hashed:
    """A stream that notes the digest of what is read from it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block
