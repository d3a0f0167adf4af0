"""The run of a training job: channels in, `train`, artifacts out, as SageMaker's container contract has it."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.archives import pack
from local_cloud.sagemaker.containers import ContainerFolder, Ended
from local_cloud.sagemaker.errors import JobFailedError
from local_cloud.sagemaker.job_runs import FAILURE_CHARACTERS, JobRun, failing_as, read_start
from local_cloud.sagemaker.metrics import LogMetrics
from local_cloud.sagemaker.s3_content import S3Location
from local_cloud.store import Table

DEFAULT_MAX_RUNTIME_SECONDS = 86_400

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_HOST = "algo-1"
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


def enter(job: dict[str, Any], secondary_status: str) -> None:
    """Note in the job's document that it enters a secondary status now."""
    now = datetime.now(UTC)
    transitions = job.setdefault("SecondaryStatusTransitions", [])
    if transitions:
        transitions[-1]["EndTime"] = now
    transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": _MESSAGES[secondary_status]})
    job["SecondaryStatus"] = secondary_status
    job["LastModifiedTime"] = now


def finish(job: dict[str, Any], status: str, secondary_status: str, failure_reason: str | None = None) -> None:
    """Note in the job's document how and when it ended."""
    enter(job, secondary_status)
    end = job["LastModifiedTime"]
    job["SecondaryStatusTransitions"][-1]["EndTime"] = end
    job["TrainingJobStatus"] = status
    job["TrainingEndTime"] = end
    if "TrainingStartTime" in job:
        seconds = max(1, math.ceil((end - job["TrainingStartTime"]).total_seconds()))
        job |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    if failure_reason is not None:
        job["FailureReason"] = failure_reason


class TrainingRun(JobRun):
    """One run of a training job."""

    def __init__(
        self, cloud: Cloud, images: ImageStore, table: Table, key: str, job: Mapping[str, Any], folder: Path
    ) -> None:
        super().__init__(cloud, images, job["TrainingJobName"], job, folder, _LOG_GROUP)
        self._table = table
        self._key = key
        self._metrics = LogMetrics(job["AlgorithmSpecification"].get("MetricDefinitions", []))

    def perform(self, folder: ContainerFolder) -> None:
        with self._table.change(self._key) as job:
            job["TrainingStartTime"] = datetime.now(UTC)
            self._enter_unless_stopping(job, "Downloading")
        self._write_config(folder)
        self._download(folder)
        with self._table.change(self._key) as job:
            self._enter_unless_stopping(job, "Training")
        ended = self._train(folder)
        if ended.exit_code is not None:
            with self._table.change(self._key) as job:
                job["FinalMetricDataList"] = self._metrics.final()
                enter(job, "Uploading")
            self._upload(folder, with_model=not ended.failed)
        if ended.failed:
            raise JobFailedError(_algorithm_error(folder, ended))
        self._finish(ended)

    def fail(self, reason: str) -> None:
        with self._table.change(self._key) as job:
            finish(job, "Failed", "Failed", reason)

    def _finish(self, ended: Ended) -> None:
        with self._table.change(self._key) as job:
            if ended.stop_asked:
                finish(job, "Stopped", "Stopped")
            elif ended.over_time:
                finish(job, "Stopped", "MaxRuntimeExceeded")
            else:
                finish(job, "Completed", "Completed")

    def _enter_unless_stopping(self, job: dict[str, Any], secondary_status: str) -> None:
        if job["TrainingJobStatus"] != "Stopping":
            enter(job, secondary_status)

    def _write_config(self, folder: ContainerFolder) -> None:
        config = folder.make("/opt/ml/input/config")
        for made in ("/opt/ml/model", "/opt/ml/output/data", "/opt/ml/input/data"):
            folder.make(made)
        channels = self.job.get("InputDataConfig", [])
        documents = {
            "hyperparameters": self.job.get("HyperParameters", {}),
            "inputdataconfig": {channel["ChannelName"]: _channel_config(channel) for channel in channels},
            "resourceconfig": _resource_config(self.job["ResourceConfig"]["InstanceType"]),
        }
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document))

    def _download(self, folder: ContainerFolder) -> None:
        content = self.content()
        with failing_as("Data download failed"):
            for channel in self.job.get("InputDataConfig", []):
                if self.stop_asked:
                    return
                source = channel["DataSource"]["S3DataSource"]
                target = folder.make(f"/opt/ml/input/data/{channel['ChannelName']}")
                download = (
                    content.download_manifest if source["S3DataType"] == "ManifestFile" else content.download_prefix
                )
                download(S3Location.parse(source["S3Uri"]), target)

    def _train(self, folder: ContainerFolder) -> Ended:
        specification = self.job["AlgorithmSpecification"]
        variables = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.job["TrainingJobArn"]}
        isolated = self.job.get("EnableNetworkIsolation", False)
        arguments = [] if "ContainerEntrypoint" in specification else ["train"]
        command = self.command(specification["TrainingImage"], specification, arguments, folder, variables, isolated)
        limit = self.job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
        return self.run_container(command, self._metrics.see, limit)

    def _upload(self, folder: ContainerFolder, *, with_model: bool) -> None:
        output = self.job["OutputDataConfig"]
        key_id = output.get("KmsKeyId")
        packed = output.get("CompressionType", "GZIP") == "GZIP"
        with failing_as("Artifact upload failed"):
            target = S3Location.parse(output["S3OutputPath"]) / f"{self.name}/output"
            data = folder.place("/opt/ml/output/data")
            if data.is_dir() and any(data.iterdir()):
                self._upload_folder(data, target / ("output.tar.gz" if packed else "data"), key_id, packed)
            if with_model:
                artifact = target / ("model.tar.gz" if packed else "model")
                self._upload_folder(folder.place("/opt/ml/model"), artifact, key_id, packed)
                with self._table.change(self._key) as job:
                    job["ModelArtifacts"] = {"S3ModelArtifacts": str(artifact) if packed else f"{artifact}/"}

    def _upload_folder(self, folder: Path, target: S3Location, key_id: str | None, packed: bool) -> None:
        if not packed:
            self.content().upload_folder(folder, target, key_id)
            return
        archive = self._root / "tmp" / target.key.rpartition("/")[2]
        pack(folder, archive)
        self.content().upload_file(archive, target, key_id)


def _channel_config(channel: Mapping[str, Any]) -> dict[str, str]:
    config = {
        "TrainingInputMode": "File",  # FastFile is reported as File
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return config | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})


def _resource_config(instance_type: str) -> dict[str, Any]:
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": [_HOST]}
    return {
        "current_host": _HOST,
        "current_instance_type": instance_type,
        "current_group_name": group["instance_group_name"],
        "hosts": [_HOST],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }


def _algorithm_error(folder: ContainerFolder, ended: Ended) -> str:
    """AWS's FailureReason of a failed algorithm: the start of its failure file, and the exit code."""
    text = read_start(folder.place("/opt/ml/output/failure")) or ""
    start, end = "AlgorithmError: ", f", exit code: {ended.exit_code}"
    return start + text.strip()[: FAILURE_CHARACTERS - len(start) - len(end)] + end
