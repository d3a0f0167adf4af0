"""The training job operations of the SageMaker API."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import in_use, invalid, not_served
from local_cloud.sagemaker.job_runs import check_image, check_input
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.metrics import LogMetrics
from local_cloud.sagemaker.roles import check_role
from local_cloud.sagemaker.s3_content import S3Content
from local_cloud.sagemaker.tags import Tags
from local_cloud.sagemaker.training_runs import DEFAULT_MAX_RUNTIME_SECONDS, TrainingRun, enter, finish
from local_cloud.sagemaker.vpc import check_job_vpc
from local_cloud.store import Table

_LISTING = Listing("TrainingJobSummaries", "TrainingJobName", "TrainingJobArn", status="TrainingJobStatus")
_ENDED = ("Completed", "Failed", "Stopped")


class TrainingJobs:
    """CreateTrainingJob and what can be done with a training job.

    Args:
        folder: where the containers of running jobs work, a folder each.
    """

    def __init__(self, cloud: Cloud, images: ImageStore, arns: Arns, table: Table, tags: Tags, folder: Path) -> None:
        self._cloud = cloud
        self._images = images
        self._arns = arns
        self._table = table
        self._tags = tags
        self._folder = folder
        self._lock = threading.Lock()
        self._runs: dict[str, TrainingRun] = {}

    def create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check(request)
        key, arn = key_of(request["TrainingJobName"]), self._arns.of("training-job", request["TrainingJobName"])
        job = request | {
            "TrainingJobArn": arn,
            "TrainingJobStatus": "InProgress",
            "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_SECONDS}
            | request.get("StoppingCondition", {}),
            "CreationTime": datetime.now(UTC),
        }
        enter(job, "Starting")
        with self._lock:
            if self._table.get(key) is not None:
                raise in_use(
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({arn})"
                )
            self._table.put(key, job)
        self._tags.set(arn, request.get("Tags", []))
        run = self._runs[key] = TrainingRun(self._cloud, self._images, self._table, key, job, self._folder / key)
        run.start(lambda: self._forget(key))
        return {"TrainingJobArn": arn}

    def describe_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._existing(request["TrainingJobName"])

    def list_training_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((job for _, job in self._table.items()), request)

    def stop_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["TrainingJobName"])
        self._existing(key)
        with self._table.change(key) as job:
            status = job["TrainingJobStatus"]
            if status in _ENDED:
                raise invalid(f"The request was rejected because the training job is in status {status}.")
            if status != "Stopping":
                job["TrainingJobStatus"] = "Stopping"
                enter(job, "Stopping")
        if run := self._runs.get(key):
            run.stop()
        return {}

    def delete_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["TrainingJobName"])
        with self._lock:
            job = self._existing(key)
            if job["TrainingJobStatus"] not in _ENDED:
                raise in_use(
                    f"The request was rejected because the training job is in status {job['TrainingJobStatus']}."
                )
            self._table.delete(key)
        self._tags.forget(job["TrainingJobArn"])
        return {}

    def resume(self) -> None:
        """Fail the jobs that ran when the last server died; their containers died with it."""
        for key, job in self._table.items():
            if job["TrainingJobStatus"] not in _ENDED:
                finish(job, "Failed", "Failed", "InternalServerError: The local cloud was stopped while the job ran.")
                self._table.put(key, job)

    def _forget(self, key: str) -> None:
        self._runs.pop(key, None)

    def _existing(self, name: str) -> dict[str, Any]:
        job = self._table.get(key_of(name))
        if job is None:
            raise invalid("Requested resource not found.")
        return job

    def _check(self, request: Mapping[str, Any]) -> None:
        specification = request["AlgorithmSpecification"]
        if "TrainingImage" not in specification:
            raise invalid("AlgorithmSpecification must name a TrainingImage.")
        LogMetrics(specification.get("MetricDefinitions", []))
        _check_resources(request.get("ResourceConfig", {}))
        _check_waiting(request)
        check_role(self._cloud, request["RoleArn"])
        check_job_vpc(self._cloud, request.get("VpcConfig"), request["RoleArn"])
        check_image(self._images, specification["TrainingImage"], request["RoleArn"])
        self._check_channels(request)

    def _check_channels(self, request: Mapping[str, Any]) -> None:
        channels = request.get("InputDataConfig", [])
        names = [channel["ChannelName"] for channel in channels]
        if len(set(names)) < len(names):
            raise invalid(f"Channel names must be unique, got {', '.join(names)}.")
        content = S3Content(self._cloud, request["RoleArn"])
        for channel in channels:
            if channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]) == "Pipe":
                raise not_served("input mode Pipe; File and FastFile are served")
            if channel.get("CompressionType", "None") != "None":
                raise invalid("CompressionType is for Pipe mode; leave it unset or set it to None in File mode.")
            source = channel["DataSource"].get("S3DataSource")
            if source is None or source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
                raise not_served(
                    f"the data source of channel {channel['ChannelName']}; S3Prefix and ManifestFile are served"
                )
            check_input(content, source["S3Uri"], request["RoleArn"], self._cloud.region)


def _check_resources(resources: Mapping[str, Any]) -> None:
    if "InstanceType" not in resources or "InstanceCount" not in resources:
        raise invalid(
            "ResourceConfig must name InstanceType and InstanceCount; the local cloud serves no instance groups."
        )
    if resources["InstanceCount"] != 1:
        raise not_served(f"training jobs on {resources['InstanceCount']} instances; set InstanceCount to 1")


def _check_waiting(request: Mapping[str, Any]) -> None:
    if not request.get("EnableManagedSpotTraining"):
        return
    condition = request.get("StoppingCondition", {})
    if condition.get("MaxWaitTimeInSeconds", 0) < condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS):
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
