"""The sources of a build: zip files in S3, unpacked."""

import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.codebuild.failures import PhaseError

SERVED_TYPES = ("S3", "NO_SOURCE")


def download(s3: Any, source: Mapping[str, Any], version: str | None, directory: Path, what: str) -> None:
    """Fetch and unpack a source into `directory`, which is made.

    Args:
        s3: a client with the rights of the build.
        source: a ProjectSource of one of the SERVED_TYPES.
        version: of the S3 object; None for the newest.
        directory: the source's folder.
        what: the source in words, for errors.

    Raises:
        PhaseError: it cannot be read, or is no zip file.
    """
    directory.mkdir(parents=True)
    if source["type"] == "NO_SOURCE":
        return
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    archive = directory.with_name(directory.name + ".zip")
    place = f"for {what} and source version {version or f'arn:aws:s3:::{bucket}/{key}'}"
    try:
        s3.download_file(bucket, key, str(archive), ExtraArgs={"VersionId": version} if version else None)
        unpack(archive, directory)
    except ClientError as error:
        answer = error.response["Error"]
        message = f"{answer['Code']}: {answer['Message']} status code: {_status(error)} {place}"
        raise PhaseError("CLIENT_ERROR", message) from error
    except BotoCoreError as error:
        raise PhaseError("CLIENT_ERROR", f"{error} {place}") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise PhaseError("CLIENT_ERROR", f"the source is not a usable zip file: {error} {place}") from error
    finally:
        archive.unlink(missing_ok=True)


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a zip file with the modes and symbolic links of its files, all of it inside `directory`.

    Raises:
        zipfile.BadZipFile: it is no zip file.
        ValueError: an entry would lie, or point, outside.
    """
    root = directory.resolve()
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            mode = entry.external_attr >> 16
            target = root / entry.filename
            if not target.resolve().is_relative_to(root):
                raise ValueError(f"{entry.filename!r} lies outside of the archive")
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif stat.S_ISLNK(mode):
                _link(content.read(entry).decode(), target, root)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(entry) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                target.chmod(stat.S_IMODE(mode) | 0o600 if mode else 0o644)


def _link(destination: str, target: Path, root: Path) -> None:
    if not (target.parent / destination).resolve().is_relative_to(root):
        raise ValueError(f"the link {target.name!r} points outside of the archive, to {destination!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(destination)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
