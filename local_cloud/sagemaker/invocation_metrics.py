"""What CloudWatch learns of the calls of an endpoint's variants: the metrics of the namespace AWS/SageMaker.

On AWS they come once a minute; here once a second, so that alarms with short periods see something.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

_NAMESPACE = "AWS/SageMaker"
_MICROSECONDS = 1_000_000
_SIGNIFICANT_DIGITS = 3
_UTILIZATION = ("ServerlessConcurrentExecutionsUtilization", "None")

_Dimensions = tuple[tuple[str, str], ...]
_Series = tuple[str, str, _Dimensions, int]


class InvocationMetrics:
    """Counts the calls of all endpoints, second by second; may be called from any thread.

    Args:
        publish: takes a namespace and what was counted, as PutMetricData has it.
    """

    def __init__(self, publish: Callable[[str, list[dict[str, Any]]], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._values: dict[_Series, Counter[float]] = defaultdict(Counter)

    def record(
        self, endpoint: str, variant: str, status: int, model_seconds: float | None, overhead_seconds: float, *,
        instances: int = 1, config_name: str = "",
    ) -> None:  # fmt: skip
        """Note one call that a variant should answer.

        Args:
            endpoint: its name.
            variant: the production variant's name; a shadow variant's calls are counted under its own.
            status: the container's; 0 when it gave no answer.
            model_seconds: from the request to the container's answer; None when no instance was ready to be asked.
            overhead_seconds: what the local cloud took besides.
            instances: how many of the variant take calls.
            config_name: the endpoint config that the instance was made of; both fleets of a rollout count under the
                variant, each of them under its config.
        """
        values = _of_any_call(status, model_seconds, overhead_seconds) | {
            ("InvocationsPerInstance", "None"): 1.0 / max(instances, 1),
            ("InvocationModelErrors", "None"): float(not 200 <= status < 300),
        }
        self._count(endpoint, variant, config_name, values)

    def record_serverless(
        self, endpoint: str, variant: str, status: int, model_seconds: float | None, overhead_seconds: float, *,
        setup_seconds: float | None, utilization: float, config_name: str = "",
    ) -> None:  # fmt: skip
        """Note one call of a serverless variant, which has these metrics and no others (the guide's "Alarms and logs
        for tracking metrics from serverless endpoints").

        Args:
            endpoint, variant, status, model_seconds, overhead_seconds, config_name: as for instances.
            setup_seconds: how long the start of a container took, a part of the overhead; None for a warm one.
            utilization: the part of the maximum that was under way when it began.
        """
        values = _of_any_call(status, model_seconds, overhead_seconds) | {_UTILIZATION: _rounded(utilization)}
        if setup_seconds is not None:
            values["ModelSetupTime", "Microseconds"] = _rounded(setup_seconds * _MICROSECONDS)
        self._count(endpoint, variant, config_name, values)

    def record_throttled(self, endpoint: str, variant: str) -> None:
        """Note that a call was throttled: it reaches no container, so it is none of the calls, and no error of one."""
        self._count(endpoint, variant, "", {_UTILIZATION: 1.0})

    def record_idle(self, endpoint: str, variant: str) -> None:
        """Note that a variant in service has no calls: SageMaker publishes zeros, by which autoscaling scales in."""
        self._count(endpoint, variant, "", {("Invocations", "None"): 0.0, ("InvocationsPerInstance", "None"): 0.0})

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        with self._lock:
            counted, self._values = self._values, defaultdict(Counter)
        if counted:
            self._publish(_NAMESPACE, [_datum(series, values) for series, values in counted.items()])

    def _count(self, endpoint: str, variant: str, config_name: str, values: dict[tuple[str, str], float]) -> None:
        variant_dimensions = (("EndpointName", endpoint), ("VariantName", variant))
        config_dimensions = (*variant_dimensions, ("EndpointConfigName", config_name))
        second = int(time.time())
        with self._lock:
            for dimensions in (variant_dimensions, config_dimensions) if config_name else (variant_dimensions,):
                for (metric, unit), value in values.items():
                    self._values[metric, unit, dimensions, second][value] += 1


def _of_any_call(status: int, model_seconds: float | None, overhead_seconds: float) -> dict[tuple[str, str], float]:
    values = {
        ("Invocations", "None"): 1.0,
        ("Invocation4XXErrors", "None"): float(400 <= status < 500),
        ("Invocation5XXErrors", "None"): float(status >= 500 or status == 0),
        ("OverheadLatency", "Microseconds"): _rounded(overhead_seconds * _MICROSECONDS),
    }
    if model_seconds is not None:
        values["ModelLatency", "Microseconds"] = _rounded(model_seconds * _MICROSECONDS)
    return values


def _rounded(value: float) -> float:
    """To three digits: many calls share few values, as in CloudWatch's own distributions."""
    return float(f"{max(value, 0.0):.{_SIGNIFICANT_DIGITS}g}")


def _datum(series: _Series, values: Counter[float]) -> dict[str, Any]:
    metric, unit, dimensions, second = series
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
        "Timestamp": second,
        "Unit": unit,
        "Values": list(values),
        "Counts": [float(count) for count in values.values()],
    }
