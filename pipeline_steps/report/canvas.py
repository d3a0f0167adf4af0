"""The paper of the charts: as wide as a phone, without matplotlib's frame."""

from itertools import accumulate
from unicodedata import east_asian_width

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_steps.report.svg import LINE, MUTED
from pipeline_steps.report.wording import printable, shortened

WIDTH = 340  # of a phone, less its margins; in the unit of font sizes
SMALL = 11
DASHED = (0, (4, 2))  # the champion, not by its colour alone
_POINTS_PER_INCH = 72
_SQUARE_HEIGHT = 280
_BROAD = "mw@%"


def canvas(
    height: float, *, left: float = 14, right: float = 14, top: float = 8, bottom: float = 34
) -> tuple[Figure, Axes]:
    """A figure with one plot, whose margins are given."""
    size = (WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
    figure = Figure(figsize=size, dpi=_POINTS_PER_INCH)
    box = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
    axes = figure.add_axes(box)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=6, colors=MUTED, labelsize=SMALL)
    return figure, axes


def square(across: str, upwards: str) -> tuple[Figure, Axes]:
    """A figure for a curve, with the names of its axes."""
    figure, axes = canvas(_SQUARE_HEIGHT, left=58, bottom=42, top=10)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(across, color=MUTED)
    axes.set_ylabel(upwards, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    return figure, axes


def bottom_axis(axes: Axes) -> None:
    """A few marks below a plot of rows."""
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def fitting(name: str, widest: int) -> str:
    """A name that shows, at most as wide as so many usual letters; capitals and East Asian signs are twice as wide."""
    shown = printable(name)
    broad = (one.isupper() or one in _BROAD or east_asian_width(one) in "WF" for one in shown)
    return shortened(shown, sum(width <= widest for width in accumulate(1 + one for one in broad)))
