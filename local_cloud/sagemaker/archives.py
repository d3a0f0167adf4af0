"""Model artifacts as archives: packed so that the same files give the same bytes, unpacked without trusting them."""

import gzip
import tarfile
from pathlib import Path

MAXIMUM_EXTRACTED_BYTES = 30 * 2**30
"""What an endpoint instance's default volume holds on AWS."""


def pack(folder: Path, archive: Path) -> None:
    """Write what is in a folder as a .tar.gz without times, owners or a root entry."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(folder)), recursive=False, filter=_anonymous)


def unpack(archive: Path, folder: Path, maximum_bytes: int = MAXIMUM_EXTRACTED_BYTES) -> None:
    """Extract a .tar.gz; nothing gets out of `folder` and no special file is made.

    Raises:
        ValueError: it is no .tar.gz, it reaches out of the folder, or it holds more than `maximum_bytes`.
    """
    extracted = 0
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            for member in tar:
                extracted += member.size
                if extracted > maximum_bytes:
                    raise ValueError(f"it holds more than {maximum_bytes} bytes")
                tar.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, OSError, RecursionError) as error:  # the last: headers that describe headers
        raise ValueError(str(error)) from error


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
