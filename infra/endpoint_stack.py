"""An environment's endpoint. CloudFormation owns it: no step changes one."""

from aws_cdk import BootstraplessSynthesizer, CfnOutput, CfnParameter, Fn, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra import names
from settings import Endpoint, Network, has_local_storage

# It stays the same over all updates, for a blue/green deployment shifts traffic within one variant.
_VARIANT = "AllTraffic"


class EndpointStack(Stack):
    """One model package behind one endpoint. The package is the stack's only parameter.

    The pipeline deploys the synthesized template, so the stack holds no assets and asks for no bootstrapping.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint: Endpoint,
        network: Network,
    ) -> None:
        name = names.endpoint_name(project, environment)
        super().__init__(
            scope,
            construct_id,
            stack_name=name,
            description=f"Slipway: the {environment} endpoint of {project}",
            synthesizer=BootstraplessSynthesizer(),
        )
        self._project, self._environment = project, environment
        package = CfnParameter(self, "ModelPackageArn", description="The model package to serve")
        package.allowed_pattern = r"arn:[a-z-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/[A-Za-z0-9-]+/[0-9]+"
        package.constraint_description = "must be the ARN of a version in a model package group"
        model = self._model(package.value_as_string, network)
        config = self._config(model, endpoint)
        served = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=config.attr_endpoint_config_name,
            # What slipway.yaml says about instances holds, also for an endpoint that exists.
            retain_all_variant_properties=False,
        )
        CfnOutput(self, "EndpointName", value=served.attr_endpoint_name)

    def _model(self, model_package_arn: str, network: Network) -> sagemaker.CfnModel:
        container = sagemaker.CfnModel.ContainerDefinitionProperty(model_package_name=model_package_arn)
        model = sagemaker.CfnModel(
            self,
            "Model",
            primary_container=container,
            execution_role_arn=Fn.import_value(names.endpoint_role_export(self._project)),
            enable_network_isolation=True,
            vpc_config=self._vpc_config(network),
        )
        model.override_logical_id(names.logical_id(self._project, self._environment, "model"))
        return model

    def _vpc_config(self, network: Network) -> sagemaker.CfnModel.VpcConfigProperty | None:
        """The VPC of the settings, or the one that the foundation made."""
        if network.mode != "vpc":
            return None
        made = network.makes_vpc
        subnets = [Fn.import_value(one) for one in names.subnet_exports(self._project)] if made else network.subnet_ids
        groups = [Fn.import_value(names.security_group_export(self._project))] if made else network.security_group_ids
        return sagemaker.CfnModel.VpcConfigProperty(subnets=list(subnets), security_group_ids=list(groups))

    def _config(self, model: sagemaker.CfnModel, endpoint: Endpoint) -> sagemaker.CfnEndpointConfig:
        variant = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
            variant_name=_VARIANT,
            model_name=model.attr_model_name,
            instance_type=endpoint.instance_type,
            initial_instance_count=endpoint.instance_count,
            initial_variant_weight=1,
        )
        key = None if has_local_storage(endpoint.instance_type) else Fn.import_value(names.key_export(self._project))
        config = sagemaker.CfnEndpointConfig(self, "EndpointConfig", production_variants=[variant], kms_key_id=key)
        config.override_logical_id(names.logical_id(self._project, self._environment, "endpointconfig"))
        return config
