"""What whoever deploys an endpoint needs for its autoscaling; the scaling itself is done by a role of AWS's own.

The actions of SageMaker, CloudWatch and IAM are those that the user guide of Application Auto Scaling asks of whoever
registers a target.
"""

from aws_cdk import Aws

from infra import names, permissions
from infra.permission import Permission

_NOT_SCALED = "only where max_instance_count is more than instance_count, and the recorded run has one instance"
_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
_LINKED_ROLE = f"aws-service-role/{_SERVICE}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def scale_endpoint(project: str, environment: str) -> list[Permission]:
    """Let the instances of an environment's endpoint follow its calls."""
    return [*_register_targets(), *_act_on_the_endpoint(names.endpoint_name(project, environment))]


def _register_targets() -> list[Permission]:
    prefix = "application-autoscaling"
    policy = [f"{prefix}:{verb}ScalingPolicy" for verb in ("Delete", "Put")]
    change = [*policy, *(f"{prefix}:{verb}ScalableTarget" for verb in ("Deregister", "Register"))]
    look = [f"{prefix}:Describe{kind}" for kind in ("ScalableTargets", "ScalingActivities", "ScalingPolicies")]
    tag = [f"{prefix}:{operation}" for operation in ("ListTagsForResource", "TagResource", "UntagResource")]
    variants = {
        f"{prefix}:service-namespace": "sagemaker",
        f"{prefix}:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
    }
    targets = f"arn:{Aws.PARTITION}:{prefix}:{Aws.REGION}:{Aws.ACCOUNT_ID}:scalable-target/*"
    numbered = "a scalable target gets its id when it is registered"
    no_resource = "AWS checks no Describe action of Application Auto Scaling against a resource"
    return [
        permissions.allow(
            *change,
            on=targets,
            when={"StringEquals": variants},
            wildcard=f"{numbered}; that it is a variant's is the limit",
            unused=dict.fromkeys(change, _NOT_SCALED),
        ),
        permissions.allow(*tag, on=targets, wildcard=numbered, unused=dict.fromkeys(tag, _NOT_SCALED)),
        permissions.allow(*look, on=permissions.ANY, wildcard=no_resource, unused=dict.fromkeys(look, _NOT_SCALED)),
    ]


def _act_on_the_endpoint(endpoint: str) -> list[Permission]:
    alarm = ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm")
    scale, create_role = "sagemaker:UpdateEndpointWeightsAndCapacities", "iam:CreateServiceLinkedRole"
    return [
        permissions.allow(
            *alarm,
            on=names.alarm_arn(f"TargetTracking-endpoint/{endpoint}/variant/{names.CHAMPION}-*"),
            wildcard="Application Auto Scaling ends the names of its alarms with an id",
            unused=dict.fromkeys(alarm, _NOT_SCALED),
        ),
        permissions.allow(scale, on=names.sagemaker_arn("endpoint", endpoint), unused={scale: _NOT_SCALED}),
        permissions.allow(
            create_role,
            on=f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{_LINKED_ROLE}",
            when={"StringEquals": {"iam:AWSServiceName": _SERVICE}},
            unused={create_role: _NOT_SCALED},
        ),
    ]
