"""Runs commands of the code of a pull request, and keeps what they wrote last."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from pipeline_steps.errors import BranchCodeError
from pipeline_steps.progress import say

_KEPT_LINES = 40
_LONGEST_SECONDS = 1800.0


def run_module(
    module: str,
    *arguments: str,
    doing: str,
    variables: Mapping[str, str] | None = None,
    longest_seconds: float = _LONGEST_SECONDS,
) -> list[str]:
    """Run `python -m MODULE ARGUMENTS` without credentials, as in the container, and show what it writes as it comes.

    Args:
        doing: what this is, for errors, such as `the training`.
        variables: added to the environment.

    Returns:
        The last lines that it wrote.

    Raises:
        BranchCodeError: it failed or took too long; with its last lines.
    """
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    late = threading.Event()
    with _start([module, *arguments], variables or {}) as process:

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(longest_seconds, stop)
        timer.start()
        try:
            for line in process.stdout or ():
                say(line.rstrip())
                lines.append(line.rstrip())
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    if late.is_set():
        raise BranchCodeError(f"{doing} was not done after {longest_seconds / 60:.0f} minutes", lines)
    if process.returncode != 0:
        raise BranchCodeError(f"{doing} failed with exit code {process.returncode}", lines)
    return list(lines)


def _start(arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    handed_on = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**handed_on, **variables},
    )
