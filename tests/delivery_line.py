"""A whole delivery line for tests: a copy of the project, deployed to a local cloud of its own by slipway."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.local_server import LocalServer
from slipway.target import local_target

ROOT = Path(__file__).parents[1]
SECONDS = 600


@dataclass
class DeliveryLine:
    """A clone of the project and the command that drives it, as a newcomer has them."""

    folder: Path
    port: int
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, variables: Mapping[str, str] | None = None) -> "DeliveryLine":
        """Copy the working tree's files into a repository of its own, with one commit.

        Args:
            folder: an empty one.
            variables: added to the environment of the slipway command and of what it starts.
        """
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        line = cls(folder, port, variables or {})
        line.git("init", "--quiet", "--initial-branch", "main")
        line.commit("The project as it is")
        return line

    def slipway(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the slipway command in the clone; with `check` a failure fails the test with its output."""
        done = subprocess.run(
            [sys.executable, "-m", "slipway", *arguments],
            cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"slipway {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, pattern: str, replacement: str) -> None:
        """Replace what the pattern matches, exactly once, in a file of the clone."""
        file = self.folder / path
        text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
        assert count == 1, f"{pattern!r} stands {count} times in {path}"
        file.write_text(text)

    def push(self) -> None:
        self.git("push", "--quiet", "slipway", "HEAD:main")

    def environment(self) -> dict[str, str]:
        """The user's environment without anything of AWS, git or Slipway in it."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLIPWAY_", "GIT_DIR"))
        }
        identity = {"GIT_AUTHOR_NAME": "A Tester", "GIT_AUTHOR_EMAIL": "tester@example.com",
                    "GIT_COMMITTER_NAME": "A Tester", "GIT_COMMITTER_EMAIL": "tester@example.com"}  # fmt: skip
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, **identity, "PATH": tools, "PYTHONPATH": str(self.folder), "NO_COLOR": "1", "COLUMNS": "120",
                **self.variables}  # fmt: skip

    def aws_environment(self) -> dict[str, str]:
        """What `eval "$(slipway env)"` adds, for the aws command."""
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", self.slipway("env").stdout, flags=re.MULTILINE))
        return {**self.environment(), **{name: value.strip("'\"") for name, value in exports.items()}}

    def client(self, service: str) -> Any:
        """A client of the local cloud, as the developer."""
        record = LocalServer(self.folder, self.folder / ".slipway" / "local-cloud").require()
        return local_target(record, self.environment()).client(service)

    def executions(self) -> list[dict[str, Any]]:
        """The pipeline's executions, the newest first."""
        summaries: list[dict[str, Any]] = self.client("codepipeline").list_pipeline_executions(
            pipelineName="flight-delays"
        )["pipelineExecutionSummaries"]
        return summaries

    def served_package(self, environment: str) -> str:
        """The ARN of the model package that the environment's endpoint serves."""
        sagemaker = self.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=f"flight-delays-{environment}")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        containers = model.get("Containers") or [model["PrimaryContainer"]]
        package: str = containers[0]["ModelPackageName"]
        return package
