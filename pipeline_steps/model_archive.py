"""Reads a model.tar.gz as data from another trust zone, and sums up a model's files in one digest.

This file is in model_code and in pipeline_steps, neither of which may import the other. A test holds the two the same,
so that the container and the steps refuse the same archives and mean the same digest.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

LONGEST_PATH_BYTES = 255
"""What file systems and SageMaker (API reference, S3ModelDataSource) take for one part of a path is enough for all."""

LARGEST_HEADER_BYTES = 1024 * 1024
"""Of what an archive says about one member, which tarfile holds in memory as a whole. The longest path takes 4 KiB."""

_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
}


@dataclass(frozen=True)
class Limits:
    """How much of an archive is read before it is refused.

    Attributes:
        unpacked_bytes: of the whole tar stream. 20 GiB is the volume of a job (volume_gib in slipway.yaml).
        members: files and folders. Formats that cut a model into shards make hundreds; path and digest of each file are
            held in memory.
    """

    unpacked_bytes: int = 20 * 2**30
    members: int = 10_000


LIMITS = Limits()


class ArchiveError(Exception):
    """It is not the archive of a model; the text names archive, member, value and limit."""


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def read_files(
    archive: Readable, called: str, limits: Limits = LIMITS
) -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
    """The files in a .tar.gz: path and content, which is to be read before the next file is asked for.

    Args:
        archive: the compressed stream; it is read from its beginning to its end, and never back.
        called: its name, for errors.
        limits: for tests.

    Raises:
        ArchiveError: also while a content is read. What has been read so far must then not be used.
    """
    stream = _TarStream(gzip.GzipFile(fileobj=archive, mode="rb"), called, limits)  # type: ignore[call-overload]  # it reads alone
    seen = _Seen(called, limits)
    with _refusing(stream), tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as members:  # type: ignore[call-overload]  # as above
        for member in members:
            stream.member = member.name
            path = seen.checked(member)
            if member.isfile():
                yield path, _content(stream, member)
        stream.check_end()
        seen.check_files()


def digest_of(digests: Mapping[str, str]) -> str:
    """The digest of a model: the SHA-256 of what `sha256sum` lists for its files in the order of their paths.

    Args:
        digests: the SHA-256 of each file by its path, in hexadecimal.
    """
    return hashlib.sha256("".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()).hexdigest()


def checked_path(name: str) -> PurePosixPath:
    """A path below the model's folder, which cannot lead out of it and stands in one line of a list.

    Raises:
        ValueError: with what it must be.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("must be a path inside the model's folder")
    # Where sha256sum would have to escape, two lists of different files could be the same text.
    if "\\" in name or not name.isprintable():
        raise ValueError("must be of printable characters without a backslash")
    if len(name.encode()) > LONGEST_PATH_BYTES:
        raise ValueError(f"must have at most {LONGEST_PATH_BYTES} bytes, it has {len(name.encode()):,}")
    return path


class _TarStream:
    """The unpacked stream, as far as tarfile needs a file: it goes forward only and counts what comes out of it."""

    def __init__(self, unpacked: Readable, called: str, limits: Limits) -> None:
        self._unpacked, self.called, self.limits = unpacked, called, limits
        self._position = 0
        self._last = b""
        self.member = ""

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        # tarfile asks for a header at once, as long as the archive says that it is; a length below 0 means everything.
        if not 0 <= size <= LARGEST_HEADER_BYTES:
            raise self.refusal(f"a header of {size:,} bytes", f"at most {LARGEST_HEADER_BYTES:,}")
        self._last = self._unpacked.read(size)
        self._position += len(self._last)
        if self._position > self.limits.unpacked_bytes:
            raise self.refusal(f"{self._position:,} bytes unpacked", f"at most {self.limits.unpacked_bytes:,}")
        return self._last

    def seek(self, position: int) -> None:
        if position < self._position:  # a content that is asked for too late, or a header that leads back
            raise self.refusal(f"its content at byte {position:,}", f"{self._position:,} or more")
        while self._position < position and self.read(min(LARGEST_HEADER_BYTES, position - self._position)):
            pass

    def check_end(self) -> None:
        """See that tarfile has stopped at the end, not at a header that it cannot read, and that nothing follows.

        Reading on has gzip compare its own checksum, too.
        """
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise self.refusal("no end of a tar archive after the last member", "512 zero bytes")
        while block := self.read(LARGEST_HEADER_BYTES):
            if block.strip(b"\0"):
                raise self.refusal("data after its end", "nothing but zeros")

    def refusal(self, found: str, allowed: str) -> ArchiveError:
        place = f", {_shown(self.member)} or after it" if self.member else ""
        return ArchiveError(f"{self.called}{place}: has {found}, allowed: {allowed}")


