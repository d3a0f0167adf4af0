"""What CloudWatch knows of the calls of an endpoint's variant, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local_cloud_sagemaker import SageMakerCloud


class Metrics:
    """The metrics of one endpoint's variant, of all its calls so far."""

    def __init__(self, sagemaker: SageMakerCloud, endpoint: str, **more: str) -> None:
        self._client = sagemaker.client("cloudwatch")
        names = {"EndpointName": endpoint, "VariantName": "A"} | more
        self._dimensions = [{"Name": name, "Value": value} for name, value in names.items()]

    def statistics(self, metric: str, *statistics: str, percentile: str | None = None) -> dict[str, Any]:
        now = datetime.now(UTC)
        answer = self._client.get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName=metric, Dimensions=self._dimensions, Period=3600,
            StartTime=now - timedelta(hours=2), EndTime=now + timedelta(hours=2),
            **({"ExtendedStatistics": [percentile]} if percentile else {"Statistics": list(statistics)}),
        )  # fmt: skip
        points: list[dict[str, Any]] = answer["Datapoints"]
        assert len(points) < 2, "the test ran over the full hour"
        return points[0] if points else {}

    def sum(self, metric: str) -> float:
        return float(self.statistics(metric, "Sum").get("Sum", 0.0))
