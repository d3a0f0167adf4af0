"""The output artifacts of a build: its files, zipped or one by one, in S3."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.codebuild.buildspec import Artifact
from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.failures import PhaseError
from local_cloud.codebuild.files import NoBaseDirectoryError, select


@dataclass(frozen=True)
class Upload:
    """Where an artifact went; the checksum is of a zip file."""

    location: str
    sha256sum: str | None


def upload(
    s3: Any, target: Mapping[str, Any], artifact: Artifact, name: str, build_uuid: str, source: Path, log: ContainerLog
) -> Upload:
    """Collect an artifact's files and put them into S3.

    Args:
        s3: a client with the rights of the build.
        target: ProjectArtifacts of type S3.
        artifact: the buildspec's part.
        name: the artifact's name, that of the buildspec evaluated.
        build_uuid: for a target whose namespace is the build.
        source: the folder that the artifact's files are relative to.
        log: told how many files there are.

    Raises:
        PhaseError: no file matches, or S3 refuses.
    """
    files = _files(artifact, source, log)
    parts = [target.get("path", ""), build_uuid if target.get("namespaceType") == "BUILD_ID" else "", name]
    key = "/".join(part.strip("/") for part in parts if part.strip("/"))
    bucket = target["location"].removeprefix("arn:aws:s3:::")
    try:
        if target.get("packaging") == "ZIP":
            return _upload_zip(s3, bucket, key, files, source)
        for relative, path in files.items():
            s3.upload_file(str(path), bucket, f"{key}/{relative}")
    except (BotoCoreError, ClientError, S3UploadFailedError) as error:
        raise PhaseError("CLIENT_ERROR", f"Failed to upload artifacts: {error}") from error
    return Upload(f"arn:aws:s3:::{bucket}/{key}", None)


def _files(artifact: Artifact, source: Path, log: ContainerLog) -> dict[str, Path]:
    log.say(f"Expanding base directory path: {artifact.base_directory or '.'}")
    try:
        files = select(artifact, source)
    except NoBaseDirectoryError as error:
        raise PhaseError("CLIENT_ERROR", f"no matching base directory path found for {error}") from error
    for pattern in artifact.files:
        log.say(f"Expanding {pattern}")
    if not files:
        raise PhaseError("CLIENT_ERROR", "no matching artifact paths found")
    log.say(f"Found {len(files)} file(s)")
    return files


def _upload_zip(s3: Any, bucket: str, key: str, files: Mapping[str, Path], source: Path) -> Upload:
    archive = source.with_name(f"{source.name}-artifact.zip")
    try:
        # Level 1: an artifact lives as long as a pipeline's run, and level 6 takes three times as long.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as content:
            for relative, path in files.items():
                content.write(path, relative)
        with archive.open("rb") as packed:
            checksum = hashlib.file_digest(packed, "sha256").hexdigest()
        s3.upload_file(str(archive), bucket, key, ExtraArgs={"ContentType": "application/zip"})
    finally:
        archive.unlink(missing_ok=True)
    return Upload(f"arn:aws:s3:::{bucket}/{key}", checksum)
