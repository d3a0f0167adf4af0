"""The VPC that SageMaker connects the instances of jobs and endpoints to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Aws

from infra import names


@dataclass(frozen=True)
class VpcConfig:
    """Subnets and security groups, as SageMaker's API takes them.

    Attributes:
        subnet_ids: in two zones at least.
        security_group_ids: in the same VPC.
        account: whose they are; `*` where they may be shared with this account (AWS Resource Access Manager).
    """

    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    account: str = Aws.ACCOUNT_ID

    @property
    def subnet_arns(self) -> list[str]:
        return [names.ec2_arn("subnet", one, account=self.account) for one in self.subnet_ids]

    @property
    def security_group_arns(self) -> list[str]:
        return [names.ec2_arn("security-group", one, account=self.account) for one in self.security_group_ids]

    @property
    def wildcard(self) -> str | None:
        """Why there is a wildcard in the ARNs."""
        return (
            "another account may share its subnets; an id belongs to one account alone" if self.account == "*" else None
        )

    @property
    def variables(self) -> Mapping[str, str]:
        """How the steps that start jobs are told."""
        return {"SUBNET_IDS": ",".join(self.subnet_ids), "SECURITY_GROUP_IDS": ",".join(self.security_group_ids)}
