"""What ends a build from outside: a stop, or its time limit."""

import threading
import time
from collections.abc import Callable


class BuildStoppedError(Exception):
    """StopBuild was called."""


class BuildTimedOutError(Exception):
    """The build's time is over."""


class Interruption:
    """Asked again and again by what a build does; the deadline is in seconds of `clock`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """Go on, or:

        Raises:
            BuildStoppedError: the build was stopped.
            BuildTimedOutError: its time is over.
        """
        if self._stopped.is_set():
            raise BuildStoppedError
        if self._clock() >= self._deadline:
            raise BuildTimedOutError
