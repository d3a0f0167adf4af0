"""Confusion matrices as tables: which class was taken for which."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.wording import ABSENT, percent

_MOST_CLASSES = 12  # a larger matrix is no longer read; then each class has its line


@dataclass(frozen=True)
class Cell:
    """Records of one class that were taken for one class, and their share of the class."""

    records: int
    share: float


@dataclass(frozen=True)
class ConfusionRow:
    """One true class.

    Attributes:
        cells: by predicted class; empty where there are too many classes.
        right: share of its records that were recognised.
        taken_for: the wrong class that it is most often taken for, with the share; empty when it never is.
    """

    name: str
    records: int
    cells: tuple[Cell, ...]
    right: str
    taken_for: str


@dataclass(frozen=True)
class ConfusionTable:
    """Of one model."""

    model: str
    classes: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]


def confusion_tables(evidence: ReportEvidence) -> tuple[ConfusionTable, ...]:
    """Of the challenger and, when there is one, of the champion; none for a regression."""
    curves = evidence.comparison.curves
    models = {"challenger": curves.challenger, "champion": curves.champion}
    names = evidence.challenger.classes
    return tuple(
        _table(role, model.confusion, names) for role, model in models.items() if model is not None and model.confusion
    )


def _table(role: str, matrix: Sequence[Sequence[int]], names: Sequence[str] | None) -> ConfusionTable:
    known = names is not None and len(names) == len(matrix)
    classes = tuple(names if known and names is not None else (str(number) for number in range(len(matrix))))
    return ConfusionTable(role, classes, tuple(_row(place, matrix[place], classes) for place in range(len(matrix))))


def _row(place: int, counts: Sequence[int], classes: Sequence[str]) -> ConfusionRow:
    records = sum(counts)
    cells = tuple(Cell(count, count / records if records else 0.0) for count in counts)
    wrong = max((one for one in range(len(counts)) if one != place), key=lambda one: counts[one], default=place)
    taken_for = f"{classes[wrong]} ({percent(cells[wrong].share)})" if wrong != place and counts[wrong] else ""
    return ConfusionRow(
        name=classes[place],
        records=records,
        cells=cells if len(classes) <= _MOST_CLASSES else (),
        right=percent(cells[place].share) if records else ABSENT,
        taken_for=taken_for,
    )
