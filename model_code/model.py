"""The model: will a flight from New York arrive more than 15 minutes late? Asked at its scheduled departure.

This is the file that you replace with your own model. The rest of the container needs these names of it:

    TASK             what predict answers for a record, and what LABEL holds:
                       binary      the probability of 1                  0 and 1
                       multiclass  a probability for each of CLASSES     their places: 0, 1, ...
                       regression  a number                              a number
    CLASSES          their names, for the report; only a multiclass task must have them
    COLUMNS          what a record holds, when it is sent to the endpoint as well as when it is learned from
    LABEL            the column to predict
    Hyperparameters  what slipway.yaml may set, with the defaults
    read_records     raw files                     -> records: COLUMNS, LABEL, what data.split and the contract need
    train            records                       -> files in a directory
    load             files in a directory          -> an object with predict(records)

The metrics that are usual for the task are measured by metrics.py. These names may be added:

    BEHAVIOURS       what the model must show whatever its metrics are (behaviour.py)
    own_metrics      labels and predictions        -> numbers by name, for limits in slipway.yaml
    own_losses       labels and predictions        -> a number a record by name; their mean can be the primary metric

`load` reads files that somebody may have put in the place of yours: formats that hold data alone, checked, and no
pickle (joblib, cloudpickle), which runs what it holds. A test tells where one is.

`records` gives a column for a name: `records["carrier"]`. It is a polars DataFrame in training and in the evaluation,
and a dict of lists in serving, where a DataFrame would cost more than the prediction; one `features` serves both.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import xgboost
from numpy.typing import NDArray

from model_code.behaviour import Direction, Invariance
from model_code.errors import ModelError
from model_code.log import say
from model_code.records import Records
from model_code.tables import read_table

TASK = "binary"
CLASSES = ("on time", "late")

# Name and type, in the order of a CSV line. `| None`: the value may be missing.
# Nothing may stand here that is known only after the scheduled departure: no actual times, no delays, and no tail
# number, which is that of the aircraft that flew in the end.
COLUMNS = {
    "scheduled_departure": datetime,  # local time at the origin
    "sched_arr_time": int,            # 1859: 18:59, local time at the destination
    "carrier": str,
    "origin": str,
    "dest": str,
    "distance": float,                # miles
    # Weather at the origin, as reported in the hour before the hour of departure.
    "temp": float | None,             # F
    "dewp": float | None,             # F
    "humid": float | None,            # %
    "wind_dir": float | None,         # degrees
    "wind_speed": float | None,       # mph
    "wind_gust": float | None,        # mph
    "precip": float | None,           # inches
    "pressure": float | None,         # millibars
    "visib": float | None,            # miles
}  # fmt: skip
LABEL = "late"

LATE_MINUTES = 15
SEED = 2013
CATEGORIES = ("carrier", "origin", "dest")
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
FLIGHTS = (
    "year", "month", "day", "hour", "minute", "time_hour", "sched_arr_time", "arr_delay", "flight", *CATEGORIES,
    "distance",
)  # fmt: skip
FEATURES = (*CATEGORIES, "minute_of_day", "weekday", "scheduled_minutes", "distance", *WEATHER)

# Rules of the trade, with room for what trees do at the edges of the data. How many records of the holdout violate them
# is in the report of every evaluation.
BEHAVIOURS = (
    Invariance(
        name="a week later it is the same flight",
        change=lambda records: records.with_columns(pl.col("scheduled_departure") + timedelta(weeks=1)),
    ),
    Invariance(
        name="0.1 millibars, what a barometer may err, hardly matter",
        change=lambda records: records.with_columns(pl.col("pressure") + 0.1),
        tolerance=0.05,
        allowed_share=0.02,
    ),
    Direction(
        name="rain makes no flight more punctual",
        change=lambda records: records.with_columns(pl.max_horizontal("precip", pl.lit(0.3))),
        expect="increase",
        tolerance=0.05,
        allowed_share=0.05,
    ),
    Direction(
        name="poor visibility makes no flight more punctual",
        change=lambda records: records.with_columns(pl.min_horizontal("visib", pl.lit(1.0))),
        expect="increase",
        tolerance=0.05,
        allowed_share=0.05,
    ),
)


@dataclass(frozen=True)
class Hyperparameters:
    """What slipway.yaml may set under training.hyperparameters."""

    trees: int = 100
    max_depth: int = 6
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        if self.trees < 1:
            raise ValueError(f"trees must be 1 or more, got {self.trees}")
        if not 1 <= self.max_depth <= 16:
            raise ValueError(f"max_depth must be 1 to 16, got {self.max_depth}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate must be above 0 and at most 1, got {self.learning_rate}")


def read_records(raw_dir: Path) -> pl.DataFrame:
    """Join the raw files to records: flights with the weather before their departure, oldest first."""
    flights = read_table(raw_dir, "flights/*.parquet", FLIGHTS)
    arrived = flights.drop_nulls("arr_delay")
    cancelled = flights.height - arrived.height
    say(f"{flights.height:,} flights, {cancelled:,} left out: cancelled or diverted, they have no arrival delay")
    # A report has the hour in which it was made, mostly nine minutes before the hour ends. At the scheduled departure,
    # the newest one at hand is that of the hour before.
    weather = read_table(raw_dir, "weather/*.parquet", ["origin", "time_hour", *WEATHER])
    hour_before = weather.with_columns(pl.col("time_hour") + pl.duration(hours=1))
    return (
        arrived.join(hour_before, on=["origin", "time_hour"], how="left", validate="m:1", maintain_order="left")
        .with_columns(
            pl.datetime("year", "month", "day", "hour", "minute").alias("scheduled_departure"),
            (pl.col("arr_delay") > LATE_MINUTES).cast(pl.Int8).alias(LABEL),
        )
        .select(*COLUMNS, "flight", LABEL)  # the number of the flight is part of the key in data_contract.py
        .sort("scheduled_departure", maintain_order=True)
    )


def features(records: Records, categories: dict[str, list[str]]) -> NDArray[np.float32]:
    """Turn records into what the trees see, shape (records, FEATURES).

    A category that was not seen in training and a missing value are NaN, for which every tree has a branch.
    """
    departure = np.asarray(records["scheduled_departure"], dtype="datetime64[m]")
    midnight = departure.astype("datetime64[D]")
    minute_of_day = (departure - midnight).astype(np.int64)
    arrival = np.asarray(records["sched_arr_time"])
    values = {
        "minute_of_day": minute_of_day,
        "weekday": (midnight.astype(np.int64) + 3) % 7,  # 0 is Monday: 1970-01-01 was a Thursday
        "scheduled_minutes": (arrival // 100 * 60 + arrival % 100 - minute_of_day) % (24 * 60),  # clocks of two places
    }
    for column in CATEGORIES:
        codes = {category: code for code, category in enumerate(categories[column])}
        values[column] = np.array([codes.get(value, np.nan) for value in records[column]])
    with np.errstate(over="ignore"):  # beyond what float32 holds is infinite: on the outer side of every branch
        for column in ("distance", *WEATHER):
            values[column] = np.asarray(records[column], dtype=np.float32)
    return np.column_stack([values[name] for name in FEATURES]).astype(np.float32)


def train(
    train_records: pl.DataFrame, validation_records: pl.DataFrame, hyperparameters: Hyperparameters, model_dir: Path
) -> None:
    """Learn from the records and write the model into a directory."""
    categories = {column: sorted(train_records[column].unique()) for column in CATEGORIES}

    def matrix(records: pl.DataFrame) -> xgboost.DMatrix:
        return xgboost.DMatrix(features(records, categories), records[LABEL].to_numpy(), feature_names=FEATURES)

    matrices = {"train": matrix(train_records), "validation": matrix(validation_records)}
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": hyperparameters.max_depth,
            "learning_rate": hyperparameters.learning_rate,
            "eval_metric": "logloss",
            "seed": SEED,  # of no consequence until rows or columns are sampled: the same data gives the same model
        },
        matrices["train"],
        num_boost_round=hyperparameters.trees,
        evals=[(matrices[name], name) for name in matrices],
        verbose_eval=False,
        callbacks=[xgboost.callback.EvaluationMonitor(period=max(1, hyperparameters.trees // 8), logger=say)],
    )
    booster.save_model(model_dir / "model.ubj")
    (model_dir / "categories.json").write_text(json.dumps(categories))


class Model:
    """A trained model.

    Args:
        model_dir: what `train` wrote.
    """

    def __init__(self, model_dir: Path) -> None:
        self.categories = _read_categories(model_dir / "categories.json")
        self.booster = _read_booster(model_dir / "model.ubj")
        self.booster.set_param({"nthread": 1})  # the server has a process for each CPU

    def predict(self, records: Records) -> NDArray[np.float32]:
        """The probability of being late, shape (records,)."""
        return np.asarray(self.booster.inplace_predict(features(records, self.categories)))


def _read_categories(file: Path) -> dict[str, list[str]]:
    try:
        categories = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} of the model is not JSON: {type(error).__name__}: {error}") from error
    if not isinstance(categories, dict) or categories.keys() != set(CATEGORIES):
        raise ModelError(f"{file.name} of the model must be an object with {', '.join(CATEGORIES)}")
    for column, values in categories.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ModelError(f"{column} in {file.name} of the model must be a list of texts")
    return categories


def _read_booster(file: Path) -> xgboost.Booster:
    """Read a model in XGBoost's own UBJSON, whatever is in the file."""
    try:
        booster = xgboost.Booster(model_file=file)
    except (
        xgboost.core.XGBoostError,
        UnicodeDecodeError,
    ) as error:  # the latter when it cannot even tell what it found
        raise ModelError(f"{file.name} of the model is not a model in XGBoost's UBJSON") from error
    if tuple(booster.feature_names or ()) != FEATURES:
        raise ModelError(f"{file.name} of the model must be made for {', '.join(FEATURES)}")
    return booster


def load(model_dir: Path) -> Model:
    """Load what `train` wrote.

    Raises:
        ModelError: the files hold something else.
    """
    return Model(model_dir)
