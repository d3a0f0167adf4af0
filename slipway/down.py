"""`slipway down`: stop the local cloud, or take everything out of an AWS account."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

from slipway.git_repository import GitRepository
from slipway.local_server import LocalServer, ServerRecord
from slipway.project import Project
from slipway.stacks import Stacks
from slipway.target import Target

_BATCH = 500


def purge_local(server: LocalServer, repository: GitRepository) -> None:
    """Delete everything that the local cloud has stored, and the git remote that points to it."""
    server.stop()
    shutil.rmtree(server.state_dir, ignore_errors=True)
    repository.remove_remote()


def stop_local(server: LocalServer) -> ServerRecord | None:
    """End the local cloud, its state kept; None when it did not run."""
    return server.stop()


def retained_resources(target: Target, project: Project) -> list[str]:
    """What will still be in the account after `purge_account`."""
    stacks = Stacks(target)
    return [kept for name in project.stacks if stacks.describe(name) for kept in stacks.retained(name)]


def purge_account(target: Target, project: Project, progress: Callable[[str], None]) -> None:
    """Delete all stacks of the project, the endpoints first; what is not retained is emptied before.

    Raises:
        DeployError: a stack could not be deleted.
    """
    stacks = Stacks(target)
    for name in project.stacks:
        if stacks.describe(name) is None:
            continue
        kept = set(stacks.retained(name))
        for resource in stacks.resources(name):
            described = f"{resource['ResourceType']} {resource['PhysicalResourceId']}"
            empty = _EMPTIERS.get(resource["ResourceType"])
            if empty is not None and described not in kept:
                progress(f"emptying {described}")
                empty(target, resource["PhysicalResourceId"])
        progress(f"deleting {name}")
        stacks.delete(name, progress)


def _empty_bucket(target: Target, bucket: str) -> None:
    """Delete all objects, with all their versions.

    Its access log ends first: each of the deletions would fill the log's bucket again, hours later.
    """
    s3 = target.client("s3")
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": _BATCH}):
        versions = [
            {"Key": found["Key"], "VersionId": found["VersionId"]}
            for found in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
        ]
        if versions:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})


def _empty_image_repository(target: Target, repository: str) -> None:
    ecr = target.client("ecr")
    for page in ecr.get_paginator("list_images").paginate(
        repositoryName=repository, PaginationConfig={"PageSize": 100}
    ):
        if page["imageIds"]:
            ecr.batch_delete_image(repositoryName=repository, imageIds=page["imageIds"])


def _empty_model_package_group(target: Target, group: str) -> None:
    sagemaker = target.client("sagemaker")
    for arn in list(_model_packages(sagemaker, group.rpartition("/")[2])):
        sagemaker.delete_model_package(ModelPackageName=arn)


def _model_packages(sagemaker: Any, group: str) -> Iterator[str]:
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for package in page["ModelPackageSummaryList"]:
            yield package["ModelPackageArn"]


_EMPTIERS: dict[str, Callable[[Target, str], None]] = {
    "AWS::S3::Bucket": _empty_bucket,
    "AWS::ECR::Repository": _empty_image_repository,
    "AWS::SageMaker::ModelPackageGroup": _empty_model_package_group,
}
