"""A real local cloud for tests: on a port of its own, with a state of its own, driven through real AWS clients."""

import configparser
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import conformity
from botocore.config import Config

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "local_cloud", "--port", "0", "--state-dir"]
START_SECONDS = 30.0
AWS_HELPER = f"{Path(sys.executable).parent}/aws codecommit credential-helper --ignore-host-check"


@dataclass
class CloudServer:
    """A running `python -m local_cloud`."""

    process: "subprocess.Popen[bytes]"
    state_dir: Path
    endpoint_url: str
    ca_bundle: str
    ca_folder: str
    credentials_file: str
    region: str = "us-east-1"
    account_id: str = "000000000000"
    caller_arn: str = "arn:aws:iam::000000000000:user/developer"

    @classmethod
    def start(
        cls, state_dir: Path, command: list[str] | None = None, variables: dict[str, str] | None = None
    ) -> "CloudServer":
        """Start a server on that state, on any free port, and wait until it is ready."""
        arguments = [*command, "0", str(state_dir)] if command else [*COMMAND, str(state_dir)]
        state_dir.mkdir(parents=True, exist_ok=True)
        (state_dir / "server.json").unlink(missing_ok=True)
        with (state_dir / "server.log").open("ab") as log:
            process = subprocess.Popen(
                arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not (state_dir / "server.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the local cloud did not start:\n{(state_dir / 'server.log').read_text()[-4000:]}")
            time.sleep(0.05)
        facts = json.loads((state_dir / "server.json").read_text())
        return cls(
            process, state_dir, facts["endpoint_url"], facts["ca_bundle"], facts["ca_folder"], facts["credentials_file"]
        )

    def keys(self) -> dict[str, str]:
        """The developer's access key, as arguments of a boto3 client."""
        profile = configparser.ConfigParser()
        profile.read(self.credentials_file)
        return {name: profile["default"][name] for name in ("aws_access_key_id", "aws_secret_access_key")}

    def client(self, service: str, **keys: str) -> Any:
        """A client with the developer's key, or with others."""
        client = boto3.client(
            service, endpoint_url=self.endpoint_url, region_name=self.region, verify=self.ca_bundle,
            **(keys or self.keys()),
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )  # fmt: skip
        conformity.watch(client)
        return client

    def role_keys(self, role_arn: str) -> dict[str, str]:
        """Temporary credentials of a role that trusts the account, as arguments of `client`."""
        keys = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }  # fmt: skip

    def environment(self, helper: str = AWS_HELPER) -> dict[str, str]:
        """Variables for a child process: the aws command, cdk and git as the developer.

        Args:
            helper: the command that gives git its credentials.
        """
        settings = {
            f"http.{self.endpoint_url}.sslCAPath": self.ca_folder,
            f"credential.{self.endpoint_url}.helper": f'!f() {{ test "$1" != get || {helper} get; }}; f',
            f"credential.{self.endpoint_url}.useHttpPath": "true",
        }
        git = {f"GIT_CONFIG_{part}_{n}": pair[i] for n, pair in enumerate(settings.items())
               for i, part in enumerate(("KEY", "VALUE"))}  # fmt: skip
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_CA_BUNDLE": self.ca_bundle,
            "NODE_EXTRA_CA_CERTS": self.ca_bundle, "AWS_SHARED_CREDENTIALS_FILE": self.credentials_file,
            "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region,
            "GIT_CONFIG_COUNT": str(len(settings)), **git,
        }  # fmt: skip

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
