"""Documents that survive a killed server: one SQLite file, one transaction a change."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TIME_KEY = "$time"


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return {_TIME_KEY: value.astimezone(UTC).isoformat()}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a stored document may hold JSON values and datetimes, got {type(value).__name__}: {value!r}")


def _decode(mapping: dict[str, Any]) -> object:
    if mapping.keys() == {_TIME_KEY}:
        return datetime.fromisoformat(mapping[_TIME_KEY])
    return mapping


class Store:
    """The tables of all added services, in one file.

    Write-ahead logging makes a put durable over a killed process (an operating system crash may lose the last puts).
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents (position INTEGER PRIMARY KEY AUTOINCREMENT,"
            " table_name TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (table_name, key))"
        )

    def table(self, name: str) -> "Table":
        """The table of that name, made when first used."""
        return Table(name, self._connection, self._lock)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class Table:
    """Documents by key. What is read is a copy; changing it changes nothing until it is put."""

    def __init__(self, name: str, connection: sqlite3.Connection, lock: threading.RLock) -> None:
        self._name = name
        self._connection = connection
        self._lock = lock

    def get(self, key: str) -> dict[str, Any] | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT document FROM documents WHERE table_name = ? AND key = ?", (self._name, key)
            ).fetchone()
        return None if row is None else _loads(row[0])

    def put(self, key: str, document: Mapping[str, Any]) -> None:
        """Store the document; an existing key keeps its place in the order of insertion."""
        text = json.dumps(document, default=_encode)
        with self._lock:
            self._connection.execute(
                "INSERT INTO documents (table_name, key, document) VALUES (?, ?, ?)"
                " ON CONFLICT (table_name, key) DO UPDATE SET document = excluded.document",
                (self._name, key, text),
            )

    def delete(self, key: str) -> None:
        """Remove the document; an absent key is no error."""
        with self._lock:
            self._connection.execute("DELETE FROM documents WHERE table_name = ? AND key = ?", (self._name, key))

    def items(self) -> list[tuple[str, dict[str, Any]]]:
        """All documents with their keys, in the order in which the keys were first put."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT key, document FROM documents WHERE table_name = ? ORDER BY position", (self._name,)
            ).fetchall()
        return [(key, _loads(text)) for key, text in rows]

    @contextmanager
    def change(self, key: str) -> Iterator[dict[str, Any]]:
        """Read, let the caller change, and put the document, with no other change in between.

        Raises:
            KeyError: no document has that key.
        """
        with self._lock:
            document = self.get(key)
            if document is None:
                raise KeyError(key)
            yield document
            self.put(key, document)


def _loads(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text, object_hook=_decode)
    return document
