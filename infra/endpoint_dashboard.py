"""The CloudWatch dashboard of an endpoint."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra import names
from settings import AnyEndpoint, ServerlessEndpoint

_MINUTE = Duration.minutes(1)
_OF_CONTAINERS = "/aws/sagemaker/Endpoints"
_VARIANTS = (names.CHAMPION, names.CHALLENGER)


class EndpointDashboard(Construct):
    """What somebody on call looks at first: the alarms, then calls, errors and latency of each variant.

    A variant that is not there has no line.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint: AnyEndpoint,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._endpoint_name = names.endpoint_name(project, environment)
        dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self._endpoint_name, default_interval=Duration.hours(3)
        )
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=3))
        dashboard.add_widgets(
            self._graph("Calls a minute", [("Invocations", "Sum")]),
            self._graph(
                "Share that fails (5xx) or is refused (4xx)",
                [("Invocation5XXErrors", "Average"), ("Invocation4XXErrors", "Average")],
            ),
            self._graph("Model latency, microseconds", [("ModelLatency", "p50"), ("ModelLatency", "p99")]),
        )
        serverless = isinstance(endpoint, ServerlessEndpoint)
        dashboard.add_widgets(*(self._environments() if serverless else self._instances()))

    def _instances(self) -> Sequence[cloudwatch.IWidget]:
        return (
            self._graph("Calls a minute on each instance", [("InvocationsPerInstance", "Sum")]),
            self._graph("SageMaker's own latency, microseconds", [("OverheadLatency", "p99")]),
            self._graph(
                "CPU and memory, percent",
                [("CPUUtilization", "Average"), ("MemoryUtilization", "Average")],
                namespace=_OF_CONTAINERS,
            ),
        )

    def _environments(self) -> Sequence[cloudwatch.IWidget]:
        """Of a serverless endpoint: all that SageMaker publishes of one ("Alarms and logs for tracking metrics")."""
        return (
            self._graph("Cold starts a minute", [("ModelSetupTime", "SampleCount")]),
            self._graph(
                "Cold starts, SageMaker's own latency with them, microseconds",
                [("ModelSetupTime", "Maximum"), ("OverheadLatency", "p99")],
            ),
            self._graph(
                "Calls under way, share of max_concurrency", [("ServerlessConcurrentExecutionsUtilization", "Maximum")]
            ),
            self._graph("Memory, percent", [("MemoryUtilization", "Maximum")], namespace=_OF_CONTAINERS),
        )

    def _graph(
        self, title: str, metrics: Sequence[tuple[str, str]], *, namespace: str = "AWS/SageMaker"
    ) -> cloudwatch.GraphWidget:
        lines = [
            cloudwatch.Metric(
                namespace=namespace,
                metric_name=metric,
                dimensions_map={"EndpointName": self._endpoint_name, "VariantName": variant},
                statistic=statistic,
                period=_MINUTE,
                label=f"{variant} {metric} {statistic}",
            )
            for variant in _VARIANTS
            for metric, statistic in metrics
        ]
        return cloudwatch.GraphWidget(title=title, left=lines, width=8, height=6)
