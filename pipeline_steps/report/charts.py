"""Charts of how both models err, and of what the challenger looks at."""

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from pipeline_steps.documents import Curves, CurvesOfBoth, Importance
from pipeline_steps.report.canvas import DASHED, bottom_axis, canvas, fitting, square
from pipeline_steps.report.svg import CHALLENGER, CHAMPION, INK, LINE, MUTED, SURFACE, svg
from pipeline_steps.report.wording import number, printable

MOST_COLUMNS = 20
_COLUMN_ROW = 24
_WIDEST_NAME = 22
_MOST_SAID = 5
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": CHALLENGER, "linestyle": "solid", "linewidth": 1.8},
    {"color": CHAMPION, "linestyle": DASHED, "linewidth": 1.6},
)
_MARKERS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "markersize": 5},
    {"marker": "D", "markersize": 5, "markerfacecolor": SURFACE, "markeredgewidth": 1.4},
)


def roc(curves: CurvesOfBoth) -> Markup | None:
    """True against false positive rate; None where there is no such curve."""
    if not curves.challenger.roc:
        return None
    figure, axes = square("false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
    for model, style, _ in _models(curves):
        if model.roc:
            axes.plot(*zip(*model.roc, strict=True), **style)
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    points = curves.challenger.roc[10:100:20]
    said = "; ".join(f"at a false positive rate of {x:.2f} {y:.2f}" for x, y in points)
    return svg(figure, "roc", "ROC curve", f"The challenger's true positive rate: {said}.")


def calibration(curves: CurvesOfBoth) -> Markup | None:
    """What was observed against what was predicted; None where there are no probabilities."""
    if not curves.challenger.calibration:
        return None
    figure, axes = square("mean prediction", "observed rate")
    points = [point for model, *_ in _models(curves) for point in model.calibration or ()]
    end = min(1.0, max(max(predicted, observed) for predicted, observed, _ in points)) * 1.04 or 1.0
    axes.plot([0, end], [0, end], color=LINE, linewidth=1.2)
    for model, style, marker in _models(curves):
        if model.calibration:
            predicted, observed, _ = zip(*model.calibration, strict=True)
            axes.plot(predicted, observed, **style, **marker)
    axes.set(xlim=(0, end), ylim=(0, end))
    said = "; ".join(f"predicted {x:.2f}, observed {y:.2f}" for x, y, _ in curves.challenger.calibration)
    return svg(figure, "calibration", "Calibration", f"The challenger: {said}.")


def residuals(curves: CurvesOfBoth) -> Markup | None:
    """How often a prediction is how much too high or too low; None where that has no meaning."""
    if not curves.challenger.residuals:
        return None
    figure, axes = square("prediction minus label", "records")
    for model, style, _ in _models(curves):
        if model.residuals:
            edges = [model.residuals[0][0], *(high for _, high, _ in model.residuals)]
            axes.stairs([records for *_, records in model.residuals], edges, **style)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_ylim(bottom=0)
    low, high, records = max(curves.challenger.residuals, key=lambda one: one[2])
    said = (
        f"The challenger's most frequent residuals lie between {number(low)} and {number(high)}: {records:,} records."
    )
    return svg(figure, "residuals", "Residuals", said)


def importance(of: Importance) -> Markup | None:
    """By how much the metric gets worse when a column is shuffled; None when nothing was measured."""
    shown = columns_by_importance(of)[:MOST_COLUMNS]
    if not shown:
        return None
    figure, axes = canvas(_COLUMN_ROW * len(shown) + 40, left=150, top=6, right=12)
    names, values = zip(*shown, strict=True)
    axes.barh(range(len(shown)), values, height=0.55, color=CHALLENGER)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(shown)), [fitting(name, _WIDEST_NAME) for name in names], color=INK)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    bottom_axis(axes)
    said = "; ".join(f"{printable(name)} {number(value)}" for name, value in shown[:_MOST_SAID])
    return svg(figure, "importance", "Feature importance", f"The most important columns: {said}.")


def columns_by_importance(of: Importance) -> list[tuple[str, float]]:
    """The columns whose importance is a number, the most important first."""
    return sorted(((name, value) for name, value in of.columns.items() if value is not None), key=lambda one: -one[1])


def _models(curves: CurvesOfBoth) -> Iterator[tuple[Curves, dict[str, Any], dict[str, Any]]]:
    """Both models with their line and marker; the challenger is drawn last, so that it lies on top."""
    if curves.champion is not None:
        yield curves.champion, _STYLES[1], _MARKERS[1]
    yield curves.challenger, _STYLES[0], _MARKERS[0]
