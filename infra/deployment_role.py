"""The role as which CloudFormation deploys the endpoint stacks."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import names, permissions


class DeploymentRole(Construct):
    """Owns models, endpoint configs and endpoints of the project's environments, and nothing else.

    Attributes:
        role: the role, for CloudFormation.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, project: str, endpoint_role: iam.IRole, key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = permissions.role(
            self,
            "Role",
            service="cloudformation.amazonaws.com",
            statements=[
                *self._own_resources(project),
                permissions.allow("sagemaker:DescribeModelPackage", on=names.model_package_arns(project)),
                permissions.pass_role(endpoint_role, to="sagemaker.amazonaws.com"),
                permissions.allow("kms:DescribeKey", on=key.key_arn),
                permissions.encrypt_volumes(key),
            ],
        )

    @staticmethod
    def _own_resources(project: str) -> list[iam.PolicyStatement]:
        own = [names.endpoint_name(project, environment) for environment in names.ENVIRONMENTS]
        generated = [name for environment in names.ENVIRONMENTS for name in names.generated_names(project, environment)]
        endpoints = [names.sagemaker_arn("endpoint", name) for name in own]
        configs = [names.sagemaker_arn("endpoint-config", name) for name in generated]
        models = [names.sagemaker_arn("model", name) for name in generated]
        return [
            permissions.allow("sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:DescribeModel", on=models),
            permissions.allow(
                "sagemaker:CreateEndpointConfig",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:DescribeEndpointConfig",
                on=configs,
            ),
            # Both are checked against the endpoint and against its config.
            permissions.allow("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint", on=[*endpoints, *configs]),
            permissions.allow("sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint", on=endpoints),
            permissions.allow(
                "sagemaker:AddTags",
                "sagemaker:DeleteTags",
                "sagemaker:ListTags",
                on=[*endpoints, *configs, *models],
            ),
        ]
