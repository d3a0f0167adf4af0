"""Reads the one command that RUN can execute without an image engine: `pip install`."""

import argparse
import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dockerfile_parse.util import WordSplitter

_PIP = re.compile(r"pip(3(\.\d+)?)?")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_LOCAL_ARCHIVES = (".whl", ".tar.gz", ".zip")


class NotPipInstallError(Exception):
    """The command is something else, or uses what is not understood; the message says what."""


@dataclass(frozen=True)
class PipInstall:
    """One `pip install`, its paths absolute in the image.

    Attributes:
        packages: requirement specifiers, URLs and paths.
        files: requirement and constraint files as (option, path or URL).
        find_links: folders and pages, as path or URL.
        options: the other options, in the installer's spelling.
    """

    packages: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    find_links: tuple[str, ...]
    options: tuple[str, ...]

    def arguments(self, root: Path) -> list[str]:
        """The arguments of `uv pip install`, for an image whose file system is at `root`."""

        def here(place: str) -> str:
            return str(inside(root, place)) if place.startswith("/") else place

        arguments = list(self.options)
        for option, place in (*self.files, *(("--find-links", place) for place in self.find_links)):
            arguments += [option, here(place)]
        return [*arguments, *(here(package) for package in self.packages)]


def inside(root: Path, path: str) -> Path:
    """An absolute path of the image, on this machine."""
    return root / path.lstrip("/")


def read_run(value: str, variables: Mapping[str, str], workdir: str) -> list[PipInstall]:
    """The `pip install` commands of a RUN instruction, several when they are chained with `&&`.

    Args:
        value: what follows RUN, in shell or in exec form.
        variables: the ARG and ENV values in force.
        workdir: the WORKDIR in force.

    Raises:
        NotPipInstallError: the command is, or contains, something else.
    """
    return [_read_command(words, workdir) for words in _commands(value, variables)]


def _commands(value: str, variables: Mapping[str, str]) -> list[list[str]]:
    if value.startswith("["):
        return [_exec_form(value)]
    expanded = " ".join(WordSplitter(value, envs=dict(variables)).split(dequote=False))
    lexer = shlex.shlex(expanded, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for token in lexer:
            if token == "&&":  # noqa: S105  # the shell's word for "and then"
                commands.append([])
            elif set(token) <= set("();<>|&"):
                raise NotPipInstallError(f"the shell's `{token}` is not understood; quote it in a requirement")
            else:
                commands[-1].append(token)
    except ValueError as error:
        raise NotPipInstallError(f"unreadable: {str(error).lower()}") from error
    return commands


def _exec_form(value: str) -> list[str]:
    try:
        words = json.loads(value)
    except json.JSONDecodeError as error:
        raise NotPipInstallError(f"not a JSON list of strings: {error}") from error
    return [str(word) for word in words]


def _read_command(words: list[str], workdir: str) -> PipInstall:
    rest = words
    if len(rest) > 2 and _PYTHON.fullmatch(posixpath.basename(rest[0])) and rest[1] == "-m":
        rest = rest[2:]
    if len(rest) < 2 or not _PIP.fullmatch(posixpath.basename(rest[0])) or rest[1] != "install":
        raise NotPipInstallError(f"`{shlex.join(words[:2])}` is not `pip install`")
    given = _parser().parse_intermixed_args(rest[2:])
    files = [("--requirements", path) for path in given.requirement] + [("--constraints", p) for p in given.constraint]
    return PipInstall(
        packages=tuple(_place(package, workdir) if _is_path(package) else package for package in given.packages),
        files=tuple((option, _place(path, workdir)) for option, path in files),
        find_links=tuple(_place(place, workdir) for place in given.find_links),
        options=tuple(given.options),
    )


def _is_path(package: str) -> bool:
    return package.startswith((".", "/")) or package.endswith(_LOCAL_ARCHIVES)


def _place(text: str, workdir: str) -> str:
    """A URL as it is, a path made absolute in the image."""
    return text if "://" in text else posixpath.normpath(posixpath.join("/", workdir, text))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        options = sorted(option for option in self._option_string_actions if option.startswith("--"))
        raise NotPipInstallError(f"pip install: {message}; understood are {', '.join(options)}")


class _Keep(argparse.Action):
    """Adds the option to `options`, with its value when it has one."""

    def __call__(self, _: object, namespace: argparse.Namespace, values: object, __: str | None = None) -> None:
        value = [values] if isinstance(values, str) else []
        namespace.options = [*namespace.options, self.option_strings[-1], *value]


def _parser() -> argparse.ArgumentParser:
    """pip's options: those that uv has too are kept; those that only shape pip's own work or output are dropped."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.set_defaults(options=[])
    parser.add_argument("packages", nargs="*")
    parser.add_argument("-r", "--requirement", action="append", default=[])
    parser.add_argument("-c", "--constraint", action="append", default=[])
    parser.add_argument("-f", "--find-links", action="append", default=[])
    for names in (["-i", "--index-url"], ["--extra-index-url"], ["--only-binary"], ["--no-binary"]):
        parser.add_argument(*names, action=_Keep)
    for names in (["--require-hashes"], ["--no-deps"], ["--no-index"], ["--pre"], ["-U", "--upgrade"]):
        parser.add_argument(*names, action=_Keep, nargs=0)
    for names in (["-q", "--quiet"], ["-v", "--verbose"]):
        parser.add_argument(*names, action="count")
    for flag in ("no-cache-dir", "disable-pip-version-check", "no-compile", "no-input", "no-warn-script-location"):
        parser.add_argument(f"--{flag}", action="store_true")
    for option in ("progress-bar", "root-user-action", "retries", "timeout"):
        parser.add_argument(f"--{option}")
    return parser
