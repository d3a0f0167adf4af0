"""Start, find and stop the local cloud, which is a process of its own (`python -m local_cloud`)."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import LocalCloudError

DEFAULT_PORT = 4566
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_HEALTH_SECONDS = 2.0
_POLL_SECONDS = 0.1
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class ServerRecord:
    """What a running local cloud says of itself in server.json."""

    pid: int
    port: int
    endpoint_url: str
    ca_bundle: str
    ca_folder: str
    credentials_file: str
    account_id: str
    region: str
    started_at: str


class LocalServer:
    """The local cloud of one project.

    Args:
        root: the project's folder, in which the server is started.
        state_dir: where everything of the local cloud is kept.
    """

    def __init__(self, root: Path, state_dir: Path) -> None:
        self._root = root
        self.state_dir = state_dir
        self.log_path = state_dir / "server.log"
        self._record_path = state_dir / "server.json"

    def record(self) -> ServerRecord | None:
        """server.json, whether or not that server still runs; None when it is absent or unreadable."""
        try:
            facts = json.loads(self._record_path.read_text())
            return ServerRecord(**{name: facts[name] for name in ServerRecord.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def running(self) -> ServerRecord | None:
        """The server that runs and answers, or None."""
        record = self.record()
        if record is None or not _is_local_cloud(record.pid) or not answers(record):
            return None
        return record

    def require(self) -> ServerRecord:
        """The server that runs and answers.

        Raises:
            LocalCloudError: it does not.
        """
        record = self.running()
        if record is None:
            raise LocalCloudError("the local cloud is not running", "slipway up")
        return record

    def start(self, port: int, environment: Mapping[str, str]) -> ServerRecord:
        """Start the server in a session of its own and wait until it answers.

        A server.json left by a killed server is removed; what that server had stored stays.

        Raises:
            LocalCloudError: another process has the port, an unresponsive server is still there, or it did not start.
        """
        self._clear_stale_record()
        refuse_taken_port(port)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "local_cloud", "--port", str(port), "--state-dir", str(self.state_dir)]
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self._root, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            return self._wait_until_ready(process, log_start)
        except BaseException:  # Ctrl-C included: a half-started server is not left behind
            process.terminate()
            process.wait()
            raise

    def stop(self) -> ServerRecord | None:
        """Ask the server to end and wait for it; it writes its state before it ends.

        Returns:
            The server that was stopped; None when none ran.

        Raises:
            LocalCloudError: it did not end in time.
        """
        record = self.record()
        if record is None or not _is_local_cloud(record.pid):
            self._record_path.unlink(missing_ok=True)
            return None
        os.kill(record.pid, signal.SIGTERM)
        if not _wait_until(lambda: not _is_local_cloud(record.pid), STOP_SECONDS):
            raise LocalCloudError(
                f"the local cloud (process {record.pid}) did not end within {STOP_SECONDS:.0f} s; see {self.log_path}",
                f"kill -9 {record.pid}",
            )
        self._record_path.unlink(missing_ok=True)
        return record

    def _clear_stale_record(self) -> None:
        record = self.record()
        if record is not None and _is_local_cloud(record.pid):
            if _wait_until(lambda: answers(record), _HEALTH_SECONDS):
                raise LocalCloudError(f"the local cloud already runs at {record.endpoint_url}")
            raise LocalCloudError(
                f"a local cloud (process {record.pid}) runs but does not answer at {record.endpoint_url}; "
                f"see {self.log_path}",
                "slipway down, then slipway up",
            )
        self._record_path.unlink(missing_ok=True)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]", log_start: int) -> ServerRecord:
        ended = False

        def settled() -> bool:
            nonlocal ended
            ended = process.poll() is not None
            return ended or self.running() is not None

        _wait_until(settled, START_SECONDS)
        record = self.running()
        if record is not None:
            return record
        reason = f"ended with exit code {process.returncode}" if ended else f"did not answer in {START_SECONDS:.0f} s"
        raise LocalCloudError(f"the local cloud {reason}:\n{self._log_tail(log_start)}", f"read {self.log_path}")

    def _log_tail(self, start: int, lines: int = 15) -> str:
        with self.log_path.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-lines:]) or "(it wrote nothing)"


def answers(server: ServerRecord) -> bool:
    """Whether that local cloud answers, and shows the certificate that it should."""
    try:
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=server.ca_bundle))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)
        with opener.open(f"{server.endpoint_url}/_ministack/health", timeout=_HEALTH_SECONDS) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def refuse_taken_port(port: int) -> None:
    """Raise LocalCloudError, with what can be told of the process that has it, when a port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except PermissionError as error:
            raise LocalCloudError(f"port {port} may not be used by this user", "slipway up --port 4567") from error
        except OSError as error:
            raise LocalCloudError(
                f"port {port} of 127.0.0.1 is in use by {_port_owner(port)}",
                f"slipway up --port {port + 1 if port < 65535 else port - 1}, or end that process",
            ) from error


def _port_owner(port: int) -> str:
    pid = _listening_pid(port)
    if pid is None:
        return "another process"
    return f"process {pid} ({_command_line(pid)[:_SHOWN_CHARACTERS]})"


def _listening_pid(port: int) -> int | None:
    """The process that listens on a loopback port; None where /proc does not tell."""
    try:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    except OSError:
        return None
    inodes = {row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] == "0A"}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]") in inodes:
                return int(descriptor.parts[2])
        except OSError:
            continue
    return None


def _command_line(pid: int) -> str:
    """What a process was started with; empty when there is none, or when it is dead and unburied."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return "" if "<defunct>" in shown.stdout else shown.stdout.strip()


def _is_local_cloud(pid: int) -> bool:
    """Whether that process is a local cloud: after a restart of the machine its number may be another's."""
    return "-m local_cloud" in _command_line(pid)


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(_POLL_SECONDS)
    return condition()
