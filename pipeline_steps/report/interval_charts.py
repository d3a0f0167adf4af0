"""Charts of values with their intervals: of metrics and of slices, a row each."""

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from pipeline_steps.documents import Estimate, MetricComparison, SliceComparison
from pipeline_steps.margins import allowed
from pipeline_steps.report.canvas import DASHED, SMALL, bottom_axis, canvas, fitting
from pipeline_steps.report.svg import BAD, CHALLENGER, CHAMPION, INK, LINE, MUTED, SURFACE, svg
from pipeline_steps.report.wording import count, interval, number, printable
from settings import Evaluation

MOST_METRICS = 8
MOST_SLICES = 25
_METRIC_ROW = 78
_SLICE_ROW = 42
_WIDEST_NAME = 36
_MOST_SAID = 5
_EDGES = (0.0, 0.5, 1.0)
_SIDES = ("left", "center", "right")


def metric_intervals(metrics: Sequence[MetricComparison]) -> Markup | None:
    """Challenger above champion, each metric on a scale of its own; None when no metric has an interval."""
    known = [metric for metric in metrics if metric.challenger.low is not None][:MOST_METRICS]
    if not known:
        return None
    figure, axes = canvas(_METRIC_ROW * len(known) + 8, left=6, right=6, top=4, bottom=4)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(known), 0))
    axes.axis("off")
    for row, metric in enumerate(known):
        _metric_row(axes, row, metric)
    said = "; ".join(f"{printable(one.name)} {_said(one.challenger)}" for one in known)
    return svg(figure, "metrics", "Challenger and champion with their intervals", f"The challenger: {said}.")


def slice_differences(slices: Sequence[SliceComparison], metric: str, policy: Evaluation) -> Markup | None:
    """The first slices' differences to the champion, with the loss that is allowed; None without any."""
    shown = [one for one in slices if one.difference is not None and one.difference.value is not None][:MOST_SLICES]
    if not shown:
        return None
    figure, axes = canvas(_SLICE_ROW * len(shown) + 60, top=8, bottom=46)
    axes.axvline(0, color=MUTED, linewidth=1)
    for row, one in enumerate(shown):
        _slice_row(axes, row, one, policy)
    axes.set(ylim=(len(shown) - 0.5, -0.5))
    axes.margins(x=0.06)
    _difference_axis(axes, policy)
    said = "; ".join(f"{_name(one)} {_said(one.difference)}, {one.verdict}" for one in shown[:_MOST_SAID])
    title = f"{printable(metric)}: difference to the champion on each slice"
    return svg(figure, "slices", title, f"{said}. The table has all slices.")


def slice_values(slices: Sequence[SliceComparison], metric: str) -> Markup | None:
    """The challenger's value on the first slices, for a model without a champion; None when there is no value."""
    shown = [one for one in slices if one.challenger.value is not None][:MOST_SLICES]
    if not shown:
        return None
    figure, axes = canvas(_SLICE_ROW * len(shown) + 38, top=8)
    for row, one in enumerate(shown):
        _draw_interval(axes, row + 0.13, one.challenger, CHALLENGER, "o")
        _label_row(axes, row, _name(one), count(one.records, "record"), MUTED)
    axes.set(ylim=(len(shown) - 0.5, -0.5), yticks=[])
    axes.margins(x=0.06)
    bottom_axis(axes)
    said = "; ".join(f"{_name(one)} {_said(one.challenger)}" for one in shown[:_MOST_SAID])
    title = f"{printable(metric)} of the challenger on each slice"
    return svg(figure, "slices", title, f"{said}. The table has all slices.")


