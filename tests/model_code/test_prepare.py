"""`prepare` with the example's synthetic data, in this process: what it writes, and what it refuses."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model_code import model, prepare
from model_code.data_quality import DataContract, Freshness
from model_code.errors import DataError
from model_code.paths import Paths
from model_code.split import read_split
from tests.model_code.conftest import SPLIT

BY_HASH = '{"by": "hash", "column": "dest", "holdout_percent": 40, "validation_percent": 30}'

Prepare = Callable[..., Path]


@pytest.fixture
def prepared(raw: Path, tmp_path: Path) -> Prepare:
    """Prepares the raw data; returns the data set's directory."""

    def run(split: str = SPLIT) -> Path:
        shutil.copytree(raw, tmp_path / "processing/input/raw")
        prepare.run(Paths(tmp_path), read_split(split))
        return tmp_path / "processing/output/dataset"

    return run


def document(file: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(file.read_text(), parse_constant=refuse)


def test_the_manifest_names_the_raw_files_with_their_digests(prepared: Prepare, raw: Path) -> None:
    manifest = document(prepared() / "manifest.json")
    expected = {
        path.relative_to(raw).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(raw.rglob("*.parquet"))
    }
    assert manifest["files"] == expected
    assert manifest["file_count"] == len(expected) == 4
    assert manifest["data_version"] == prepare.data_version(expected)


@pytest.mark.parametrize(("most", "named"), [(4, 4), (3, 3)])
def test_of_many_files_the_first_are_named_and_all_are_counted(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch, most: int, named: int
) -> None:
    monkeypatch.setattr(prepare, "MOST_NAMED", most)
    manifest = document(prepared() / "manifest.json")
    assert len(manifest["files"]) == len(manifest["columns"]) == len(manifest["summary"]["train"]) == named
    assert manifest["file_count"] == 4


def test_the_summary_is_of_train_and_holdout(prepared: Prepare) -> None:
    dataset = prepared()
    summary = document(dataset / "manifest.json")["summary"]
    assert list(summary) == ["train", "holdout"]
    for name, columns in summary.items():
        part = pl.read_parquet(dataset / name / "records.parquet")
        assert list(columns) == list(model.COLUMNS)
        assert columns["distance"]["mean"] == pytest.approx(part["distance"].mean())
        assert columns["carrier"]["top"] == part["carrier"].mode().sort()[0]
        assert columns["pressure"]["missing"] == pytest.approx(part["pressure"].null_count() / part.height)
        assert columns["wind_gust"] == {"missing": 1.0}
        assert columns["scheduled_departure"] == {"missing": 0.0}


def test_the_baseline_is_that_of_train_alone(prepared: Prepare) -> None:
    dataset = prepared()
    baseline = document(dataset / "baseline.json")
    train = pl.read_parquet(dataset / "train/records.parquet")
    assert baseline["rows"] == train.height
    assert list(baseline["columns"]) == list(model.COLUMNS)
    assert baseline["columns"]["scheduled_departure"]["last"] == train["scheduled_departure"].max().isoformat()
    assert baseline["label"]["shares"]["1"] == pytest.approx(train["late"].mean())


def test_a_split_by_hash_has_shares_in_the_manifest(prepared: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "DATA_CONTRACT", DataContract())
    groups = {"ATL": "train", "ORD": "validation", "SFO": "holdout"}
    monkeypatch.setattr("model_code.split.HashSplit.split_of", lambda self, group: groups[group])
    manifest = document(prepared(BY_HASH) / "manifest.json")
    assert sum(manifest["shares"].values()) == pytest.approx(1)
    assert "windows" not in manifest


def test_two_breaches_of_the_contract_are_told_at_once_and_nothing_is_written(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contract = DataContract(minimum_records=10_000, freshness=Freshness("scheduled_departure", days=30))
    monkeypatch.setattr(prepare, "DATA_CONTRACT", contract)
    with pytest.raises(DataError) as error:
        prepared()
    assert str(error.value).startswith(
        "the records break the data contract (2): there must be at least 10,000 records, got 1,463; the newest "
        "scheduled_departure is of 2013-02-19, "
    )
    assert not (tmp_path / "processing/output").exists()


def test_a_column_that_knows_the_label_is_refused_and_nothing_is_written(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read = model.read_records
    monkeypatch.setattr(
        model, "read_records", lambda raw: read(raw).with_columns((pl.col("late") * 10.0).alias("temp"))
    )
    with pytest.raises(DataError, match=r"temp alone knows late: 2 \|AUC - 0.5\| 1 in 849 records of train"):
        prepared()
    assert not (tmp_path / "processing/output").exists()


def test_without_raw_files_there_is_no_data_version(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"there is no raw data: upload it below data\.prefix"):
        prepare.raw_files(tmp_path)
