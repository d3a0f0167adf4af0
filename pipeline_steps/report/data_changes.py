"""What changed in the data since the champion's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline_steps.documents import ColumnSummary, DatasetManifest, SplitName
from pipeline_steps.report.wording import ABSENT, number, percent, shortened

UNKNOWN = "not known"
_SPLITS: tuple[SplitName, ...] = ("train", "validation", "holdout")
_SUMMARIZED: SplitName = "train"  # the split whose columns are compared: what a model learned from
_LONGEST_VALUE = 40


@dataclass(frozen=True)
class DataFact:
    """One property of the data set, now and when the champion was trained; change is empty where nothing changed."""

    name: str
    now: str
    before: str
    change: str


@dataclass(frozen=True)
class ColumnChange:
    """One column, now and when the champion was trained.

    Attributes:
        change: `new`, `gone` or `was TYPE`; empty when the column is as it was.
        missing_now: the share of its values that are missing, as missing_before in words.
        typical_now: its mean, as typical_before; of text, the most frequent value and its share.
        shift: by how many standard deviations of then its mean moved; None where that cannot be said.
    """

    name: str
    type: str
    change: str
    missing_now: str
    missing_before: str
    typical_now: str
    typical_before: str
    shift: float | None


def data_facts(now: DatasetManifest, before: DatasetManifest | None) -> tuple[DataFact, ...]:
    """The whole data set, one property a line."""
    return (_version(now, before), *_row_counts(now, before), *_extents(now, before), *_mean_labels(now, before))


def column_changes(now: DatasetManifest, before: DatasetManifest | None) -> tuple[ColumnChange, ...]:
    """All columns: new, gone and changed ones first, then those whose mean moved most."""
    names = dict.fromkeys([*_types(now), *_types(before)])
    changes = [_column(name, now, before) for name in names]
    return tuple(sorted(changes, key=lambda one: (not one.change, -abs(one.shift or 0))))


def _version(now: DatasetManifest, before: DatasetManifest | None) -> DataFact:
    old = before.data_version if before is not None else None
    change = "" if old in (None, now.data_version) else "other data"
    return DataFact("data version", now.data_version[:12], old[:12] if old is not None else UNKNOWN, change)


def _row_counts(now: DatasetManifest, before: DatasetManifest | None) -> Iterator[DataFact]:
    for split in _SPLITS:
        new: int = getattr(now.rows, split)
        old: int | None = getattr(before.rows, split) if before is not None else None
        yield DataFact(f"{split} rows", f"{new:,}", UNKNOWN if old is None else f"{old:,}", _growth(new, old))


def _extents(now: DatasetManifest, before: DatasetManifest | None) -> Iterator[DataFact]:
    for split in _SPLITS:
        new, old = (_extent(manifest, split) for manifest in (now, before))
        if new is not None or old is not None:
            change = "another one" if new is not None and old is not None and new != old else ""
            name = f"{split} {(new or old or ('',))[0]}"
            yield DataFact(name, UNKNOWN if new is None else new[1], UNKNOWN if old is None else old[1], change)


def _extent(manifest: DatasetManifest | None, split: SplitName) -> tuple[str, str] | None:
    """What a split covers: its window or its share, with the name of that."""
    if manifest is not None and manifest.windows is not None and split in manifest.windows:
        return "window", " to ".join(manifest.windows[split])
    if manifest is not None and manifest.shares is not None and split in manifest.shares:
        return "share", percent(manifest.shares[split])
    return None


def _mean_labels(now: DatasetManifest, before: DatasetManifest | None) -> Iterator[DataFact]:
    for split in _SPLITS:
        new, old = (manifest.mean_label.get(split) if manifest is not None else None for manifest in (now, before))
        change = "" if new is None or old is None or new == old else number(new - old, beside=new, sign=True)
        name = f"{split} mean of {now.label or 'the label'}"
        yield DataFact(name, _known(new), _known(old), change)


def _column(name: str, now: DatasetManifest, before: DatasetManifest | None) -> ColumnChange:
    new, old = (_summary(manifest).get(name) for manifest in (now, before))
    return ColumnChange(
        name=name,
        type=_types(now).get(name) or _types(before).get(name, ""),
        change=_change(name, now, before),
        missing_now=_missing(new),
        missing_before=_missing(old),
        typical_now=_typical(new),
        typical_before=_typical(old),
        shift=_shift(new, old),
    )


def _change(name: str, now: DatasetManifest, before: DatasetManifest | None) -> str:
    new, old = _types(now), _types(before)
    if not old:
        return ""
    if name not in old:
        return "new"
    if name not in new:
        return "gone"
    return "" if new[name] == old[name] else f"was {old[name]}"


def _types(manifest: DatasetManifest | None) -> Mapping[str, str]:
    return {} if manifest is None else manifest.columns


def _summary(manifest: DatasetManifest | None) -> Mapping[str, ColumnSummary]:
    return {} if manifest is None else manifest.summary.get(_SUMMARIZED, {})


def _shift(new: ColumnSummary | None, old: ColumnSummary | None) -> float | None:
    if new is None or old is None or new.mean is None or old.mean is None or not old.deviation:
        return None
    return (new.mean - old.mean) / old.deviation


def _missing(summary: ColumnSummary | None) -> str:
    return ABSENT if summary is None else percent(summary.missing)


def _typical(summary: ColumnSummary | None) -> str:
    if summary is None or (summary.mean is None and summary.top is None):
        return ABSENT
    if summary.mean is not None:
        return number(summary.mean)
    most = shortened(summary.top or "", _LONGEST_VALUE)
    return most if summary.top_share is None else f"{most} ({percent(summary.top_share)})"


def _known(value: float | None) -> str:
    return UNKNOWN if value is None else number(value)


def _growth(new: int, old: int | None) -> str:
    if old is None or new == old:
        return ""
    return f"{new - old:+,}" if old == 0 else f"{new - old:+,} ({(new - old) / old * 100:+.1f} %)"
