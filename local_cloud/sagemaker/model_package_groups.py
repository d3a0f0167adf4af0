"""The model package group operations of the SageMaker API."""

import threading
from datetime import UTC, datetime
from typing import Any

from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import invalid
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.tags import Tags
from local_cloud.store import Table

_LISTING = Listing("ModelPackageGroupSummaryList", "ModelPackageGroupName", "ModelPackageGroupArn")


class ModelPackageGroups:
    """CreateModelPackageGroup and what can be done with a group.

    Args:
        packages: the table of the model packages; a group that has some cannot be deleted.
    """

    def __init__(self, arns: Arns, table: Table, packages: Table, tags: Tags) -> None:
        self._arns = arns
        self._table = table
        self._packages = packages
        self._tags = tags
        self._lock = threading.Lock()

    def create_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        arn = self._arns.of("model-package-group", name)
        with self._lock:
            if self._table.get(key_of(name)) is not None:
                raise invalid(f"Model Package Group already exists: {arn}")
            self._table.put(key_of(name), request | {
                "ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed", "CreationTime": datetime.now(UTC),
                "CreatedBy": {}, "LastVersion": 0,
            })  # fmt: skip
        self._tags.set(arn, request.get("Tags", []))
        return {"ModelPackageGroupArn": arn}

    def describe_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.existing(request["ModelPackageGroupName"])

    def list_model_package_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((group for _, group in self._table.items()), request)

    def delete_model_package_group(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.existing(request["ModelPackageGroupName"])
        arn = group["ModelPackageGroupArn"]
        key = key_of(arn)
        if any(package.startswith(f"{key}/") for package, _ in self._packages.items()):
            raise invalid(f"Model Package Group {arn} cannot be deleted because it still contains Model Packages.")
        self._table.delete(key)
        self._tags.forget(arn)
        return {}

    def existing(self, name_or_arn: str) -> dict[str, Any]:
        """
        Raises:
            ServiceError: there is no such group.
        """
        group = self._table.get(key_of(name_or_arn))
        if group is None:
            arn = self._arns.of("model-package-group", key_of(name_or_arn))
            raise invalid(f"ModelPackageGroup {arn} does not exist.")
        return group

    def next_version(self, name_or_arn: str) -> tuple[str, int]:
        """The group's name, and a version number that no package of it has had."""
        self.existing(name_or_arn)
        with self._table.change(key_of(name_or_arn)) as group:
            group["LastVersion"] += 1
            return group["ModelPackageGroupName"], group["LastVersion"]
