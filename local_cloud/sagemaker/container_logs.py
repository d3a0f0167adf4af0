"""The log of a container, written with the permissions of its role.

A role without them has a container without a log, which runs on: nothing in SageMaker's documentation lets a job or an
endpoint fail for its log.
"""

import logging

from botocore.exceptions import ClientError

from local_cloud.cloud import Cloud, LogStream

logger = logging.getLogger(__name__)


class ContainerLog:
    """A stream in CloudWatch Logs, or nothing where the role may not write."""

    def __init__(self, cloud: Cloud, group: str, stream: str, role_arn: str) -> None:
        self._name = f"{group}/{stream}"
        self._stream = self._open(cloud, group, stream, role_arn)

    def write(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(line)

    def close(self) -> None:
        """Write what is left; may be called more than once."""
        if self._stream is not None:
            try:
                self._stream.close()
            except ClientError as error:
                self._warn(error)

    def _open(self, cloud: Cloud, group: str, stream: str, role_arn: str) -> LogStream | None:
        try:
            return cloud.logs(group, stream, role_arn)
        except ClientError as error:
            self._warn(error)
            return None

    def _warn(self, error: ClientError) -> None:
        logger.warning("the log %s is not written: %s", self._name, error.response["Error"]["Message"])
