"""Runs docker with its output in the step's log."""

import os
import subprocess
from collections import deque
from collections.abc import Sequence

from pipeline_steps.errors import DockerError
from pipeline_steps.progress import say

_KEPT_LINES = 200

# An attestation makes buildx push an image index, which SageMaker's CreateModel refuses ("Unsupported manifest media
# type application/vnd.oci.image.index.v1+json"). A variable, since other builders do not know the --provenance option.
_NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def run_docker(arguments: Sequence[str], *, standard_input: str = "") -> None:
    """Run a docker command and show what it writes as it comes.

    Args:
        arguments: what follows `docker`; never a secret, which others could see in the list of processes.
        standard_input: what the command reads, e.g. a password.

    Raises:
        DockerError: docker is missing or the command ended with an error, with the lines that say why.
    """
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with _start(arguments) as process:
        try:
            _write(process, standard_input)
            for line in process.stdout or ():
                say(line.rstrip())
                lines.append(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise DockerError(f"docker {arguments[0]} ended with exit code {process.returncode}: {_telling(lines)}")


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **_NO_ATTESTATIONS},  # handed on whole, not read
        )
    except OSError as error:
        raise DockerError(
            f"docker cannot be started ({error.strerror}): build_image needs docker on its PATH; in CodeBuild that is "
            "a standard Linux image with privileged mode"
        ) from error


def _write(process: subprocess.Popen[str], text: str) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        return  # it ended without reading; its exit code and output say why


def _telling(lines: Sequence[str]) -> str:
    """The last lines that speak of an error, else the last line."""
    errors = [line for line in lines if "error" in line.lower() or "denied" in line.lower()]
    return " / ".join(dict.fromkeys(errors[-3:])) or next((line for line in reversed(lines) if line), "no output")
