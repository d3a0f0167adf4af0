"""Which files of a build a buildspec's patterns name."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from local_cloud.codebuild.buildspec import FileSet


class NoBaseDirectoryError(Exception):
    """No directory has the name that `base-directory` gives."""


def select(files: FileSet, source_directory: Path) -> dict[str, Path]:
    """The files that a file set names, by their path in the result.

    Args:
        files: patterns relative to its base directory: `*` and `?` stay within a folder, `**` goes down.
        source_directory: what a base directory is relative to.

    Returns:
        Paths in the result with slashes; the files' own names alone for `discard-paths: yes`.

    Raises:
        NoBaseDirectoryError: there is no such base directory.
    """
    wanted = [_expression(pattern) for pattern in files.files]
    unwanted = [_expression(pattern) for pattern in files.exclude_paths]
    found = {}
    for base in _bases(files.base_directory, source_directory):
        for relative in sorted(_walk(base)):
            if any(e.fullmatch(relative) for e in wanted) and not any(e.fullmatch(relative) for e in unwanted):
                found[Path(relative).name if files.discard_paths else relative] = base / relative
    return found


def _bases(pattern: str | None, source_directory: Path) -> list[Path]:
    """The base directories: one, or all top-level ones that match a pattern with `*`."""
    if pattern is None:
        return [source_directory]
    if "*" in pattern:
        bases = sorted(path for path in source_directory.glob(pattern) if path.is_dir())
    else:
        bases = [path] if (path := source_directory / pattern).is_dir() else []
    if not bases:
        raise NoBaseDirectoryError(pattern)
    return bases


def _walk(base: Path) -> Iterator[str]:
    for folder, _, names in os.walk(base):
        prefix = Path(folder).relative_to(base)
        for name in names:
            if (Path(folder) / name).is_file():
                yield (prefix / name).as_posix()


_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", re.DOTALL)
_MEANING = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _expression(pattern: str) -> re.Pattern[str]:
    cleaned = re.sub(r"^(?:\./)+", "", pattern)
    tokens = _TOKENS.findall(cleaned)
    return re.compile(
        "".join(_MEANING.get(t) or (t if t.startswith("[") and len(t) > 2 else re.escape(t)) for t in tokens)
    )
