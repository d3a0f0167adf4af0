"""Every served operation of SageMaker, answered at least once by its model; and what is idempotent stays so."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from fidelity_support import Registered, pages, succeeded
from local_cloud_sagemaker import SageMakerCloud

NAMES = ("MaxResults", "NextToken")


def test_sagemaker_answers_every_served_operation_by_its_model(sagemaker: SageMakerCloud, added: Registered) -> None:
    done = succeeded(sagemaker.api)
    _registry(sagemaker)
    _jobs(sagemaker)
    _endpoint(sagemaker)
    assert done == set(added.services["sagemaker"].served_operations())


def _registry(sagemaker: SageMakerCloud) -> None:
    api, group = sagemaker.api, sagemaker.name("group")
    api.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "k", "Value": "v"}])
    arn = api.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    first, second = (
        api.create_model_package(ModelPackageGroupName=group, **package_members(sagemaker))["ModelPackageArn"]
        for _ in range(2)
    )
    api.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved", ApprovalDescription="good")
    assert api.describe_model_package(ModelPackageName=first)["ModelApprovalStatus"] == "Approved"
    described = api.batch_describe_model_package(ModelPackageArnList=[first, f"{second}0"])
    assert described["ModelPackageSummaries"].keys() == {first}
    found = pages(api.list_model_packages, "ModelPackageSummaryList", {"ModelPackageGroupName": group}, NAMES)
    assert [package["ModelPackageArn"] for package in found] == [first, second]
    api.list_model_package_groups(NameContains=group)
    api.add_tags(ResourceArn=arn, Tags=[{"Key": "l", "Value": "w"}])
    api.delete_tags(ResourceArn=arn, TagKeys=["k"])
    assert api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "l", "Value": "w"}]
    for package in (first, second):
        api.delete_model_package(ModelPackageName=package)
    api.delete_model_package_group(ModelPackageGroupName=group)


def package_members(sagemaker: SageMakerCloud) -> dict[str, Any]:
    container = {"Image": sagemaker.image, "ModelDataUrl": "s3://anywhere/model.tar.gz"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"],
                     "SupportedResponseMIMETypes": ["text/csv"]}  # fmt: skip
    return {"InferenceSpecification": specification, "ModelApprovalStatus": "PendingManualApproval"}


def _jobs(sagemaker: SageMakerCloud) -> None:
    api = sagemaker.api
    trained = sagemaker.train()["TrainingJobName"]
    stopped = sagemaker.name("stopped")
    api.create_training_job(**sagemaker.training_request(stopped, {"hang": ""}))
    api.stop_training_job(TrainingJobName=stopped)
    assert sagemaker.job_ended(stopped)["TrainingJobStatus"] == "Stopped"
    api.list_training_jobs(NameContains=trained, StatusEquals="Completed")
    api.delete_training_job(TrainingJobName=trained)
    processed = sagemaker.name("processed")
    api.create_processing_job(
        ProcessingJobName=processed, AppSpecification={"ImageUri": sagemaker.image}, RoleArn=sagemaker.role_arn,
        ProcessingResources={
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    )  # fmt: skip
    api.stop_processing_job(ProcessingJobName=processed)
    assert sagemaker.processing_ended(processed)["ProcessingJobStatus"] == "Stopped"
    api.list_processing_jobs(NameContains=processed)
    api.delete_processing_job(ProcessingJobName=processed)


def _endpoint(sagemaker: SageMakerCloud) -> None:
    api = sagemaker.api
    model = sagemaker.make_model()
    config = sagemaker.make_config(model)
    endpoint = sagemaker.make_endpoint(config)
    weights = [{"VariantName": "A", "DesiredWeight": 2.0}]
    api.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=weights)
    sagemaker.endpoint_settled(endpoint)
    api.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    assert sagemaker.endpoint_settled(endpoint)["EndpointStatus"] == "InService"
    api.list_endpoints(NameContains=endpoint)
    api.list_endpoint_configs(NameContains=config)
    api.list_models(NameContains=model)
    api.describe_endpoint_config(EndpointConfigName=config)
    api.describe_model(ModelName=model)
    api.delete_endpoint(EndpointName=endpoint)
    api.delete_endpoint_config(EndpointConfigName=config)
    api.delete_model(ModelName=model)


def test_the_same_client_token_registers_one_package_and_is_good_for_no_other(sagemaker: SageMakerCloud) -> None:
    api, group = sagemaker.api, sagemaker.name("group")
    api.create_model_package_group(ModelPackageGroupName=group)
    request = {"ModelPackageGroupName": group, "ClientToken": sagemaker.name("token")}
    first = api.create_model_package(**request)["ModelPackageArn"]
    assert api.create_model_package(**request)["ModelPackageArn"] == first
    assert len(api.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1
    with pytest.raises(api.exceptions.ConflictException, match="The ClientToken has made"):
        api.create_model_package(**request, ModelPackageDescription="another")
    api.delete_model_package(ModelPackageName=first)
    assert api.create_model_package(**request)["ModelPackageArn"] != first


@pytest.mark.parametrize("token", ["broken", "bm90IGpzb24=", "WzEsIDJd", ""])
def test_a_token_that_no_list_has_given_out_is_refused(sagemaker: SageMakerCloud, token: str) -> None:
    for operation in ("list_models", "list_endpoints", "list_training_jobs", "list_model_packages"):
        with pytest.raises(ClientError, match=r"ValidationException.*Invalid NextToken"):
            getattr(sagemaker.api, operation)(NextToken=token)
    group = sagemaker.name("group")
    arn = sagemaker.api.create_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid NextToken"):
        sagemaker.api.list_tags(ResourceArn=arn, NextToken=token)
