"""The role as which CloudFormation deploys an environment's endpoint stack."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import names, permissions
from infra.permission import Permission
from infra.vpc_config import VpcConfig


class DeploymentRole(Construct):
    """Owns models, endpoint configs and the endpoint of one environment, and nothing else.

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
                permissions.describe_model_packages(project),
                permissions.pass_role(endpoint_role, to="sagemaker.amazonaws.com"),
                permissions.allow("kms:DescribeKey", on=key.key_arn),
                permissions.encrypt_volumes(key),
            ],
        )

    @staticmethod
    def _own_resources(project: str, environment: str, vpc_config: VpcConfig | None) -> list[Permission]:
        generated = names.generated_names(project, environment)
        endpoint = names.sagemaker_arn("endpoint", names.endpoint_name(project, environment))
        configs = [names.sagemaker_arn("endpoint-config", name) for name in generated]
        models = [names.sagemaker_arn("model", name) for name in generated]
        confined, reason = permissions.confined(vpc_config), names.NAMES_ARE_GENERATED
        return [
            permissions.allow("sagemaker:CreateModel", on=models, when=confined, wildcard=reason),
            permissions.allow("sagemaker:DeleteModel", "sagemaker:DescribeModel", on=models, wildcard=reason),
            permissions.allow(
                "sagemaker:CreateEndpointConfig",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:DescribeEndpointConfig",
                on=configs,
                wildcard=reason,
            ),
            # Both are checked against the endpoint and against its config.
            permissions.allow(
                "sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint", on=[endpoint, *configs], wildcard=reason
            ),
            permissions.allow("sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint", on=endpoint),
            permissions.allow(
                "sagemaker:AddTags",
                "sagemaker:DeleteTags",
                "sagemaker:ListTags",
                on=[endpoint, *configs, *models],
                wildcard=reason,
            ),
        ]
