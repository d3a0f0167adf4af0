"""How the report writes numbers and names, as plain text."""

import math

from pipeline_steps.documents import Estimate

NOT_A_NUMBER = "not a number"
NOT_MEASURED = "not measured"
ABSENT = "–"  # noqa: RUF001  # a dash, where a hyphen could be taken for a minus
_SMALLEST_PLAIN = 0.0005
_LARGEST_PLAIN = 1e9
_DECIMALS = ((10, 4), (100, 3), (1_000, 2), (100_000, 1))


def printable(text: str) -> str:
    """Text whose every character shows: no control characters, no marks of direction, no halves of characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def shortened(text: str, longest: int) -> str:
    """Text of at most so many characters; three dots say that more was there."""
    return text if len(text) <= longest else f"{text[: max(longest - 3, 0)].rstrip()}..."[:longest]


def number(value: float | None, *, beside: float | None = None, sign: bool = False) -> str:
    """A number with about four digits that tell something.

    Args:
        beside: the number whose decimals it takes, so that both can be compared at a glance.
        sign: whether a plus is written, too.
    """
    if value is None or not math.isfinite(value):
        return NOT_A_NUMBER
    plus = "+" if sign else ""
    size = abs(value)
    text = f"{value:{plus},.{_decimals(value if beside is None else beside)}f}"
    loses_all = value != 0 and not any(digit in text for digit in "123456789")
    if size >= _LARGEST_PLAIN or loses_all or (beside is None and 0 < size < _SMALLEST_PLAIN):
        return f"{value:{plus}.3g}"
    return text


def difference(estimate: Estimate, beside: float | None) -> str:
    """The challenger's value minus the champion's, with the decimals of the value it belongs to."""
    return number(estimate.value, beside=beside, sign=True)


def interval(estimate: Estimate, *, beside: float | None = None, sign: bool = False) -> str | None:
    """`0.6920 to 0.7140`; None where no interval is known."""
    if estimate.low is None or estimate.high is None:
        return None
    if beside is None:
        beside = estimate.value
    return " to ".join(number(bound, beside=beside, sign=sign) for bound in (estimate.low, estimate.high))


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent; a little never looks like nothing, nor almost all like all."""
    if share is None or not math.isfinite(share):
        return NOT_A_NUMBER
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def confidence(value: float) -> str:
    """`95 %`."""
    return f"{value * 100:g} %"


def count(value: int, noun: str) -> str:
    """`1 record`, `14,203 records`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def duration(seconds: float | None) -> str:
    """`192 s (3 min 12 s)`."""
    if seconds is None:
        return "not known"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return f"{whole:,} s ({' '.join(f'{amount} {unit}' for amount, unit in parts if amount)})"


def _decimals(value: float) -> int:
    return next((decimals for bound, decimals in _DECIMALS if abs(value) < bound), 0)
