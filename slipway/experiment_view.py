"""How experiments look on a terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline_steps.documents import Comparison, Estimate, PromotionDecision
from settings import PrimaryMetric
from slipway.experiment_record import ExperimentRecord
from slipway.rendering import age

_NO_VALUE = "-"
_LONGEST_REASON = 200
_NUMBERS = (2, 3, 4)  # the columns of a listing that hold numbers


def result_view(record: ExperimentRecord, comparison: Comparison, decision: PromotionDecision) -> RenderableType:
    """The experiment's evaluation beside the champion's, a metric a line, and what the gate would say."""
    champion = "champion" if record.champion is None else f"champion v{record.champion.version}"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")  # 80 characters hold no lines
    table.add_column("metric", no_wrap=True)
    for title in ("experiment", champion, "difference"):
        table.add_column(title, no_wrap=True, justify="right")
    champions = {} if record.champion is None else record.champion.metrics
    for metric in comparison.metrics:
        cells = (_cell(metric.challenger), _number(champions.get(metric.name)), _difference(metric.difference))
        table.add_row(metric.name, *cells, style="bold" if metric.primary else None)
    note = (
        f"{comparison.records:,} records of the holdout, data version {record.data_version[:12]}; "
        f"in brackets: with {comparison.confidence:.0%} confidence"
    )
    return Group(table, Text(note, "dim"), "", _gate(decision))


def listing_view(records: Sequence[ExperimentRecord], primary: PrimaryMetric, now: datetime) -> RenderableType:
    """Experiments side by side in the order given: their numbers, and below each what was tried.

    Not rich's table, whose columns would all have to share a line of 80 characters.
    """
    heading = ("experiment", "age", primary.metric, "champion", "difference", "", "gate")
    rows = [(one.id[:8], age(now - one.started), *_scores(one, primary)) for one in records]
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    lines = [Text(_aligned(heading, widths), "bold")]
    for one, row in zip(records, rows, strict=True):
        lines += [Text(_aligned(row, widths)), Text(f"  {_tried(one)}", "dim")]
    if any(one.changed_files for one in records):
        lines.append(Text("+ with changes that were not committed", "dim"))
    if len({one.data_version for one in records if one.metrics}) > 1:
        lines.append(Text("Their holdouts differ: compare each with its champion, not with each other.", "yellow"))
    return Group(*lines)


def best_first(records: Sequence[ExperimentRecord], primary: PrimaryMetric) -> list[ExperimentRecord]:
    """By the primary metric; those without it last, the newest of them first."""

    def rank(record: ExperimentRecord) -> tuple[bool, float]:
        value = record.metrics.get(primary.metric)
        if value is None:
            return True, -record.started.timestamp()
        return False, -value if primary.goal == "maximize" else value

    return sorted(records, key=rank)


def _gate(decision: PromotionDecision) -> Text:
    accepted = decision.verdict == "Accepted"
    verdict = Text("The pipeline's gate would accept it." if accepted else "The pipeline's gate would reject it:")
    verdict.stylize("green" if accepted else "red")
    for line in (*(() if accepted else decision.reasons), *decision.notes):
        verdict.append(f"\n- {line}", "default")
    return verdict


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "   ".join(cells).rstrip()


def _tried(record: ExperimentRecord) -> str:
    """Whose code with what changed, and why it has no numbers."""
    changes = " ".join(f"{name}={value}" for name, value in record.changes.items())
    tried = f"{record.commit[:8]}{'+' if record.changed_files else ''} by {record.person}"
    reason = " ".join((record.failure or "").partition("\n\n")[0].split())[:_LONGEST_REASON]
    return "; ".join(part for part in (tried, changes, reason) if part)


def _scores(record: ExperimentRecord, primary: PrimaryMetric) -> tuple[str, str, str, str, str]:
    if not record.metrics:
        return "in progress" if record.outcome == "InProgress" else record.outcome.lower(), "", "", "", ""
    value, champion = _number(record.metrics.get(primary.metric)), "none"
    if record.champion is not None:
        champion = f"{_number(record.champion.metrics.get(primary.metric))} (v{record.champion.version})"
    gap = record.difference.value if record.difference is not None else None
    difference = _NO_VALUE if gap is None else f"{gap:+.4f}"
    return value, champion, difference, _sure(record.difference, primary), (record.verdict or "").lower()


def _sure(difference: Estimate | None, primary: PrimaryMetric) -> str:
    """Whether a difference is more than chance: whether its interval is on one side of zero."""
    if difference is None or difference.low is None or difference.high is None:
        return ""
    if difference.low <= 0 <= difference.high:
        return "unclear"
    return "better" if (difference.low > 0) == (primary.goal == "maximize") else "worse"


def _difference(difference: Estimate | None) -> str:
    if difference is None or difference.value is None:
        return _NO_VALUE
    if difference.low is None or difference.high is None:
        return f"{difference.value:+.4f}"
    return f"{difference.value:+.4f} ({difference.low:+.4f}, {difference.high:+.4f})"


def _cell(estimate: Estimate | None) -> str:
    return _number(None if estimate is None else estimate.value)


def _number(value: float | None) -> str:
    return _NO_VALUE if value is None else f"{value:.4f}"
