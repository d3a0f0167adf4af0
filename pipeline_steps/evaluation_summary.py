"""An evaluation in a few lines, for the log and for the pipeline's variables."""

from pipeline_steps.documents import Comparison, Estimate, MetricComparison, PromotionDecision
from pipeline_steps.progress import one_line

LONGEST_SUMMARY = 400


def comparison_table(comparison: Comparison) -> str:
    """Challenger beside champion, one metric a line."""
    rows = [("metric", "challenger", "champion", "difference", "interval")]
    for metric in comparison.metrics:
        difference = metric.difference
        rows.append(
            (
                metric.name,
                _cell(metric.challenger),
                _cell(metric.champion),
                "-" if difference is None or difference.value is None else f"{difference.value:+.4f}",
                _interval(difference),
            )
        )
    width = max(len(row[0]) for row in rows)
    return "\n".join(
        f"{name:<{width}}  {new:>12}  {old:>12}  {gap:>12}  {interval:>20}".rstrip()
        for name, new, old, gap, interval in rows
    )


def summary(decision: PromotionDecision, comparison: Comparison) -> str:
    """The evaluation in one line of at most 400 characters."""
    if decision.verdict == "Rejected":
        return one_line(f"Rejected: {' '.join(decision.reasons)}", LONGEST_SUMMARY)
    first = _against_champion(comparison.primary) if comparison.primary is not None else ""
    others = [f"{metric.name} {_cell(metric.challenger)}" for metric in comparison.metrics if not metric.primary]
    numbers = ", ".join([first, *others])
    return one_line(f"Accepted: {numbers}, on {comparison.records} holdout records", LONGEST_SUMMARY)


def _against_champion(metric: MetricComparison) -> str:
    if metric.champion is None or metric.difference is None:
        return f"{metric.name} {_cell(metric.challenger)} (no champion)"
    return f"{metric.name} {_cell(metric.challenger)} (champion {_cell(metric.champion)})"


def _cell(estimate: Estimate | None) -> str:
    return "-" if estimate is None or estimate.value is None else f"{estimate.value:.4f}"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:+.4f} to {estimate.high:+.4f}"
