"""Show the phases of a long command as they pass, and remember how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

TITLE_WIDTH = 16


@dataclass
class Phase:
    """A phase that is under way.

    Attributes:
        note: what came out of it; shown when it ends.
    """

    _show: "_Spinner"
    note: str = "done"

    def progress(self, line: str) -> None:
        """Show what is just happening."""
        self._show.line(line)


@dataclass
class Phases:
    """The phases of one command.

    Attributes:
        times: title and seconds of each phase that has ended well, in order.
    """

    console: Console
    times: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Time what is done inside; a phase that raises is not recorded."""
        start = time.monotonic()
        with _Spinner(self.console, title) as spinner:
            phase = Phase(spinner)
            yield phase
        seconds = time.monotonic() - start
        self.times.append((title, seconds))
        told = Text.assemble((f"{title:<{TITLE_WIDTH}}", "bold"), phase.note, (f"  {seconds:.1f} s", "dim"))
        self.console.print(told, soft_wrap=True)


class _Spinner:
    """On a terminal one line that changes; elsewhere a line for everything that happens."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._status = console.status(Text(title)) if console.is_terminal else None

    def __enter__(self) -> "_Spinner":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def line(self, text: str) -> None:
        if self._status is None:
            self._console.print(Text("  " + text), soft_wrap=True)
            return
        shown = Text.assemble((f"{self._title:<{TITLE_WIDTH}}", "bold"), text)
        shown.truncate(self._console.width - 4, overflow="ellipsis")
        self._status.update(shown)
