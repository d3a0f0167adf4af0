"""How commands fail, in this process: the exit code, and the reason where SageMaker looks for it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from model_code import model
from model_code.__main__ import main
from tests.model_code.archives import archive, member

Fail = Callable[..., str]


@pytest.fixture
def base(tmp_path: Path, raw: Path) -> Path:
    """A base directory with raw data."""
    shutil.copytree(raw, tmp_path / "processing/input/raw")
    return tmp_path


@pytest.fixture
def fail(environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Runs a command that must fail; returns the reason that SageMaker shows."""

    def run(command: str, *options: str, **variables: str) -> str:
        assert main([command, *options], {**environment, "SAGEMAKER_BASE_DIR": str(tmp_path), **variables}) == 1
        kept, unused = ("failure", "message") if command == "train" else ("message", "failure")
        assert not (tmp_path / "output" / unused).exists()
        reason = (tmp_path / "output" / kept).read_text()[:1024].splitlines()[0]
        assert f"{command} failed: {reason}\n" in capsys.readouterr().err
        return reason

    return run


def split(holdout_days: int = 14, validation_days: int = 7, column: str = "scheduled_departure") -> str:
    return json.dumps(
        {"by": "time", "column": column, "holdout_days": holdout_days, "validation_days": validation_days}
    )


