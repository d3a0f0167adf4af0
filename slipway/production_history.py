"""What became of a version in production, as its model package notes it: by the pipeline, and by commands.

The pipeline notes released_at, challenger_since, rollout_failed_at and rollout_failure (infra/rollout_note.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.rendering import age


@dataclass(frozen=True)
class InProduction:
    """The last time of each kind; None where there was none.

    Attributes:
        released: it was verified in production, or promoted.
        challenger: it was verified as the challenger of a test.
        failed: its rollout failed, or its verification in production.
        failure: why: the alarm, its value and its limit.
        rolled_back: production went back from it to an earlier version.
        restored: production went back to it.
        dropped: the test in which it was the challenger was ended.
        reason: why somebody rolled back, restored or dropped it.
    """

    released: datetime | None = None
    challenger: datetime | None = None
    failed: datetime | None = None
    failure: str | None = None
    rolled_back: datetime | None = None
    restored: datetime | None = None
    dropped: datetime | None = None
    reason: str | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether production went back from it, and it has not come again since."""
        came = max((time for time in (self.released, self.restored) if time is not None), default=None)
        return self.rolled_back is not None and (came is None or self.rolled_back > came)

    def told(self, now: datetime, *, serves: bool) -> Iterator[str]:
        """In lines for people that go on after `version 3`."""
        why = f": {self.reason}" if self.reason else ""
        if serves:
            came = max((time for time in (self.released, self.restored) if time is not None), default=None)
            if came is not None:
                again = "is back in production" if came == self.restored else "is in production"
                yield f"{again} since {age(now - came)}{why if came == self.restored else ''}"
        elif self.is_withdrawn and self.rolled_back is not None:
            yield f"was rolled back {age(now - self.rolled_back)} ago{why}"
        elif self.released is not None:
            yield f"went into production {age(now - self.released)} ago"
        if self.dropped is not None:
            yield f"was dropped as a challenger {age(now - self.dropped)} ago{why}"
        elif self.challenger is not None and self.released is None:
            yield f"was put beside the champion as a challenger {age(now - self.challenger)} ago"
        if self.failed is not None and (self.released is None or self.failed > self.released):
            yield f"failed in production {age(now - self.failed)} ago: {self.failure or 'no reason is noted'}"


def in_production(noted: Mapping[str, str]) -> InProduction:
    """From the CustomerMetadataProperties of a model package."""
    return InProduction(
        released=_time(noted.get("released_at")),
        challenger=_time(noted.get("challenger_since")),
        failed=_time(noted.get("rollout_failed_at")),
        failure=noted.get("rollout_failure"),
        rolled_back=_time(noted.get("rolled_back_at")),
        restored=_time(noted.get("restored_at")),
        dropped=_time(noted.get("dropped_at")),
        reason=noted.get("reason"),
    )


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
