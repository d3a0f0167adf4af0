"""What a policy's margins mean in units of a metric, and how the gate's numbers are written."""

from settings import Margin

_DIGITS = 12
"""In binary, 0.65 - 0.64 is more than 0.01; rounded to these decimals a value on the boundary is on the boundary."""


def allowed(margin: Margin, champion: float) -> float:
    """A margin in units of the metric; a relative one is a share of the champion's value."""
    return round(margin.amount * abs(champion) if margin.relative else margin.amount, _DIGITS)


def loss(low: float, high: float, goal: str) -> tuple[float, float]:
    """The least and the largest loss, when the difference to the champion lies between low and high.

    A loss is below 0 where the challenger is better, whichever direction the metric goes.
    """
    least, largest = (-high, -low) if goal == "maximize" else (low, high)
    return round(least, _DIGITS) + 0.0, round(largest, _DIGITS) + 0.0


def shown(value: float, beside: float | None = None) -> str:
    """A number with six digits, or with as many as tell it from the one that it stands beside."""
    texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 17))
    return next(text for text in texts if beside is None or value == beside or float(text) != beside)
