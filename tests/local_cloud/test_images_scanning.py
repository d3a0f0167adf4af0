"""ECR's answers about scans of images that it cannot read, in ECR's words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local_cloud.authorization import Check, acting_as
from local_cloud.images.scanning import ImageScans, rules, scan_service
from local_cloud.store import Store
from local_cloud.wire import ServiceError

ACCOUNT, REGION = "123456789012", "us-east-1"
ABSENT = f"sha256:{'0' * 64}"
UNSUPPORTED = {
    "status": "UNSUPPORTED_IMAGE",
    "description": "UnsupportedImageError: The operating system and/or package manager are not supported.",
}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cloud whose registry is moto's: `pushed` scans on push, `manual` does not."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        ecr = boto3.client("ecr", region_name=REGION)
        for name, on_push in (("pushed", True), ("manual", False)):
            ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": on_push})
        store = Store(tmp_path / "state.db")
        yield SimpleNamespace(account_id=ACCOUNT, region=REGION, store=store, client=lambda _: ecr)
        store.close()


def push(cloud: Any, repository: str, tag: str = "v1") -> str:
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
    put = cloud.client("ecr").put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
    digest: str = put["image"]["imageId"]["imageDigest"]
    return digest


def call(cloud: Any, operation: str, **request: Any) -> dict[str, Any]:
    """What the wire carries, for whom IAM allows everything."""
    anybody = SimpleNamespace(arn="arn:aws:iam::123456789012:user/developer", authorize=lambda _: None)
    with acting_as(anybody):
        return scan_service(cloud).call(operation, json.dumps(request).encode())


def refusal(cloud: Any, operation: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as fault:
        call(cloud, operation, **request)
    return fault.value.code, fault.value.message


def test_an_image_that_is_scanned_on_push_is_unsupported(cloud: Any) -> None:
    digest = push(cloud, "pushed")

    assert call(cloud, "DescribeImageScanFindings", repositoryName="pushed", imageId={"imageDigest": digest}) == {
        "registryId": ACCOUNT,
        "repositoryName": "pushed",
        "imageId": {"imageDigest": digest},
        "imageScanStatus": UNSUPPORTED,
    }


def test_an_image_that_is_named_by_its_tag_is_answered_with_its_digest(cloud: Any) -> None:
    digest = push(cloud, "pushed")

    answer = call(cloud, "DescribeImageScanFindings", repositoryName="pushed", imageId={"imageTag": "v1"})

    assert answer["imageId"] == {"imageDigest": digest, "imageTag": "v1"}


def test_without_a_scan_on_push_there_is_a_scan_once_it_is_started(cloud: Any) -> None:
    image = {"repositoryName": "manual", "imageId": {"imageDigest": push(cloud, "manual")}}

    code, message = refusal(cloud, "DescribeImageScanFindings", **image)
    started = call(cloud, "StartImageScan", **image)

    assert code == "ScanNotFoundException"
    assert message == (
        f"Image scan does not exist for the image with '{{imageDigest:'{image['imageId']['imageDigest']}', "
        f"imageTag:'null'}}' in the repository with name 'manual' in the registry with id '{ACCOUNT}'"
    )
    assert started == {"registryId": ACCOUNT, **image, "imageScanStatus": {"status": "IN_PROGRESS"}}
    assert call(cloud, "DescribeImageScanFindings", **image)["imageScanStatus"] == UNSUPPORTED


@pytest.mark.parametrize("repository", ["pushed", "manual"])
@pytest.mark.parametrize(("hours", "refused"), [(23.99, True), (24, False)], ids=["within the day", "a day later"])
def test_an_image_is_scanned_once_in_24_hours(cloud: Any, repository: str, hours: float, refused: bool) -> None:
    digest = push(cloud, repository)
    (details,) = cloud.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    scans = ImageScans(cloud, lambda: now)
    now = details["imagePushedAt"]
    request = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    if repository == "manual":
        scans.start_image_scan(request)

    now += timedelta(hours=hours)

    if refused:
        with pytest.raises(ServiceError, match="The scan quota per image has been exceeded") as fault:
            scans.start_image_scan(request)
        assert fault.value.code == "LimitExceededException"
    else:
        assert scans.start_image_scan(request)["imageScanStatus"] == {"status": "IN_PROGRESS"}


def test_the_scan_of_an_image_that_was_deleted_is_not_that_of_the_same_image_pushed_again(cloud: Any) -> None:
    digest = push(cloud, "manual")
    long_ago = ImageScans(cloud, lambda: datetime(2020, 1, 1, tzinfo=UTC))
    long_ago.start_image_scan({"repositoryName": "manual", "imageId": {"imageDigest": digest}})

    code, _ = refusal(cloud, "DescribeImageScanFindings", repositoryName="manual", imageId={"imageDigest": digest})

    assert code == "ScanNotFoundException"


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            {"repositoryName": "none", "imageId": {"imageTag": "v1"}},
            (
                "RepositoryNotFoundException",
                f"The repository with name 'none' does not exist in the registry with id '{ACCOUNT}'",
            ),
        ),
        (
            {"repositoryName": "pushed", "imageId": {"imageTag": "v1"}, "registryId": "999999999999"},
            (
                "RepositoryNotFoundException",
                "The repository with name 'pushed' does not exist in the registry with id '999999999999'",
            ),
        ),
        (
            {"repositoryName": "pushed", "imageId": {"imageDigest": ABSENT}},
            (
                "ImageNotFoundException",
                f"The image with imageId {{imageDigest:'{ABSENT}', imageTag:'null'}} does not exist within the "
                f"repository with name 'pushed' in the registry with id '{ACCOUNT}'",
            ),
        ),
        (
            {"imageId": {"imageTag": "v1"}},
            (
                "InvalidParameterException",
                "1 validation error detected: Value null at 'repositoryName' failed to satisfy constraint: "
                "Member must not be null",
            ),
        ),
    ],
    ids=["no repository", "another registry", "no image", "no name"],
)
def test_what_is_not_there_is_refused_in_ecrs_words(
    cloud: Any, operation: str, request_: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(cloud, operation, **request_) == expected


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_each_operation_is_checked_against_its_repository(operation: str) -> None:
    rule = rules(REGION, ACCOUNT)[operation]
    place = f"arn:aws:ecr:{REGION}"

    assert list(rule({"repositoryName": "a/b"})) == [Check(f"ecr:{operation}", f"{place}:{ACCOUNT}:repository/a/b")]
    assert list(rule({"repositoryName": "a", "registryId": "9" * 12})) == [
        Check(f"ecr:{operation}", f"{place}:{'9' * 12}:repository/a")
    ]


def test_every_served_operation_has_a_rule(cloud: Any) -> None:
    served = scan_service(cloud).served_operations()

    assert set(served) == set(rules(REGION, ACCOUNT)) == {"DescribeImageScanFindings", "StartImageScan"}


def test_a_caller_whom_iam_refuses_learns_nothing(cloud: Any) -> None:
    def refuse(check: Check) -> None:
        raise ServiceError("AccessDeniedException", f"not authorized to perform: {check.action} on {check.resource}")

    with (
        acting_as(SimpleNamespace(arn="arn:aws:iam::1:user/x", authorize=refuse)),
        pytest.raises(ServiceError, match="not authorized to perform: ecr:StartImageScan"),
    ):
        scan_service(cloud).call("StartImageScan", b'{"repositoryName": "none", "imageId": {}}')
