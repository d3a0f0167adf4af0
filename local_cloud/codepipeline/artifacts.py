"""Artifacts: zip files in the pipeline's artifact store."""

import io
import secrets
import string
import zipfile
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun
from local_cloud.codepipeline.records import Artifact, Declaration

_RANDOM_CHARACTERS = string.ascii_letters + string.digits


def store_of(declaration: Declaration, region: str) -> Declaration:
    """The artifact store of a pipeline in a region."""
    store: Declaration = declaration.get("artifactStore") or declaration["artifactStores"][region]
    return store


def encryption_key_of(store: Declaration) -> str | None:
    key: str | None = store.get("encryptionKey", {}).get("id")
    return key


def new_artifact(pipeline: str, name: str, bucket: str) -> Artifact:
    """A place for an artifact of this name, where nothing lies yet (AWS cuts the names as here)."""
    suffix = "".join(secrets.choice(_RANDOM_CHARACTERS) for _ in range(7))
    return Artifact(name, bucket, f"{pipeline[:20]}/{name[:10]}/{suffix}")


def write(run: ActionRun, artifact: Artifact, content: bytes) -> None:
    """Put a file where the artifact belongs, with the action's role and the artifact store's key."""
    encryption: dict[str, Any] = {}
    if run.encryption_key is not None:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": run.encryption_key}
    run.client("s3").put_object(Bucket=artifact.bucket, Key=artifact.key, Body=content, **encryption)


def write_file(run: ActionRun, artifact: Artifact, path: str, content: bytes) -> None:
    """Put an artifact that holds one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path, content)
    write(run, artifact, buffer.getvalue())


def read_file(run: ActionRun, reference: str) -> bytes:
    """The file that an action's configuration names as `Artifact::path/in/it`.

    Raises:
        ActionFailedError: no such input artifact or file.
    """
    name, separator, path = reference.partition("::")
    artifact = next((artifact for artifact in run.inputs if artifact.name == name), None)
    if not separator or artifact is None:
        inputs = ", ".join(artifact.name for artifact in run.inputs) or "none"
        message = f"'{reference}' must be ARTIFACT::FILE with one of the action's input artifacts ({inputs})"
        raise ActionFailedError("ConfigurationError", message)
    try:
        content = run.client("s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
    except ClientError as error:
        message = f"The artifact {name} (s3://{artifact.bucket}/{artifact.key}) cannot be read: {error}"
        raise ActionFailedError("ConfigurationError", message) from error
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if path not in archive.namelist():
            files = ", ".join(archive.namelist()[:20])
            message = f"File [{path}] does not exist in artifact [{name}]; it holds {files}"
            raise ActionFailedError("ConfigurationError", message)
        return archive.read(path)