def _metric_row(axes: Axes, row: int, metric: MetricComparison) -> None:
    """A metric's name, both models, and the scale."""
    low, high = _span(metric)
    name = fitting(metric.name, _WIDEST_NAME)
    axes.text(0, row + 0.19, name, color=INK, va="center", weight="bold")
    axes.plot([0, 1], [row + 0.78] * 2, color=LINE, linewidth=1)
    for edge, side in zip(_EDGES, _SIDES, strict=True):
        axes.plot([edge] * 2, [row + 0.36, row + 0.78], color=LINE, linewidth=1)
        text = number(low + edge * (high - low), beside=metric.challenger.value)
        axes.text(edge, row + 0.9, text, color=MUTED, size=SMALL, ha=side, va="center")
    _draw_interval(axes, row + 0.47, _placed(metric.challenger, low, high), CHALLENGER, "o")
    if metric.champion is not None:
        _draw_interval(axes, row + 0.66, _placed(metric.champion, low, high), CHAMPION, "D", hollow=True)


def _span(metric: MetricComparison) -> tuple[float, float]:
    sides = [side for side in (metric.challenger, metric.champion) if side is not None]
    values = [one for side in sides for one in (side.value, side.low, side.high) if one is not None]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _placed(estimate: Estimate, low: float, high: float) -> Estimate:
    """An estimate on a scale from 0 to 1."""
    ends = (estimate.value, estimate.low, estimate.high)
    value, start, end = (None if one is None else (one - low) / (high - low) for one in ends)
    return Estimate(value=value, low=start, high=end)


def _slice_row(axes: Axes, row: int, one: SliceComparison, policy: Evaluation) -> None:
    failed, open_verdict = one.verdict == "failed", one.verdict == "not judged"
    colour = BAD if failed else MUTED if open_verdict else CHALLENGER
    if one.champion is not None and one.champion.value is not None:
        loss = allowed(policy.slices.not_worse_by, one.champion.value)
        edge = -loss if policy.primary.goal == "maximize" else loss
        axes.plot([edge] * 2, [row - 0.08, row + 0.34], color=BAD, linewidth=1.2, linestyle=(0, (2, 1.5)))
    assert one.difference is not None  # the caller leaves the others out
    _draw_interval(axes, row + 0.13, one.difference, colour, "X" if failed else "o", hollow=open_verdict)
    _label_row(axes, row, _name(one), one.verdict, BAD if failed else MUTED)


def _label_row(axes: Axes, row: int, name: str, word: str, colour: str) -> None:
    """A row's name on the left and its word on the right, above its interval."""
    place = axes.get_yaxis_transform()
    axes.plot([0, 1], [row + 0.46] * 2, color=LINE, linewidth=0.6, transform=place)
    axes.text(0, row - 0.24, fitting(name, _WIDEST_NAME), color=INK, va="center", transform=place)
    weight = "bold" if colour == BAD else "normal"
    axes.text(1, row - 0.24, word, color=colour, va="center", ha="right", weight=weight, transform=place)


def _draw_interval(axes: Axes, row: float, of: Estimate, colour: str, marker: str, *, hollow: bool = False) -> None:
    if of.low is not None and of.high is not None:
        line = DASHED if colour == CHAMPION else "solid"
        axes.plot([of.low, of.high], [row, row], color=colour, linewidth=2, linestyle=line, solid_capstyle="round")
    if of.value is not None:
        face = SURFACE if hollow else colour
        size, edge = (10, 0) if marker == "X" else (7, 1.4)
        axes.plot([of.value], [row], marker, color=colour, markersize=size, markerfacecolor=face, markeredgewidth=edge)


def _difference_axis(axes: Axes, policy: Evaluation) -> None:
    axes.set_yticks([])
    bottom_axis(axes)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:+g}"))
    words = ("← worse", "better →") if policy.primary.goal == "maximize" else ("← better", "worse →")
    for edge, word, side in zip((0, 1), words, ("left", "right"), strict=True):
        axes.annotate(
            word, (edge, 0), (0, -36), "axes fraction", "offset points", color=MUTED, size=SMALL, ha=side, va="center"
        )


def _name(one: SliceComparison) -> str:
    return printable(f"{one.column}: {one.name}")


def _said(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    ends = interval(estimate)
    return number(estimate.value) if ends is None else f"{number(estimate.value)} ({ends})"
