"""A container of an image as a process: its folder in place of /opt/ml, its environment, its one end."""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local_cloud.cloud import Cloud
from local_cloud.images import Image
from local_cloud.processes import Process, Processes
from local_cloud.strays import end_strays

JOB_GRACE_SECONDS = 120.0
"""How long a job's container has between SIGTERM and SIGKILL, to save its artifacts."""

_BASE = "opt/ml"
_FOLDER, _PORT = "SAGEMAKER_BASE_DIR", "SAGEMAKER_BIND_TO_PORT"


class ContainerFolder:
    """The folder of a container on this machine: what it sees as /opt/ml, a home, a place for temporary files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / _BASE
        for folder in (self.base, root / "home", root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)

    def place(self, container_path: str) -> Path:
        """Where a path of the container, below /opt/ml, is on this machine."""
        return self.root / container_path.lstrip("/")

    def make(self, container_path: str) -> Path:
        """The same, made as a folder."""
        folder = self.place(container_path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def variables(self) -> dict[str, str]:
        return {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            _FOLDER: str(self.base),
        }


@dataclass(frozen=True)
class Command:
    """What is started: program and arguments, all of its environment, its working folder.

    Attributes:
        mark: the variable of its environment that no other container has; "" when there is none.
    """

    words: list[str]
    environment: dict[str, str]
    cwd: Path

    @property
    def mark(self) -> str:
        # the containers of a variant share their folder, and each has a port; a job's has no port
        own = (f"{name}={self.environment[name]}" for name in (_PORT, _FOLDER) if name in self.environment)
        return next(own, "")


def command_of(
    image: Image,
    arguments: list[str],
    folder: ContainerFolder,
    variables: Mapping[str, str],
    entrypoint: list[str] | None = None,
) -> Command:
    """The process that stands for `docker run [--entrypoint ENTRYPOINT] IMAGE ARGUMENTS`.

    Args:
        variables: what the platform and the request add to the image's own environment.
    """
    if entrypoint is not None:
        image = dataclasses.replace(image, entrypoint=entrypoint, command=[])
    words, additions, cwd = image.process(arguments)
    environment = {"LANG": "C.UTF-8", **additions, **variables, **folder.variables()}
    return Command(words, environment, cwd)


@dataclass(frozen=True)
class Ended:
    """How a job's container ended.

    Attributes:
        exit_code: as Docker tells it, 128 and the number of the signal for a killed one; None when it never started.
        stop_asked: somebody stopped the job.
        over_time: it ran longer than it may.
    """

    exit_code: int | None
    stop_asked: bool = False
    over_time: bool = False

    @property
    def failed(self) -> bool:
        """It ended by itself, and not well."""
        return self.exit_code != 0 and not self.stop_asked and not self.over_time


class JobContainer:
    """The one container of a job; it can be stopped from any thread, also before it has started."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._stop_asked = False

    @property
    def stop_asked(self) -> bool:
        return self._stop_asked

    def run(self, command: Command, *, output: Callable[[str], None], name: str, limit_seconds: float) -> Ended:
        """Start the container and wait for its end; beyond the limit, end it as StopTrainingJob would.

        Raises:
            OSError: its program cannot be started.
        """
        with self._lock:
            if self._stop_asked:
                return Ended(None, stop_asked=True)
            self._process = self._processes.start(
                command.words, cwd=command.cwd, environment=command.environment, output=output, name=name,
                mark=command.mark,
            )  # fmt: skip
        try:
            code = self._process.wait(limit_seconds)
        except TimeoutError:
            self._process.stop(JOB_GRACE_SECONDS)
            return Ended(_as_docker(self._process.wait()), self._stop_asked, over_time=not self._stop_asked)
        finally:
            end_strays(command.mark)
        return Ended(_as_docker(code), self._stop_asked)

    def stop(self) -> None:
        """Ask the container to end; returns at once."""
        with self._lock:
            self._stop_asked = True
            process = self._process
        if process is not None and process.running():
            threading.Thread(target=process.stop, args=(JOB_GRACE_SECONDS,), name="stop-job", daemon=True).start()


def cloud_answers(cloud: Cloud) -> bool:
    """Whether the cloud is up: a container that ends unasked may have been ended with the cloud."""
    try:
        cloud.client("sts").get_caller_identity()
    except BotoCoreError:
        return False
    return True


def _as_docker(code: int) -> int:
    return 128 - code if code < 0 else code
