"""The role as which CloudFormation deploys an environment's endpoint stack."""

from functools import partial

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import names, permissions
from infra.permission import Permission
from infra.vpc_config import VpcConfig

_NOT_SCALED = "only where max_instance_count is more than instance_count, and the recorded run has one instance"

_SCALING = "sagemaker.application-autoscaling.amazonaws.com"
_SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


class DeploymentRole(Construct):
    """Owns one environment's endpoint, its models, configs, alarms, dashboard and autoscaling, and nothing else.

    What it deploys is the template of the commit under test. One role for both environments would let the template that
    goes to staging, before anybody has approved it, make or replace what production serves.

    Attributes:
        role: the role, for CloudFormation.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint_role: iam.IRole,
        key: kms.IKey,
        vpc_config: VpcConfig | None,
        autoscaled: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = permissions.role(
            self,
            "Role",
            # AWS does not say that CloudFormation names the account for which it assumes a stack's role, so the trust
            # cannot ask for it. Only who may pass the role, and so belongs to this account, can give it to a stack.
            assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
            statements=[
                *self._own_resources(project, environment, vpc_config),
                *self._own_alarms(project, environment),
                *(self._own_scaling(project, environment) if autoscaled else ()),
                permissions.describe_model_packages(project),
                permissions.pass_role(endpoint_role, to="sagemaker.amazonaws.com"),
                permissions.encrypt_volumes(key),
            ],
        )

    @staticmethod
    def _own_resources(project: str, environment: str, vpc_config: VpcConfig | None) -> list[Permission]:
        endpoint = names.sagemaker_arn("endpoint", names.endpoint_name(project, environment))
        on_generated = partial(permissions.on_generated, project, environment)
        of_tags = ("sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags")
        changed = dict.fromkeys(of_tags[1:], "a deployment that changes the tags")
        # Both are checked against the endpoint and against its config.
        release = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
        return [
            *on_generated("model", "sagemaker:CreateModel", when=permissions.confined(vpc_config)),
            *on_generated("model", "sagemaker:DeleteModel", "sagemaker:DescribeModel"),
            *on_generated(
                "endpoint-config",
                "sagemaker:CreateEndpointConfig",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:DescribeEndpointConfig",
            ),
            permissions.allow(*release, on=endpoint),
            *on_generated("endpoint-config", *release),
            permissions.allow(
                "sagemaker:DeleteEndpoint",
                "sagemaker:DescribeEndpoint",
                on=endpoint,
                unused={"sagemaker:DeleteEndpoint": "a stack that is taken back or deleted takes its endpoint along"},
            ),
            permissions.allow(*of_tags, on=endpoint, unused=changed),
            *on_generated("model", *of_tags, unused=changed),
            *on_generated("endpoint-config", *of_tags, unused=changed),
        ]

    @staticmethod
    def _own_alarms(project: str, environment: str) -> list[Permission]:
        alarms, dashboard = names.alarm_arns(project, environment), names.dashboard_arn(project, environment)
        taken_back = "a stack that is taken back or deleted takes its alarms and its dashboard along"
        tags = ("cloudwatch:ListTagsForResource", "cloudwatch:UntagResource")
        return [
            permissions.allow(
                "cloudwatch:DeleteAlarms",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                *tags,
                on=alarms,
                unused={
                    "cloudwatch:DeleteAlarms": taken_back,
                    "cloudwatch:DescribeAlarms": "CloudFormation looks at what it has made; the local cloud does not",
                    **dict.fromkeys(tags, "a deployment that changes the tags"),
                },
            ),
            permissions.allow(
                "cloudwatch:DeleteDashboards",
                "cloudwatch:GetDashboard",
                "cloudwatch:PutDashboard",
                on=dashboard,
                unused={
                    "cloudwatch:DeleteDashboards": taken_back,
                    "cloudwatch:GetDashboard": "CloudFormation looks at what it has made; the local cloud does not",
                },
            ),
        ]

    @staticmethod
    def _own_scaling(project: str, environment: str) -> list[Permission]:
        """Autoscaling of the endpoint. What is scaled, Application Auto Scaling does as its own linked role.

        The actions of SageMaker, CloudWatch and IAM are those that its user guide asks of whoever registers a target.
        """
        endpoint = names.endpoint_name(project, environment)
        of_variants = {
            "StringEquals": {
                "application-autoscaling:service-namespace": "sagemaker",
                "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
            }
        }
        changes = (
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
        )
        looks = (
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingActivities",
            "application-autoscaling:DescribeScalingPolicies",
        )
        tags = (
            "application-autoscaling:ListTagsForResource",
            "application-autoscaling:TagResource",
            "application-autoscaling:UntagResource",
        )
        alarms = ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm")
        targets = f"arn:{Aws.PARTITION}:application-autoscaling:{Aws.REGION}:{Aws.ACCOUNT_ID}:scalable-target/*"
        given = "a scalable target gets its id when it is registered"
        scale, create_role = "sagemaker:UpdateEndpointWeightsAndCapacities", "iam:CreateServiceLinkedRole"
        return [
            permissions.allow(
                *changes,
                on=targets,
                when=of_variants,
                wildcard=f"{given}; that it is a variant's is the limit",
                unused=dict.fromkeys(changes, _NOT_SCALED),
            ),
            permissions.allow(*tags, on=targets, wildcard=given, unused=dict.fromkeys(tags, _NOT_SCALED)),
            permissions.allow(
                *looks,
                on=permissions.ANY,
                wildcard="AWS checks no Describe action of Application Auto Scaling against a resource",
                unused=dict.fromkeys(looks, _NOT_SCALED),
            ),
            permissions.allow(
                *alarms,
                on=names.alarm_arn(f"TargetTracking-endpoint/{endpoint}/variant/{names.CHAMPION}-*"),
                wildcard="Application Auto Scaling ends the names of its alarms with an id",
                unused=dict.fromkeys(alarms, _NOT_SCALED),
            ),
            permissions.allow(scale, on=names.sagemaker_arn("endpoint", endpoint), unused={scale: _NOT_SCALED}),
            permissions.allow(
                create_role,
                on=f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/aws-service-role/{_SCALING}/{_SCALING_ROLE}",
                when={"StringEquals": {"iam:AWSServiceName": _SCALING}},
                unused={create_role: _NOT_SCALED},
            ),
        ]
