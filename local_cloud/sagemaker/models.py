"""The model operations of the SageMaker API: a container image and a model artifact, fit to be served."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.sagemaker.arns import Arns, key_of
from local_cloud.sagemaker.errors import TransferError, invalid, not_served
from local_cloud.sagemaker.job_runs import check_image
from local_cloud.sagemaker.listing import Listing
from local_cloud.sagemaker.model_packages import ModelPackages
from local_cloud.sagemaker.roles import check_role
from local_cloud.sagemaker.s3_content import S3Content, S3Location
from local_cloud.sagemaker.tags import Tags
from local_cloud.sagemaker.vpc import check_model_vpc
from local_cloud.store import Table

_LISTING = Listing("Models", "ModelName", "ModelArn", newest_first=True)


class Models:
    """CreateModel and what can be done with a model.

    A model's document holds, besides the request, `Served`: its container with the image, the artifact and the
    variables that an endpoint serves, whether they came from the request or from a model package.
    """

    def __init__(
        self, cloud: Cloud, images: ImageStore, arns: Arns, table: Table, packages: ModelPackages, tags: Tags
    ) -> None:
        self._cloud = cloud
        self._images = images
        self._arns = arns
        self._table = table
        self._packages = packages
        self._tags = tags
        self._lock = threading.Lock()

    def create_model(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelName"]
        arn = self._arns.of("model", name)
        if self._table.get(key_of(name)) is not None:
            raise _taken(arn)
        if "ExecutionRoleArn" not in request:
            raise invalid("ExecutionRoleArn must be set: it is the role that SageMaker reads the model artifacts with.")
        check_role(self._cloud, request["ExecutionRoleArn"])
        check_model_vpc(self._cloud, request.get("VpcConfig"), request["ExecutionRoleArn"])
        served = self._served(_only_container(request))
        check_image(self._images, served["Image"])
        self._check_artifact(served, request["ExecutionRoleArn"])
        with self._lock:
            if self._table.get(key_of(name)) is not None:
                raise _taken(arn)
            document = request | {"ModelArn": arn, "CreationTime": datetime.now(UTC), "Served": served}
            self._table.put(key_of(name), document)
        self._tags.set(arn, request.get("Tags", []))
        return {"ModelArn": arn}

    def describe_model(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.existing(request["ModelName"])

    def list_models(self, request: dict[str, Any]) -> dict[str, Any]:
        return _LISTING.page((model for _, model in self._table.items()), request)

    def delete_model(self, request: dict[str, Any]) -> dict[str, Any]:
        model = self.existing(request["ModelName"])
        self._table.delete(key_of(request["ModelName"]))
        self._tags.forget(model["ModelArn"])
        return {}

    def existing(self, name: str) -> dict[str, Any]:
        """
        Raises:
            ServiceError: there is no such model.
        """
        model = self._table.get(key_of(name))
        if model is None:
            raise invalid(f'Could not find model "{self._arns.of("model", name)}".')
        return model

    def _served(self, container: Mapping[str, Any]) -> dict[str, Any]:
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise not_served("containers with Mode MultiModel")
        package_name, image = container.get("ModelPackageName"), container.get("Image")
        if (package_name is None) == (image is None):
            raise invalid("A container must have either Image or ModelPackageName, and not both.")
        if package_name is None:
            return dict(container)
        if "ModelDataUrl" in container or "ModelDataSource" in container:
            raise invalid("A container with a ModelPackageName takes its model data from the package.")
        package = self._packages.existing(package_name)
        _check_deployable(package)
        containers = package["InferenceSpecification"]["Containers"]
        if len(containers) != 1 or "Image" not in containers[0]:
            raise not_served("model packages other than with one container that names an Image")
        return {**containers[0], "Environment": containers[0].get("Environment", {}) | container.get("Environment", {})}

    def _check_artifact(self, served: Mapping[str, Any], role_arn: str) -> None:
        uri, is_prefix = artifact_of(served)
        if uri is None:
            return
        content = S3Content(self._cloud, role_arn)
        try:
            location = S3Location.parse(uri)
            found = content.any_object(location) if is_prefix else content.exists(location)
        except TransferError as error:
            raise invalid(
                f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {self._cloud.region}. {error}"
            ) from error
        if not found:
            raise invalid(f"Could not find model data at {uri}.")


def artifact_of(container: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Where a container's model artifact is, and whether that is a prefix with the files themselves."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return container.get("ModelDataUrl"), False
    if (source["S3DataType"], source["CompressionType"]) not in (("S3Prefix", "None"), ("S3Object", "Gzip")):
        raise not_served("model data sources other than S3Prefix without compression and S3Object with Gzip")
    return source["S3Uri"], source["S3DataType"] == "S3Prefix"


def _taken(arn: str) -> Exception:
    return invalid(f'Cannot create already existing model "{arn}".')


def _only_container(request: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = request.get("Containers", [])
    if ("PrimaryContainer" in request) == bool(containers):
        raise invalid("A model must have either PrimaryContainer or Containers, and not both.")
    if len(containers) > 1:
        raise not_served("models of several containers")
    container: Mapping[str, Any] = containers[0] if containers else request["PrimaryContainer"]
    return container


def _check_deployable(package: Mapping[str, Any]) -> None:
    if "InferenceSpecification" not in package:
        raise invalid(
            f"Model package {package['ModelPackageArn']} has no InferenceSpecification, so it cannot be deployed."
        )
    status = package.get("ModelApprovalStatus")
    if status not in (None, "Approved"):
        raise invalid(
            f"Cannot create a model from model package {package['ModelPackageArn']}: its ModelApprovalStatus is "
            f"{status} and must be Approved to deploy it."
        )
