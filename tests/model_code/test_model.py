"""Code, data and behaviour tests of the example's model. Replace them along with model.py."""

import json
import pickle
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xgboost
from numpy.typing import NDArray

from model_code import model
from model_code.__main__ import main
from model_code.artifact import model_digest
from model_code.behaviour import Behaviour, evaluate_behaviour
from model_code.data_contract import DATA_CONTRACT
from model_code.data_quality import Declaration, check_records
from model_code.errors import ModelError
from model_code.metrics import metrics
from model_code.predictions import checked_predictions
from model_code.records import as_documents, declared_columns
from model_code.request_body import read_csv, read_json
from model_code.task import declared_task
from tests.model_code.archives import archive, member

COLUMNS = declared_columns(model.COLUMNS)
CATEGORIES = {"carrier": ["AA", "UA"], "origin": ["EWR"], "dest": ["SFO"]}
RECORD = {
    "scheduled_departure": datetime(2013, 3, 18, 23, 15), "sched_arr_time": 130, "carrier": "UA", "origin": "EWR",
    "dest": "SFO", "distance": 2565.0, "temp": 41.0, "dewp": 30.0, "humid": 60.0, "wind_dir": 200.0, "wind_speed": 9.0,
    "wind_gust": None, "precip": 0.1, "pressure": 1012.0, "visib": 10.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(records: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> model.Model:
    return fit(records, tmp_path_factory.mktemp("model"), trees=60, learning_rate=0.1)


def fit(records: pl.DataFrame, directory: Path, **hyperparameters: float) -> model.Model:
    directory.mkdir(exist_ok=True)
    model.train(records, records[:50], model.Hyperparameters(**hyperparameters), directory)
    return model.load(directory)


def as_columns(*records: dict[str, object]) -> dict[str, list[object]]:
    return {name: [record[name] for record in records] for name in model.COLUMNS}


def feature(name: str, **changes: object) -> float:
    values = model.features(as_columns({**RECORD, **changes}), CATEGORIES)
    return float(values[0, model.FEATURES.index(name)])


# --- Code -----------------------------------------------------------------------------------------------------------


def test_the_clock_and_the_weekday_of_a_departure_become_numbers() -> None:
    assert feature("minute_of_day") == 23 * 60 + 15
    assert feature("weekday") == 0  # a Monday
    assert feature("weekday", scheduled_departure=datetime(2013, 3, 24, 0, 0)) == 6


def test_an_arrival_after_midnight_does_not_make_the_flight_negative() -> None:
    assert feature("scheduled_minutes") == 135
    assert feature("scheduled_minutes", scheduled_departure=datetime(2013, 3, 18, 9, 0), sched_arr_time=1130) == 150


def test_a_category_is_its_place_and_one_never_seen_is_missing() -> None:
    assert feature("carrier") == 1
    assert np.isnan(feature("carrier", carrier="new"))


def test_missing_weather_is_nan_and_other_features_stay() -> None:
    assert np.isnan(feature("wind_gust"))
    assert feature("temp") == 41


def test_training_and_serving_make_the_same_features(records: pl.DataFrame) -> None:
    sample = records[::50]
    offline = model.features(sample, CATEGORIES)
    documents = as_documents(sample, COLUMNS)
    from_json = read_json(json.dumps({"instances": documents}).encode(), COLUMNS)
    lines = [
        ",".join("" if record[name] is None else str(record[name]) for name in model.COLUMNS) for record in documents
    ]
    from_csv = read_csv("\n".join(lines).encode(), COLUMNS)
    np.testing.assert_array_equal(offline, model.features(from_json, CATEGORIES))
    np.testing.assert_array_equal(offline, model.features(from_csv, CATEGORIES))
    assert np.isnan(offline).any()


# --- Data -----------------------------------------------------------------------------------------------------------


def test_the_records_keep_to_the_declared_columns(records: pl.DataFrame) -> None:
    check_records(records, Declaration(COLUMNS, model.LABEL, declared_task(model), DATA_CONTRACT), date(2013, 3, 1))
    assert records.columns == [*model.COLUMNS, "flight", model.LABEL]


def test_nothing_known_after_the_scheduled_departure_is_a_column(records: pl.DataFrame) -> None:
    later = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}
    assert not later & set(model.COLUMNS)
    assert later.isdisjoint(records.columns)


def test_cancelled_flights_are_left_out_with_their_number_in_the_log(
    raw: Path, records: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    model.read_records(raw)
    assert "1,500 flights, 37 left out: cancelled or diverted" in capsys.readouterr().out
    assert records.height == 1463


@pytest.mark.parametrize(("minutes", "late"), [(15, 0), (16, 1)], ids=["15 minutes", "16 minutes"])
def test_late_means_more_than_15_minutes(tmp_path: Path, minutes: int, late: int) -> None:
    write_one_flight(tmp_path, arr_delay=minutes)
    assert model.read_records(tmp_path)["late"].to_list() == [late]


def test_the_weather_is_that_of_the_hour_before(tmp_path: Path) -> None:
    write_one_flight(tmp_path, weather_hours=(-2, -1, 0, 1))
    assert model.read_records(tmp_path)["temp"].to_list() == [-1.0]


def test_a_flight_without_a_weather_report_stays_with_missing_weather(tmp_path: Path) -> None:
    write_one_flight(tmp_path, weather_hours=(0, 1))
    assert model.read_records(tmp_path).select(model.WEATHER).row(0) == (None,) * len(model.WEATHER)


def test_two_reports_of_one_hour_are_refused_because_they_would_double_flights(tmp_path: Path) -> None:
    write_one_flight(tmp_path, weather_hours=(-1, -1))
    with pytest.raises(pl.exceptions.ComputeError, match="m:1"):
        model.read_records(tmp_path)


def write_one_flight(directory: Path, arr_delay: int = 0, weather_hours: tuple[int, ...] = (-1,)) -> None:
    """A flight at 8:15, and reports some hours from its hour, whose temperature is that number."""
    at = datetime(2013, 1, 1, 13, tzinfo=UTC)
    flight = {
        "year": 2013, "month": 1, "day": 1, "hour": 8, "minute": 15, "time_hour": at, "sched_arr_time": 1000,
        "arr_delay": arr_delay, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565, "flight": 1,
    }  # fmt: skip
    report = dict.fromkeys(model.WEATHER, 0.0) | {"origin": "EWR"}
    reports = [report | {"time_hour": at + timedelta(hours=n), "temp": float(n)} for n in weather_hours]
    for name, rows in (("flights", [flight]), ("weather", reports)):
        (directory / name).mkdir()
        pl.DataFrame(rows).write_parquet(directory / name / "2013-01.parquet")


# --- Behaviour ------------------------------------------------------------------------------------------------------


def measured(fitted: model.Model, records: pl.DataFrame) -> dict[str, float]:
    return metrics(model.TASK, records["late"].to_numpy(), fitted.predict(records).astype(np.float64))


def log_loss(fitted: model.Model, records: pl.DataFrame) -> float:
    return measured(fitted, records)["log_loss"]


def test_the_loss_falls_over_the_rounds_of_a_training(
    records: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(records, tmp_path)
    losses = [float(loss) for loss in re.findall(r"train-logloss:([0-9.]+)", capsys.readouterr().out)]
    assert len(losses) > 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.05


def test_more_trees_lower_the_loss_in_training(records: pl.DataFrame, tmp_path: Path) -> None:
    losses = [log_loss(fit(records, tmp_path / str(trees), trees=trees), records) for trees in (1, 10, 40)]
    assert losses[0] > losses[1] > losses[2]


def test_a_small_batch_can_be_learned_by_heart(records: pl.DataFrame, tmp_path: Path) -> None:
    batch = records[:40]
    assert log_loss(fit(batch, tmp_path, trees=200, learning_rate=1.0), batch) < 0.15


def test_what_is_in_the_data_is_found_on_days_not_seen(records: pl.DataFrame, tmp_path: Path) -> None:
    seen, unseen = records[:1000], records[1000:]
    fitted = fit(seen, tmp_path, trees=60, learning_rate=0.1)
    assert measured(fitted, unseen)["roc_auc"] > 0.7


@pytest.mark.parametrize(
    ("change", "harmless"),
    [
        (pl.lit(0.3).alias("precip"), pl.lit(0.0).alias("precip")),
        (pl.lit("ZZ").alias("carrier"), pl.lit("AA").alias("carrier")),
        (
            pl.lit(datetime(2013, 2, 4, 20, 15)).alias("scheduled_departure"),
            pl.lit(datetime(2013, 2, 4, 9, 15)).alias("scheduled_departure"),
        ),
    ],
    ids=["rain", "the carrier that is often late", "the evening"],
)
def test_what_delays_flights_makes_them_more_likely_to_be_late(
    trained: model.Model, records: pl.DataFrame, change: pl.Expr, harmless: pl.Expr
) -> None:
    worse, better = (trained.predict(records.with_columns(value)).mean() for value in (change, harmless))
    assert worse > better + 0.1


def test_a_week_later_is_the_same_flight(trained: model.Model, records: pl.DataFrame) -> None:
    later = records.with_columns(pl.col("scheduled_departure") + timedelta(weeks=1))
    np.testing.assert_array_equal(trained.predict(records), trained.predict(later))


@pytest.mark.parametrize("behaviour", model.BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_the_declared_behaviours_are_shown(behaviour: Behaviour, trained: model.Model, records: pl.DataFrame) -> None:
    def predict(asked: pl.DataFrame) -> NDArray[np.float64]:
        return checked_predictions(trained.predict(asked), asked.height, declared_task(model))

    told = evaluate_behaviour(behaviour, records.select(list(model.COLUMNS)), predict, declared_task(model))
    assert told["violations"] <= behaviour.allowed_share * records.height, told["example"]


def test_a_prediction_does_not_depend_on_the_records_beside_it(trained: model.Model, records: pl.DataFrame) -> None:
    batch = trained.predict(records)
    np.testing.assert_array_equal(batch[::-1], trained.predict(records.reverse()))
    alone = [float(trained.predict(records[n])[0]) for n in range(20)]
    assert alone == batch[:20].tolist()


def test_probabilities_are_given_for_records_never_seen(trained: model.Model) -> None:
    unknown = {**RECORD, "carrier": "new", "dest": "XXX", **dict.fromkeys(model.WEATHER)}
    (probability,) = trained.predict(as_columns(unknown))
    assert 0 < probability < 1


def test_the_number_of_threads_does_not_change_the_model(records: pl.DataFrame, tmp_path: Path) -> None:
    digests = set()
    for threads in (1, 2, 5):
        with xgboost.config_context(nthread=threads):
            fit(records, tmp_path / str(threads))
        digests.add(model_digest(tmp_path / str(threads)))
    assert len(digests) == 1
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["categories.json", "model.ubj"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [({"trees": 0}, "trees must be 1 or more, got 0"), ({"max_depth": 17}, "max_depth must be 1 to 16, got 17"),
     ({"learning_rate": 0.0}, "learning_rate must be above 0 and at most 1, got 0.0")],
    ids=["no trees", "too deep", "no learning"],
)  # fmt: skip
def test_hyperparameters_out_of_range_are_refused(values: dict[str, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        model.Hyperparameters(**values)


# --- Files of somebody else -----------------------------------------------------------------------------------------


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> object:
        return Path.touch, (self.trace,)


@pytest.fixture
def trained_dir(trained: model.Model, tmp_path: Path) -> Path:
    """The files of a model, which a test may change."""
    (tmp_path / "model").mkdir()
    trained.booster.save_model(tmp_path / "model/model.ubj")
    (tmp_path / "model/categories.json").write_text(json.dumps(trained.categories))
    return tmp_path / "model"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file that is there when a malicious pickle was loaded."""
    trace = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Malicious(trace)))  # noqa: S301 - the test's own
    assert trace.exists(), "it does what it should not"
    trace.unlink()
    return trace


@pytest.mark.parametrize("protocol", [0, 4, 5])
@pytest.mark.parametrize(
    ("name", "fault"),
    [("model.ubj", "model.ubj of the model is not a model in XGBoost's UBJSON"),
     ("categories.json", "categories.json of the model is not JSON: ")],
)  # fmt: skip
def test_a_pickle_in_the_place_of_a_file_of_the_model_is_refused_and_not_run(
    trained_dir: Path, trace: Path, name: str, fault: str, protocol: int
) -> None:
    (trained_dir / name).write_bytes(pickle.dumps(Malicious(trace), protocol))
    with pytest.raises(ModelError, match=fault):
        model.load(trained_dir)
    assert not trace.exists()


def test_a_pickle_beside_the_model_is_left_alone(trained_dir: Path, trace: Path) -> None:
    for name in ("model.pkl", "model.joblib", "__init__.py", "sitecustomize.py"):
        (trained_dir / name).write_bytes(pickle.dumps(Malicious(trace), 0))
    model.load(trained_dir)
    assert not trace.exists()


def test_the_evaluation_of_a_pickle_fails_with_its_reason(
    trained_dir: Path, trace: Path, raw: Path, tmp_path: Path
) -> None:
    """Where no digest is demanded: with one, it ends before that."""
    content = {file.name: file.read_bytes() for file in trained_dir.iterdir()}
    content["model.ubj"] = pickle.dumps(Malicious(trace))
    (tmp_path / "processing/input/model").mkdir(parents=True)
    artifact = archive(*(member(name, content) for name, content in content.items()))
    (tmp_path / "processing/input/model/model.tar.gz").write_bytes(artifact)
    (tmp_path / "processing/input/holdout").mkdir()
    model.read_records(raw)[:10].write_parquet(tmp_path / "processing/input/holdout/records.parquet")
    assert main(["evaluate"], {"SAGEMAKER_BASE_DIR": str(tmp_path)}) == 1
    reason = (tmp_path / "output/message").read_text().splitlines()[0]
    assert reason == "model.ubj of the model is not a model in XGBoost's UBJSON"
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "must be an object with carrier, origin, dest"),
        ('{"carrier": [], "origin": []}', "must be an object with carrier, origin, dest"),
        ('{"carrier": [], "origin": [], "dest": [], "more": []}', "must be an object with carrier, origin, dest"),
        ('{"carrier": {"AA": 1}, "origin": [], "dest": []}', "carrier in categories.json of the model must be a list"),
        ('{"carrier": [], "origin": [], "dest": ["ATL", 7]}', "dest in categories.json of the model must be a list of"),
        ("[" * 100_000, "is not JSON: RecursionError"),
        ("", "is not JSON: JSONDecodeError"),
    ],
)
def test_categories_of_another_form_are_refused(trained_dir: Path, text: str, fault: str) -> None:
    (trained_dir / "categories.json").write_text(text)
    with pytest.raises(ModelError, match=fault):
        model.load(trained_dir)


def test_a_model_that_was_made_for_other_columns_is_refused(trained_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "FEATURES", model.FEATURES[::-1])
    with pytest.raises(ModelError, match=r"model.ubj of the model must be made for visib, "):
        model.load(trained_dir)
