"""What an endpoint is made of: its models, and the config that says how each serves."""

from collections.abc import Callable
from functools import partial
from typing import Any

from aws_cdk import Aws, CfnParameter, Fn
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra import names
from infra.release_strategy import Comparison, ReleaseStrategy
from settings import AnyEndpoint, Endpoint, Network, ServerlessEndpoint, has_local_storage

_MINUTE = 60


class EndpointConfig(Construct):
    """One config with the champion's model, and the challenger's where the strategy compares the two.

    Attributes:
        name: the config's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint: AnyEndpoint,
        network: Network,
        package: CfnParameter,
        challenger: CfnParameter,
        strategy: ReleaseStrategy,
        alarm_period_seconds: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._project, self._environment, self._endpoint, self._network = project, environment, endpoint, network
        champion = partial(self._variant, names.CHAMPION, self._model("Model", "model", package))
        comparison = strategy.comparison
        variants = (
            {"ProductionVariants": [champion(100)]}
            if comparison is None
            else self._compared(comparison, champion, self._model("ChallengerModel", "challengermodel", challenger))
        )
        key = Fn.import_value(names.key_export(self._project))
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[],
            data_capture_config=self._data_capture(key),
            metrics_config=self._metrics(alarm_period_seconds),
            kms_key_id=self._volume_key(key),
        )
        for name, value in variants.items():
            config.add_property_override(name, value)
        config.override_logical_id(names.logical_id(self._project, self._environment, "endpointconfig"))
        self.name = config.attr_endpoint_config_name

    def _compared(
        self, comparison: Comparison, champion: Callable[[int], dict[str, Any]], model: sagemaker.CfnModel
    ) -> dict[str, Any]:
        """The config's variants where there may be a challenger, whose model that is."""
        model.cfn_options.condition = comparison.has_challenger
        beside = self._variant(names.CHALLENGER, model, comparison.challenger_percent)
        tested = [champion(100 - comparison.challenger_percent), beside]
        return {
            "ProductionVariants": Fn.condition_if(comparison.is_ab_test.logical_id, tested, [champion(100)]),
            # SageMaker copies the share that a shadow's weight is of the production variant's.
            "ShadowProductionVariants": Fn.condition_if(comparison.is_shadow.logical_id, [beside], Aws.NO_VALUE),
        }

    def _model(self, construct_id: str, logical_id: str, package: CfnParameter) -> sagemaker.CfnModel:
        container = sagemaker.CfnModel.ContainerDefinitionProperty(model_package_name=package.value_as_string)
        model = sagemaker.CfnModel(
            self,
            construct_id,
            primary_container=container,
            execution_role_arn=Fn.import_value(names.endpoint_role_export(self._project)),
            # SageMaker isolates no container of a serverless endpoint: docs/decisions/0018-serverless.md
            enable_network_isolation=isinstance(self._endpoint, Endpoint),
            vpc_config=self._vpc_config(),
        )
        model.override_logical_id(names.logical_id(self._project, self._environment, logical_id))
        return model

    def _vpc_config(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        """The VPC of the settings, or the one that the foundation made."""
        network = self._network
        if network.mode != "vpc":
            return None
        made = network.makes_vpc
        subnets = [Fn.import_value(one) for one in names.subnet_exports(self._project)] if made else network.subnet_ids
        groups = [Fn.import_value(names.security_group_export(self._project))] if made else network.security_group_ids
        return sagemaker.CfnModel.VpcConfigProperty(subnets=list(subnets), security_group_ids=list(groups))

    def _variant(self, name: str, model: sagemaker.CfnModel, weight: int) -> dict[str, Any]:
        """A variant as the template has it, for the CDK does not translate what stands under a condition."""
        return {
            "VariantName": name,
            "ModelName": model.attr_model_name,
            "InitialVariantWeight": weight,
            **_capacity(self._endpoint),
        }

    def _volume_key(self, key: str) -> str | None:
        if isinstance(self._endpoint, Endpoint) and has_local_storage(self._endpoint.instance_type):
            return None
        return key

    def _metrics(self, alarm_period_seconds: int) -> sagemaker.CfnEndpointConfig.MetricsConfigProperty | None:
        """SageMaker publishes metrics of invocations once a minute, and more often only as enhanced ones."""
        if isinstance(self._endpoint, ServerlessEndpoint):
            return None
        return sagemaker.CfnEndpointConfig.MetricsConfigProperty(
            enable_enhanced_metrics=alarm_period_seconds < _MINUTE,
            metric_publish_frequency_in_seconds=min(alarm_period_seconds, _MINUTE),
            enable_detailed_observability=False,  # it would ask the container for metrics, and that has none
        )

    def _data_capture(self, key: str) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
        if not self._endpoint.capture_percent:
            return None
        bucket, modes = Fn.import_value(names.data_bucket_export(self._project)), ("Input", "Output")
        return sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=self._endpoint.capture_percent,
            destination_s3_uri=f"s3://{bucket}/{names.CAPTURES}",
            kms_key_id=key,
            capture_options=[sagemaker.CfnEndpointConfig.CaptureOptionProperty(capture_mode=mode) for mode in modes],
            # What is not listed is captured in Base64.
            capture_content_type_header=sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"], json_content_types=["application/json"]
            ),
        )


def _capacity(endpoint: AnyEndpoint) -> dict[str, Any]:
    """Of a variant."""
    if isinstance(endpoint, ServerlessEndpoint):
        wanted = endpoint.serverless
        return {"ServerlessConfig": {"MemorySizeInMB": wanted.memory_mib, "MaxConcurrency": wanted.max_concurrency}}
    return {"InstanceType": endpoint.instance_type, "InitialInstanceCount": endpoint.instance_count}
