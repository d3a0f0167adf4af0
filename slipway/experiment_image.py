"""The image of the working tree's code: the commit's own when nothing is changed, else built as the pipeline builds it.

The build runs in CodeBuild, as the pipeline's action BuildImage does: nobody needs docker, and what is experimented
with is what a push would build. Its tag is a digest of what goes into the image, so that it is built once.
"""

import hashlib
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from slipway.build_logs import build_log, end_of_log
from slipway.errors import UserError
from slipway.experiment_line import BUILD_IMAGE, DeployedLine
from slipway.failures import build_failure
from slipway.git_repository import GitRepository
from slipway.project import SETTINGS_FILE, Project
from slipway.target import Target

CODE = "model_code"

_TAG = "experiment-"
_TAG_DIGITS = 16


@dataclass(frozen=True)
class BuiltImage:
    """An image in the project's repository.

    Attributes:
        uri: by digest.
        origin: what it is, in words.
        complaint: why the pipeline would not use it, such as its scan; None when it would, or when nobody asked.
    """

    uri: str
    origin: str
    complaint: str | None = None


@dataclass(frozen=True)
class WorkingImage:
    """The image of a working tree.

    Attributes:
        base_image: what it is built on, from slipway.yaml.
    """

    target: Target
    project: Project
    line: DeployedLine
    repository: GitRepository
    base_image: str

    def provide(self, experiment_id: str, progress: Callable[[str], None]) -> BuiltImage:
        """The image, built unless the registry has it.

        Raises:
            UserError: the build failed, with its reason.
        """
        head = self.repository.head()
        if not self.repository.uncommitted_changes(CODE, SETTINGS_FILE) and (uri := self._pushed(head)):
            return BuiltImage(uri, f"of commit {head[:8]}")
        files = self.repository.files()
        tag = _TAG + self._digest(files)
        if uri := self._pushed(tag):
            return BuiltImage(uri, f"{tag}, built before")
        complaint = self._build(tag, files, experiment_id, progress)
        uri = self._pushed(tag)
        if uri is None:
            raise UserError(
                f"the image of the working tree could not be built: {complaint or 'the build pushed none'}",
                f"correct {CODE}/, and try again",
            )
        return BuiltImage(uri, f"{tag}, built by {self._build_project}", complaint)

    def _digest(self, files: Sequence[str]) -> str:
        digest = hashlib.sha256(self.base_image.encode())
        for name in files:
            if name.startswith(f"{CODE}/"):
                digest.update(f"\0{name}\0".encode(errors="surrogateescape"))
                digest.update(hashlib.sha256((self.project.root / name).read_bytes()).digest())
        return digest.hexdigest()[:_TAG_DIGITS]

    def _pushed(self, tag: str) -> str | None:
        """The URI by digest of the image with a tag; None when there is none."""
        ecr, name = self.target.client("ecr"), self.line.variables["IMAGE_REPOSITORY"]
        with suppress(ecr.exceptions.ImageNotFoundException):
            digest = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"][0]
            uri = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryUri"]
            return f"{uri}@{digest['imageDigest']}"
        return None

    def _build(self, tag: str, files: Sequence[str], experiment_id: str, progress: Callable[[str], None]) -> str | None:
        """Build and push the image; returns why the build failed, or None. Ctrl-C stops it."""
        codebuild = self.target.client("codebuild")
        request = self._build_request(self._upload(tag, files), tag, experiment_id)
        build_id = codebuild.start_build(**request)["build"]["id"]
        try:
            build = self._wait(codebuild, build_id, progress)
        except KeyboardInterrupt:
            with suppress(ClientError):
                codebuild.stop_build(id=build_id)
            raise
        if build["buildStatus"] == "SUCCEEDED":
            return None
        place = build_log(codebuild, build_id)
        lines = end_of_log(self.target.client("logs"), place) if place else []
        return build_failure(lines, None) or f"the build {build_id} ended {build['buildStatus']}"

    def _build_request(self, source: str, tag: str, experiment_id: str) -> dict[str, Any]:
        """The project's build, but of a source that no pipeline hands over, and without an output for one."""
        variables = {"EXECUTION_ID": experiment_id, "COMMIT_ID": tag}
        return {
            "projectName": self._build_project,
            "sourceTypeOverride": "S3",
            "sourceLocationOverride": source,
            "artifactsOverride": {"type": "NO_ARTIFACTS"},
            "environmentVariablesOverride": [{"name": name, "value": value} for name, value in variables.items()],
        }

    def _upload(self, tag: str, files: Sequence[str]) -> str:
        """Put the working tree where the build may read: beside the sources that CodePipeline puts there."""
        key = f"{self.project.name[:20]}/Source/{tag}.zip"
        with tempfile.TemporaryFile() as archive:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                for name in files:
                    packed.write(self.project.root / name, name)
            archive.seek(0)
            self.target.client("s3").upload_fileobj(archive, self.line.artifact_bucket, key)
        return f"{self.line.artifact_bucket}/{key}"

    def _wait(self, codebuild: Any, build_id: str, progress: Callable[[str], None]) -> Mapping[str, Any]:
        phase = ""
        while True:
            build: Mapping[str, Any] = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
            if build["buildComplete"]:
                return build
            if build["currentPhase"] != phase:
                phase = build["currentPhase"]
                progress(f"{build_id} is in {phase}")
            time.sleep(self.target.poll_seconds)

    @property
    def _build_project(self) -> str:
        return f"{self.project.name}-{BUILD_IMAGE}"
