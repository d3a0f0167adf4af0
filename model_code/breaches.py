"""What is wrong with data, all of it told at once: in the job's log and in what SageMaker keeps of a reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_code.errors import DataError
from model_code.failure import LONGEST_REASON
from model_code.log import say

_ROOM_FOR_THE_REST = 40


@dataclass(frozen=True)
class Breach:
    """One rule that the data breaks.

    Attributes:
        rule: the rule, and by how much it is broken, in one line.
        examples: at most three records that break it.
    """

    rule: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule} ({'; '.join(self.examples)})" if self.examples else self.rule


def refuse(breaches: Sequence[Breach], headline: str, way_out: str) -> None:
    """End the job if there is a breach.

    Args:
        headline: what the breaches are, after their number.
        way_out: what to do about them.

    Raises:
        DataError: there is one. Its text names them all, with their examples as far as these fit into the reason that
            SageMaker keeps of a failed job; the log has everything.
    """
    if not breaches:
        return
    for breach in breaches:
        say(_one_line(f"{headline}: {breach.rule}"))
        for example in breach.examples:
            say(_one_line(f"such as {example}"))
    start, end = f"{headline} ({len(breaches)}): ", f". {way_out}"
    room = LONGEST_REASON - len(start) - len(end)
    whole = "; ".join(map(str, breaches))
    raise DataError(f"{start}{whole if len(whole) <= room else '; '.join(_that_fit(breaches, room))}{end}")


def _one_line(text: str) -> str:
    """Names and values come from data: they make no lines of their own in the log."""
    return " ".join(text.splitlines())


def _that_fit(breaches: Sequence[Breach], room: int) -> Iterator[str]:
    """Rules without their examples, and how many were left out."""
    room -= _ROOM_FOR_THE_REST
    for number, breach in enumerate(breaches):
        room -= len(breach.rule) + len("; ")
        if room < 0 and number:
            yield f"{len(breaches) - number} more in the job's log"
            return
        yield breach.rule if room >= 0 else f"{breach.rule[:room]}..."
