"""What holds something: kept on AWS, protected everywhere."""

import pytest
from infra_support import Deployment

KEY = "<Key.Arn>"
BUCKETS = ("DataBucket", "ArtifactBucket", "AccessLogBucket")
LOGGED = {"DataBucket": "data/", "ArtifactBucket": "artifacts/"}

STATEFUL = {
    "Key961B73FD": "AWS::KMS::Key",
    "AccessLogBucketDA470295": "AWS::S3::Bucket",
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


def test_the_key_is_used_by_whom_iam_allows_and_for_the_projects_log_groups(deployment: Deployment) -> None:
    policy = deployment.properties("foundation", "AWS::KMS::Key", "Key")["KeyPolicy"]

    assert policy["Statement"] == [
        {
            "Action": "kms:*",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Resource": "*",
        },
        {
            "Action": [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            "Condition": {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/codebuild/flight-delays-*"
                    ]
                }
            },
            "Effect": "Allow",
            "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
            "Resource": "*",
        },
    ]


@pytest.mark.parametrize("bucket", ["DataBucket", "ArtifactBucket"])
def test_what_is_stored_is_encrypted_with_the_key(deployment: Deployment, bucket: str) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", bucket)

    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert rule["BucketKeyEnabled"] is True


def test_access_logs_are_encrypted_as_s3_can_deliver_them(deployment: Deployment) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", "AccessLogBucket")

    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_private_and_versioned(deployment: Deployment, bucket: str) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", bucket)

    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert "BucketName" not in properties


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_refuse_requests_without_tls(deployment: Deployment, bucket: str) -> None:
    policy = deployment.properties("foundation", "AWS::S3::BucketPolicy", f"{bucket}Policy")

    assert policy["Bucket"] == f"<{bucket}>"
    assert policy["PolicyDocument"]["Statement"][0] == {
        "Action": "s3:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Resource": [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"],
    }


@pytest.mark.parametrize(("bucket", "prefix"), LOGGED.items())
def test_every_access_to_what_is_stored_is_logged_under_the_buckets_own_prefix(
    deployment: Deployment, bucket: str, prefix: str
) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", bucket)

    assert properties["LoggingConfiguration"] == {
        "DestinationBucketName": "<AccessLogBucket>",
        "LogFilePrefix": prefix,
    }


def test_the_log_of_the_logs_would_never_end(deployment: Deployment) -> None:
    assert "LoggingConfiguration" not in deployment.properties("foundation", "AWS::S3::Bucket", "AccessLogBucket")


def test_nobody_is_allowed_into_a_bucket_but_s3_to_deliver_the_projects_access_logs(deployment: Deployment) -> None:
    allowing = [
        statement
        for policy in deployment.resources("foundation", "AWS::S3::BucketPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert allowing == [
        {
            "Action": "s3:PutObject",
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"<{bucket}.Arn>"},
                "StringEquals": {"aws:SourceAccount": "111122223333"},
            },
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Resource": f"<AccessLogBucket.Arn>/{prefix}*",
        }
        for bucket, prefix in LOGGED.items()
    ]


TIDY = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}


@pytest.mark.parametrize(
    ("bucket", "rules"),
    {
        "DataBucket": [TIDY],  # a model that a package refers to must never be lost
        "ArtifactBucket": [
            TIDY,
            {"ExpirationInDays": 90, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}, "Status": "Enabled"},
        ],
        "AccessLogBucket": [
            {"ExpirationInDays": 365, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}, "Status": "Enabled"}
        ],
    }.items(),
)
def test_only_what_nothing_refers_to_expires(
    deployment: Deployment, bucket: str, rules: list[dict[str, object]]
) -> None:
    properties = deployment.properties("foundation", "AWS::S3::Bucket", bucket)

    assert properties["LifecycleConfiguration"] == {"Rules": rules}


def test_images_keep_their_tags_are_scanned_and_never_expire(deployment: Deployment) -> None:
    properties = deployment.properties("foundation", "AWS::ECR::Repository", "ImageRepository")

    assert properties["RepositoryName"] == "flight-delays"
    assert properties["ImageTagMutability"] == "IMMUTABLE"
    assert properties["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": KEY}
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
