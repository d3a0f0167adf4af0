"""Training is repeatable: a model can be made again from its commit, its data and its hyperparameters.

Keep it with a model of your own: it knows nothing of the example's.
"""

from pathlib import Path

import polars as pl

from model_code import model
from model_code.artifact import model_digest


def test_the_same_data_and_hyperparameters_give_the_same_model(
    records: pl.DataFrame, model_dir: Path, tmp_path: Path
) -> None:
    model.train(records, records[:50], model.Hyperparameters(), tmp_path)
    assert model_digest(tmp_path) == model_digest(model_dir)


def test_raw_files_that_are_read_again_give_the_same_model(raw: Path, model_dir: Path, tmp_path: Path) -> None:
    records = model.read_records(raw)
    model.train(records, records[:50], model.Hyperparameters(), tmp_path)
    assert model_digest(tmp_path) == model_digest(model_dir)


def test_other_data_give_another_model(records: pl.DataFrame, model_dir: Path, tmp_path: Path) -> None:
    model.train(records[: records.height // 2], records[:50], model.Hyperparameters(), tmp_path)
    assert model_digest(tmp_path) != model_digest(model_dir)
