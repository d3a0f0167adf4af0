"""Synthetic raw data of the example, to be replaced along with model.py, and the container's commands as processes."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as __main__ does, before xgboost is imported

from model_code import model

DAYS = 50
FLIGHTS_A_DAY = 30
SPLIT = '{"by": "time", "column": "scheduled_departure", "holdout_days": 14, "validation_days": 7}'
REPOSITORY = Path(__file__).parents[2]

WriteRaw = Callable[[Path], Path]
RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


def synthetic_weather() -> pl.DataFrame:
    """Hourly reports of three airports; it rains in every fifth hour, and the pressure is unknown in every seventh."""
    start = datetime(2013, 1, 1, 4, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(24 * (DAYS + 1))]
    number = np.arange(len(hours))
    rain = np.where(number % 5 == 0, 0.3, 0.0)
    reports = pl.DataFrame(
        {
            "time_hour": hours, "temp": 40.0 + number % 24, "dewp": 30.0, "humid": 60.0, "wind_dir": number % 36 * 10,
            "wind_speed": 8.0, "wind_gust": pl.Series([None] * len(hours), dtype=pl.Float64), "precip": rain,
            "pressure": pl.Series([None if n % 7 == 0 else 1012.0 for n in range(len(hours))]), "visib": 10.0,
        },
        schema_overrides={"time_hour": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    return pl.concat([reports.with_columns(pl.lit(origin).alias("origin")) for origin in ("EWR", "JFK", "LGA")])


def synthetic_flights() -> pl.DataFrame:
    """Flights, late more often in the evening, with the carrier ZZ and after rain; every fortieth is cancelled."""
    random = np.random.default_rng(7)
    count = DAYS * FLIGHTS_A_DAY
    day_number = np.repeat(np.arange(DAYS), FLIGHTS_A_DAY)
    hour = np.tile(np.linspace(5, 23, FLIGHTS_A_DAY).astype(int), DAYS)
    carrier = random.choice(["AA", "UA", "ZZ"], count)
    departures = [
        datetime(2013, 1, 1) + timedelta(days=int(d), hours=int(h)) for d, h in zip(day_number, hour, strict=True)
    ]
    rain_before = (day_number * 24 + hour) % 5 == 0
    probability = 0.05 + 0.25 * (hour >= 17) + 0.25 * (carrier == "ZZ") + 0.4 * rain_before
    late = random.random(count) < probability
    delay = [None if n % 40 == 39 else 30 if late[n] else -5 for n in range(count)]
    return pl.DataFrame(
        {
            "year": [at.year for at in departures], "month": [at.month for at in departures],
            "day": [at.day for at in departures], "hour": hour, "minute": 15,
            "dep_time": 1, "dep_delay": delay, "arr_time": 1, "arr_delay": delay, "air_time": 100,
            "sched_arr_time": (hour + 2) % 24 * 100 + 30, "carrier": carrier, "tailnum": "N1",
            "flight": np.arange(count),
            "origin": random.choice(["EWR", "JFK", "LGA"], count), "dest": random.choice(["ATL", "ORD", "SFO"], count),
            "distance": random.integers(200, 2500, count),
            "time_hour": [at.replace(tzinfo=UTC) + timedelta(hours=5) for at in departures],
        },
        schema_overrides={"time_hour": pl.Datetime("us", "UTC")},
    )  # fmt: skip


@pytest.fixture(scope="session")
def write_raw() -> WriteRaw:
    """Writes the raw files below a directory, one for each month."""

    def write(directory: Path) -> Path:
        for name, table in (("flights", synthetic_flights()), ("weather", synthetic_weather())):
            (directory / name).mkdir(parents=True, exist_ok=True)
            months = pl.col("month") if "month" in table.columns else pl.col("time_hour").dt.month()
            for (month,), part in table.group_by(months.alias("_month"), maintain_order=True):
                part.drop("_month", strict=False).write_parquet(directory / name / f"2013-{month:02}.parquet")
        return directory

    return write


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory, write_raw: WriteRaw) -> Path:
    """The raw files; not to be changed."""
    return write_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def records(raw: Path) -> pl.DataFrame:
    """The records of the raw files."""
    return model.read_records(raw)


@pytest.fixture(scope="session")
def model_dir(records: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with the default hyperparameters; not to be changed."""
    directory = tmp_path_factory.mktemp("model")
    model.train(records, records[:50], model.Hyperparameters(), directory)
    return directory


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What a container's process gets, without what the tests' own process has."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "error,ignore:Using typeguard < 3:UserWarning",  # jsii pins typeguard 2, see pyproject
        "SLIPWAY_SPLIT": SPLIT,
        "SLIPWAY_BIND_ADDRESS": "127.0.0.1",
    }


@pytest.fixture(scope="session")
def run_command(environment: dict[str, str]) -> RunCommand:
    """Runs `python -m model_code ...` to its end."""

    def run(base: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        given = {**environment, "SAGEMAKER_BASE_DIR": str(base), **variables}
        return subprocess.run(
            [sys.executable, "-m", "model_code", *arguments],
            env=given, cwd=given["PYTHONPATH"], capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


class Line:
    """What three commands made, one after the other, as SageMaker's jobs would."""

    def __init__(self, base: Path, run_command: RunCommand, raw: Path) -> None:
        self.base = base
        shutil.copytree(raw, base / "processing/input/raw")
        self.prepared = run_command(base, "prepare")
        for channel in ("train", "validation"):
            shutil.copytree(self.dataset / channel, base / "input/data" / channel)
        (base / "input/config").mkdir()
        (base / "input/config/hyperparameters.json").write_text('{"trees": "40", "learning_rate": "0.1"}')
        self.trained = run_command(base, "train")
        shutil.copytree(self.dataset / "holdout", base / "processing/input/holdout")
        (base / "processing/input/model").mkdir()
        with tarfile.open(base / "processing/input/model/model.tar.gz", "w:gz") as archive:
            archive.add(base / "model", arcname=".")
        self.evaluated = run_command(base, "evaluate", "--slice=origin", "--slice=distance:500")

    @property
    def dataset(self) -> Path:
        return self.base / "processing/output/dataset"

    def document(self, path: str) -> dict[str, object]:
        """A JSON document that a command wrote."""
        document: dict[str, object] = json.loads((self.base / path).read_text())
        return document


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory, run_command: RunCommand, raw: Path) -> Line:
    """Prepared, trained and evaluated once, by real processes; not to be changed."""
    return Line(tmp_path_factory.mktemp("line"), run_command, raw)
