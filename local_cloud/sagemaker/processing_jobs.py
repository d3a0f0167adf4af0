"""The processing job operations of the SageMaker API."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import in_use, invalid, not_served
from local_cloud.sagemaker.job_runs import check_image, check_input
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.processing_runs import DEFAULT_MAX_RUNTIME_SECONDS, ProcessingRun, finish
from local_cloud.sagemaker.roles import check_role
from local_cloud.sagemaker.s3_content import S3Content
from local_cloud.sagemaker.tags import Tags
from local_cloud.sagemaker.vpc import check_job_vpc
from local_cloud.store import Table

_LISTING = Listing("ProcessingJobSummaries", "ProcessingJobName", "ProcessingJobArn", status="ProcessingJobStatus")
_ENDED = ("Completed", "Failed", "Stopped")
_LOCAL_ROOT = PurePosixPath("/opt/ml/processing")


class ProcessingJobs:
    """CreateProcessingJob and what can be done with a processing job.

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
        self._runs: dict[str, ProcessingRun] = {}

    def create_processing_job(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check(request)
        key, arn = key_of(request["ProcessingJobName"]), self._arns.of("processing-job", request["ProcessingJobName"])
        now = datetime.now(UTC)
        job = {"StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_SECONDS}} | request | {
            "ProcessingJobArn": arn, "ProcessingJobStatus": "InProgress", "CreationTime": now, "LastModifiedTime": now,
        }  # fmt: skip
        with self._lock:
            if self._table.get(key) is not None:
                raise in_use(
                    "Job name must be unique within an AWS account and region, and a job with this name already exists "
                    f"({arn})"
                )
            self._table.put(key, job)
        self._tags.set(arn, request.get("Tags", []))
        run = self._runs[key] = ProcessingRun(self._cloud, self._images, self._table, key, job, self._folder / key)
        run.start(lambda: self._forget(key))
        return {"ProcessingJobArn": arn}

    def describe_processing_job(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._existing(request["ProcessingJobName"])

    def list_processing_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((job for _, job in self._table.items()), request)

    def stop_processing_job(self, request: dict[str, Any]) -> dict[str, Any]:
        key = key_of(request["ProcessingJobName"])
        self._existing(request["ProcessingJobName"])
        with self._table.change(key) as job:
            status = job["ProcessingJobStatus"]
            if status in _ENDED:
                raise invalid(f"The request was rejected because the processing job is in status {status}.")
            job |= {"ProcessingJobStatus": "Stopping", "LastModifiedTime": datetime.now(UTC)}
        if run := self._runs.get(key):
            run.stop()
        return {}

    def delete_processing_job(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            job = self._existing(request["ProcessingJobName"])
            status = job["ProcessingJobStatus"]
            if status not in _ENDED:
                raise in_use(f"The request was rejected because the processing job is in status {status}.")
            self._table.delete(key_of(request["ProcessingJobName"]))
        self._tags.forget(job["ProcessingJobArn"])
        return {}

    def resume(self) -> None:
        """Fail the jobs that ran when the last server died; their containers died with it."""
        for key, job in self._table.items():
            if job["ProcessingJobStatus"] not in _ENDED:
                finish(job, "Failed", "InternalServerError: The local cloud was stopped while the job ran.")
                self._table.put(key, job)

    def _forget(self, key: str) -> None:
        self._runs.pop(key, None)

    def _existing(self, name: str) -> dict[str, Any]:
        job = self._table.get(key_of(name))
        if job is None:
            raise invalid(f"Could not find requested job with name: {name}")
        return job

    def _check(self, request: Mapping[str, Any]) -> None:
        count = request["ProcessingResources"]["ClusterConfig"].get("InstanceCount")
        if count != 1:
            raise not_served(f"processing jobs on {count} instances; set InstanceCount to 1")
        outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        for output in outputs:
            _check_output(output)
        for item in request.get("ProcessingInputs", []):
            _check_input_form(item)
        check_role(self._cloud, request["RoleArn"])
        check_job_vpc(self._cloud, request.get("NetworkConfig", {}).get("VpcConfig"), request["RoleArn"])
        check_image(self._images, request["AppSpecification"]["ImageUri"], request["RoleArn"])
        content = S3Content(self._cloud, request["RoleArn"])
        for item in request.get("ProcessingInputs", []):
            check_input(content, item["S3Input"]["S3Uri"], request["RoleArn"], self._cloud.region)


def _check_input_form(item: Mapping[str, Any]) -> None:
    source = item.get("S3Input")
    if source is None or item.get("AppManaged"):
        raise not_served(f"processing input {item['InputName']}: it must be an S3Input that is not AppManaged")
    if source.get("S3InputMode", "File") != "File" or source.get("S3CompressionType", "None") != "None":
        raise not_served(f"processing input {item['InputName']} other than in S3InputMode File without compression")
    _check_local_path(source, item["InputName"])


def _check_output(output: Mapping[str, Any]) -> None:
    target = output.get("S3Output")
    if target is None or output.get("AppManaged") or target["S3UploadMode"] != "EndOfJob":
        raise not_served(f"processing output {output['OutputName']}: it must be an S3Output with S3UploadMode EndOfJob")
    _check_local_path(target, output["OutputName"])


def _check_local_path(place: Mapping[str, Any], name: str) -> None:
    path = PurePosixPath(place.get("LocalPath", ""))
    if _LOCAL_ROOT not in path.parents or ".." in path.parts:
        raise invalid(f'LocalPath "{path}" of {name} must begin with "{_LOCAL_ROOT}/".')
