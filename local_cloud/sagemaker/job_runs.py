"""The run of a job, training or processing: one thread, one container, every change stored as it happens."""

import logging
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from local_cloud.cloud import Cloud
from local_cloud.images import ImageNotFound, ImageStore, PullDeniedError, Reference
from local_cloud.sagemaker.container_logs import ContainerLog
from local_cloud.sagemaker.containers import Command, ContainerFolder, Ended, JobContainer, cloud_answers, command_of
from local_cloud.sagemaker.errors import JobFailedError, TransferError, invalid
from local_cloud.sagemaker.s3_content import S3Content, S3Location
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

FAILURE_CHARACTERS = 1024
"""FailureReason and ExitMessage hold no more."""


class _CutOffError(Exception):
    """The cloud itself is being stopped, and the job's container with it."""


class JobRun(ABC):
    """One run of a job.

    Args:
        job: the job's document at its start; it holds the request.
        folder: where its container works; removed at the end.
        log_group: its lines go to a stream `{job}/algo-1-{epoch seconds}` of this group.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, name: str, job: Mapping[str, Any], folder: Path, log_group: str
    ) -> None:
        self.name = name
        self.job = job
        self._cloud = cloud
        self._images = images
        self._root = folder
        self._log_group = log_group
        self._container = JobContainer(cloud.processes)

    def start(self, ended: Callable[[], None]) -> None:
        """Run in the background and call `ended` at the end, however it comes."""

        def run() -> None:
            try:
                self._run()
            finally:
                shutil.rmtree(self._root, ignore_errors=True)
                ended()

        self._cloud.background(run, f"job {self.name}")

    def stop(self) -> None:
        """End the container, with the time to save what it has; returns at once."""
        self._container.stop()

    @abstractmethod
    def perform(self, folder: ContainerFolder) -> None:
        """Do the job, up to and including its final status.

        Raises:
            JobFailedError: it failed; its text is the FailureReason.
        """

    @abstractmethod
    def fail(self, reason: str) -> None:
        """Store the final status Failed."""

    @property
    def stop_asked(self) -> bool:
        return self._container.stop_asked

    def content(self) -> S3Content:
        """S3 as the job's role sees it."""
        return S3Content(self._cloud, self.job["RoleArn"])

    def run_container(self, command: Command, see: Callable[[str], None], limit_seconds: float) -> Ended:
        """Run the container with its lines in the log and shown to `see`; the log is complete when this returns."""
        stream_name = f"{self.name}/algo-1-{int(time.time())}"
        stream = ContainerLog(self._cloud, self._log_group, stream_name, self.job["RoleArn"])

        def output(line: str) -> None:
            stream.write(line)
            see(line)

        try:
            ended = self._container.run(command, output=output, name=self.name, limit_seconds=limit_seconds)
        except OSError as error:
            stream.write(str(error))
            raise JobFailedError(f"ClientError: The container could not be started: {error}") from error
        finally:
            stream.close()
        if ended.failed and not cloud_answers(self._cloud):
            raise _CutOffError
        return ended

    def command(self, image_uri: str, specification: Mapping[str, Any], arguments: list[str], folder: ContainerFolder,
                variables: Mapping[str, str], isolated: bool) -> Command:  # fmt: skip
        """The container's command, with the job's role as its credentials unless it is isolated from the network."""
        try:
            image = self._images.pull(image_uri, self.job["RoleArn"])
        except ImageNotFound as error:
            raise JobFailedError(f"ClientError: {error}") from error
        except PullDeniedError as error:
            raise JobFailedError(
                "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are "
                f"incorrect. ({error})"
            ) from error
        place = {} if isolated else self._cloud.role_environment(self.job["RoleArn"], f"SageMaker-{self.name}")
        return command_of(
            image,
            specification.get("ContainerArguments", arguments),
            folder,
            {**self.job.get("Environment", {}), **place, **variables},
            specification.get("ContainerEntrypoint"),
        )

    def _run(self) -> None:
        try:
            self.perform(ContainerFolder(self._root))
        except JobFailedError as failure:
            self.fail(str(failure)[:FAILURE_CHARACTERS])
        except ServiceError as refusal:  # the role cannot be assumed any more
            self.fail(f"ClientError: {refusal.message}"[:FAILURE_CHARACTERS])
        except (_CutOffError, BotoCoreError):  # the cloud itself is being stopped; its next start fails this job
            logger.warning("job %s was cut off", self.name, exc_info=True)
        except Exception as error:
            logger.exception("job %s failed inside the local cloud", self.name)
            self.fail(f"InternalServerError: {error!r}; the local cloud's log has the details."[:FAILURE_CHARACTERS])


def read_start(path: Path) -> str | None:
    """The first 1,024 characters of a text that a container left behind; None when it left none."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(FAILURE_CHARACTERS)


@contextmanager
def failing_as(what: str) -> Iterator[None]:
    """A refused transfer fails the job with AWS's words for it, such as `Data download failed`."""
    try:
        yield
    except TransferError as error:
        raise JobFailedError(f"ClientError: {what}:{error}") from error


def check_image(images: ImageStore, image_uri: str, role_arn: str | None = None) -> None:
    """
    Args:
        images: where the image must be.
        image_uri: of the image.
        role_arn: the role that must be able to pull it, where SageMaker looks at that already.

    Raises:
        ServiceError: the image is not in ECR, or the role may not pull it.
    """
    try:
        images.resolve(image_uri, role_arn)
    except ImageNotFound as error:
        raise invalid(f"Requested image {image_uri} not found. {error}") from error
    except PullDeniedError as error:
        reference = Reference.parse(image_uri)
        raise invalid(
            f"Access denied for repository: {reference.repository} in registry ID: {reference.ecr()[0]}. Please check "
            f"if your ECR repository and image exist and role {role_arn} has proper pull permissions for SageMaker: "
            f"ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer ({error})"
        ) from error


def check_input(content: S3Content, uri: str, role_arn: str, region: str) -> None:
    """
    Raises:
        ServiceError: nothing is there that the role can list.
    """
    try:
        location = S3Location.parse(uri)
    except TransferError as error:
        raise invalid(str(error)) from error
    if not content.any_object(location):
        raise invalid(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
            f'"{role_arn}" has "s3:ListBucket" permissions on bucket "{location.bucket}".'
        )
