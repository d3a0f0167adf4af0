"""The evaluation's documents, in this process, of models of every task."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_code import model, openapi
from model_code.errors import ModelError
from model_code.metrics import metrics
from model_code.records import declared_columns
from model_code.serving_check import METRICS
from model_code.task import declared_task
from tests.model_code import multiclass_model, regression_model
from tests.model_code.evaluation_job import Job, use

pytestmark = pytest.mark.container


@pytest.fixture
def flights(tmp_path: Path, records: pl.DataFrame) -> Job:
    return Job(tmp_path, model, records)


@pytest.fixture
def fruits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    use(monkeypatch, multiclass_model)
    return Job(tmp_path, multiclass_model, multiclass_model.example_records())


@pytest.fixture
def trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    use(monkeypatch, regression_model)
    return Job(tmp_path, regression_model, regression_model.example_records())


MEASURED_BESIDE = {"model_mib", "prediction_p50_ms", "prediction_p99_ms", *METRICS}


def test_a_binary_model_is_told_with_everything(flights: Job) -> None:
    told = flights.run("origin", "distance:500,1500")
    predictions = flights.predictor.predict(flights.records).astype(np.float64)
    usual = metrics("binary", flights.records["late"].to_numpy(), predictions)
    assert list(told) == [
        "task", "classes", "metrics", "own_losses", "rows", "model_sha256", "slices", "behaviours", "importance",
    ]  # fmt: skip
    assert (told["task"], told["classes"], told["rows"]) == ("binary", ["on time", "late"], flights.records.height)
    assert {name: told["metrics"][name] for name in usual} == usual
    assert told["metrics"].keys() - usual.keys() == MEASURED_BESIDE
    assert told["slices"] == [
        {"column": "origin", "names": ["EWR", "JFK", "LGA"]},
        {"column": "distance", "names": ["below 500", "500 to 1500", "1500 and above"]},
    ]
    assert [one["name"] for one in told["behaviours"]] == [one.name for one in model.BEHAVIOURS]
    assert {one["records"] for one in told["behaviours"]} == {500}
    assert told["importance"]["metric"] == "roc_auc"
    assert list(told["importance"]["columns"]) == list(model.COLUMNS)
    assert told["own_losses"] == []


def test_each_record_is_told_with_its_slices(flights: Job) -> None:
    names = [one["names"] for one in flights.run("origin", "distance:500,1500")["slices"]]
    arrays = flights.arrays
    assert {name: (array.dtype.str, array.shape) for name, array in arrays.items()} == {
        "label": ("<f8", (1463,)), "prediction": ("<f8", (1463,)), "slice_0": ("<i4", (1463,)),
        "slice_1": ("<i4", (1463,)),
    }  # fmt: skip
    assert arrays["label"].tolist() == flights.records["late"].to_list()
    np.testing.assert_array_equal(arrays["prediction"], flights.predictor.predict(flights.records))
    assert [names[0][place] for place in arrays["slice_0"]] == flights.records["origin"].to_list()
    np.testing.assert_array_equal(arrays["slice_1"], np.digitize(flights.records["distance"].to_numpy(), [500, 1500]))


def test_size_and_latency_are_those_of_this_model(flights: Job) -> None:
    told = flights.run()["metrics"]
    assert told["model_mib"] == flights.paths.model_archive.stat().st_size / 2**20
    assert 0 < told["prediction_p50_ms"] <= told["prediction_p99_ms"] < 1000


def test_the_server_is_measured_with_the_model_and_the_samples(flights: Job) -> None:
    told = flights.run()
    assert {told["metrics"][name] for name in METRICS} == {1.5}
    assert flights.served == ({"model.ubj", "categories.json"}, 100, told["model_sha256"])


def test_the_endpoint_is_described_beside_the_samples(fruits: Job) -> None:
    fruits.run()
    described = openapi.description(declared_columns(multiclass_model.COLUMNS), declared_task(multiclass_model))
    assert fruits.document("openapi.json") == described


def test_two_models_are_told_apart(flights: Job, tmp_path: Path) -> None:
    half = flights.records[::2]
    other = Job(tmp_path / "other", model, half)
    other.records.write_parquet(flights.paths.holdout)
    first, second = flights.run(), other.run()
    assert first["model_sha256"] != second["model_sha256"]
    assert first["metrics"]["log_loss"] != second["metrics"]["log_loss"]
    assert first["importance"] != second["importance"]


def test_the_same_model_is_told_twice_the_same_but_for_its_latency(flights: Job) -> None:
    first, arrays = flights.run("origin"), (flights.paths.evaluation / "predictions.npz").read_bytes()
    second = flights.run("origin")
    for told in (first, second):
        for name in MEASURED_BESIDE - {"model_mib"}:
            del told["metrics"][name]
    assert first == second
    assert arrays == (flights.paths.evaluation / "predictions.npz").read_bytes()


def test_without_slices_as_for_a_champion_there_are_none(flights: Job) -> None:
    assert flights.run()["slices"] == []
    assert set(flights.arrays) == {"label", "prediction"}


def test_a_column_that_the_model_does_not_have_can_make_slices(flights: Job) -> None:
    flights.records.with_columns(pl.lit("a").alias("airport")).write_parquet(flights.paths.holdout)
    assert flights.run("airport")["slices"] == [{"column": "airport", "names": ["a"]}]


def test_what_is_not_defined_is_null(flights: Job) -> None:
    flights.records.filter(pl.col("late") == 0).write_parquet(flights.paths.holdout)
    told = flights.run()
    assert told["metrics"]["roc_auc"] is None
    assert set(told["importance"]["columns"].values()) == {None}
    assert told["metrics"]["log_loss"] > 0


def test_no_model_can_read_the_label_or_a_column_that_the_endpoint_is_not_sent(
    flights: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    predict = model.Model.predict

    def watched(self: model.Model, records: Any) -> Any:
        seen.add(tuple(records) if isinstance(records, dict) else tuple(records.columns))
        return predict(self, records)

    monkeypatch.setattr(model.Model, "predict", watched)
    flights.records.with_columns(pl.lit(1).alias("dep_delay")).write_parquet(flights.paths.holdout)
    flights.run()
    assert seen == {tuple(model.COLUMNS)}


def test_a_multiclass_model_is_told_with_its_classes_and_own_measures(fruits: Job) -> None:
    told = fruits.run("colour", "days", "grams:1,10")
    predictions = fruits.predictor.predict(fruits.records).astype(np.float64)
    usual = metrics("multiclass", fruits.records["fruit"].to_numpy(), predictions)
    assert (told["task"], told["classes"]) == ("multiclass", ["berry", "apple", "melon"])
    assert {name: told["metrics"][name] for name in usual} == usual
    assert told["metrics"].keys() - usual.keys() == MEASURED_BESIDE | {"melons_as_berries", "classes_off"}
    assert told["own_losses"] == ["classes_off"]
    assert [one["names"] for one in told["slices"]] == [
        ["green", "red"], ["0", "1", "2", "missing"], ["below 1", "1 to 10", "10 and above"],
    ]  # fmt: skip
    assert [(one["kind"], one["violations"]) for one in told["behaviours"]] == [("invariance", 0), ("direction", 0)]
    assert told["importance"]["metric"] == "accuracy"
    assert told["importance"]["columns"]["grams"] > 0.2
    assert told["importance"]["columns"]["colour"] == 0


def test_probabilities_of_classes_stay_rows(fruits: Job) -> None:
    metric = fruits.run()["metrics"]["classes_off"]
    arrays = fruits.arrays
    assert (arrays["prediction"].shape, arrays["prediction"].dtype) == ((600, 3), np.float64)
    assert arrays["loss_classes_off"].dtype == np.float64
    assert arrays["loss_classes_off"].mean() == metric
    samples = fruits.document("samples.json")["predictions"]
    assert np.shape(samples) == (100, 3)
    np.testing.assert_array_equal(samples[0], arrays["prediction"][0])
    np.testing.assert_array_equal(samples[-1], arrays["prediction"][-1])


def test_a_regression_is_told_without_classes_and_behaviours(trips: Job) -> None:
    told = trips.run("stops")
    usual = metrics("regression", trips.records["minutes"].to_numpy(), trips.predictor.predict(trips.records))
    assert (told["task"], told["classes"], told["behaviours"]) == ("regression", None, [])
    assert {name: told["metrics"][name] for name in usual} == usual
    assert told["importance"]["metric"] == "mean_absolute_error"
    assert told["importance"]["columns"]["metres"] > told["importance"]["columns"]["stops"] > 0
    assert told["slices"] == [{"column": "stops", "names": ["0", "1", "2", "3", "4", "5"]}]
    assert np.shape(trips.document("samples.json")["predictions"]) == (100,)


@pytest.mark.parametrize(("records", "samples"), [(1, 1), (99, 99), (100, 100), (101, 100)])
def test_samples_are_at_most_a_hundred_of_the_whole_holdout(trips: Job, records: int, samples: int) -> None:
    trips.records[:records].write_parquet(trips.paths.holdout)
    trips.run()
    document = trips.document("samples.json")
    assert len(document["records"]) == len(document["predictions"]) == samples
    assert document["records"][0]["metres"] == trips.records["metres"][0]
    assert document["records"][-1]["metres"] == trips.records["metres"][records - 1]


def test_an_evaluation_that_fails_writes_nothing(fruits: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiclass_model, "own_losses", lambda labels, predictions: {"a b": labels})
    with pytest.raises(ModelError, match="own_losses"):
        fruits.run()
    assert not fruits.paths.evaluation.exists()


def test_only_the_four_documents_are_left(trips: Job) -> None:
    trips.run()
    names = {file.name for file in trips.paths.evaluation.iterdir()}
    assert names == {"evaluation.json", "openapi.json", "samples.json", "predictions.npz"}
