"""Copies of calls for shadow variants: nobody waits for them, and nobody sees what becomes of them."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)

_UNDER_WAY = 64


class ShadowCalls:
    """Makes the copies on threads of their own.

    Only so many are under way at once: what a hanging shadow leaves over holds neither threads nor bodies. Where AWS
    draws that line is not known.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_UNDER_WAY, "shadow-call")
        self._room = threading.Semaphore(_UNDER_WAY)

    def make(self, call: Callable[[], None]) -> bool:
        """Make a copy in the background; False when too many are under way."""
        if not self._room.acquire(blocking=False):
            return False
        self._threads.submit(self._run, call)
        return True

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            logger.exception("a copy of a call failed inside the local cloud")
        finally:
            self._room.release()
