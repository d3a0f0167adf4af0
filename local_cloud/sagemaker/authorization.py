"""What IAM is asked before an operation of SageMaker runs.

Sources: the service authorization reference (resources, condition keys, iam:PassRole, sagemaker:AddTags); SageMaker's
developer guide, "Amazon SageMaker API Permissions: Actions, Permissions, and Resources Reference" (kms:CreateGrant).
What neither of them says is marked as a guess.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from local_cloud.authorization import Check, Rules, pass_role
from local_cloud.images import InvalidReferenceError, Reference
from local_cloud.sagemaker.arns import Arns, key_of

_SERVICE = "sagemaker.amazonaws.com"

_TRAINING_JOB = "training-job TrainingJobName"
_PROCESSING_JOB = "processing-job ProcessingJobName"
_MODEL = "model ModelName"
_ENDPOINT_CONFIG = "endpoint-config EndpointConfigName"
_ENDPOINT = "endpoint EndpointName"
_GROUP = "model-package-group ModelPackageGroupName"
_PACKAGE = "model-package ModelPackageName"
_ANY = "*"  # the operation has no resource

# Each resource that an operation is checked against: its kind, and the member of the request that names it.
_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "CreateTrainingJob": (_TRAINING_JOB,),
    "DescribeTrainingJob": (_TRAINING_JOB,),
    "StopTrainingJob": (_TRAINING_JOB,),
    "DeleteTrainingJob": (_TRAINING_JOB,),
    "ListTrainingJobs": (_ANY,),
    "CreateProcessingJob": (_PROCESSING_JOB,),
    "DescribeProcessingJob": (_PROCESSING_JOB,),
    "StopProcessingJob": (_PROCESSING_JOB,),
    "DeleteProcessingJob": (_PROCESSING_JOB,),
    "ListProcessingJobs": (_ANY,),
    "CreateModel": (_MODEL,),
    "DescribeModel": (_MODEL,),
    "DeleteModel": (_MODEL,),
    "ListModels": (_ANY,),
    "CreateEndpointConfig": (_ENDPOINT_CONFIG,),
    "DescribeEndpointConfig": (_ENDPOINT_CONFIG,),
    "DeleteEndpointConfig": (_ENDPOINT_CONFIG,),
    "ListEndpointConfigs": (_ANY,),
    "CreateEndpoint": (_ENDPOINT, _ENDPOINT_CONFIG),
    "UpdateEndpoint": (_ENDPOINT, _ENDPOINT_CONFIG),
    "UpdateEndpointWeightsAndCapacities": (_ENDPOINT,),
    "DescribeEndpoint": (_ENDPOINT,),
    "DeleteEndpoint": (_ENDPOINT,),
    "ListEndpoints": (_ANY,),
    "CreateModelPackageGroup": (_GROUP,),
    "DescribeModelPackageGroup": (_GROUP,),
    "DeleteModelPackageGroup": (_GROUP,),
    "ListModelPackageGroups": (_ANY,),
    "DescribeModelPackage": (_PACKAGE,),
    "DeleteModelPackage": (_PACKAGE,),
    "UpdateModelPackage": ("model-package ModelPackageArn",),
    "BatchDescribeModelPackage": ("model-package ModelPackageArnList",),
}

# By operation: the condition keys that its request carries, and where; in several places, with spaces between them.
_CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "CreateTrainingJob": {
        "sagemaker:EnableRemoteDebug": "RemoteDebugConfig.EnableRemoteDebug",
        "sagemaker:InstanceTypes": "ResourceConfig.InstanceType",
        "sagemaker:InterContainerTrafficEncryption": "EnableInterContainerTrafficEncryption",
        "sagemaker:KeepAlivePeriod": "ResourceConfig.KeepAlivePeriodInSeconds",
        "sagemaker:MaxRuntimeInSeconds": "StoppingCondition.MaxRuntimeInSeconds",
        "sagemaker:NetworkIsolation": "EnableNetworkIsolation",
        "sagemaker:OutputKmsKey": "OutputDataConfig.KmsKeyId",
        "sagemaker:VolumeKmsKey": "ResourceConfig.VolumeKmsKeyId",
        "sagemaker:VpcSecurityGroupIds": "VpcConfig.SecurityGroupIds",
        "sagemaker:VpcSubnets": "VpcConfig.Subnets",
    },
    "CreateProcessingJob": {
        "sagemaker:InstanceTypes": "ProcessingResources.ClusterConfig.InstanceType",
        "sagemaker:InterContainerTrafficEncryption": "NetworkConfig.EnableInterContainerTrafficEncryption",
        "sagemaker:MaxRuntimeInSeconds": "StoppingCondition.MaxRuntimeInSeconds",
        "sagemaker:NetworkIsolation": "NetworkConfig.EnableNetworkIsolation",
        "sagemaker:OutputKmsKey": "ProcessingOutputConfig.KmsKeyId",
        "sagemaker:VolumeKmsKey": "ProcessingResources.ClusterConfig.VolumeKmsKeyId",
        "sagemaker:VpcSecurityGroupIds": "NetworkConfig.VpcConfig.SecurityGroupIds",
        "sagemaker:VpcSubnets": "NetworkConfig.VpcConfig.Subnets",
    },
    "CreateModel": {
        "sagemaker:NetworkIsolation": "EnableNetworkIsolation",
        "sagemaker:VpcSecurityGroupIds": "VpcConfig.SecurityGroupIds",
        "sagemaker:VpcSubnets": "VpcConfig.Subnets",
    },
    "CreateEndpointConfig": {
        "sagemaker:InstanceTypes": "ProductionVariants.InstanceType ShadowProductionVariants.InstanceType",
        "sagemaker:ModelArn": "ProductionVariants.ModelName ShadowProductionVariants.ModelName",
        "sagemaker:NetworkIsolation": "EnableNetworkIsolation",
        "sagemaker:ServerlessMaxConcurrency": "ProductionVariants.ServerlessConfig.MaxConcurrency",
        "sagemaker:ServerlessMemorySize": "ProductionVariants.ServerlessConfig.MemorySizeInMB",
        "sagemaker:VolumeKmsKey": "KmsKeyId",
        "sagemaker:VpcSecurityGroupIds": "VpcConfig.SecurityGroupIds",
        "sagemaker:VpcSubnets": "VpcConfig.Subnets",
    },
    "CreateModelPackage": {
        "sagemaker:ModelApprovalStatus": "ModelApprovalStatus",
        "sagemaker:ModelLifeCycle:Stage": "ModelLifeCycle.Stage",
        "sagemaker:ModelLifeCycle:StageStatus": "ModelLifeCycle.StageStatus",
    },
    "UpdateModelPackage": {
        "sagemaker:CustomerMetadataPropertiesToRemove": "CustomerMetadataPropertiesToRemove",
        "sagemaker:ModelApprovalStatus": "ModelApprovalStatus",
        "sagemaker:ModelLifeCycle:Stage": "ModelLifeCycle.Stage",
        "sagemaker:ModelLifeCycle:StageStatus": "ModelLifeCycle.StageStatus",
    },
    "DeleteTags": {"aws:TagKeys": "TagKeys"},
}
_LISTS = frozenset({
    "aws:TagKeys", "sagemaker:CustomerMetadataPropertiesToRemove", "sagemaker:InstanceTypes",
    "sagemaker:VpcSecurityGroupIds", "sagemaker:VpcSubnets",
})  # fmt: skip
_KMS_KEYS = frozenset({"sagemaker:OutputKmsKey", "sagemaker:VolumeKmsKey"})

# The role that an operation hands to SageMaker.
_ROLES: Mapping[str, str] = {
    "CreateTrainingJob": "RoleArn",
    "CreateProcessingJob": "RoleArn",
    "CreateModel": "ExecutionRoleArn",
    "CreateEndpointConfig": "ExecutionRoleArn",
}


def rules(arns: Arns, volume_key_of: Callable[[str], str | None], role_may: Callable[[str, Check], bool]) -> Rules:
    """What each served operation asks IAM for.

    Args:
        arns: of the cloud's account and region.
        volume_key_of: the KmsKeyId of an endpoint config, by its name; None when it has none, or does not exist.
        role_may: whether a role that SageMaker can assume is allowed to do something.
    """
    questions = _Questions(arns, volume_key_of, role_may)
    needing_more = {
        "CreateTrainingJob": questions.create_job,
        "CreateProcessingJob": questions.create_job,
        "CreateModel": questions.create_model,
        "CreateEndpoint": questions.deploy,
        "UpdateEndpoint": questions.deploy,
        "CreateModelPackage": questions.create_model_package,
        "ListModelPackages": questions.list_model_packages,
        "AddTags": questions.on_tags,
        "ListTags": questions.on_tags,
        "DeleteTags": questions.on_tags,
    }
    asked = dict.fromkeys(_RESOURCES, questions.on_resources) | needing_more
    return {operation: partial(ask, operation) for operation, ask in asked.items()}


def invoke_endpoint(endpoint_name: str, region: str, account_id: str) -> Check:
    """What sagemaker-runtime's InvokeEndpoint asks IAM for."""
    return Check("sagemaker:InvokeEndpoint", Arns(region, account_id).of("endpoint", endpoint_name))


