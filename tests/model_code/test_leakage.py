"""A column that knows the label, and records of train in the holdout, are found; what is only good is left alone."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from model_code import leakage
from model_code.data_quality import DataContract, Declaration
from model_code.errors import DataError, ModelError
from model_code.leakage import (
    FEWEST,
    LARGEST_SEPARATION,
    accuracy_and_error_reduction,
    check_leakage,
    correlation,
    correlation_ratio,
    measure,
    separation,
)
from model_code.records import Column, declared_columns
from model_code.task import Task

RANDOM = np.random.default_rng(3)
LABELS = np.tile([0.0, 0.0, 0.0, 1.0], 100)
NOISE = RANDOM.normal(size=400)
COLUMNS = {"x": float | None, "place": str}


def records(labels: np.ndarray = LABELS, **columns: object) -> pl.DataFrame:
    count = len(labels)
    given = {"x": RANDOM.normal(size=count), "place": RANDOM.choice(["a", "b"], count), **columns}
    return pl.DataFrame({**given, "label": labels})


def check(train: pl.DataFrame, holdout: pl.DataFrame | None = None, task: str = "binary", **contract: object) -> None:
    declared = Declaration(declared_columns(COLUMNS), "label", Task(task), DataContract(**contract))  # type: ignore[arg-type]
    check_leakage({"train": train, "holdout": records() if holdout is None else holdout}, declared)


def column(kind: type) -> Column:
    return Column("x", kind, optional=True)


# --- Columns that know the label ------------------------------------------------------------------------------------


def test_columns_that_know_nothing_pass() -> None:
    check(records())


@pytest.mark.parametrize("copy", [LABELS, 1 - LABELS, LABELS * 1000 + NOISE], ids=["copied", "turned", "moved"])
def test_a_copy_of_the_label_is_refused_with_the_measure_the_limit_and_the_way_out(copy: np.ndarray) -> None:
    with pytest.raises(DataError) as error:
        check(records(x=copy))
    assert str(error.value) == (
        "the data gives the label away (1): x alone knows label: 2 |AUC - 0.5| 1 in 400 records of train, 0.98 is "
        "allowed. Take out of COLUMNS in model.py what is known only with the label, and records that are there twice; "
        "or say why it is right in leakage_allowed or largest_overlap of data_contract.py"
    )


def test_two_columns_and_an_overlap_are_told_at_once() -> None:
    train = records(x=LABELS, place=np.where(LABELS > 0, "late", "in time"))
    with pytest.raises(DataError) as error:
        check(train, train, largest_overlap=0.0)
    assert "(3): x alone knows label: " in str(error.value)
    assert "place alone knows label: share of records that its most frequent label fits 1 in 400" in str(error.value)
    assert "400 of 400 records of the holdout (100 %) have the same values in all COLUMNS as one of train, 0 % is" in (
        str(error.value)
    )


def test_what_is_allowed_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    check(records(x=LABELS), leakage_allowed={"x": "known at admission"})
    assert "x alone knows label, which data_contract.py allows (known at admission): 2 |AUC" in capsys.readouterr().out


def test_an_allowed_column_that_no_record_has_is_told() -> None:
    with pytest.raises(ModelError, match=r"leakage_allowed in data_contract.py names y, which is not in COLUMNS"):
        check(records(), leakage_allowed={"y": "it was there once"})


def test_a_column_that_is_empty_for_one_label_is_refused() -> None:
    """Such as an arrival time, which cancelled flights do not have."""
    values = pl.Series(np.where(LABELS > 0, np.nan, NOISE))
    with pytest.raises(DataError, match=r"x alone knows label: of being empty, 2 \|AUC - 0.5\| 1 in 400"):
        check(records(x=values))


def test_a_column_of_random_gaps_passes() -> None:
    check(records(x=pl.Series(np.where(NOISE > 0, np.nan, NOISE))))


@pytest.mark.parametrize("kind", [bool, datetime], ids=["a boolean", "a time"])
def test_a_copy_of_another_type_is_found(kind: type) -> None:
    start = datetime(2013, 1, 1)
    values = [bool(label) if kind is bool else start + timedelta(hours=float(label)) for label in LABELS]
    found = measure(pl.Series(values), LABELS, column(kind), "binary")
    assert found is not None
    assert found.value == 1


def test_a_separation_on_the_limit_passes_and_one_above_it_does_not() -> None:
    """Of 100 x 100 pairs in the wrong order, 100 leave 2 (1 - 0.01) - 1 = 0.98."""
    labels = np.repeat([0.0, 1.0], 100)
    on_the_limit = np.concatenate([np.arange(99.0), [1000.0], np.arange(100.0, 200.0)])
    above = np.concatenate([np.arange(99.0), [198.5], np.arange(100.0, 200.0)])
    assert separation(on_the_limit, labels) == pytest.approx(LARGEST_SEPARATION, abs=1e-12)
    assert separation(above, labels) > LARGEST_SEPARATION
    check(records(labels, x=on_the_limit - 1e-9 * (on_the_limit == 1000)))
    with pytest.raises(DataError, match="x alone knows label"):
        check(records(labels, x=above))


def test_the_separation_is_that_of_scikit_learns_area_with_ties() -> None:
    numbers = np.round(NOISE + LABELS, 1)
    assert separation(numbers, LABELS) == pytest.approx(2 * abs(roc_auc_score(LABELS, numbers) - 0.5), abs=1e-12)


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST])
def test_a_class_of_few_records_tells_nothing(count: int) -> None:
    labels = np.repeat([0.0, 1.0], [200, count])
    assert np.isnan(separation(labels, labels)) == (count < FEWEST)


def test_of_several_classes_every_pair_counts() -> None:
    labels = np.repeat([0.0, 1.0, 2.0], 50)
    shuffled = np.array([2.0, 0.0, 1.0])[labels.astype(int)]
    assert separation(labels, labels) == separation(shuffled, labels) == 1
    one_told = np.where(labels == 0, 0.0, np.tile([1.0, 2.0], 75))
    assert separation(one_told, labels) == pytest.approx(2 / 3)


def test_a_text_that_names_the_label_is_refused_but_not_one_that_is_right_as_often_as_always_saying_no() -> None:
    rare = np.where(np.arange(1000) % 250 == 0, 1.0, 0.0)
    told = np.where(rare > 0, "fraud", "fine")
    assert accuracy_and_error_reduction(pl.Series(RANDOM.choice(["a", "b"], 1000)), rare)[0] > 0.995
    check(records(rare, place=RANDOM.choice(["a", "b"], 1000)))
    with pytest.raises(DataError, match="place alone knows label"):
        check(records(rare, place=told))


@pytest.mark.parametrize(("wrong", "refused"), [(2, False), (1, True)], ids=["99.5 %, on the limit", "above it"])
def test_a_text_on_the_limit_passes(wrong: int, refused: bool) -> None:
    place = np.where(LABELS > 0, "late", "in time").astype(object)
    place[np.flatnonzero(LABELS > 0)[:wrong]] = "in time"
    found = measure(pl.Series(place, dtype=pl.String), LABELS, Column("place", str, optional=False), "binary")
    assert found is not None
    assert (found.value > found.limit) is refused


@pytest.mark.parametrize(("categories", "known"), [(20, True), (21, False)])
def test_a_text_with_few_records_for_each_category_tells_nothing(categories: int, known: bool) -> None:
    place = pl.Series([f"{n % categories}" for n in range(400)])
    labels = np.array([float(n % categories == 0) for n in range(400)])
    assert np.isnan(accuracy_and_error_reduction(place, labels)[0]) != known
    assert np.isnan(correlation_ratio(place, labels)) != known


def test_a_missing_text_is_a_category() -> None:
    place = pl.Series([None if label else "a" for label in LABELS])
    assert accuracy_and_error_reduction(place, LABELS) == (1.0, 1.0)


@pytest.mark.parametrize(("noise", "refused"), [(0.01, True), (0.2, False)])
def test_a_number_to_predict_that_is_copied_is_refused(noise: float, refused: bool) -> None:
    train = records(NOISE * 3, x=-NOISE * 3 + noise * RANDOM.normal(size=400))
    if refused:
        with pytest.raises(
            DataError, match=r"x alone knows label: \|Pearson's r\| 1 in 400 records .* 0.999 is allowed"
        ):
            check(train, task="regression")
    else:
        check(train, task="regression")


def test_a_text_that_names_a_number_to_predict_is_refused() -> None:
    price = RANDOM.integers(1, 5, 400).astype(float)
    with pytest.raises(DataError, match="place alone knows label: correlation ratio 1 in 400"):
        check(records(price, place=[f"{value:g} EUR" for value in price]), task="regression")


def test_what_does_not_vary_tells_nothing() -> None:
    assert np.isnan(correlation(np.ones(400), NOISE))
    assert np.isnan(correlation_ratio(pl.Series(["a"] * 400), np.ones(400)))
    assert separation(np.ones(400), LABELS) == 0


def test_an_empty_column_tells_nothing() -> None:
    assert measure(pl.Series([None] * 400, dtype=pl.Float64), LABELS, column(float), "binary") == leakage.Measure(
        "of being empty, 2 |AUC - 0.5|", 0.0, LARGEST_SEPARATION
    )


def test_of_many_records_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "MOST_RECORDS", 300)
    with pytest.raises(DataError, match=r"x alone knows label: 2 \|AUC - 0.5\| 1 in 300 records of train"):
        check(records(x=LABELS))


# --- Records of train in the holdout --------------------------------------------------------------------------------


@pytest.mark.parametrize(("seen", "refused"), [(20, False), (21, True)], ids=["on the limit", "above it"])
def test_a_share_of_seen_records_on_the_limit_passes(
    seen: int, refused: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    train = records()
    holdout = pl.concat([train[:seen], records()[: 400 - seen]])
    if refused:
        with pytest.raises(
            DataError, match=r"21 of 400 records of the holdout \(5.25 %\) have the same .*, 5 % is all"
        ):
            check(train, holdout)
    else:
        check(train, holdout)
        assert "20 of 400 records of the holdout (5 %) have the same values in all COLUMNS" in capsys.readouterr().out


def test_records_with_missing_values_and_another_label_are_the_same() -> None:
    train = records(x=pl.Series([None] * 400, dtype=pl.Float64))
    with pytest.raises(DataError, match="400 of 400 records of the holdout"):
        check(train, train.with_columns(1 - pl.col("label")))


def test_a_column_that_must_not_be_in_both_is_named() -> None:
    train, holdout = records(patient=np.arange(400)), records(patient=np.arange(399, 799))
    with pytest.raises(DataError, match=r"1 of 400 records of the holdout \(0.25 %\) have the same patient as one of"):
        check(train, holdout, overlap_by=["patient"], largest_overlap=0.0)
    check(train, holdout.with_columns(pl.col("patient") + 1), overlap_by=["patient"], largest_overlap=0.0)
