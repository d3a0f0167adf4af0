"""A build's log as CodeBuild writes it, without the secrets that the build knows."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

_SHORTEST_SECRET = 4  # characters; hiding each "a" would hide the log


class LineSink(Protocol):
    """Where lines go."""

    def write(self, line: str) -> None: ...


class ContainerLog:
    """Lines of the build's commands as they are, lines of CodeBuild itself after `[Container]` and the time."""

    def __init__(self) -> None:
        self._sink: LineSink | None = None
        self._secrets: re.Pattern[str] | None = None

    def write_to(self, sink: LineSink) -> None:
        """Send lines there from now on; without a sink they are dropped."""
        self._sink = sink

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on show `***` for these values; a value of several lines is hidden line by line."""
        lines = {line.strip() for secret in secrets for line in secret.splitlines()}
        longest_first = sorted((line for line in lines if len(line) >= _SHORTEST_SECRET), key=len, reverse=True)
        if longest_first:
            self._secrets = re.compile("|".join(map(re.escape, longest_first)))

    def masked(self, text: str) -> str:
        return self._secrets.sub("***", text) if self._secrets else text

    def output(self, line: str) -> None:
        """A line that a command wrote."""
        if self._sink is not None:
            self._sink.write(self.masked(line))

    def say(self, text: str) -> None:
        """A line of CodeBuild's own; further lines of `text` follow as they are."""
        first, *others = text.split("\n")
        self.output(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} {first}")
        for line in others:
            self.output(line)