def change_flights(base: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    for file in (base / "processing/input/raw/flights").iterdir():
        change(pl.read_parquet(file)).write_parquet(file)


@pytest.mark.parametrize(
    "arguments",
    [[], ["predict"], ["train", "serve"], ["prepare", "--slice=origin"]],
    ids=["none", "unknown", "two", "slices of another command"],
)
def test_the_four_commands_are_named_to_who_asks_for_another(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, {}) == 2
    told = capsys.readouterr().err
    assert "takes one command: prepare, train, evaluate, serve; got " in told
    assert told.strip().endswith(" ".join(arguments) or "nothing")


def test_no_raw_data_at_all_is_told(fail: Fail) -> None:
    assert fail("prepare") == "there is no raw data: upload it below data.prefix of slipway.yaml"


def test_a_missing_kind_of_raw_file_is_told_with_what_is_there(base: Path, fail: Fail) -> None:
    shutil.rmtree(base / "processing/input/raw/weather")
    assert fail("prepare").startswith("the raw data has no file weather/*.parquet (there is flights): upload it")


def test_a_missing_raw_column_is_told_with_its_file(base: Path, fail: Fail) -> None:
    change_flights(base, lambda flights: flights.drop("distance"))
    assert fail("prepare").startswith("the raw file flights/2013-01.parquet lacks the column distance (it has year, ")


def test_raw_data_without_rows_is_told(base: Path, fail: Fail) -> None:
    change_flights(base, lambda flights: flights[:0])
    assert fail("prepare").startswith("the raw files flights/*.parquet have no rows")


def test_a_required_value_that_is_empty_is_told_with_its_column(base: Path, fail: Fail) -> None:
    change_flights(base, lambda flights: flights.with_columns(pl.lit(None, pl.String).alias("dest")))
    assert "dest must not be empty, but is in 1,463 of 1,463 records" in fail("prepare")


def test_windows_longer_than_the_data_are_told_with_the_rows_of_each_part(base: Path, fail: Fail) -> None:
    reason = fail("prepare", SLIPWAY_SPLIT=split(holdout_days=45))
    assert reason == (
        "train has no records (train 0, validation 147, holdout 1,316): data.split takes 45 days for the holdout and "
        "7 for validation; change it, or add data"
    )


def test_a_gap_in_the_data_that_leaves_no_validation_is_told(base: Path, fail: Fail) -> None:
    change_flights(base, lambda flights: flights.filter(~((pl.col("month") == 1) & (pl.col("day") >= 28))))
    change_flights(base, lambda flights: flights.filter(~((pl.col("month") == 2) & (pl.col("day") <= 6))))
    assert fail("prepare").startswith("validation has no records (train ")


def test_a_holdout_of_a_single_class_is_told(base: Path, fail: Fail) -> None:
    change_flights(base, lambda flights: flights.with_columns(pl.lit(99).alias("arr_delay")))
    assert "have late = 1, at least two different values are needed" in fail("prepare")


def test_a_split_by_a_column_that_no_record_has_is_told(base: Path, fail: Fail) -> None:
    reason = fail("prepare", SLIPWAY_SPLIT=split(column="departure"))
    assert reason.startswith(
        "data.split in slipway.yaml names the column departure, but read_records in model.py returns"
    )


def test_a_split_that_cannot_be_read_is_told(base: Path, fail: Fail) -> None:
    assert fail("prepare", SLIPWAY_SPLIT="later").startswith("SLIPWAY_SPLIT must be ")


def test_an_unknown_hyperparameter_is_told_with_those_that_are_known(tmp_path: Path, fail: Fail) -> None:
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text('{"tree_count": "5"}')
    assert fail("train").startswith("tree_count is unknown (slipway.yaml, training.hyperparameters; allowed: trees ")


def test_a_missing_channel_is_told(fail: Fail) -> None:
    assert fail("train").startswith("the channel train must hold records.parquet, written by `prepare`: ")


def give_channels(base: Path) -> None:
    records = model.read_records(base / "processing/input/raw")
    for name in ("train", "validation"):
        (base / "input/data" / name).mkdir(parents=True)
        records[:100].write_parquet(base / "input/data" / name / "records.parquet")


def test_an_error_in_the_model_is_told_with_its_place(base: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(records: object, categories: object) -> object:
        raise ValueError("the model is broken\non purpose")

    give_channels(base)
    monkeypatch.setattr(model, "features", broken)
    reason = fail("train")
    assert reason.startswith("ValueError: the model is broken on purpose (model.py, line ")
    assert "Traceback" in (base / "output/failure").read_text()


def test_a_training_that_writes_nothing_is_told(base: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    give_channels(base)
    monkeypatch.setattr(model, "train", lambda *arguments: None)
    assert fail("train") == "train in model.py returned, but wrote nothing into model_dir"


def test_a_missing_holdout_is_told(fail: Fail) -> None:
    assert fail("evaluate").startswith("the holdout must be records.parquet, written by `prepare`: ")


def give_another_model(base: Path) -> None:
    """What `evaluate` reads: some records, and an artifact in which there is anything."""
    records = model.read_records(base / "processing/input/raw")
    for folder in ("model", "holdout"):
        (base / "processing/input" / folder).mkdir()
    (base / "processing/input/model/model.tar.gz").write_bytes(archive(member("model.ubj", b"another")))
    records[:10].write_parquet(base / "processing/input/holdout/records.parquet")


def test_a_model_other_than_the_one_that_was_trained_is_not_evaluated(
    base: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_another_model(base)
    monkeypatch.setattr(model, "load", lambda directory: pytest.fail("nothing may read the model before that"))
    reason = fail("evaluate", SLIPWAY_MODEL_SHA256="ab" * 32)
    assert re.match(
        rf"the model's files have the SHA-256 [0-9a-f]{{64}}, but those that were trained have {'ab' * 32} ", reason
    )
    assert not (base / "processing/output").exists()


@pytest.mark.parametrize("option", ["serve", "--slice", "--slice=", "--slice=distance:far"])
def test_an_option_of_evaluate_that_is_none_is_told(option: str, base: Path, fail: Fail) -> None:
    give_another_model(base)
    assert fail("evaluate", "--slice=origin", option) == (
        "evaluate takes --slice=COLUMN or --slice=COLUMN:EDGE,EDGE,... with ascending numbers (evaluation.slices.by of "
        f"slipway.yaml), got {option}"
    )


def test_a_slice_by_an_unknown_column_is_told_before_the_model_is_read(
    base: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_another_model(base)
    monkeypatch.setattr(model, "load", lambda directory: pytest.fail("nothing may read the model before that"))
    reason = fail("evaluate", "--slice=orgin")
    assert reason.startswith("evaluation.slices.by of slipway.yaml names the column orgin, but the holdout has ")
    assert ", origin, " in reason
    assert not (base / "processing/output").exists()


@pytest.mark.parametrize(
    ("command", "place"),
    [("train", "input/data/train"), ("train", "input/data/validation"), ("evaluate", "processing/input/holdout")],
)
def test_a_label_that_the_task_cannot_have_is_told_before_the_work_begins(
    command: str, place: str, base: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_channels(base)
    give_another_model(base)
    records = pl.read_parquet(base / place / "records.parquet")
    records.with_columns(pl.lit(2).alias("late")).write_parquet(base / place / "records.parquet")
    for work in ("train", "load"):
        monkeypatch.setattr(model, work, lambda *arguments: pytest.fail("nothing may be done before that"))
    assert fail(command).startswith("late, the LABEL of model.py, must be 0 and 1 (TASK is binary), but ")


@pytest.mark.parametrize("command", ["train", "evaluate", "serve"])
def test_an_unknown_task_is_told(
    command: str, base: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    give_channels(base)
    give_another_model(base)
    (base / "model").mkdir()
    (base / "model/model.ubj").touch()
    monkeypatch.setattr(model, "TASK", "ranking")
    assert main([command], {**environment, "SAGEMAKER_BASE_DIR": str(base)}) == 1
    reason = "TASK in model.py must be binary, multiclass, regression, got 'ranking'"
    assert f"{command} failed: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "serve"])
def test_a_digest_that_is_none_is_told(
    command: str, base: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    give_another_model(base)
    variables = {**environment, "SAGEMAKER_BASE_DIR": str(base), "SLIPWAY_MODEL_SHA256": ""}
    assert main([command], variables) == 1
    assert f"{command} failed: SLIPWAY_MODEL_SHA256 must be 64 hexadecimal digits" in capsys.readouterr().err


def test_a_holdout_without_a_column_of_this_model_is_told(tmp_path: Path, fail: Fail) -> None:
    (tmp_path / "processing/input/holdout").mkdir(parents=True)
    pl.DataFrame({"late": [1], "carrier": ["UA"]}).write_parquet(tmp_path / "processing/input/holdout/records.parquet")
    reason = fail("evaluate")
    assert reason.startswith("the holdout lacks scheduled_departure, sched_arr_time, origin, ")
    assert reason.endswith("which this model needs (it has late, carrier)")


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", ""])
def test_a_port_that_is_none_is_told(port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"], {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": port}) == 1
    assert "SAGEMAKER_BIND_TO_PORT must be a whole number from 1 to 65535, got" in capsys.readouterr().err
