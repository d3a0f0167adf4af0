"""The role as which CloudFormation deploys an environment's endpoint stack."""

from functools import partial

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import names, permissions, scaling_permissions
from infra.permission import Permission
from infra.vpc_config import VpcConfig
from settings import AnyEndpoint, Endpoint


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
        endpoint: AnyEndpoint,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = permissions.role(
            self,
            "Role",
            # AWS does not say that CloudFormation names the account for which it assumes a stack's role, so the trust
            # cannot ask for it. Only who may pass the role, and so belongs to this account, can give it to a stack.
            assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
            statements=[
                *self._own_models(project, environment, endpoint, vpc_config),
                *self._own_resources(project, environment),
                *self._own_alarms(project, environment),
                *(scaling_permissions.scale_endpoint(project, environment) if endpoint.autoscaled_to else ()),
                permissions.describe_model_packages(project),
                permissions.pass_role(endpoint_role, to="sagemaker.amazonaws.com"),
                permissions.encrypt_volumes(key),
            ],
        )

    @staticmethod
    def _own_models(
        project: str, environment: str, endpoint: AnyEndpoint, vpc_config: VpcConfig | None
    ) -> list[Permission]:
        on_generated = partial(permissions.on_generated, project, environment)
        # SageMaker isolates no container of a serverless endpoint: docs/decisions/0018-serverless.md
        limits = permissions.confined(vpc_config) if isinstance(endpoint, Endpoint) else None
        return [
            *on_generated("model", "sagemaker:CreateModel", when=limits),
            *on_generated("model", "sagemaker:DeleteModel", "sagemaker:DescribeModel"),
        ]

    @staticmethod
    def _own_resources(project: str, environment: str) -> list[Permission]:
        endpoint = names.sagemaker_arn("endpoint", names.endpoint_name(project, environment))
        on_generated = partial(permissions.on_generated, project, environment)
        of_tags = ("sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags")
        changed = dict.fromkeys(of_tags[1:], "a deployment that changes the tags")
        # Both are checked against the endpoint and against its config.
        release = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
        return [
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
