"""The model package operations of the SageMaker API: the model registry."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.images import ImageNotFound, ImageStore
from local_cloud.sagemaker import model_cards
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import invalid
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.model_package_groups import ModelPackageGroups
from local_cloud.sagemaker.tags import Tags
from local_cloud.store import Table
from local_cloud.wire import ServiceError

_LISTING = Listing("ModelPackageSummaryList", "ListedName", "ModelPackageArn")
_UPDATABLE = (
    "ModelApprovalStatus", "ApprovalDescription", "ModelLifeCycle", "InferenceSpecification", "SourceUri",
    "ModelPackageRegistrationType",
)  # fmt: skip


class ModelPackages:
    """CreateModelPackage and what can be done with a package; its key is `group/version`, or its name.

    Args:
        tokens: the table of the ClientTokens that packages were made with.
    """

    def __init__(
        self, arns: Arns, images: ImageStore, table: Table, tokens: Table, groups: ModelPackageGroups, tags: Tags
    ) -> None:
        self._arns = arns
        self._images = images
        self._table = table
        self._tokens = tokens
        self._creating = threading.Lock()
        self._groups = groups
        self._tags = tags

    def create_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._creating:
            arn = self._made_with_token(request) or self._create(request)
            if "ClientToken" in request:
                self._tokens.put(request["ClientToken"], {"arn": arn, "request": _fingerprint(request)})
        return {"ModelPackageArn": arn}

    def _made_with_token(self, request: Mapping[str, Any]) -> str | None:
        """The package that a request with this ClientToken has made."""
        known = self._tokens.get(request.get("ClientToken", ""))
        if known is None or self._table.get(key_of(known["arn"])) is None:
            return None
        if known["request"] != _fingerprint(request):
            raise ServiceError("ConflictException", f"The ClientToken has made {known['arn']} from another request")
        return str(known["arn"])

    def _create(self, request: dict[str, Any]) -> str:
        group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
        if group and name:
            raise invalid(
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                "Cannot determine which one to use."
            )
        if not group and not name:
            raise invalid("Missing ARN.")
        model_cards.check(request.get("ModelCard"))
        package = request | {
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": datetime.now(UTC),
            "CreatedBy": {},
        }
        if "InferenceSpecification" in request:
            package["InferenceSpecification"] = self._with_digests(request["InferenceSpecification"])
        arn = (
            self._add_version(group, package) if group else self._add_unversioned(request["ModelPackageName"], package)
        )
        self._tags.set(arn, request.get("Tags", []))
        return arn

    def describe_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.existing(request["ModelPackageName"])

    def batch_describe_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        found = {arn: self._table.get(key_of(arn)) for arn in request["ModelPackageArnList"]}
        missing = {"ErrorCode": "404", "ErrorResponse": "ModelPackage does not exist."}
        return {
            "ModelPackageSummaries": {arn: package for arn, package in found.items() if package is not None},
            "BatchDescribeModelPackageErrorMap": {arn: missing for arn, package in found.items() if package is None},
        }

    def list_model_packages(self, request: dict[str, Any]) -> dict[str, Any]:
        group = request.get("ModelPackageGroupName")
        if group:
            group = self._groups.existing(group)["ModelPackageGroupName"]
        kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
        wanted_status = request.get("ModelApprovalStatus")
        packages = (
            package
            for _, package in self._table.items()
            if group in (None, package.get("ModelPackageGroupName"))
            and kind in ("Both", "Versioned" if "ModelPackageVersion" in package else "Unversioned")
            and wanted_status in (None, package.get("ModelApprovalStatus"))
        )
        return _LISTING.page(packages, request)

    def update_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = request["ModelPackageArn"]
        package = self.existing(arn)
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in package:
            raise invalid(f"ModelApprovalStatus is for versioned model packages; {arn} is unversioned.")
        model_cards.check(request.get("ModelCard"))
        with self._table.change(key_of(arn)) as package:
            package |= {name: request[name] for name in _UPDATABLE if name in request}
            if "ModelCard" in request:
                package["ModelCard"] = model_cards.updated(package.get("ModelCard", {}), request["ModelCard"])
            _update_metadata(package, request)
            if "AdditionalInferenceSpecificationsToAdd" in request:
                package.setdefault("AdditionalInferenceSpecifications", []).extend(
                    request["AdditionalInferenceSpecificationsToAdd"]
                )
            package |= {"LastModifiedTime": datetime.now(UTC), "LastModifiedBy": {}}
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete_model_package(self, request: dict[str, Any]) -> dict[str, Any]:
        package = self.existing(request["ModelPackageName"])
        self._table.delete(key_of(package["ModelPackageArn"]))
        self._tags.forget(package["ModelPackageArn"])
        return {}

    def existing(self, name_or_arn: str) -> dict[str, Any]:
        """
        Raises:
            ServiceError: there is no such package.
        """
        package = self._table.get(key_of(name_or_arn))
        if package is None:
            raise invalid(f"ModelPackage {self._arns.of('model-package', key_of(name_or_arn))} does not exist.")
        return package

    def _add_version(self, group: str, package: dict[str, Any]) -> str:
        name, version = self._groups.next_version(group)
        arn = self._arns.of("model-package", f"{name}/{version}")
        self._table.put(key_of(arn), {"ModelApprovalStatus": "PendingManualApproval"} | package | {
            "ModelPackageName": name, "ModelPackageGroupName": name, "ModelPackageVersion": version,
            "ModelPackageArn": arn, "ListedName": f"{name}/{version:09}",
        })  # fmt: skip
        return arn

    def _add_unversioned(self, name: str, package: dict[str, Any]) -> str:
        arn = self._arns.of("model-package", name)
        if self._table.get(key_of(arn)) is not None:
            raise invalid(f"Model Package already exists: {arn}")
        if "ModelApprovalStatus" in package:
            raise invalid("ModelApprovalStatus is for versioned model packages; give a ModelPackageGroupName.")
        self._table.put(key_of(arn), package | {"ModelPackageArn": arn, "ListedName": name})
        return arn

    def _with_digests(self, specification: Mapping[str, Any]) -> dict[str, Any]:
        """The specification with the digest that each image has now, as AWS notes it."""
        return {**specification, "Containers": [self._with_digest(item) for item in specification["Containers"]]}

    def _with_digest(self, container: Mapping[str, Any]) -> dict[str, Any]:
        if "Image" not in container:
            return dict(container)
        try:
            return {**container, "ImageDigest": self._images.resolve(container["Image"]).digest}
        except ImageNotFound as error:
            raise invalid(f"Requested image {container['Image']} not found. {error}") from error


def _fingerprint(request: Mapping[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, default=str)


def _update_metadata(package: dict[str, Any], request: Mapping[str, Any]) -> None:
    metadata = package.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
    for name in request.get("CustomerMetadataPropertiesToRemove", []):
        metadata.pop(name, None)
    if metadata:
        package["CustomerMetadataProperties"] = metadata
    else:
        package.pop("CustomerMetadataProperties", None)
