"""Run the pinned CDK CLI: bootstrap and deploy, its output shortened to one line a resource."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slipway.errors import DeployError

_EVENT = re.compile(
    r"^(?P<stack>[\w-]+) +\| +(?:\d+/\d+|\d+) +\| [^|]+ \| (?P<status>\w+) +\| (?P<type>\S+) +\| (?P<id>\S+)"
)
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Cdk:
    """The CDK CLI of this project.

    Args:
        root: the folder of cdk.json.
        log_dir: the CLI's full output goes to a file here.
        environment: the target's.
        overlay: the settings overlay that the app shall read.
    """

    root: Path
    log_dir: Path
    environment: Mapping[str, str]
    overlay: str | None

    def bootstrap(self, account_id: str, region: str, progress: Callable[[str], None]) -> None:
        """`cdk bootstrap`: the bucket, the repository and the roles that the CLI deploys with."""
        self._run("bootstrap", ["bootstrap", f"aws://{account_id}/{region}"], progress)

    def deploy(self, progress: Callable[[str], None]) -> None:
        """`cdk deploy --all`: the foundation and the pipeline."""
        self._run("deploy", ["deploy", "--all", "--require-approval", "never", "--progress", "events"], progress)

    def _run(self, name: str, arguments: list[str], progress: Callable[[str], None]) -> None:
        """Run the CLI; `progress` is called with a short line for each thing that happened.

        Raises:
            DeployError: the CLI is not installed, or it failed; with its reason.
        """
        cli = self.root / "node_modules" / ".bin" / "cdk"
        if not cli.exists():
            raise DeployError("the CDK CLI is not installed (node_modules/.bin/cdk)", "make setup")
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log_path = self.log_dir / f"cdk-{name}.log"
        command = [str(cli), *arguments, "--no-color", "--no-notices"]
        with log_path.open("w") as log, _child(command, self.root, self._environment()) as process:
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                log.flush()
                short = shortened(line)
                if short is not None:
                    progress(short)
        if process.returncode != 0:
            raise DeployError(
                f"cdk {name} failed:\n{failure_of(log_path.read_text())}", f"read {log_path.relative_to(self.root)}"
            )

    def _environment(self) -> dict[str, str]:
        """The CLI and the app must find the Node and the Python of the virtual environment first."""
        programs = str(Path(sys.executable).parent)
        return {
            **self.environment,
            "PATH": os.pathsep.join((programs, self.environment.get("PATH", os.defpath))),
            "SLIPWAY_OVERLAY": self.overlay or "",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "NODE_COMPILE_CACHE": str(self.log_dir.parent / "node-compile-cache"),
            "PYTHONUNBUFFERED": "1",
        }


def shortened(line: str) -> str | None:
    """What a line of the CLI's output tells people; None when it is nothing.

    >>> shortened("Toy | 2/4 | 7:14:25 AM | CREATE_COMPLETE | AWS::SNS::Topic | T (TD925BC7E)")
    'Toy  CREATE_COMPLETE  AWS::SNS::Topic T'
    """
    event = _EVENT.match(line.rstrip())
    if event is not None:
        if event["status"].endswith("_IN_PROGRESS") and "ROLLBACK" not in event["status"]:
            return None
        return f"{event['stack']}  {event['status']}  {event['type']} {event['id']}"
    text = line.strip()
    if "Synthesis time" in text or "(no changes)" in text or "failed:" in text:
        return text.lstrip("✨✅❌ ")
    return None


def failure_of(output: str, lines: int = 12) -> str:
    """The part of the CLI's output that says why it failed: its own reason, or else the last lines."""
    reasons = [line.strip() for line in output.splitlines() if "❌" in line or "_FAILED" in line]
    return "\n".join(reasons[-lines:] if reasons else output.strip().splitlines()[-lines:])


@contextmanager
def _child(command: list[str], cwd: Path, environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """A child process in a group of its own, which is ended as a whole when this process is interrupted."""
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0,
    )  # fmt: skip
    try:
        yield process
        process.wait()
    except BaseException:
        _end_group(process)
        raise
    finally:
        _close(process.stdout)


def _end_group(process: "subprocess.Popen[str]") -> None:
    """Let the CLI end by itself, then kill whatever it leaves behind."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        stream.close()
