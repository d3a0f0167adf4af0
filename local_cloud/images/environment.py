"""Makes an image's Python environment: a virtual environment on this machine's interpreter, filled by uv."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uv

from local_cloud.images.errors import BuildError
from local_cloud.images.pip_install import PipInstall

# pip's settings, which a build may have been given for its network, in the installer's words
_PIP_SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
}  # fmt: skip
_REASON_CHARACTERS = 600
_NOT_FOR_THE_INSTALLER = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_CONFIG_FILE", "UV_PYTHON", "UV_SYSTEM_PYTHON")


@dataclass(frozen=True)
class Interpreter:
    """The Python that stands for the base image's."""

    path: Path
    version: str
    platform: str

    @classmethod
    def of_this_machine(cls) -> "Interpreter":
        """The interpreter that runs this code; the real one, when this is a virtual environment."""
        real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        version = ".".join(str(part) for part in sys.version_info[:3])
        return cls(real, version, sysconfig.get_platform())

    @property
    def minor_version(self) -> str:
        return self.version.rpartition(".")[0]


class Environment:
    """A virtual environment in the making.

    It is relocatable (uv's word): made as a draft and renamed when it is whole, so its scripts find their interpreter
    beside themselves.

    Args:
        folder: where it is made, as `folder/venv`.
        interpreter: what it is made on.
        settings: environment variables of the build: its network's settings and the installer's cache.
        lock: file descriptor that the installer inherits (see `layers.Draft`).
        log: takes the installer's lines.
    """

    def __init__(
        self, folder: Path, interpreter: Interpreter, settings: Mapping[str, str], lock: int, log: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._log = log
        self._settings = settings
        self._lock = lock
        self._uv(["venv", "--quiet", "--relocatable", "--no-project", "--no-python-downloads",
                  "--python", str(interpreter.path), "venv"], folder, settings)  # fmt: skip

    def install(self, install: PipInstall, root: Path, workdir: Path, environment: Mapping[str, str]) -> None:
        """Run one `pip install` of an image.

        Args:
            install: what to install.
            root: where the image's files are.
            workdir: the working folder, below `root`.
            environment: the image's environment variables; its PIP_* settings are honoured.

        Raises:
            BuildError: a requirement does not install; carries the installer's reason.
        """
        python = str(self._folder / "venv" / "bin" / "python")
        # pip takes the best version of all indexes; uv's default is the first index that has the package
        options = ["--python", python, "--index-strategy", "unsafe-best-match", *_byte_code(environment)]
        path = {"PATH": self._settings.get("PATH", os.defpath)}
        self._uv(
            ["pip", "install", *options, *install.arguments(root)], workdir, {**self._settings, **environment, **path}
        )

    def _uv(self, arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> None:
        with subprocess.Popen(
            [uv.find_uv_bin(), "--no-config", "--no-progress", *arguments], cwd=cwd, stdin=subprocess.DEVNULL,
            env=_installer_environment(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            encoding="utf-8", errors="replace", pass_fds=[self._lock],
        ) as installer:  # fmt: skip
            lines = []
            try:
                for line in installer.stdout or ():
                    self._log(line.rstrip())
                    lines.append(line.strip())
            except BaseException:
                installer.kill()
                raise
        if installer.returncode != 0:
            raise BuildError(_reason(lines), installer.returncode)


def _byte_code(environment: Mapping[str, str]) -> list[str]:
    """Whether to compile all byte-code at once, or leave it to Python, which writes that of the modules it imports.

    The second is the smaller part by far (some 2 s of 10 with numpy, scipy, polars and xgboost), but an image that sets
    PYTHONDONTWRITEBYTECODE would pay it at every start of a container.
    """
    return ["--compile-bytecode"] if environment.get("PYTHONDONTWRITEBYTECODE") else []


def _reason(lines: list[str]) -> str:
    """The installer's last error in one line."""
    starts = [number for number, line in enumerate(lines) if line.startswith("error:")]
    message = " ".join(line for line in lines[starts[-1] if starts else -5 :] if line)
    return message.removeprefix("error: ")[:_REASON_CHARACTERS]


def _installer_environment(environment: Mapping[str, str]) -> dict[str, str]:
    own = {_PIP_SETTINGS[key]: value for key, value in environment.items() if key in _PIP_SETTINGS}
    kept = {key: value for key, value in environment.items() if key not in _NOT_FOR_THE_INSTALLER}
    return own | kept | {"NO_COLOR": "1"}
