"""What changed in the data since the champion's."""

from pipeline_steps.documents import ColumnSummary, DatasetManifest, SplitRows
from pipeline_steps.report.data_changes import column_changes, data_facts
from tests.pipeline_steps.report.examples import EVIDENCE, manifest

NOW, BEFORE = EVIDENCE.facts.manifest, EVIDENCE.facts.champion_manifest
assert NOW is not None
BARE = DatasetManifest(data_version="0" * 64, rows=SplitRows(train=10, validation=0, holdout=5))


def fact(name: str, now: DatasetManifest, before: DatasetManifest | None) -> tuple[str, str, str]:
    found = next(one for one in data_facts(now, before) if one.name == name)
    return found.now, found.before, found.change


def test_more_rows_and_other_data_are_named() -> None:
    assert fact("train rows", NOW, BEFORE) == ("312,400", "298,114", "+14,286 (+4.8 %)")
    assert fact("data version", NOW, BEFORE) == ("3f3f3f3f3f3f", "a0a0a0a0a0a0", "other data")
    assert fact("holdout rows", NOW, BEFORE) == ("12,913", "12,913", "")


def test_a_moved_window_and_another_mean_of_the_label_are_named() -> None:
    windows = {"holdout": ("2014-01-01", "2014-01-14")}
    later = NOW.model_copy(update={"windows": windows, "mean_label": {"holdout": 0.25}})

    assert fact("holdout window", later, NOW)[2] == "another one"
    assert fact("holdout mean of late", later, NOW) == ("0.2500", "0.2083", "+0.0417")


def test_shares_take_the_place_of_windows() -> None:
    shared = BARE.model_copy(update={"shares": {"train": 0.7}})

    assert fact("train share", shared, None) == ("70.0 %", "not known", "")


def test_a_split_that_was_empty_grows_without_a_percentage() -> None:
    assert fact("validation rows", NOW, BARE)[2] == "+6,480"


def test_without_the_champions_manifest_nothing_is_a_change() -> None:
    assert not any(one.change for one in (*data_facts(NOW, None), *column_changes(NOW, None)))
    assert fact("train rows", NOW, None) == ("312,400", "not known", "")


def test_new_gone_and_retyped_columns_come_first_then_the_largest_shift() -> None:
    before = manifest("a0", 298_114, 54.3, dewp="Float64", distance="Int64")

    changes = column_changes(NOW, before)

    assert [(one.name, one.change) for one in changes[:4]] == [
        ("distance", "was Int64"),
        ("visib_at_dest", "new"),
        ("dewp", "gone"),
        ("temp", ""),
    ]
    assert changes[2].type == "Float64"


def test_a_shift_is_told_in_deviations_of_the_champions_data() -> None:
    temp = next(one for one in column_changes(NOW, BEFORE) if one.name == "temp")

    assert temp.shift is not None
    assert round(temp.shift, 3) == round((57.1 - 54.3) / 17.9, 3)
    assert (temp.typical_now, temp.typical_before, temp.missing_now) == ("57.100", "54.300", "< 0.1 %")


def test_a_column_that_never_varied_has_no_shift() -> None:
    constant = {"train": {"temp": ColumnSummary(missing=0.0, mean=1.0, deviation=0.0)}}

    assert not any(one.shift for one in column_changes(NOW, NOW.model_copy(update={"summary": constant})))


def test_of_text_the_most_frequent_value_stands_for_it() -> None:
    carrier = next(one for one in column_changes(NOW, BEFORE) if one.name == "carrier")

    assert carrier.typical_now == "UA (17.6 %)"
