"""An environment's endpoint. CloudFormation owns it: no step changes one."""

from typing import Any

from aws_cdk import BootstraplessSynthesizer, CfnOutput, CfnParameter, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra import names
from infra.endpoint_alarms import EndpointAlarms
from infra.endpoint_config import EndpointConfig
from infra.endpoint_dashboard import EndpointDashboard
from infra.endpoint_scaling import EndpointScaling
from infra.release_strategy import ReleaseStrategy
from settings import AnyEndpoint, Endpoint, Network, Release

_MODEL_PACKAGE = r"arn:[a-z-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/[A-Za-z0-9-]+/[0-9]+"


class EndpointStack(Stack):
    """One model package behind one endpoint, a second one beside it in an A/B test or as a shadow.

    The parameters say which packages and by which strategy; all else is the commit's settings. The pipeline deploys the
    synthesized template, so the stack holds no assets and asks for no bootstrapping.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint: AnyEndpoint,
        release: Release,
        default_strategy: str,
        network: Network,
    ) -> None:
        self._name, self._project, self._environment = names.endpoint_name(project, environment), project, environment
        super().__init__(
            scope,
            construct_id,
            stack_name=self._name,
            description=f"Slipway: the {environment} endpoint of {project}",
            synthesizer=BootstraplessSynthesizer(),
        )
        self._endpoint, self._release = endpoint, release
        package = self._parameter("ModelPackageArn", "The model package to serve", _MODEL_PACKAGE)
        challenger = self._parameter(
            "ChallengerModelPackageArn",
            f"The model package beside it, in an A/B test or as a shadow; {names.NO_CHALLENGER} without",
            f"{names.NO_CHALLENGER}|{_MODEL_PACKAGE}",
            default=names.NO_CHALLENGER,
        )
        strategy = ReleaseStrategy(
            self, "Release", release=release, endpoint=endpoint, default=default_strategy, challenger=challenger
        )
        config = EndpointConfig(
            self,
            "Config",
            project=project,
            environment=environment,
            endpoint=endpoint,
            network=network,
            package=package,
            challenger=challenger,
            strategy=strategy,
            alarm_period_seconds=release.rollback_on.period_seconds,
        )
        alarms = self._add_alarms(config)
        served = self._add_endpoint(config, strategy, alarms)
        self._add_scaling(served)
        CfnOutput(self, "EndpointName", value=served.attr_endpoint_name)

    def _add_alarms(self, config: EndpointConfig) -> EndpointAlarms:
        alarms = EndpointAlarms(
            self,
            "Alarms",
            project=self._project,
            environment=self._environment,
            # A serverless endpoint has no rollout in which two configs serve.
            endpoint_config_name=config.name if isinstance(self._endpoint, Endpoint) else None,
            limits=self._release.rollback_on,
        )
        EndpointDashboard(
            self,
            "Dashboard",
            project=self._project,
            environment=self._environment,
            endpoint=self._endpoint,
            alarms=alarms.all,
        )
        return alarms

    def _add_endpoint(
        self, config: EndpointConfig, strategy: ReleaseStrategy, alarms: EndpointAlarms
    ) -> sagemaker.CfnEndpoint:
        served = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self._name,
            endpoint_config_name=config.name,
            deployment_config=strategy.deployment_config(alarms.names),
            **_retained(self._endpoint),
        )
        served.node.add_dependency(alarms)  # SageMaker looks for them when an update begins
        return served

    def _add_scaling(self, served: sagemaker.CfnEndpoint) -> None:
        endpoint = self._endpoint
        if endpoint.autoscaled_to is not None:
            EndpointScaling(
                self,
                "Scaling",
                endpoint_name=served.attr_endpoint_name,
                policy_name=f"{self._name}-invocations",
                fewest=endpoint.instance_count,
                most=endpoint.autoscaled_to,
                invocations_per_instance=endpoint.invocations_per_instance,
            )

    def _parameter(self, name: str, description: str, pattern: str, default: str | None = None) -> CfnParameter:
        return CfnParameter(
            self,
            name,
            description=description,
            default=default,
            allowed_pattern=pattern,
            constraint_description="must be the ARN of a version in a model package group"
            + (f", or {default}" if default else ""),
        )


def _retained(endpoint: AnyEndpoint) -> dict[str, Any]:
    """What an update leaves as it is: where autoscaling has decided on a number of instances, that number."""
    if endpoint.autoscaled_to is None:
        # What slipway.yaml says about instances holds, also for an endpoint that exists.
        return {"retain_all_variant_properties": False}
    kinds = ("DesiredWeight", "DataCaptureConfig")  # all but the instances
    excluded = [sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type=kind) for kind in kinds]
    return {"retain_all_variant_properties": True, "exclude_retained_variant_properties": excluded}
