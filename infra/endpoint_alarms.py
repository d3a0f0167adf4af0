"""The alarms of an endpoint."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra import names
from settings import RollbackOn

_TOLD = {
    "Invocation5XXErrors": "Share of the calls that end in a 5xx: the model fails",
    "Invocation4XXErrors": "Share of the calls that are refused with a 4xx: they break the model's contract",
    "ModelLatency": "Microseconds that the model takes for the slowest call of 100",
}


class EndpointAlarms(Construct):
    """Three alarms on what serves. In a rollout they look at the new instances alone, and take it back.

    Args:
        endpoint_config_name: of what serves; None for the endpoint, whatever serves.

    SageMaker also publishes its metrics by endpoint config. An alarm on all calls of the endpoint would see a canary of
    10 % refuse everything as 10 % refused, and errors of the model that is to be replaced would end the rollout.

    Attributes:
        all: the alarms.
        names: theirs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        environment: str,
        endpoint_config_name: str | None,
        limits: RollbackOn,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dimensions = {
            "EndpointName": names.endpoint_name(project, environment),
            "VariantName": names.CHAMPION,
        }
        if endpoint_config_name is not None:
            self._dimensions["EndpointConfigName"] = endpoint_config_name
        self._period = Duration.seconds(limits.period_seconds)
        self.names = server_errors, refused, latency = names.alarm_names(project, environment)
        errors, refusals = limits.server_error_percent / 100, limits.refused_percent / 100
        self.all: Sequence[cloudwatch.Alarm] = (
            self._alarm("ServerErrors", server_errors, "Invocation5XXErrors", "Average", errors),
            self._alarm("Refused", refused, "Invocation4XXErrors", "Average", refusals),
            # It is published in microseconds.
            self._alarm("Latency", latency, "ModelLatency", "p99", limits.p99_ms * 1000),
        )

    def _alarm(self, construct_id: str, name: str, metric: str, statistic: str, limit: float) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=name,
            alarm_description=f"{_TOLD[metric]} (slipway.yaml, release.rollback_on; docs/release.md)",
            metric=cloudwatch.Metric(
                namespace="AWS/SageMaker",
                metric_name=metric,
                dimensions_map=self._dimensions,
                statistic=statistic,
                period=self._period,
            ),
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            # Nobody calls: nothing is wrong.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
