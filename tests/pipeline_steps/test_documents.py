"""Documents come back as they were written, and a faulty one is named with its faults."""

import json
from pathlib import Path

import pytest

from pipeline_steps.documents import DatasetManifest, EvaluationReport, PromotionDecision, Samples, Scores
from pipeline_steps.errors import DocumentError


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report = EvaluationReport(metrics={"roc_auc": 0.64, "f1": float("nan")}, rows=2, image_uri="repository@sha256:1")

    report.write(tmp_path / "evaluation", "challenger")

    assert EvaluationReport.read(tmp_path / "evaluation", "challenger") == report
    written = json.loads((tmp_path / "evaluation" / "challenger.json").read_text())
    assert written["metrics"] == {"roc_auc": 0.64, "f1": None}  # JSON has no NaN


def test_what_another_version_of_a_container_adds_is_ignored() -> None:
    scores = Scores.parse('{"metrics": {"roc_auc": 0.64}, "rows": 2, "label_share": 0.2}', "evaluation.json")

    assert scores == Scores(metrics={"roc_auc": 0.64}, rows=2)


def test_a_nan_that_a_container_wrote_is_no_number() -> None:
    scores = Scores.parse('{"metrics": {"roc_auc": NaN, "log_loss": Infinity}, "rows": 2}', "evaluation.json")

    assert scores.metrics == {"roc_auc": None, "log_loss": None}


@pytest.mark.parametrize(
    "metrics",
    ['{"roc_auc": "0.9"}', '{"roc_auc": true}', '{"roc\\nslipway: FAILED": 1}', '{"\\u001b[2J": 1}', '{"": 1}',
     f'{{"{"x" * 101}": 1}}', json.dumps({str(number): 1 for number in range(1001)}), "[1]", "null"],
    ids=["text", "boolean", "line end", "escape", "empty", "long", "too many", "list", "null"],
)  # fmt: skip
def test_metrics_are_read_as_numbers_under_names_that_can_be_shown(metrics: str) -> None:
    with pytest.raises(DocumentError, match=r"evaluation\.json is no Scores: metrics"):
        Scores.parse(f'{{"metrics": {metrics}, "rows": 2}}', "evaluation.json")


def test_as_many_metrics_as_allowed_are_read() -> None:
    metrics = {f"{number} ü @ 5 %": number for number in range(999)} | {"x" * 100: 1}
    assert len(Scores.parse(json.dumps({"metrics": metrics, "rows": 2}), "evaluation.json").metrics) == 1000


@pytest.mark.parametrize("sha256", ["AB" * 32, "ab" * 31, f"sha256:{'ab' * 32}", 7])
def test_a_digest_that_is_none_is_refused(sha256: object) -> None:
    with pytest.raises(DocumentError, match="model_sha256"):
        Scores.parse(json.dumps({"metrics": {}, "rows": 2, "model_sha256": sha256}), "evaluation.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"metrics": {"a": ' + "9" * 100_000 + "}"], ids=["deep", "long"])
def test_a_document_that_is_meant_to_do_harm_is_no_document(text: str) -> None:
    with pytest.raises(DocumentError, match=r"evaluation\.json is no Scores"):
        Scores.parse(text, "evaluation.json")


def test_all_faults_of_a_document_are_named() -> None:
    with pytest.raises(DocumentError) as fault:
        Scores.parse('{"metrics": {"roc_auc": "high"}, "rows": -1}', "s3://bucket/evaluation.json")

    text = str(fault.value)
    assert text.startswith("s3://bucket/evaluation.json is no Scores: ")
    assert "metrics.roc_auc" in text
    assert "rows" in text


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_document_is_named(text: str) -> None:
    with pytest.raises(DocumentError, match=r"manifest\.json is no DatasetManifest"):
        DatasetManifest.parse(text, "manifest.json")


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"cannot read the document .*decision\.json"):
        PromotionDecision.read(tmp_path, "decision")


def test_samples_keep_missing_values_and_the_order_of_columns() -> None:
    text = (
        '{"columns": ["b", "a"], "records": [{"a": NaN, "b": "x"}, {"a": 1.5, "b": null}], "predictions": [0.1, 0.9]}'
    )

    samples = Samples.parse(text, "samples.json")

    assert samples.columns == ("b", "a")
    assert samples.records == ({"a": None, "b": "x"}, {"a": 1.5, "b": None})
    assert "NaN" not in samples.model_dump_json()


def test_a_prediction_is_a_number_or_a_probability_for_each_class() -> None:
    text = '{"columns": ["a"], "records": [{"a": 1}, {"a": 2}], "predictions": %s}'

    assert Samples.parse(text % "[1, 0.5]", "samples.json").predictions == (1.0, 0.5)
    classes = Samples.parse(text % "[[0.1, 0.9], [1, 0]]", "samples.json")
    assert classes.predictions == ((0.1, 0.9), (1.0, 0.0))
    assert Samples.parse(classes.model_dump_json(), "samples.json") == classes
    for wrong in ('["late", "on time"]', "[null, 0.5]", "[[[0.1]], [[0.9]]]"):
        with pytest.raises(DocumentError, match="predictions"):
            Samples.parse(text % wrong, "samples.json")


def test_samples_with_a_prediction_too_few_are_refused() -> None:
    with pytest.raises(DocumentError, match="has 2 records but 1 predictions"):
        Samples.parse('{"columns": ["a"], "records": [{"a": 1}, {"a": 2}], "predictions": [0.1]}', "samples.json")


def test_a_data_version_that_is_no_hash_is_refused() -> None:
    rows = {"train": 1, "validation": 1, "holdout": 1}
    with pytest.raises(DocumentError, match="data_version"):
        DatasetManifest.parse(json.dumps({"data_version": "latest", "rows": rows}), "manifest.json")
