"""ECR's scans of images, for a registry whose images hold nothing that ECR's basic scanning looks at.

Basic scanning reads the packages of an image's operating system. A local image has none: it is an installed Python
environment and files. So every scan ends as UNSUPPORTED_IMAGE, which is what is true of it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.authorization import Check, Rules
from local_cloud.wire import JsonService, ServiceError

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud

_DESCRIPTION = "UnsupportedImageError: The operating system and/or package manager are not supported."
_BETWEEN_SCANS = timedelta(hours=24)


def scan_service(cloud: "Cloud") -> JsonService:
    """ECR's operations about scans, for the platform to serve beside its own."""
    return JsonService(
        "ecr",
        ImageScans(cloud),
        rules(cloud.region, cloud.account_id),
        validation_code="InvalidParameterException",
    )


def rules(region: str, account_id: str) -> Rules:
    """What the operations are checked against: the repository (service authorization reference, Amazon ECR)."""

    def on_repository(action: str) -> Callable[[Mapping[str, Any]], list[Check]]:
        def checks(request: Mapping[str, Any]) -> list[Check]:
            owner = request.get("registryId", account_id)
            return [Check(f"ecr:{action}", f"arn:aws:ecr:{region}:{owner}:repository/{request['repositoryName']}")]

        return checks

    return {action: on_repository(action) for action in ("DescribeImageScanFindings", "StartImageScan")}


class ImageScans:
    """The operations, each answering a request as ECR's model reads it.

    An image has a scan when its repository scans on push, or once one was started after the image was pushed.
    """

    def __init__(self, cloud: "Cloud", now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._cloud, self._now = cloud, now
        self._started = cloud.store.table("image_scans")

    def describe_image_scan_findings(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._image(request)
        if self._scanned_at(request, image) is None:
            message = (
                f"Image scan does not exist for the image with '{_shown(request['imageId'])}' in the repository with "
                f"name '{request['repositoryName']}' in the registry with id '{self._cloud.account_id}'"
            )
            raise ServiceError("ScanNotFoundException", message)
        return self._answer(request, image, {"status": "UNSUPPORTED_IMAGE", "description": _DESCRIPTION})

    def start_image_scan(self, request: dict[str, Any]) -> dict[str, Any]:
        image = self._image(request)
        last = self._scanned_at(request, image)
        if last is not None and self._now() < last + _BETWEEN_SCANS:
            message = "The scan quota per image has been exceeded. Wait and try again."
            raise ServiceError("LimitExceededException", message)
        self._started.put(_key(image), {"started_at": self._now()})
        return self._answer(request, image, {"status": "IN_PROGRESS"})

    def _image(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The image as DescribeImages knows it."""
        missing = ServiceError(
            "RepositoryNotFoundException",
            f"The repository with name '{request['repositoryName']}' does not exist in the registry with id "
            f"'{request.get('registryId', self._cloud.account_id)}'",
        )
        if request.get("registryId", self._cloud.account_id) != self._cloud.account_id:
            raise missing
        try:
            answer = self._cloud.client("ecr").describe_images(
                repositoryName=request["repositoryName"], imageIds=[request["imageId"]]
            )
        except ClientError as error:
            fault = error.response["Error"]
            if fault["Code"] == missing.code:
                raise missing from error
            raise ServiceError(fault["Code"], fault["Message"]) from error
        image: dict[str, Any] = answer["imageDetails"][0]
        return image

    def _scanned_at(self, request: Mapping[str, Any], image: Mapping[str, Any]) -> datetime | None:
        """When the image's last scan began; None when it has none."""
        pushed_at: datetime = image["imagePushedAt"]
        started = self._started.get(_key(image))
        if started is not None and started["started_at"] >= pushed_at:  # an image may be deleted and pushed again
            last: datetime = started["started_at"]
            return last
        named = self._cloud.client("ecr").describe_repositories(repositoryNames=[request["repositoryName"]])
        (repository,) = named["repositories"]
        return pushed_at if repository["imageScanningConfiguration"]["scanOnPush"] else None

    def _answer(
        self, request: Mapping[str, Any], image: Mapping[str, Any], status: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "registryId": self._cloud.account_id,
            "repositoryName": request["repositoryName"],
            "imageId": {**request["imageId"], "imageDigest": image["imageDigest"]},
            "imageScanStatus": status,
        }


def _key(image: Mapping[str, Any]) -> str:
    return f"{image['repositoryName']}@{image['imageDigest']}"


def _shown(image_id: Mapping[str, str]) -> str:
    return f"{{imageDigest:'{image_id.get('imageDigest', 'null')}', imageTag:'{image_id.get('imageTag', 'null')}'}}"
