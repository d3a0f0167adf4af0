"""`slipway compare`: champion and challenger side by side, by CloudWatch and by the labels that arrived."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from slipway.errors import EndpointError
from slipway.executions import now
from slipway.rendering import age
from slipway.serving import ServedModel, Variant
from slipway.status import as_document
from slipway.target import Target

_NAMESPACE = "AWS/SageMaker"
_COUNTED = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
# CloudWatch, GetMetricStatistics: how long points of a minute and of five minutes are kept.
_KEPT = ((timedelta(days=15), 60), (timedelta(days=63), 300))
_COARSEST_SECONDS = 3600


@dataclass(frozen=True)
class Measured:
    """A metric, on calls whose labels have arrived.

    Attributes:
        low: None, as is high, where there are too few calls to tell.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Labelled:
    """What the labels that arrived say of a variant.

    Attributes:
        captured: calls of one record that were recorded.
        labelled: those of them with a label.
        metric: None without labels.
    """

    captured: int
    labelled: int
    metric: Measured | None


@dataclass(frozen=True)
class VariantMetrics:
    """What is known of one variant since the test began; None where CloudWatch has nothing."""

    variant: Variant
    calls: int
    refused: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None
    labelled: Labelled | None = None


@dataclass(frozen=True)
class VariantComparison:
    """Both variants of a test.

    Attributes:
        metric: the primary metric's name; None when no calls are recorded.
        difference: the challenger's metric minus the champion's.
    """

    since: datetime
    variants: tuple[VariantMetrics, ...]
    metric: str | None = None
    difference: Measured | None = None


def read_metrics(target: Target, model: ServedModel | None, until: datetime | None = None) -> VariantComparison:
    """What CloudWatch counted since the endpoint was last changed.

    Raises:
        EndpointError: no test runs.
    """
    if model is None or model.challenger is None or model.since is None:
        raise EndpointError(
            "no challenger is tested in production", "slipway release VERSION --strategy ab_test (or shadow)"
        )
    end = until or now()
    metrics = tuple(_read(target, model.endpoint, variant, model.since, end) for variant in model.variants)
    return VariantComparison(model.since, metrics)


def show_comparison(console: Console, comparison: VariantComparison) -> None:
    """Print both side by side."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(f"since {age(now() - comparison.since)}", no_wrap=True)
    for one in comparison.variants:
        table.add_column(f"{one.variant.role}, version {one.variant.version or '?'}", justify="right")
    for name, cell in _ROWS.items():
        table.add_row(name, *(cell(one) for one in comparison.variants))
    if comparison.metric is not None:
        table.add_row(
            "recorded calls", *(str(one.labelled.captured) if one.labelled else "" for one in comparison.variants)
        )
        table.add_row(
            "with a label", *(str(one.labelled.labelled) if one.labelled else "" for one in comparison.variants)
        )
        table.add_row(comparison.metric, *(_metric_text(one.labelled) for one in comparison.variants))
    console.print(table)
    if comparison.difference is not None and comparison.difference.value is not None:
        console.print(
            Text(f"{comparison.metric}, challenger minus champion: {_measured_text(comparison.difference, '+')}")
        )
    console.print(Text("Next:  slipway promote, or slipway drop"))


def as_json_text(comparison: VariantComparison) -> str:
    """Everything, as JSON."""
    return json.dumps(as_document(comparison), indent=2)


def _read(target: Target, endpoint: str, variant: Variant, start: datetime, end: datetime) -> VariantMetrics:
    cloudwatch = target.client("cloudwatch")
    window = (start.replace(microsecond=0), end)  # points begin at whole seconds
    calls, refused, failed = (
        _total(_points(cloudwatch, endpoint, variant, metric, window, Statistics=["Sum"])) for metric in _COUNTED
    )
    latency = _points(cloudwatch, endpoint, variant, "ModelLatency", window, ExtendedStatistics=["p50", "p99"])
    return VariantMetrics(variant, calls, refused, failed, _worst_ms(latency, "p50"), _worst_ms(latency, "p99"))


def _points(
    cloudwatch: Any,
    endpoint: str,
    variant: Variant,
    metric: str,
    window: tuple[datetime, datetime],
    **statistics: list[str],
) -> Sequence[Mapping[str, Any]]:
    """The window as one point; CloudWatch may make it two, for it aligns periods to the clock."""
    start, end = window
    step = next((seconds for kept, seconds in _KEPT if now() - start < kept), _COARSEST_SECONDS)
    period = max(math.ceil((end - start).total_seconds() / step), 1) * step
    dimensions = {"EndpointName": endpoint, "VariantName": variant.name}
    points: Sequence[Mapping[str, Any]] = cloudwatch.get_metric_statistics(
        Namespace=_NAMESPACE,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=start,
        EndTime=end,
        Period=period,
        **statistics,
    )["Datapoints"]
    return points


def _total(points: Sequence[Mapping[str, Any]]) -> int:
    return sum(round(point["Sum"]) for point in points)


def _worst_ms(points: Sequence[Mapping[str, Any]], statistic: str) -> float | None:
    """In milliseconds; ModelLatency is in microseconds."""
    return max((point["ExtendedStatistics"][statistic] / 1000 for point in points), default=None)


def _share_of_calls(metrics: VariantMetrics, count: int) -> str:
    return f"{count} ({count / metrics.calls:.2%})" if metrics.calls and count else str(count)


def _share(metrics: VariantMetrics) -> str:
    share = metrics.variant.share
    return "" if share is None else f"{share * 100:.3g} %"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


_ROWS: Mapping[str, Callable[[VariantMetrics], str]] = {
    "share of the calls": _share,
    "calls": lambda one: str(one.calls),
    "refused (4xx)": lambda one: _share_of_calls(one, one.refused),
    "failed (5xx)": lambda one: _share_of_calls(one, one.failed),
    "model, p50": lambda one: _ms(one.p50_ms),
    "model, p99": lambda one: _ms(one.p99_ms),
}


def _metric_text(labelled: Labelled | None) -> str:
    return "" if labelled is None or labelled.metric is None else _measured_text(labelled.metric)


def _measured_text(measured: Measured, sign: str = "") -> str:
    if measured.value is None:
        return "not defined"
    text = f"{measured.value:{sign}.4f}"
    if measured.low is None or measured.high is None:
        return f"{text} (too few calls for an interval)"
    return f"{text} ({measured.low:{sign}.4f} to {measured.high:{sign}.4f})"
