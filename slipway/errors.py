"""The errors that people are meant to read: a message, and the next thing to type.

UserError                 exit 1
├── LocalCloudError       the local cloud does not run, start, stop or answer
├── DeployError           the CDK CLI failed
├── GitError              git refused
├── PipelineError         no pipeline, no execution, nothing to decide
├── EndpointError         an endpoint is absent, or refused a request
├── RegistryError         no registry, no such version, or nothing known of it
└── InterruptionError     Ctrl-C, exit 130
"""


class UserError(Exception):
    """What went wrong in a sentence, and what to do about it.

    Args:
        message: what was being done, and why it did not work.
        next_step: the command to type or the thing to change; None when the message says it all.
    """

    exit_code = 1

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class LocalCloudError(UserError):
    """The local cloud does not run, does not start, does not stop, or does not answer."""


class DeployError(UserError):
    """`cdk bootstrap`, `cdk deploy` or a stack's deletion failed."""


class GitError(UserError):
    """git refused, or this is not a git repository."""


class PipelineError(UserError):
    """There is no such pipeline, execution or action, or nothing that waits for a decision."""


class EndpointError(UserError):
    """An endpoint does not exist, or refused the request."""


class RegistryError(UserError):
    """There is no model registry, no such version in it, or not what was asked of the version."""


class InterruptionError(UserError):
    """Somebody pressed Ctrl-C."""

    exit_code = 130