class _Seen:
    """What members there were, to tell whether the next one may be."""

    def __init__(self, called: str, limits: Limits) -> None:
        self._called, self._limits = called, limits
        self._count = 0
        self._files: set[PurePosixPath] = set()
        self._folders = {PurePosixPath()}

    def checked(self, member: tarfile.TarInfo) -> PurePosixPath:
        """The member's path; raises ArchiveError."""
        self._count += 1
        if self._count > self._limits.members:
            raise self._refusal(member, f"is member {self._count:,}", f"at most {self._limits.members:,}")
        if member.sparse is not None:  # a hole has any size and takes no bytes
            raise self._refusal(member, "is a sparse file", "files and folders")
        if not (member.isfile() or member.isdir()):
            kind = _KINDS.get(member.type, f"of the type {member.type!r}")
            target = f" to {_shown(member.linkname)}" if member.linkname else ""
            raise self._refusal(member, f"is {kind}{target}", "files and folders")
        end, limit = member.offset_data + member.size, self._limits.unpacked_bytes
        if member.size < 0 or end > limit:
            raise self._refusal(
                member, f"is of {member.size:,} bytes, up to byte {end:,}", f"0 or more, up to {limit:,}"
            )
        try:
            path = checked_path(member.name)
        except ValueError as error:
            raise ArchiveError(f"{self._called}: the path {_shown(member.name)} {error}") from error
        if path in self._files:
            raise self._refusal(member, "is there twice", "each file once")
        (self._files if member.isfile() else self._folders).add(path)
        return path

    def check_files(self) -> None:
        """See that there was a file, and none that something else takes for a folder."""
        if not self._files:
            raise ArchiveError(f"{self._called}: has no file, allowed: 1 or more")
        clashing = self._files & self._folders
        for path in self._files | self._folders:
            clashing |= self._files.intersection(path.parents)
        if clashing:
            name = _shown(str(min(clashing)))
            raise ArchiveError(f"{self._called}: {name} is a file and a folder, allowed: one of the two")

    def _refusal(self, member: tarfile.TarInfo, found: str, allowed: str) -> ArchiveError:
        return ArchiveError(f"{self._called}: {_shown(member.name)} {found}, allowed: {allowed}")


def _shown(name: str) -> str:
    """A member's name in an error: one line, and not as long as an archive can have it."""
    return ascii(name if len(name) <= 100 else f"{name[:100]}...")


def _content(stream: _TarStream, member: tarfile.TarInfo) -> Iterator[bytes]:
    with _refusing(stream):
        stream.seek(member.offset_data)
        remaining = member.size
        while remaining:
            block = stream.read(min(LARGEST_HEADER_BYTES, remaining))
            if not block:
                raise stream.refusal(f"{member.size - remaining:,} bytes of it", f"the {member.size:,} that it says")
            remaining -= len(block)
            yield block


@contextmanager
def _refusing(stream: _TarStream) -> Iterator[None]:
    """Turn what gzip and tarfile raise on broken data into a refusal."""
    try:
        yield
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ArchiveError(f"{stream.called}: is no archive that can be read: {reason}") from error
