"""Writes down what ministack keeps."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class ChangedStates:
    """Writes the state of a service when it has changed, in place of ministack's own `save_state`.

    That one writes the states of all its services each time, a piece at a time through the slower of Python's two JSON
    encoders, and no call is answered meanwhile.

    Args:
        persistence: ministack's module.
    """

    def __init__(self, persistence: Any) -> None:
        self._persistence = persistence
        self._written: dict[str, bytes] = {}

    def save(self, service: str, state: Any) -> None:
        """Write a service's state to its file, whole or not at all."""
        try:
            self._save(service, state)
        except Exception:  # whatever it is, the other services' states are to be written
            logger.exception("the state of %s could not be written", service)

    def _save(self, service: str, state: Any) -> None:
        document = {"__ministack_format__": self._persistence._state_format_version(service), "payload": state}
        content = json.dumps(document, default=self._persistence._json_default).encode()
        digest = hashlib.blake2b(content).digest()
        if self._written.get(service) == digest:
            return
        file = Path(self._persistence.STATE_DIR) / f"{service}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".json.tmp")
        draft.write_bytes(content)
        draft.replace(file)
        self._written[service] = digest
