"""CodePipeline: runs pipelines of source, build, deploy and approval actions, durable over a killed server."""

from local_cloud.cloud import Cloud
from local_cloud.codepipeline.authorization import rules
from local_cloud.codepipeline.control import Control
from local_cloud.codepipeline.engine import Engine
from local_cloud.codepipeline.operations import Operations
from local_cloud.codepipeline.pipelines import Pipelines
from local_cloud.codepipeline.repository import Repository
from local_cloud.codepipeline.resource import PipelineResource
from local_cloud.codepipeline.triggers import EventTrigger
from local_cloud.ministack import Platform
from local_cloud.wire import JsonService

_engines: dict[str, Engine] = {}
"""The engine of each cloud of this process, by endpoint URL."""


def register(cloud: Cloud, platform: Platform) -> None:
    """Add the service, the CloudFormation type and the event target."""
    repository = Repository(cloud.store)
    engine = _engines[cloud.endpoint_url] = Engine(cloud, repository)
    control = Control(repository, engine)
    pipelines = Pipelines(cloud, repository, engine, control)
    operations = Operations(cloud, repository, pipelines, control)
    service = JsonService("codepipeline", operations, rules(cloud.region, cloud.account_id))
    platform.add_service(service)
    platform.add_resource("AWS::CodePipeline::Pipeline", PipelineResource(service, repository, pipelines))
    platform.add_event_target(
        "codepipeline", EventTrigger(repository, control).start, "codepipeline:StartPipelineExecution"
    )


def resume(cloud: Cloud) -> None:
    """Go on with the executions that were in progress when the last server died."""
    _engines[cloud.endpoint_url].resume()
