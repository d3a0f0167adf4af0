"""The VPC that Slipway makes: subnets without a way out, but for the data bucket."""

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import names, permissions
from infra.vpc_config import VpcConfig
from settings import Settings

_SUBNETS = ec2.SubnetConfiguration(
    name="Isolated",
    subnet_type=ec2.SubnetType.PRIVATE_ISOLATED,
    cidr_mask=24,  # SageMaker asks for two addresses an instance
)


class PrivateNetwork(Construct):
    """Private subnets in two zones, with a gateway endpoint to S3 and no other way in or out.

    S3 is all that SageMaker needs of a VPC: it carries data and model artifacts through it, while the containers stay
    off the network. Images do not pass it, for SageMaker pulls them from ECR itself unless it is told that the registry
    is private to the VPC; what SageMaker logs and measures does not either. So there are no interface endpoints.
    (SageMaker API reference: EnableNetworkIsolation, TrainingImageConfig, ImageConfig; developer guide: "Give SageMaker
    AI Training Jobs Access to Resources in Your Amazon VPC", and the pages on processing jobs and hosted endpoints.)

    Attributes:
        vpc_config: what jobs and models are connected to.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, data_bucket: s3.IBucket, key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        self._vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/23"),  # it is connected to nothing, so any will do
            max_azs=2,
            subnet_configuration=[_SUBNETS],
        )
        self._add_way_to_s3(data_bucket)
        self._add_flow_log(settings.name, key)
        group = self._instances(settings)
        self.vpc_config = VpcConfig([one.subnet_id for one in self._vpc.isolated_subnets], [group.security_group_id])

    def _add_way_to_s3(self, data_bucket: s3.IBucket) -> None:
        """Only to the data bucket, and only for this account's principals, whatever the roles' policies say."""
        endpoint = self._vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        own = {"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}}
        for permission in (
            permissions.allow("s3:ListBucket", on=data_bucket.bucket_arn, when=own),
            permissions.allow(
                "s3:AbortMultipartUpload",
                "s3:GetObject",
                "s3:PutObject",
                on=data_bucket.arn_for_objects("*"),
                when=own,
                wildcard="the roles' own policies say which objects",
            ),
        ):
            statement = permission.statement()
            statement.add_any_principal()
            endpoint.add_to_policy(statement)

    def _instances(self, settings: Settings) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "Instances",
            vpc=self._vpc,
            description="Instances of jobs and endpoints: nobody calls them, they call S3",
            allow_all_outbound=False,
        )
        # S3's addresses are in a prefix list whose id differs from region to region, and CloudFormation cannot look it
        # up. It is the route tables that let nothing else through: they have no route but the one to S3.
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3, by the gateway endpoint")
        if settings.training.instance_count > 1:
            group.connections.allow_internally(ec2.Port.all_traffic(), "The instances of one training job")
        return group

    def _add_flow_log(self, project: str, key: kms.IKey) -> None:
        name = names.flow_log_group(project)
        group = logs.LogGroup(
            self,
            "FlowLogs",
            log_group_name=name,
            encryption_key=key,
            retention=logs.RetentionDays.ONE_YEAR,  # as long as the access logs of the buckets
            removal_policy=RemovalPolicy.DESTROY,  # one that outlived its stack would be in the way of the next
        )
        ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self._vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_group_name=group.log_group_name,
            deliver_logs_permission_arn=self._flow_log_role(group).role_arn,
        )

    def _flow_log_role(self, group: logs.ILogGroup) -> iam.Role:
        actions = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
        unused = "only in network mode vpc, and the local cloud delivers no flow logs"
        own_flow_logs = names.ec2_arn("vpc-flow-log", "*")  # a flow log needs its role before it has an id
        return permissions.role(
            self,
            "FlowLogRole",
            assumed_by=permissions.service("vpc-flow-logs.amazonaws.com", source_arn=own_flow_logs),
            statements=[permissions.allow(*actions, on=group.log_group_arn, unused=dict.fromkeys(actions, unused))],
        )
