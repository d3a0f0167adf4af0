"""The run of a processing job: inputs in, the container, outputs out, as SageMaker's container contract has it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.containers import ContainerFolder, Ended
from local_cloud.sagemaker.errors import JobFailedError
from local_cloud.sagemaker.job_runs import JobRun, failing_as, read_start
from local_cloud.sagemaker.s3_content import S3Location
from local_cloud.store import Table

DEFAULT_MAX_RUNTIME_SECONDS = 86_400

_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
_HOST = "algo-1"
_CONFIG_MEMBERS = (
    "ProcessingJobArn", "ProcessingJobName", "AppSpecification", "Environment", "ProcessingInputs",
    "ProcessingOutputConfig", "ProcessingResources", "RoleArn", "StoppingCondition", "NetworkConfig",
)  # fmt: skip


def finish(job: dict[str, Any], status: str, failure_reason: str | None = None) -> None:
    """Note in the job's document how and when it ended."""
    now = datetime.now(UTC)
    job |= {"ProcessingJobStatus": status, "ProcessingEndTime": now, "LastModifiedTime": now}
    if failure_reason is not None:
        job["FailureReason"] = failure_reason


class ProcessingRun(JobRun):
    """One run of a processing job."""

    def __init__(
        self, cloud: Cloud, images: ImageStore, table: Table, key: str, job: Mapping[str, Any], folder: Path
    ) -> None:
        super().__init__(cloud, images, job["ProcessingJobName"], job, folder, _LOG_GROUP)
        self._table = table
        self._key = key
        self._outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])

    def perform(self, folder: ContainerFolder) -> None:
        with self._table.change(self._key) as job:
            job["ProcessingStartTime"] = job["LastModifiedTime"] = datetime.now(UTC)
        self._write_config(folder)
        self._download(folder)
        ended = self._process(folder)
        message = read_start(folder.place("/opt/ml/output/message"))
        if message:
            with self._table.change(self._key) as job:
                job["ExitMessage"] = message
        if ended.failed:
            raise JobFailedError("AlgorithmError: See job logs for more information")
        if ended.exit_code is not None:
            self._upload(folder)
        with self._table.change(self._key) as job:
            finish(job, "Stopped" if ended.stop_asked or ended.over_time else "Completed")

    def fail(self, reason: str) -> None:
        with self._table.change(self._key) as job:
            finish(job, "Failed", reason)

    def _write_config(self, folder: ContainerFolder) -> None:
        config = folder.make("/opt/ml/config")
        folder.make("/opt/ml/output")
        for output in self._outputs:
            folder.make(output["S3Output"]["LocalPath"])
        request = {name: self.job[name] for name in _CONFIG_MEMBERS if name in self.job}
        (config / "processingjobconfig.json").write_text(json.dumps(request))
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": _HOST, "hosts": [_HOST]}))

    def _download(self, folder: ContainerFolder) -> None:
        content = self.content()
        with failing_as("Data download failed"):
            for item in self.job.get("ProcessingInputs", []):
                if self.stop_asked:
                    return
                source = item["S3Input"]
                download = (
                    content.download_manifest if source["S3DataType"] == "ManifestFile" else content.download_prefix
                )
                download(S3Location.parse(source["S3Uri"]), folder.make(source["LocalPath"]))

    def _process(self, folder: ContainerFolder) -> Ended:
        specification = self.job["AppSpecification"]
        isolated = self.job.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
        command = self.command(specification["ImageUri"], specification, [], folder, {}, isolated)
        return self.run_container(command, lambda line: None, self.job["StoppingCondition"]["MaxRuntimeInSeconds"])

    def _upload(self, folder: ContainerFolder) -> None:
        key_id = self.job.get("ProcessingOutputConfig", {}).get("KmsKeyId")
        content = self.content()
        with failing_as("Artifact upload failed"):
            for output in self._outputs:
                target = output["S3Output"]
                content.upload_folder(folder.place(target["LocalPath"]), S3Location.parse(target["S3Uri"]), key_id)
