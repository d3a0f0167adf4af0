"""Writes files whole: who finds one finds all of it."""

from pathlib import Path


def write_whole(file: Path, content: bytes) -> None:
    """Write beside the file, then rename, so that a job that is stopped leaves no half of it."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)
