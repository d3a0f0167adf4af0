"""A real local cloud for tests: on a port of its own, with a state of its own, driven through real AWS clients."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "local_cloud", "--port", "0", "--state-dir"]
START_SECONDS = 30.0


@dataclass
class CloudServer:
    """A running `python -m local_cloud`."""

    process: "subprocess.Popen[bytes]"
    state_dir: Path
    endpoint_url: str
    region: str = "us-east-1"
    account_id: str = "000000000000"

    @classmethod
    def start(cls, state_dir: Path, command: list[str] | None = None) -> "CloudServer":
        """Start a server on that state, on any free port, and wait until it is ready."""
        arguments = [*command, "0", str(state_dir)] if command else [*COMMAND, str(state_dir)]
        state_dir.mkdir(parents=True, exist_ok=True)
        (state_dir / "server.json").unlink(missing_ok=True)
        with (state_dir / "server.log").open("ab") as log:
            process = subprocess.Popen(
                arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not (state_dir / "server.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the local cloud did not start:\n{(state_dir / 'server.log').read_text()[-4000:]}")
            time.sleep(0.05)
        facts = json.loads((state_dir / "server.json").read_text())
        return cls(process, state_dir, facts["endpoint_url"])

    def client(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.endpoint_url, region_name=self.region,
            aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """AWS_* variables for a child process (git, the aws command, cdk)."""
        return {"AWS_ENDPOINT_URL": self.endpoint_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}  # fmt: skip

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


def eventually(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer of `check`; fails with its last answer after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: last answer {answer!r}")
        time.sleep(0.05)
    return answer
