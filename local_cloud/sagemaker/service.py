"""The parts of SageMaker put together: one API, one runtime route, the CloudFormation types."""

import shutil
from types import SimpleNamespace

from botocore import xform_name

from local_cloud.authorization import Check, authorize
from local_cloud.cloud import Cloud
from local_cloud.images import ImageStore
from local_cloud.ministack import AsgiApp, ResourceHandler
from local_cloud.sagemaker import authorization
from local_cloud.sagemaker.arns import Arns
from local_cloud.sagemaker.endpoint_configs import EndpointConfigs
from local_cloud.sagemaker.endpoints import Endpoints
from local_cloud.sagemaker.model_package_groups import ModelPackageGroups
from local_cloud.sagemaker.model_packages import ModelPackages
from local_cloud.sagemaker.models import Models
from local_cloud.sagemaker.processing_jobs import ProcessingJobs
from local_cloud.sagemaker.resources import EndpointResource, NamedResource
from local_cloud.sagemaker.runtime import PREFIX, Runtime
from local_cloud.sagemaker.tags import Tags
from local_cloud.sagemaker.training_jobs import TrainingJobs
from local_cloud.sagemaker.unserved import NOT_SERVED
from local_cloud.wire import JsonService, ServiceError, service_model

_KINDS = {
    "training-job": "training_jobs",
    "processing-job": "processing_jobs",
    "model-package-group": "model_package_groups",
    "model-package": "model_packages",
    "model": "models",
    "endpoint-config": "endpoint_configs",
    "endpoint": "endpoints",
}
_FIXED_OF_MODEL = frozenset({
    "ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "EnableNetworkIsolation",
    "InferenceExecutionConfig", "VpcConfig",
})  # fmt: skip
_FIXED_OF_ENDPOINT_CONFIG = frozenset({
    "EndpointConfigName", "ProductionVariants", "ShadowProductionVariants", "DataCaptureConfig", "KmsKeyId",
    "AsyncInferenceConfig", "ExplainerConfig", "ExecutionRoleArn", "EnableNetworkIsolation", "MetricsConfig",
    "VpcConfig",
})  # fmt: skip
_FIXED_OF_GROUP = frozenset({"ModelPackageGroupName", "ModelPackageGroupDescription"})


class SageMaker:
    """SageMaker in one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._folder = cloud.state_dir / "sagemaker"
        images = ImageStore(cloud)
        arns = Arns(cloud.region, cloud.account_id)
        tables = {kind: cloud.store.table(f"sagemaker.{name}") for kind, name in _KINDS.items()}
        tags = Tags(cloud.store.table("sagemaker.tags"), tables)
        jobs = self._folder / "jobs"
        self._training_jobs = TrainingJobs(cloud, images, arns, tables["training-job"], tags, jobs / "training")
        self._processing_jobs = ProcessingJobs(cloud, images, arns, tables["processing-job"], tags, jobs / "processing")
        groups = ModelPackageGroups(arns, tables["model-package-group"], tables["model-package"], tags)
        tokens = cloud.store.table("sagemaker.client-tokens")
        packages = ModelPackages(arns, images, tables["model-package"], tokens, groups, tags)
        models = Models(cloud, images, arns, tables["model"], packages, tags)
        configs = EndpointConfigs(arns, tables["endpoint-config"], models, tags)
        self._endpoints = Endpoints(
            cloud, images, arns, tables["endpoint"], configs, models, tags, self._folder / "endpoints"
        )
        parts = (self._training_jobs, self._processing_jobs, groups, packages, models, configs, self._endpoints, tags)
        rules = authorization.rules(arns, configs.volume_key_of, self._role_may)
        required = {"CreateTrainingJob": ("AlgorithmSpecification",)}
        self.api = JsonService("sagemaker", _as_one(*parts), rules, also_required=required, not_served=NOT_SERVED)

    def _role_may(self, role_arn: str, check: Check) -> bool:
        try:
            with self._cloud.acting_as_role(role_arn, "SageMaker"):
                authorize([check])
        except ServiceError:
            return False
        return True

    def runtime_route(self) -> tuple[str, AsgiApp]:
        """The paths of sagemaker-runtime and what answers them."""
        return PREFIX, Runtime(self._endpoints, self._cloud.region, self._cloud.account_id)

    def resources(self) -> dict[str, ResourceHandler]:
        """The CloudFormation types by name; what is fixed and readable is in the types' public schemas."""
        group = ("ModelPackageGroupArn", "ModelPackageGroupStatus", "CreationTime")
        return {
            "AWS::SageMaker::ModelPackageGroup": NamedResource(self.api, "ModelPackageGroup", _FIXED_OF_GROUP, group),
            "AWS::SageMaker::Model": NamedResource(self.api, "Model", _FIXED_OF_MODEL, ("ModelName", "ModelArn")),
            "AWS::SageMaker::EndpointConfig": NamedResource(
                self.api, "EndpointConfig", _FIXED_OF_ENDPOINT_CONFIG, ("EndpointConfigName", "EndpointConfigArn")
            ),
            "AWS::SageMaker::Endpoint": EndpointResource(self.api, self._endpoints),
        }

    def resume(self) -> None:
        """Take up what a stopped server left behind."""
        shutil.rmtree(self._folder / "jobs", ignore_errors=True)
        self._training_jobs.resume()
        self._processing_jobs.resume()
        self._endpoints.resume()


def _as_one(*parts: object) -> object:
    """One object with the operations of all parts."""
    names = {xform_name(name) for name in service_model("sagemaker").operation_names}
    return SimpleNamespace(**{name: getattr(part, name) for part in parts for name in names if hasattr(part, name)})
