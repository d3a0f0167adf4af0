"""Child processes that never outlive the server: each leads its own process group, and a warden ends the groups when
the server is gone, however it went.

    server --starts--> child (own session and group)
       |
       +--pipe--> warden: notes "+group mark" and "-group"; when the pipe closes, it kills the groups still noted

A process may leave its group (`setsid`, a daemon). On AWS it ends with its container; here it is found by its mark, a
variable of its environment that no other child has.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

_LAST_OUTPUT_SECONDS = 2.0

_WARDEN = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from local_cloud.strays import end_strays
groups = {}
for line in sys.stdin:
    group, _, mark = line[1:].rstrip("\\n").partition(" ")
    if line[0] == "+":
        groups[int(group)] = mark
    else:
        groups.pop(int(group), None)
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
end_strays(*groups.values())
"""


class Process:
    """A running child and its group; its output lines go to the function it was started with."""

    def __init__(
        self, child: "subprocess.Popen[str]", output: Callable[[str], None], ended: Callable[[int], None]
    ) -> None:
        self.pid = child.pid
        self._child = child
        self._ended = ended
        self._over = threading.Event()
        self._pump = threading.Thread(
            target=self._read, args=(child.stdout, output), name=f"output-{child.pid}", daemon=True
        )
        self._pump.start()
        threading.Thread(target=self._reap, name=f"reap-{child.pid}", daemon=True).start()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the child has ended and its output is read.

        Returns:
            The exit code; a negative number is the signal that ended the child.

        Raises:
            TimeoutError: the child still runs after `timeout` seconds.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"process {self.pid} still runs after {timeout} seconds")
        return int(self._child.returncode)

    def running(self) -> bool:
        return not self._over.is_set()

    def stop(self, grace_seconds: float) -> None:
        """Ask the whole group to end (SIGTERM) and, when it has not after `grace_seconds`, end it (SIGKILL)."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            self.wait(grace_seconds)
        except TimeoutError:
            _signal_group(self.pid, signal.SIGKILL)
            self.wait()

    def _read(self, stream: IO[str], output: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                output(line.rstrip("\r\n"))

    def _reap(self) -> None:
        self._child.wait()
        _signal_group(self.pid, signal.SIGKILL)  # what the child left behind in its group would hold the output open
        self._pump.join(_LAST_OUTPUT_SECONDS)  # a process that left the group may hold the output open for ever
        self._ended(self.pid)
        self._over.set()


class Processes:
    """Starts children and knows those that run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Process] = {}
        self._closed = False
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-c", _WARDEN, str(Path(__file__).parents[1])], stdin=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def start(
        self,
        command: list[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
        name: str,
        mark: str = "",
    ) -> Process:
        """Start a child with exactly this environment.

        Args:
            command: program and arguments; the program is looked up in the PATH of `environment`.
            cwd: its working folder.
            environment: all of its environment variables.
            output: called with each line of its standard output and error, from a thread of its own.
            name: what the child is for, for error messages.
            mark: `NAME=value` of `environment`, by which the warden finds what has left the child's group. While the
                server lives, whoever starts the child ends its strays (`strays.end_strays`).

        Raises:
            OSError: the program cannot be started, or all children are being ended; the message names `name`.
        """
        with self._lock:
            if self._closed:
                raise OSError(errno.ESHUTDOWN, f"{name}: not started, the local cloud is shutting down")
            try:
                child = subprocess.Popen(
                    command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise OSError(error.errno, f"{name}: cannot start {command[0]}: {error.strerror}") from error
            self._tell_warden(f"+{child.pid} {mark}")
            process = Process(child, output, self._forget)
            self._running[child.pid] = process
        return process

    def close(self, grace_seconds: float) -> None:
        """End all children side by side, as `Process.stop` does for one, and then the warden."""
        with self._lock:
            self._closed = True
            processes = list(self._running.values())
        threads = [threading.Thread(target=process.stop, args=(grace_seconds,)) for process in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._warden.communicate()

    def _forget(self, pid: int) -> None:
        with self._lock:
            self._running.pop(pid, None)
            self._tell_warden(f"-{pid}")

    def _tell_warden(self, line: str) -> None:
        assert self._warden.stdin is not None
        self._warden.stdin.write(f"{line}\n")
        self._warden.stdin.flush()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
