"""A model.py with three classes and measures of its own: which fruit is it? It stands in for the example's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code.behaviour import Direction, Invariance
from model_code.records import Records

TASK = "multiclass"
CLASSES = ("berry", "apple", "melon")
COLUMNS = {"grams": float, "colour": str, "days": int | None}
LABEL = "fruit"
BEHAVIOURS = (
    Invariance(name="colour says nothing", change=lambda records: records.with_columns(pl.lit("blue").alias("colour"))),
    Direction(
        name="heavier is rather a melon",
        change=lambda records: records.with_columns(pl.col("grams") * 2),
        expect="increase",
        of_class="melon",
    ),
)


@dataclass(frozen=True)
class Hyperparameters:
    """One number."""

    width: float = 1.0


def read_records(raw_dir: Path) -> pl.DataFrame:
    """The one raw file."""
    return pl.read_parquet(raw_dir / "fruits.parquet")


def train(
    train_records: pl.DataFrame, validation_records: pl.DataFrame, hyperparameters: Hyperparameters, model_dir: Path
) -> None:
    """The mean logarithm of the weight of each class."""
    by_class = train_records.group_by(LABEL).agg(pl.col("grams").log().mean()).sort(LABEL)
    document = {"centres": by_class["grams"].to_list(), "width": hyperparameters.width}
    (model_dir / "model.json").write_text(json.dumps(document))


class Model:
    """The nearer a class, the more probable."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.centres, self.width = np.array(document["centres"]), document["width"]

    def predict(self, records: Records) -> NDArray[np.float32]:
        """Probabilities, shape (records, classes)."""
        distances = np.log(np.asarray(records["grams"]))[:, None] - self.centres
        scores = np.exp(-((distances / self.width) ** 2) + (distances**2).min(axis=1, keepdims=True))
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


def load(model_dir: Path) -> Model:
    """Load what `train` wrote."""
    return Model(json.loads((model_dir / "model.json").read_text()))


def own_metrics(labels: NDArray[Any], predictions: NDArray[Any]) -> dict[str, float]:
    """The share of melons that are taken for berries."""
    melons = predictions[labels == 2]
    return {"melons_as_berries": float((melons.argmax(axis=1) == 0).mean())}


def own_losses(labels: NDArray[Any], predictions: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """How many classes beside the truth."""
    return {"classes_off": np.abs(predictions.argmax(axis=1) - labels)}


def example_records(count: int = 600) -> pl.DataFrame:
    """Fruits of three weights that overlap."""
    random = np.random.default_rng(3)
    fruit = random.integers(0, 3, count)
    return pl.DataFrame(
        {
            "grams": np.exp(random.normal(fruit * 2.0, 0.8)),
            "colour": random.choice(["red", "green"], count),
            "days": pl.Series([None if n % 5 == 0 else n % 3 for n in range(count)], dtype=pl.Int64),
            "fruit": fruit,
        }
    )
