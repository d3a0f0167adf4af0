"""Model package groups, model packages, and the models made of them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_sagemaker import SageMakerCloud


@pytest.fixture
def group(sagemaker: SageMakerCloud) -> str:
    name = sagemaker.name("Group")
    sagemaker.api.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="for a test")
    return name


def specification(sagemaker: SageMakerCloud, **more: Any) -> dict[str, Any]:
    container = {"Image": sagemaker.image, "ModelDataUrl": sagemaker.put_model(prediction="1")} | more
    return {
        "Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"],
    }  # fmt: skip


def register(sagemaker: SageMakerCloud, group: str, **more: Any) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": specification(sagemaker)} | more
    return str(sagemaker.api.create_model_package(**request)["ModelPackageArn"])


def test_packages_of_a_group_are_numbered_and_numbers_are_not_used_again(sagemaker: SageMakerCloud, group: str) -> None:
    arns = [register(sagemaker, group) for _ in range(3)]
    sagemaker.api.delete_model_package(ModelPackageName=arns[2])
    arns.append(register(sagemaker, group))

    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3", "4"]
    assert arns[0] == f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group.lower()}/1"


def test_a_package_is_described_as_it_was_registered(sagemaker: SageMakerCloud, group: str) -> None:
    arn = register(
        sagemaker, group,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"commit": "abc"},
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "PendingApproval"},
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/k.json"}}},
        Tags=[{"Key": "slipway:execution", "Value": "1"}],
    )  # fmt: skip

    package = sagemaker.api.describe_model_package(ModelPackageName=arn)

    assert package["ModelPackageVersion"] == 1
    assert package["ModelPackageGroupName"] == group
    assert (package["ModelPackageStatus"], package["ModelApprovalStatus"]) == ("Completed", "Approved")
    assert package["CustomerMetadataProperties"] == {"commit": "abc"}
    assert package["ModelLifeCycle"]["Stage"] == "Staging"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == "s3://b/k.json"
    assert package["InferenceSpecification"]["Containers"][0]["ImageDigest"].startswith("sha256:")
    assert "Tags" not in package
    assert sagemaker.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "slipway:execution", "Value": "1"}]


def test_a_package_can_be_updated(sagemaker: SageMakerCloud, group: str) -> None:
    arn = register(sagemaker, group, CustomerMetadataProperties={"keep": "1", "drop": "2"})
    assert sagemaker.api.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "PendingManualApproval"

    sagemaker.api.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="worse than the champion",
        CustomerMetadataProperties={"new": "3"}, CustomerMetadataPropertiesToRemove=["drop"],
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Rejected"},
    )  # fmt: skip

    package = sagemaker.api.describe_model_package(ModelPackageName=arn)
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Rejected", "worse than the champion")
    assert package["CustomerMetadataProperties"] == {"keep": "1", "new": "3"}
    assert package["ModelLifeCycle"]["StageStatus"] == "Rejected"
    assert package["LastModifiedTime"] >= package["CreationTime"]


def test_packages_are_listed_by_group_status_and_page(sagemaker: SageMakerCloud, group: str) -> None:
    arns = [register(sagemaker, group, ModelApprovalStatus="Approved" if n % 2 else "Rejected") for n in range(5)]

    def listed(**filters: Any) -> list[str]:
        pages = sagemaker.api.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, PaginationConfig={"PageSize": 2}, **filters
        )
        return [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]

    assert listed() == arns
    assert listed(SortBy="CreationTime", SortOrder="Descending") == arns[::-1]
    assert listed(ModelApprovalStatus="Approved") == arns[1::2]
    newest = sagemaker.api.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortOrder="Descending", MaxResults=1
    )
    assert [item["ModelPackageVersion"] for item in newest["ModelPackageSummaryList"]] == [4]


def test_a_page_continues_where_the_last_one_ended_when_packages_are_added(
    sagemaker: SageMakerCloud, group: str
) -> None:
    arns = [register(sagemaker, group) for _ in range(3)]
    request = {"ModelPackageGroupName": group, "SortOrder": "Descending", "MaxResults": 2}
    first = sagemaker.api.list_model_packages(**request)
    register(sagemaker, group)
    second = sagemaker.api.list_model_packages(**request, NextToken=first["NextToken"])
    assert [item["ModelPackageArn"] for item in second["ModelPackageSummaryList"]] == arns[:1]
    assert "NextToken" not in second


def test_packages_are_described_in_one_batch(sagemaker: SageMakerCloud, group: str) -> None:
    arn = register(sagemaker, group)
    answer = sagemaker.api.batch_describe_model_package(ModelPackageArnList=[arn, arn[:-1] + "9"])
    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert list(answer["BatchDescribeModelPackageErrorMap"]) == [arn[:-1] + "9"]


def test_groups_are_described_listed_and_deleted_when_empty(sagemaker: SageMakerCloud, group: str) -> None:
    arn = register(sagemaker, group)
    described = sagemaker.api.describe_model_package_group(ModelPackageGroupName=group)
    assert (described["ModelPackageGroupStatus"], described["ModelPackageGroupDescription"]) == (
        "Completed",
        "for a test",
    )
    listed = sagemaker.api.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupArn"] for item in listed] == [described["ModelPackageGroupArn"]]
    with pytest.raises(ClientError, match="still contains Model Packages"):
        sagemaker.api.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.api.delete_model_package(ModelPackageName=arn)
    sagemaker.api.delete_model_package_group(ModelPackageGroupName=described["ModelPackageGroupArn"])
    with pytest.raises(ClientError, match=r"ModelPackageGroup arn:aws:sagemaker.* does not exist"):
        sagemaker.api.describe_model_package_group(ModelPackageGroupName=group)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ModelPackageName": "both"}, "Both ModelPackageName and ModelPackageGroupName are provided"),
        ({"ModelPackageGroupName": "no-such-group"}, "ModelPackageGroup arn:.*no-such-group does not exist"),
        ({"ModelApprovalStatus": "Maybe"}, "modelApprovalStatus"),
        (
            {"InferenceSpecification": {"Containers": [{"Image": "nobody/knows:1"}]}},
            "Requested image nobody/knows:1 not found",
        ),
    ],
    ids=["two names", "no group", "no such status", "no image"],
)
def test_a_wrong_package_is_refused(
    sagemaker: SageMakerCloud, group: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        register(sagemaker, group, **changes)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert sagemaker.api.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []


def test_a_group_cannot_be_created_twice(sagemaker: SageMakerCloud, group: str) -> None:
    with pytest.raises(ClientError, match="Model Package Group already exists: arn:aws:sagemaker"):
        sagemaker.api.create_model_package_group(ModelPackageGroupName=group)


def test_a_package_that_does_not_exist_is_not_found(sagemaker: SageMakerCloud) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/none/1"
    for call in (
        lambda: sagemaker.api.describe_model_package(ModelPackageName=arn),
        lambda: sagemaker.api.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved"),
        lambda: sagemaker.api.delete_model_package(ModelPackageName=arn),
    ):
        with pytest.raises(ClientError, match=f"ModelPackage {arn} does not exist"):
            call()


def make_model(sagemaker: SageMakerCloud, **container: Any) -> str:
    name = sagemaker.name("model")
    sagemaker.api.create_model(ModelName=name, ExecutionRoleArn=sagemaker.role_arn, PrimaryContainer=container)
    return name


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_a_package_that_is_not_approved_cannot_become_a_model(
    sagemaker: SageMakerCloud, group: str, status: str
) -> None:
    arn = register(sagemaker, group, ModelApprovalStatus=status)
    with pytest.raises(ClientError, match=f"its ModelApprovalStatus is {status} and must be Approved"):
        make_model(sagemaker, ModelPackageName=arn)
    sagemaker.api.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    name = make_model(sagemaker, ModelPackageName=arn)
    assert sagemaker.api.describe_model(ModelName=name)["PrimaryContainer"] == {"ModelPackageName": arn}


def test_a_model_is_described_listed_deleted_and_its_name_used_once(sagemaker: SageMakerCloud) -> None:
    name = sagemaker.make_model()
    described = sagemaker.api.describe_model(ModelName=name)
    assert described["PrimaryContainer"]["Image"] == sagemaker.image
    assert [item["ModelName"] for item in sagemaker.api.list_models(NameContains=name)["Models"]] == [name]
    with pytest.raises(ClientError, match=f'Cannot create already existing model "{described["ModelArn"]}"'):
        sagemaker.make_model(name=name)
    sagemaker.api.delete_model(ModelName=name)
    with pytest.raises(ClientError, match=f'Could not find model "{described["ModelArn"]}"'):
        sagemaker.api.describe_model(ModelName=name)


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"ModelDataUrl": "s3://sagemaker-tests/none/model.tar.gz"},
            "Could not find model data at s3://sagemaker-tests/none",
        ),
        ({"Image": "nobody/knows:1"}, "Requested image nobody/knows:1 not found"),
        ({"ModelPackageName": "some-package"}, "either Image or ModelPackageName, and not both"),
        ({"Mode": "MultiModel"}, "does not serve containers with Mode MultiModel"),
    ],
    ids=["no artifact", "no image", "image and package", "multi-model"],
)
def test_a_wrong_model_is_refused(sagemaker: SageMakerCloud, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        sagemaker.make_model(**container)