@dataclass(frozen=True)
class _Questions:
    """What one cloud's SageMaker asks; a member that a request lacks stands for a resource with an empty name."""

    arns: Arns
    volume_key_of: Callable[[str], str | None]
    role_may: Callable[[str, Check], bool]

    def on_resources(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        """The operation's own action on its resources, and what its role and its tags need."""
        resources = [arn for resource in _RESOURCES[operation] for arn in self._named(resource, request)]
        yield from self._on(operation, resources, request)

    def create_job(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        yield from self.on_resources(operation, request)
        role_arn = str(request.get(_ROLES[operation], ""))
        for key in _values(request, _CONDITIONS[operation]["sagemaker:VolumeKmsKey"]):
            grant = self._grant(key)
            # the caller is asked only where the job's role may not, says the permissions reference
            if not self.role_may(role_arn, grant):
                yield grant

    def deploy(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        """CreateEndpoint, and UpdateEndpoint, which makes volumes as well; for that one the grant is a guess."""
        yield from self.on_resources(operation, request)
        key = self.volume_key_of(str(request.get("EndpointConfigName", "")))
        if key:
            yield self._grant(key)

    def create_model(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        """A model of a package reads the package: a guess, after "Deploy a Model Version from a Different Account"."""
        yield from self.on_resources(operation, request)
        for container in ("PrimaryContainer", "Containers"):
            for package in _values(request, f"{container}.ModelPackageName"):
                yield Check("sagemaker:DescribeModelPackage", self._arn("model-package", package))

    def create_model_package(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        """Adding a version is asked on all versions of the group, as in "Register a Model Version from a Different
        Account". SageMaker reads image and artifact for the caller: a guess, after the managed policy
        AmazonSageMakerModelRegistryFullAccess, for a request without a role leaves nobody else.
        """
        group = request.get("ModelPackageGroupName")
        resource = self._versions(group) if group else self._arn("model-package", request.get("ModelPackageName", ""))
        yield from self._on(operation, [resource], request)
        for image in _values(request, "InferenceSpecification.Containers.Image"):
            yield Check("ecr:BatchGetImage", self._repository(image))
        for uri in _values(request, "InferenceSpecification.Containers.ModelDataUrl"):
            yield Check("s3:GetObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}")

    def list_model_packages(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        """Which ARN stands for a list is a guess; the reference names the kind model-package."""
        group = request.get("ModelPackageGroupName")
        yield Check(f"sagemaker:{operation}", self._versions(group) if group else self._arn("model-package", "*"))

    def on_tags(self, operation: str, request: Mapping[str, Any]) -> Iterator[Check]:
        kind, _, name = str(request.get("ResourceArn", "")).rpartition(":")[2].partition("/")
        yield Check(f"sagemaker:{operation}", self._arn(kind, name), self._context(operation, request))

    def _on(self, operation: str, resources: list[str], request: Mapping[str, Any]) -> Iterator[Check]:
        context = self._context(operation, request)
        for resource in resources:
            yield Check(f"sagemaker:{operation}", resource, context)
        for role_arn in _values(request, _ROLES.get(operation, "")):
            yield pass_role(role_arn, _SERVICE)
        if request.get("Tags"):
            yield Check("sagemaker:AddTags", resources[0], _tags(request) | {"sagemaker:TaggingAction": operation})

    def _context(self, operation: str, request: Mapping[str, Any]) -> dict[str, str | list[str]]:
        context = _tags(request)
        for key, place in _CONDITIONS.get(operation, {}).items():
            values = [self._value(key, value) for path in place.split() for value in _values(request, path)]
            if values:
                context[key] = values if key in _LISTS or len(values) > 1 else values[0]
        for name, value in (request.get("CustomerMetadataProperties") or {}).items():
            context[f"sagemaker:CustomerMetadataProperties/{name}"] = value
        return context

    def _value(self, key: str, value: Any) -> str:
        if key in _KMS_KEYS:
            return self._key_arn(value)
        if key == "sagemaker:ModelArn":
            return self._arn("model", value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _named(self, resource: str, request: Mapping[str, Any]) -> list[str]:
        kind, _, member = resource.partition(" ")
        return [_ANY] if kind == _ANY else [self._arn(kind, name) for name in _values(request, member) or [""]]

    def _arn(self, kind: str, name_or_arn: str) -> str:
        """The ARN of what the operation will touch, which finds it by the name alone, whatever ARN it stands in."""
        return self.arns.of(kind, key_of(name_or_arn))

    def _versions(self, group: str) -> str:
        return self._arn("model-package", f"{group}/*")

    def _grant(self, key: str) -> Check:
        """A grant for a volume; that it is made through SageMaker is a guess, for EC2 could be the one."""
        context: dict[str, str | list[str]] = {
            "kms:GrantIsForAWSResource": "true",
            "kms:ViaService": f"sagemaker.{self.arns.region}.amazonaws.com",
        }
        return Check("kms:CreateGrant", self._key_arn(key), context)

    def _key_arn(self, key: str) -> str:
        """A KMS key's ARN from its ARN, its id or its alias."""
        if key.startswith("arn:"):
            return key
        resource = key if key.startswith("alias/") else f"key/{key}"
        return f"arn:aws:kms:{self.arns.region}:{self.arns.account_id}:{resource}"

    def _repository(self, image_uri: str) -> str:
        try:
            reference = Reference.parse(image_uri)
            account, region = reference.ecr()
        except InvalidReferenceError:
            return f"arn:aws:ecr:{self.arns.region}:{self.arns.account_id}:repository/"
        return f"arn:aws:ecr:{region}:{account}:repository/{reference.repository}"


def _tags(request: Mapping[str, Any]) -> dict[str, str | list[str]]:
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return context | ({"aws:TagKeys": list(tags)} if tags else {})


def _values(request: Mapping[str, Any], path: str) -> list[Any]:
    """What stands at a path such as `VpcConfig.Subnets`, in each element of the lists on its way; absent, nothing."""
    values: list[Any] = [request]
    for member in path.split("."):
        found = [value.get(member) for value in values if isinstance(value, Mapping)]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if value is not None]
