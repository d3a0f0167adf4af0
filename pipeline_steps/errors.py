"""Everything that a step can fail with.

StepError
├── UsageError                  the command or its environment variables cannot be used (exit code 2)
├── AwsError                    an AWS call failed
│   ├── NotFoundError           what was asked for does not exist
│   ├── AlreadyExistsError      the name is taken
│   ├── ThrottlingError         AWS still asked for fewer calls after all retries
│   ├── RequestError            AWS found the request itself faulty
│   ├── ScanNotFoundError       the registry has no scan of an image
│   ├── UnsupportedImageError   the registry cannot scan an image of this kind
│   ├── NoAnswerError           there was no answer in time
│   └── ModelError              an endpoint's container answered with an error status
├── DockerError                 docker is missing, or a docker command failed
├── DataError                   there is no data, or a split of it is empty
├── DocumentError               a document cannot be read
├── ArtifactError               a model artifact cannot be used
├── JobError                    a training or processing job ended without completing
├── WaitTimeoutError            a job, an endpoint or a scan was not ready in its time
├── UnregisteredModelError      an endpoint serves something that is not of a model package
├── ImageScanError              an image's scan failed, or found what the settings do not allow
├── PromotionError              the gate said no
├── ReleaseError                a version, or a strategy, with which nothing can be released
├── BranchCodeError             tests, training or evaluation of a pull request's code failed
└── VerificationError           an endpoint does not answer as it must

StepStopped                     the step was told to stop; no StepError and no Exception, because botocore turns an
                                Exception that a signal raises inside a call into a failed call, and calls again
"""

from collections.abc import Iterable


class StepError(Exception):
    """A step cannot reach its end; the text says why and what to do."""


class UsageError(StepError):
    """The command or its environment variables cannot be used."""


class AwsError(StepError):
    """An AWS call failed."""


class NotFoundError(AwsError):
    """What was asked for does not exist."""


class AlreadyExistsError(AwsError):
    """The name is taken."""


class ThrottlingError(AwsError):
    """AWS still asked for fewer calls after all retries."""


class RequestError(AwsError):
    """AWS found the request itself faulty."""


class ScanNotFoundError(AwsError):
    """The registry has no scan of an image."""


class UnsupportedImageError(AwsError):
    """The registry cannot scan an image of this kind."""


class NoAnswerError(AwsError):
    """There was no answer in time."""


class ModelError(AwsError):
    """An endpoint's container answered with an error status.

    Attributes:
        status: HTTP status of the container's own answer, e.g. 400.
    """

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class DockerError(StepError):
    """Docker is missing, or a docker command failed."""


class DataError(StepError):
    """There is no data, or a split of it is empty."""


class DocumentError(StepError):
    """A document cannot be read."""


class ArtifactError(StepError):
    """A model artifact cannot be used."""


class JobError(StepError):
    """A training or processing job ended without completing."""


class WaitTimeoutError(StepError):
    """A job, an endpoint or a scan was not ready in its time."""


class UnregisteredModelError(StepError):
    """An endpoint serves something that is not of a model package."""


class ImageScanError(StepError):
    """An image's scan failed, or found what the settings do not allow."""


class PromotionError(StepError):
    """The gate said no."""


class ReleaseError(StepError):
    """A version, or a strategy, with which nothing can be released."""


class BranchCodeError(StepError):
    """Tests, training or evaluation of a pull request's code failed.

    Attributes:
        lines: what it wrote last.
    """

    def __init__(self, text: str, lines: Iterable[str]) -> None:
        super().__init__(text)
        self.lines = tuple(lines)


class VerificationError(StepError):
    """An endpoint does not answer as it must."""


class StepStopped(BaseException):
    """The step was told to stop."""
