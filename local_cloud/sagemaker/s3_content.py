"""What SageMaker reads from and writes to S3 on behalf of a role."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from botocore.exceptions import ClientError

from local_cloud.cloud import Cloud
from local_cloud.sagemaker.errors import TransferError

_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class S3Location:
    """An S3 object or prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """
        Raises:
            TransferError: it is no s3:// URI with a bucket.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise TransferError(f'"{uri}" is not an S3 URI: s3://bucket/key')
        return cls(bucket, key)

    def __truediv__(self, relative: str) -> "S3Location":
        return S3Location(self.bucket, "/".join(part for part in (self.key.rstrip("/"), relative) if part))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class S3Content:
    """S3 as one role sees it."""

    def __init__(self, cloud: Cloud, role_arn: str | None) -> None:
        self._client = cloud.client("s3", role_arn)

    def any_object(self, prefix: S3Location) -> bool:
        """Whether an object's key starts with the prefix; a bucket that cannot be listed has none."""
        try:
            page = self._client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, MaxKeys=1)
        except ClientError:
            return False
        return bool(page.get("KeyCount"))

    def exists(self, location: S3Location) -> bool:
        """
        Raises:
            TransferError: S3 does not say (no such bucket, access denied).
        """
        try:
            # Asked for and not read: the answer to HEAD has no body that would tell why it was refused.
            self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"].close()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise _transfer_error(location, error) from error
        return True

    def download_object(self, location: S3Location, path: Path) -> None:
        try:
            body = self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"]
        except ClientError as error:
            raise _transfer_error(location, error) from error
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(body, file, _COPY_BYTES)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise TransferError(
                f"Cannot download {location}, a previously downloaded file/folder clashes with it. Please check your "
                "s3 objects and ensure that there is no object that is both a folder as well as a file."
            ) from error

    def download_prefix(self, prefix: S3Location, folder: Path) -> None:
        """Download every object whose key starts with the prefix, with the rest of its key as its path.

        Raises:
            TransferError: there is none, or S3 refuses one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        found = False
        for key in self._keys(prefix):
            found = True
            if not key.endswith("/"):
                self.download_object(S3Location(prefix.bucket, key), _inside(folder, relative_key(prefix.key, key)))
        if not found:
            raise TransferError(f'No S3 objects found under S3 URL "{prefix}" given in input data source.')

    def download_manifest(self, manifest: S3Location, folder: Path) -> None:
        """Download the objects that a manifest names: `[{"prefix": "s3://bucket/start/"}, "relative/key", ...]`.

        Raises:
            TransferError: it is not such a document, or S3 refuses an object.
        """
        try:
            text = self._client.get_object(Bucket=manifest.bucket, Key=manifest.key)["Body"].read()
            head, *names = json.loads(text)
            prefix = S3Location.parse(head["prefix"])
        except ClientError as error:
            raise _transfer_error(manifest, error) from error
        except (ValueError, TypeError, KeyError) as error:
            raise TransferError(f'{manifest} is not a manifest: [{{"prefix": "s3://…/"}}, "key", …]') from error
        for name in names:
            self.download_object(S3Location(prefix.bucket, prefix.key + name), _inside(folder, name))

    def upload_file(self, path: Path, location: S3Location, kms_key_id: str | None) -> None:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        try:
            with path.open("rb") as file:
                self._client.put_object(Bucket=location.bucket, Key=location.key, Body=file, **encryption)
        except ClientError as error:
            raise _transfer_error(location, error) from error

    def upload_folder(self, folder: Path, prefix: S3Location, kms_key_id: str | None) -> None:
        """Upload the files below a folder; symbolic links are not followed."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.upload_file(path, prefix / path.relative_to(folder).as_posix(), kms_key_id)

    def _keys(self, prefix: S3Location) -> Iterator[str]:
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=prefix.key):
                for item in page.get("Contents", []):
                    yield item["Key"]
        except ClientError as error:
            raise _transfer_error(prefix, error) from error


def relative_key(prefix: str, key: str) -> str:
    """Where an object is put below the folder of its prefix, as SageMaker does.

    A prefix that is a folder (with or without its slash) gives the path below it; one that is an object's whole key
    gives its name; one that ends within a name gives the path from that name on.
    """
    rest = key[len(prefix) :]
    if prefix.endswith("/") or rest.startswith("/") or not prefix:
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def _inside(folder: Path, relative: str) -> Path:
    path = folder / relative
    if ".." in path.parts or not path.is_relative_to(folder):
        raise TransferError(f"The key {relative!r} leads out of its folder")
    return path


def _transfer_error(location: S3Location, error: ClientError) -> TransferError:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    details = error.response["Error"]
    return TransferError(f"{details['Code']} ({status}): {details.get('Message', '')} [{location}]")
