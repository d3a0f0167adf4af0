"""The build context: which of its files COPY finds, with .dockerignore honoured."""

import hashlib
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from docker.utils.build import PatternMatcher  # type: ignore[import-untyped]

from local_cloud.images.dockerfile import InstructionError


@dataclass(frozen=True)
class File:
    """A file of the image.

    Attributes:
        path: absolute, in the image.
        source: the file of the context that it is a copy of.
        mode: permission bits, as git knows them: 0o644 or 0o755.
        link: target of a symbolic link, None for a regular file.
    """

    path: str
    source: Path
    mode: int
    link: str | None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        with self.source.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()

    def entry(self) -> list[str]:
        """What an image's identity depends on: path, mode or link, content."""
        return [self.path, "link", self.link] if self.link is not None else [self.path, oct(self.mode), self.digest]


class Context:
    """A build context on disk."""

    def __init__(self, directory: Path, dockerfile: Path) -> None:
        self._directory = directory
        self._dockerfile = dockerfile

    def copy(self, sources: list[str], destination: str) -> list[File]:
        """The files that `COPY sources destination` puts into the image.

        Args:
            sources: paths or patterns, relative to the context.
            destination: absolute path in the image; one that ends with a slash is a folder.

        Raises:
            InstructionError: a source is absent, ignored, outside of the context or of no kind that an image can hold.
        """
        found = [path for source in sources for path in self._find(source)]
        into_folder = destination.endswith("/")
        if len(found) > 1 and not into_folder:
            raise InstructionError(
                f"copies {len(found)} sources, so the destination must be a folder: write {destination}/"
            )
        return [file for path in found for file in self._files(path, destination, into_folder)]

    @cached_property
    def _paths(self) -> set[str]:
        """All paths of the context that are not ignored, relative to it."""
        own = self._dockerfile.with_name(f"{self._dockerfile.name}.dockerignore")
        ignore = own if own.is_file() else self._directory / ".dockerignore"
        lines = ignore.read_text().splitlines() if ignore.is_file() else []
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return set(PatternMatcher(patterns).walk(str(self._directory)))

    def _find(self, source: str) -> list[str]:
        pattern = posixpath.normpath(source.lstrip("/"))
        if pattern.split("/")[0] == "..":
            raise InstructionError(
                f"{source} is outside of the build context {self._directory}; move it there, or build a wider context"
            )
        if pattern == ".":
            return ["."]
        found = sorted(str(path.relative_to(self._directory)) for path in self._directory.glob(pattern))
        kept = [path for path in found if path in self._paths or self._below(path)]
        if kept:
            return kept
        reason = "is left out by .dockerignore" if found else f"does not exist in the build context {self._directory}"
        raise InstructionError(f"{source} {reason}")

    def _below(self, folder: str) -> list[str]:
        prefix = "" if folder == "." else f"{folder}/"
        return sorted(path for path in self._paths if path.startswith(prefix))

    def _files(self, path: str, destination: str, into_folder: bool) -> Iterator[File]:
        source = self._directory / path
        if source.is_dir() and not source.is_symlink():
            for member in self._below(path):
                file = self._directory / member
                if file.is_symlink() or not file.is_dir():
                    yield self._file(member, posixpath.join(destination, os.path.relpath(member, path)))
        else:
            name = posixpath.basename(path)
            yield self._file(path, posixpath.join(destination, name) if into_folder else destination)

    def _file(self, path: str, destination: str) -> File:
        source = self._directory / path
        if source.is_symlink():
            link = os.readlink(source)  # noqa: PTH115  # the text itself, not a path made of it
            if not source.resolve().is_relative_to(self._directory.resolve()) or posixpath.isabs(link):
                raise InstructionError(f"{path} is a symbolic link to {link}, outside of the build context")
            return File(destination, source, 0o777, link)
        if not source.is_file():
            raise InstructionError(f"{path} is neither a file nor a folder")
        return File(destination, source, 0o755 if source.stat().st_mode & 0o100 else 0o644, None)
