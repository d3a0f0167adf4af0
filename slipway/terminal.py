"""The terminal that everything is printed to: what others wrote reaches it as text, never as instructions."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters other than the line end and the tab, marks of writing direction, and halves of characters, which no
# output can encode.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Terminal(Console):
    """A console for log lines, commit messages, names in data and answers of AWS, whoever wrote them.

    A terminal's escape sequences can overwrite what is on the screen, and marks of direction can turn a text around.
    Without the characters that begin them, they are letters. Square brackets and colons are no markup either.

    Args:
        options: as of rich's Console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything that is printed passes here as text with a style; the codes of styles and cursor are apart."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else _UNPRINTABLE.sub("", text), style, control)
