"""Turn whatever stops a command into one clear message and an exit code."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from botocore import exceptions as aws
from rich.console import Console
from rich.text import Text

from slipway.errors import InterruptionError, LocalCloudError, UserError
from slipway.target import Kind

_CREDENTIALS_ERRORS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.SSOError,
    aws.TokenRetrievalError,
)
_CREDENTIALS_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Say `message` when somebody presses Ctrl-C inside."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptionError(message) from error


def understood(error: Exception, kind: Kind) -> UserError | None:
    """An error of ours or of AWS in people's words; None when nobody foresaw it."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, _CREDENTIALS_ERRORS):
        return UserError(f"AWS credentials cannot be used: {error}", "aws configure, or aws sso login")
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError)):
        if kind == "local":
            return LocalCloudError("the local cloud stopped answering; nothing that it stored is lost", "slipway up")
        return UserError(f"AWS cannot be reached: {error}", "check the network, the region and AWS_ENDPOINT_URL")
    if isinstance(error, aws.ClientError):
        return _refused_call(error)
    return None


def show(console: Console, error: UserError) -> None:
    """Print an error: what happened, then what to type."""
    style = "yellow" if isinstance(error, InterruptionError) else "bold red"
    heading = "" if isinstance(error, InterruptionError) else "Error: "
    console.print(Text.assemble((heading, style), error.message), soft_wrap=True)
    if error.next_step:
        console.print(Text.assemble(("Next:  ", "bold"), error.next_step), soft_wrap=True)


def keep_trace(error: Exception, log_dir: Path) -> UserError:
    """Write the traceback of an error that nobody foresaw into a file, and say where."""
    log_dir.mkdir(parents=True, exist_ok=True)
    path = log_dir / f"error-{datetime.now():%Y%m%d-%H%M%S}.log"
    path.write_text("".join(traceback.format_exception(error)))
    return UserError(
        f"this should not happen: {type(error).__name__}: {error}", f"read {path}, and report it with that file"
    )


def _refused_call(error: aws.ClientError) -> UserError:
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message", "")
    if code in _CREDENTIALS_CODES:
        return UserError(f"AWS credentials cannot be used: {message}", "aws configure, or aws sso login")
    return UserError(f"AWS answered {error.operation_name} with {code}: {message}")
