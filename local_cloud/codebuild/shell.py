r"""The one shell instance in which all commands of a build run.

    Shell.run -- path of a command file --> fifo --> bash: . FILE
       ^                                               |
       +---- "TOKEN status" at a line's end <-- stdout-+--> other lines: the log

The token is printed on the output that the shell was born with, so it comes after everything that the command
printed, and what background children print later cannot hold the build up. After each command the shell writes its
environment and directory into files, the environment by way of a draft, so that a shell which is being ended leaves no
half of it. When a command ends the shell itself (`exit`, `set -e`), the next command gets a new shell that goes on
from there.
"""

import contextlib
import os
import queue
import re
import secrets
import shlex
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from local_cloud.codebuild.interruption import Interruption
from local_cloud.processes import Process, Processes
from local_cloud.strays import end_strays

_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 2.0

# A command may switch tracing on (`set -x`); what this script does itself is not traced into the log.
_DRIVER = """
__codebuild_done() {{
  case $- in *x*) set +x; __codebuild_trace=on ;; esac
  /usr/bin/env -0 >{directory}/environment.draft && /bin/mv {directory}/environment.draft {directory}/environment
  printf %s "$PWD" >{directory}/directory
  printf '%s %s\\n' {token} "$1" >&61
}}
exec 60<{directory}/commands 61>&1
__codebuild_trace=off
trap '{{ __codebuild_done "exit $?"; }} 2>/dev/null' EXIT
trap 'exit 143' TERM # the foreground command ends first: it got the signal as well, and may take its time
while IFS= read -r __codebuild_command <&60; do
  . "$__codebuild_command" </dev/null 60<&-
  {{ __codebuild_done $?; }} 2>/dev/null
done
"""
_BEFORE_COMMAND = "{ [ $__codebuild_trace = off ] || { __codebuild_trace=off; set -x; }; } 2>/dev/null\n"


class Shell:
    """Runs commands, one after the other, with one environment and one directory."""

    def __init__(
        self,
        processes: Processes,
        *,
        program: list[str],
        directory: Path,
        cwd: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
        interruption: Interruption,
        grace_seconds: float,
        stray_mark: str,
    ) -> None:
        """
        Args:
            program: the shell, as a command line that takes a script's path.
            directory: an empty folder for what is spoken with the shell.
            cwd: where the first command runs.
            environment: all environment variables of the first command.
            output: called with each line that a command prints.
            interruption: asked while a command runs.
            grace_seconds: what is left to a command that is interrupted, between SIGTERM and SIGKILL.
            stray_mark: the variable (`NAME=value`) by which processes that left the shell's group are found.
        """
        self._processes = processes
        self._program = program
        self._directory = directory
        self._output = output
        self._interruption = interruption
        self._grace_seconds = grace_seconds
        self._stray_mark = stray_mark
        self._token = secrets.token_hex(16)
        self._marker = re.compile(rf"(.*){self._token} (exit )?(\d+)", re.DOTALL)
        self._ended: queue.Queue[tuple[int, bool]] = queue.Queue()
        self._process: Process | None = None
        self._commands: int | None = None
        self._count = 0
        (directory / "environment").write_bytes(b"".join(f"{k}={v}\0".encode() for k, v in environment.items()))
        (directory / "directory").write_text(str(cwd))
        (directory / "driver").write_text(_DRIVER.format(directory=shlex.quote(str(directory)), token=self._token))

    def run(self, command: str) -> int:
        """Run a command and wait for it.

        Returns:
            Its exit status; 128 and the signal's number for a shell that was killed.

        Raises:
            BuildStoppedError, BuildTimedOutError: the build was interrupted; all its processes have ended.
        """
        self._count += 1
        path = self._directory / f"command-{self._count}"
        path.write_text(f"{_BEFORE_COMMAND}{command}\n")
        process = self._process or self._start()
        assert self._commands is not None
        os.write(self._commands, f"{path}\n".encode())
        return self._wait(process)

    def environment(self) -> dict[str, str]:
        """The environment variables as the last command left them."""
        pairs = (self._directory / "environment").read_bytes().decode(errors="replace").split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def close(self) -> None:
        """End the shell and what it left behind in the background."""
        process = self._process
        self._forget()  # the shell reads the end of its commands
        end_strays(self._stray_mark)
        if process is not None:
            process.stop(_CLOSE_SECONDS)

    def _start(self) -> Process:
        fifo = self._directory / "commands"
        if not fifo.exists():
            os.mkfifo(fifo)
        self._commands = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)  # read and write: does not wait for the other end
        self._process = self._processes.start(
            [*self._program, str(self._directory / "driver")],
            cwd=self._cwd(), environment=self.environment(), output=self._take, name="build", mark=self._stray_mark,
        )  # fmt: skip
        return self._process

    def _cwd(self) -> Path:
        path = Path((self._directory / "directory").read_text())
        return path if path.is_dir() else self._directory

    def _take(self, line: str) -> None:
        marker = self._marker.fullmatch(line)
        if marker is None:
            self._output(line)
            return
        if marker[1]:  # the command's last line had no end
            self._output(marker[1])
        self._ended.put((int(marker[3]), marker[2] is not None))

    def _wait(self, process: Process) -> int:
        while True:
            with contextlib.suppress(queue.Empty):
                status, shell_ended = self._ended.get(timeout=_POLL_SECONDS)
                if shell_ended:
                    with contextlib.suppress(TimeoutError):  # a process that left the group holds the output open
                        process.wait(_CLOSE_SECONDS)
                    self._forget()
                return status
            self._check_interruption(process)
            if not process.running() and self._ended.empty():
                code = process.wait()
                self._forget()
                return code if code >= 0 else 128 - code

    def _check_interruption(self, process: Process) -> None:
        try:
            self._interruption.check()
        except Exception:
            strays = threading.Timer(self._grace_seconds, end_strays, [self._stray_mark])
            strays.start()
            process.stop(self._grace_seconds)
            strays.cancel()
            self._forget()
            raise

    def _forget(self) -> None:
        if self._commands is not None:
            os.close(self._commands)
        self._process = self._commands = None
        self._ended = queue.Queue()
