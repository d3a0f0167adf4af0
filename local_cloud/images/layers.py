"""Content-addressed folders: each is named by what it was made from, made once, and never seen half made.

layers/<digest>/        descriptor.json (what it was made from) and the content
drafts/<digest>/        a layer being made; renamed to layers/<digest> when it is whole
locks/<digest>          held, as a file lock, by whoever makes that layer
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def canonical(document: Any) -> bytes:
    """A document as JSON, the same bytes for the same content."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(content: bytes) -> str:
    """The digest in the form of registries, `sha256:` and hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that no reader sees a part of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(content)
    draft.chmod(mode)
    draft.replace(path)


@dataclass(frozen=True)
class Draft:
    """A layer being made.

    Attributes:
        path: the folder to fill.
        lock: file descriptor of the lock. A child process that inherits it keeps others out for as long as it writes,
            even when this process is killed.
    """

    path: Path
    lock: int


class LayerStore:
    """The layers of this machine."""

    def __init__(self, directory: Path) -> None:
        self._layers = directory / "layers"
        self._drafts = directory / "drafts"
        self._locks = directory / "locks"

    def path(self, digest: str) -> Path:
        """Where the layer is, when it is there."""
        return self._layers / digest.removeprefix("sha256:")

    def descriptor(self, digest: str) -> bytes:
        """What the layer was made from."""
        return (self.path(digest) / "descriptor.json").read_bytes()

    @contextmanager
    def making(self, descriptor: bytes, waiting: Callable[[], None]) -> Iterator[Draft | None]:
        """Make a layer unless it is there already.

        Args:
            descriptor: all that the content depends on.
            waiting: called when another process makes this layer just now, before waiting for it.

        Yields:
            The draft to fill, which becomes the layer when the block ends without an error, or None: nothing to do.
        """
        final = self.path(digest_of(descriptor))
        if final.exists():
            yield None
            return
        with self._locked(final.name, waiting) as lock:
            if final.exists():
                yield None
                return
            draft = self._drafts / final.name
            shutil.rmtree(draft, ignore_errors=True)  # of a build that was killed
            draft.mkdir(parents=True)
            try:
                yield Draft(draft, lock)
                (draft / "descriptor.json").write_bytes(descriptor)
                final.parent.mkdir(parents=True, exist_ok=True)
                draft.replace(final)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    @contextmanager
    def _locked(self, name: str, waiting: Callable[[], None]) -> Iterator[int]:
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / name).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()
