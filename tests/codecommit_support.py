"""A clone in which a person works, and the events of a repository, for tests of the local cloud's CodeCommit."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eventually import eventually
from local_cloud_server import CloudServer

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "NO_PROXY": "127.0.0.1",
}  # fmt: skip
QUICK_HELPER = f"{sys.executable} -I -S {Path(__file__).with_name('git_credentials.py')}"


class WorkingCopy:
    """A clone in which a person works.

    Args:
        path: where none is yet.
        url: the repository's.
        server: the repository's.
        helper: the command that gives git its credentials.
    """

    def __init__(self, path: Path, url: str, server: CloudServer, helper: str = QUICK_HELPER) -> None:
        self.path = path
        self._environment = GIT_ENVIRONMENT | server.environment(helper)
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", url)

    def git(self, *arguments: str, fails: bool = False, **variables: str) -> str:
        environment = self._environment | variables
        ended = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert (ended.returncode != 0) == fails, ended.stderr
        return ended.stderr if fails else ended.stdout.strip()

    def commit(self, name: str, content: bytes) -> str:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"change {name}")
        return self.git("rev-parse", "HEAD")


class Events:
    """What a rule on all events of one repository delivers to a queue."""

    def __init__(self, server: CloudServer, repository_arn: str) -> None:
        self._queue = server.client("sqs")
        name = f"events-{uuid.uuid4().hex[:8]}"
        self._url = self._queue.create_queue(QueueName=name)["QueueUrl"]
        pattern = {"source": ["aws.codecommit"], "resources": [repository_arn]}
        server.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
        arn = self._queue.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        server.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        self._seen: list[dict[str, Any]] = []

    def received(self, count: int) -> list[dict[str, Any]]:
        """All events so far, once there are that many."""

        def poll() -> bool:
            answer = self._queue.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._seen.append(json.loads(message["Body"]))
                self._queue.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            return len(self._seen) >= count

        eventually(poll)
        return self._seen


def error_code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])
