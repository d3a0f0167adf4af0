"""Trains the model on the channels train and validation, and prints the metrics that SageMaker reads from the log."""

import shutil
import time
from typing import Any

import polars as pl

from model_code import model, openapi
from model_code.artifact import model_digest
from model_code.errors import DataError, ModelError
from model_code.hyperparameters import read_hyperparameters
from model_code.log import say
from model_code.metrics import metrics
from model_code.own_measures import own_measures
from model_code.paths import Paths
from model_code.predictions import checked_predictions
from model_code.records import declared_columns
from model_code.task import Task, checked_labels, declared_task


class TrainingStopped(BaseException):
    """SIGTERM came; not an Exception, so that no `except Exception` in a model holds it up."""


def run(paths: Paths) -> None:
    """Train, and print the metrics on the validation set.

    Raises:
        HyperparameterError: slipway.yaml asks for what the model does not have.
        DataError: a channel is missing, or has labels that the task cannot have.
        ModelError: `train` in model.py wrote no model, or one that does not work.
    """
    task = declared_task(model)
    hyperparameters = read_hyperparameters(paths.hyperparameters, model.Hyperparameters)
    say(f"training with {hyperparameters}")
    train_records, validation_records = (_read_channel(paths, name, task) for name in ("train", "validation"))
    paths.model.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    model.train(train_records, validation_records, hyperparameters, paths.model)
    say(f"trained in {time.perf_counter() - started:.2f} s")
    size = sum(file.stat().st_size for file in paths.model.rglob("*") if file.is_file())
    if not size:
        raise ModelError("train in model.py returned, but wrote nothing into model_dir")
    (paths.model / openapi.FILE).write_bytes(openapi.file_content(declared_columns(model.COLUMNS), task))
    say(f"the model takes {size / 2**20:.2f} MiB, its files have the SHA-256 {model_digest(paths.model)}")
    for name, value in _validation_metrics(paths, validation_records, task).items():
        say(f"validation:{name}={value:.6g}")


def clear_model(paths: Paths) -> None:
    """Remove what an unfinished training wrote: SageMaker keeps the model of a stopped job."""
    shutil.rmtree(paths.model, ignore_errors=True)


def stop(signal_number: int, frame: Any) -> None:
    """Signal handler: end the training between two steps of Python code."""
    raise TrainingStopped


def _validation_metrics(paths: Paths, records: pl.DataFrame, task: Task) -> dict[str, float]:
    """The usual metrics and the team's own, of the model as it was written."""
    labels = checked_labels(records[model.LABEL], task)
    predicted = model.load(paths.model).predict(records.select(list(model.COLUMNS)))
    predictions = checked_predictions(predicted, records.height, task)
    usual = metrics(task.name, labels, predictions)
    return usual | own_measures(model, labels, predictions, taken=usual).metrics


def _read_channel(paths: Paths, name: str, task: Task) -> pl.DataFrame:
    file = paths.channel(name)
    try:
        records = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the channel {name} must hold {file.name}, written by `prepare`: {error}") from error
    say(f"{name}: {records.height:,} records")
    checked_labels(records[model.LABEL], task)
    return records
