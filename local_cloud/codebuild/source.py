"""The sources of a build: zip files in S3, unpacked."""

import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.codebuild import git_source
from local_cloud.codebuild.failures import PhaseError

SERVED_TYPES = ("S3", git_source.TYPE, "NO_SOURCE")


def download(s3: Any, source: Mapping[str, Any], version: str | None, directory: Path, what: str) -> None:
    """Fetch and unpack a source into `directory`, which is made.

    Args:
        s3: a client with the rights of the build.
        source: a ProjectSource of one of the SERVED_TYPES, but no repository.
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
        # The object is asked for at once: S3 tells the reason of a refusal in a body, which a look ahead (HEAD) lacks.
        answer = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
        with archive.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file)
        unpack(archive, directory)
    except ClientError as error:
        refusal = error.response["Error"]
        message = f"{refusal['Code']}: {refusal['Message']} status code: {_status(error)} {place}"
        raise PhaseError("CLIENT_ERROR", message) from error
    except BotoCoreError as error:
        raise PhaseError("CLIENT_ERROR", f"{error} {place}") from error
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError) as error:  # the last: links in a circle
        raise PhaseError("CLIENT_ERROR", f"the source is not a usable zip file: {error} {place}") from error
    finally:
        archive.unlink(missing_ok=True)


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a zip file with the modes and symbolic links of its files, all of it inside `directory`.

    Raises:
        zipfile.BadZipFile: it is no zip file.
        ValueError: an entry would lie, or point, outside.
        OSError, RuntimeError: entries stand in each other's way.
    """
    root = directory.resolve()
    links = []
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            mode = entry.external_attr >> 16
            target = root / entry.filename
            _check_inside(target, root, f"{entry.filename!r}")
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif stat.S_ISLNK(mode):
                _link(content.read(entry).decode(), target, root)
                links.append(target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(entry) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                target.chmod(stat.S_IMODE(mode) | 0o600 if mode else 0o644)
    for link in links:  # a later one may have turned an earlier one elsewhere
        _check_inside(link, root, f"the link {link.name!r}")


def _link(destination: str, target: Path, root: Path) -> None:
    _check_inside(target.parent / destination, root, f"the link {target.name!r} to {destination!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(destination)


def _check_inside(path: Path, root: Path, what: str) -> None:
    if not path.resolve().is_relative_to(root):
        raise ValueError(f"{what} leads out of the archive")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
