"""What holds something: kept on AWS, protected everywhere."""

import pytest
from infra_support import Deployment

KEY = "<Key.Arn>"

STATEFUL = {
    "Key961B73FD": "AWS::KMS::Key",
    "DataBucketE3889A50": "AWS::S3::Bucket",
    "ArtifactBucket7410C9EF": "AWS::S3::Bucket",
    "Repository22E53BBD": "AWS::CodeCommit::Repository",
    "ImageRepositoryBBCBC9DF": "AWS::ECR::Repository",
    "ModelPackageGroup": "AWS::SageMaker::ModelPackageGroup",
}


@pytest.mark.parametrize(("logical_id", "resource_type"), STATEFUL.items())
def test_the_logical_ids_of_what_holds_something_never_change(
    deployment: Deployment, logical_id: str, resource_type: str
) -> None:
    assert deployment.foundation["Resources"][logical_id]["Type"] == resource_type


def test_nothing_else_in_the_foundation_holds_something(deployment: Deployment) -> None:
    stateless = {"AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::SNS::Topic"}
    resources = deployment.foundation["Resources"]

    assert {name for name, resource in resources.items() if resource["Type"] not in stateless} == set(STATEFUL)


@pytest.mark.parametrize("logical_id", STATEFUL)
def test_what_holds_something_is_retained_on_aws_and_removed_locally(
    deployment: Deployment, local_deployment: Deployment, logical_id: str
) -> None:
    kept, removed = (one.foundation["Resources"][logical_id] for one in (deployment, local_deployment))

    assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert (removed["DeletionPolicy"], removed["UpdateReplacePolicy"]) == ("Delete", "Delete")


def test_the_key_rotates(deployment: Deployment) -> None:
    assert deployment.properties("foundation", "AWS::KMS::Key", "Key")["EnableKeyRotation"] is True


@pytest.mark.parametrize("bucket", ["DataBucket", "ArtifactBucket"])
def test_buckets_are_private_versioned_and_encrypted_with_the_key(deployment: Deployment, bucket: str) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", bucket)

    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert "BucketName" not in properties


@pytest.mark.parametrize("bucket", ["DataBucket", "ArtifactBucket"])
def test_buckets_refuse_requests_without_tls(deployment: Deployment, bucket: str) -> None:
    policy = deployment.properties("foundation", "AWS::S3::BucketPolicy", f"{bucket}Policy")

    assert policy["Bucket"] == f"<{bucket}>"
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Action": "s3:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Resource": [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"],
        }
    ]


def test_images_keep_their_tags_are_scanned_and_never_expire(deployment: Deployment) -> None:
    properties = deployment.properties("foundation", "AWS::ECR::Repository", "ImageRepository")

    assert properties["RepositoryName"] == "flight-delays"
    assert properties["ImageTagMutability"] == "IMMUTABLE"
    assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert "LifecyclePolicy" not in properties


def test_a_repository_with_images_is_deleted_only_where_everything_is_removed(
    deployment: Deployment, local_deployment: Deployment
) -> None:
    kept, removed = (
        one.properties("foundation", "AWS::ECR::Repository", "ImageRepository")
        for one in (deployment, local_deployment)
    )

    assert (kept["EmptyOnDelete"], removed["EmptyOnDelete"]) == (False, True)


def test_repository_and_registry_bear_the_projects_name_and_no_code(deployment: Deployment) -> None:
    repository = deployment.properties("foundation", "AWS::CodeCommit::Repository", "Repository")
    group = deployment.properties("foundation", "AWS::SageMaker::ModelPackageGroup", "ModelPackageGroup")

    assert repository["RepositoryName"] == "flight-delays"
    assert "Code" not in repository
    assert group["ModelPackageGroupName"] == "flight-delays"


def test_approvers_hear_by_mail_over_an_encrypted_topic(deployment: Deployment, customized: Deployment) -> None:
    topic = customized.properties("foundation", "AWS::SNS::Topic", "ApprovalTopic")
    subscriptions = customized.resources("foundation", "AWS::SNS::Subscription").values()

    assert topic["KmsMasterKeyId"] == KEY
    assert {(one["Properties"]["Protocol"], one["Properties"]["Endpoint"]) for one in subscriptions} == {
        ("email", "ann@example.org"),
        ("email", "bob@example.org"),
    }
    assert not deployment.resources("foundation", "AWS::SNS::Subscription")


def test_the_outputs_that_people_and_commands_look_up_are_there(deployment: Deployment) -> None:
    outputs = {name: deployment.resolve(output["Value"]) for name, output in deployment.foundation["Outputs"].items()}

    assert outputs["DataBucketName"] == "<DataBucket>"
    assert outputs["ArtifactBucketName"] == "<ArtifactBucket>"
    assert outputs["RepositoryName"] == "<Repository.Name>"
    assert outputs["RepositoryCloneUrlHttp"] == "<Repository.CloneUrlHttp>"
    assert "ImageRepositoryUri" in outputs
    assert outputs["ModelPackageGroupName"] == "flight-delays"
    assert outputs["ApprovalTopicArn"] == "<ApprovalTopic>"
    assert outputs["KeyArn"] == KEY


def test_the_endpoint_stacks_find_role_and_key_among_the_exports(deployment: Deployment) -> None:
    exports = {name: deployment.resolve(value) for name, value in deployment.exports().items()}

    assert exports["flight-delays:EndpointRoleArn"] == "<ExecutionRolesEndpoint.Arn>"
    assert exports["flight-delays:KeyArn"] == KEY
