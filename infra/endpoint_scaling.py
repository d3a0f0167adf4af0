"""Autoscaling of an endpoint."""

from aws_cdk import aws_applicationautoscaling as autoscaling
from constructs import Construct

from infra import names


class EndpointScaling(Construct):
    """Lets the number of the champion's instances follow the calls. The challenger keeps as many as it began with."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint_name: str,
        policy_name: str,
        fewest: int,
        most: int,
        invocations_per_instance: int,
    ) -> None:
        super().__init__(scope, construct_id)
        target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint_name}/variant/{names.CHAMPION}",
            min_capacity=fewest,
            max_capacity=most,
        )
        policy = autoscaling.CfnScalingPolicy
        policy(
            self,
            "Policy",
            policy_name=policy_name,
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=invocations_per_instance,
                predefined_metric_specification=policy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type="SageMakerVariantInvocationsPerInstance"
                ),
            ),
        )
