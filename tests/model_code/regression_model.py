"""A model.py that predicts a number: how long does it take? It stands in for the example's."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code.records import Records

TASK = "regression"
COLUMNS = {"metres": float, "stops": int}
LABEL = "minutes"


@dataclass(frozen=True)
class Hyperparameters:
    """None."""


def read_records(raw_dir: Path) -> pl.DataFrame:
    """The one raw file."""
    return pl.read_parquet(raw_dir / "trips.parquet")


def _matrix(records: Records) -> NDArray[np.float64]:
    return np.column_stack(
        [np.ones(len(records["metres"])), np.asarray(records["metres"], float), np.asarray(records["stops"], float)]
    )


def train(
    train_records: pl.DataFrame, validation_records: pl.DataFrame, hyperparameters: Hyperparameters, model_dir: Path
) -> None:
    """Least squares."""
    weights = np.linalg.lstsq(_matrix(train_records), train_records[LABEL].to_numpy())[0]
    (model_dir / "model.json").write_text(json.dumps(weights.tolist()))


class Model:
    """A linear model."""

    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights)

    def predict(self, records: Records) -> NDArray[np.float64]:
        """Minutes, shape (records,)."""
        return _matrix(records) @ self.weights


def load(model_dir: Path) -> Model:
    """Load what `train` wrote."""
    return Model(json.loads((model_dir / "model.json").read_text()))


def example_records(count: int = 400) -> pl.DataFrame:
    """Trips: three minutes, one for each 500 metres, two for each stop, and some noise."""
    random = np.random.default_rng(5)
    metres, stops = random.uniform(0, 10_000, count), random.integers(0, 6, count)
    return pl.DataFrame(
        {"metres": metres, "stops": stops, "minutes": 3 + metres / 500 + 2 * stops + random.normal(0, 1, count)}
    )
