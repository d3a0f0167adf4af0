"""Keeps an environment's endpoint stack out of `cdk deploy --all`: only the pipeline deploys it."""

from aws_cdk import Stage
from constructs import Construct

from infra.endpoint_stack import EndpointStack
from settings import AnyEndpoint, Network, Release


class EndpointStage(Stage):
    """A nested assembly, `assembly-ID` in the output, that holds one template."""

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
        super().__init__(scope, construct_id)
        EndpointStack(
            self,
            "Endpoint",
            project=project,
            environment=environment,
            endpoint=endpoint,
            release=release,
            default_strategy=default_strategy,
            network=network,
        )
