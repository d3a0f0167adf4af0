"""The model card of a package follows SageMaker's schema, whatever names and numbers the evaluation brought.

The schema is that of the developer guide ("Model package model card schema"), as the local cloud holds cards to it.
"""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from local_cloud.sagemaker.model_cards import SCHEMA
from pipeline_steps.documents import (
    Comparison,
    Curves,
    CurvesOfBoth,
    Estimate,
    MetricComparison,
    PromotionDecision,
    SliceComparison,
)
from pipeline_steps.model_card import CardFacts, model_card
from pipeline_steps.training_record import TrainingRecord
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, IMAGE_URI, MODEL_DATA_URI

CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flight-delays/3"
DATASET = f"s3://bucket/datasets/{EXECUTION_ID}/"
REPORT = f"s3://bucket/evaluations/{EXECUTION_ID}/report.html"
HOSTILE = "two\nlines\x1b[2J\u2028 <script> " + "x" * 3000


def a_slice(column: str, name: str) -> SliceComparison:
    return SliceComparison(
        column=column,
        name=name,
        records=400,
        challenger=Estimate(value=0.6, low=0.55, high=0.65),
        difference=Estimate(value=0.01),
        verdict="passed",
        reason="It is not surely worse.",
    )


COMPARISON = Comparison(
    task="binary",
    records=1400,
    confidence=0.95,
    resamples=1000,
    seed=1,
    metrics=(
        MetricComparison(
            name="roc_auc",
            goal="maximize",
            challenger=Estimate(value=0.65, low=0.63, high=0.67),
            champion=Estimate(value=0.64),
            difference=Estimate(value=0.01, low=-0.01, high=0.03),
            primary=True,
        ),
        MetricComparison(name="log_loss", goal=None, challenger=Estimate(value=None)),
        MetricComparison(name="model_mib", goal=None, challenger=Estimate(value=0.0)),
    ),
    slices=(a_slice("origin", "EWR"), a_slice("origin", "JFK"), a_slice("distance", "below 500")),
    curves=CurvesOfBoth(challenger=Curves(confusion=((1, 2), (3, 4)), roc=((0.0, 0.0), (1.0, 1.0)))),
)
FACTS = CardFacts(
    project="flight-delays",
    commit_id=COMMIT_ID,
    execution_id=EXECUTION_ID,
    image_uri=IMAGE_URI,
    model_data_uri=MODEL_DATA_URI,
    dataset_uri=DATASET,
    data_version="ab" * 32,
    champion_arn=CHAMPION,
    report_uri=REPORT,
    training=TrainingRecord(
        name="train",
        arn="arn:aws:sagemaker:us-east-1:123456789012:training-job/train",
        created=datetime(2026, 11, 21, tzinfo=UTC),
        hyperparameters={"trees": "200", "label": ""},
        metrics={"validation:roc_auc": 0.66},
        seconds=120,
        billable_seconds=0,
    ),
    comparison=COMPARISON,
    decision=PromotionDecision(verdict="Accepted", reasons=("It is better.", "It is fast."), notes=("Few records.",)),
)


def card(**changes: Any) -> Any:
    content = model_card(dataclasses.replace(FACTS, **changes))
    document = json.loads(content)
    jsonschema.validate(document, SCHEMA)
    assert "\n" not in content
    return document


def test_the_card_tells_how_the_model_was_trained() -> None:
    assert card()["model_overview"] == {
        "model_creator": f"flight-delays, commit {COMMIT_ID}",
        "model_artifact": [MODEL_DATA_URI],
    }
    assert card()["training_details"] == {
        "training_observations": f"data version {'ab' * 32}; 120 s of training; 0 s billable",
        "training_job_details": {
            "training_arn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/train",
            "training_datasets": [f"{DATASET}train/", f"{DATASET}validation/"],
            "training_environment": {"container_image": [IMAGE_URI]},
            "training_metrics": [{"name": "validation:roc_auc", "value": 0.66}],
            "hyper_parameters": [{"name": "trees", "value": "200"}, {"name": "label", "value": "(empty)"}],
        },
    }


def test_the_card_tells_what_the_evaluation_found() -> None:
    (evaluation,) = card()["evaluation_details"]

    assert evaluation["evaluation_observation"] == "Accepted. It is better. It is fast."
    assert evaluation["datasets"] == [f"{DATASET}holdout/"]
    assert evaluation["metadata"] == {"records": "1400", "confidence of intervals": "0.95"}
    groups = {group["name"]: group["metric_data"] for group in evaluation["metric_groups"]}
    assert list(groups) == ["Challenger", "Challenger minus champion", "Curves", "By origin", "By distance"]
    assert groups["Challenger"] == [
        {"name": "roc_auc", "type": "number", "value": 0.65, "notes": "0.63 to 0.67"},
        {"name": "model_mib", "type": "number", "value": 0.0},
    ]
    assert groups["Challenger minus champion"][0]["notes"] == "-0.01 to 0.03"
    assert [(chart["type"], chart["value"]) for chart in groups["Curves"]] == [
        ("linear_graph", [[0.0, 0.0], [1.0, 1.0]]),
        ("matrix", [[1, 2], [3, 4]]),
    ]
    assert [one["name"] for one in groups["By origin"]] == ["EWR", "JFK"]
    assert groups["By distance"][0]["notes"] == "0.55 to 0.65; 400 records; passed: It is not surely worse."


def test_the_card_tells_the_verdict_and_where_the_report_is() -> None:
    assert card()["additional_information"] == {
        "caveats_and_recommendations": "Few records.",
        "custom_details": {
            "verdict": "Accepted",
            "reasons": "It is better. It is fast.",
            "report": REPORT,
            "execution": EXECUTION_ID,
            "commit": COMMIT_ID,
            "champion": CHAMPION,
        },
    }


def test_without_a_champion_or_notes_the_card_says_so() -> None:
    decision = PromotionDecision(verdict="Rejected", reasons=("It is worse.",))

    information = card(champion_arn=None, decision=decision)["additional_information"]

    assert information["custom_details"]["champion"] == "none"
    assert "caveats_and_recommendations" not in information


def test_a_matrix_of_more_classes_than_the_schema_takes_is_left_out() -> None:
    def charts(classes: int) -> list[str]:
        curves = Curves(confusion=((1,) * classes,) * classes)
        comparison = COMPARISON.model_copy(update={"curves": CurvesOfBoth(challenger=curves)})
        groups = card(comparison=comparison)["evaluation_details"][0]["metric_groups"]
        return [group["name"] for group in groups if group["name"] == "Curves"]

    assert charts(20) == ["Curves"]
    assert charts(21) == []


@pytest.mark.parametrize("text", [HOSTILE, '"' * 3000, "ü" * 3000], ids=["hostile", "quotes", "not ASCII"])
def test_names_and_texts_of_any_length_and_kind_fit_into_the_card(text: str) -> None:
    training = dataclasses.replace(
        FACTS.training,
        hyperparameters={f"{number} {text}": text for number in range(100)},
        metrics={f"{number} {text}": 0.5 for number in range(60)},
    )
    name = "".join(character for character in text if character.isprintable())[:90]
    slices = tuple(a_slice(f"{column} {name}", f"{number} {name}") for column in range(20) for number in range(50))
    decision = PromotionDecision(verdict="Rejected", reasons=(text, text), notes=(text,))
    comparison = COMPARISON.model_copy(update={"slices": slices})

    content = model_card(dataclasses.replace(FACTS, training=training, comparison=comparison, decision=decision))

    document = json.loads(content)
    jsonschema.validate(document, SCHEMA)
    assert len(content) <= 100_000
    assert content.isprintable()
    groups = [group["name"] for group in document["evaluation_details"][0]["metric_groups"]]
    assert groups[:2] == ["Challenger", "Challenger minus champion"]
    assert len(groups) < 23, "the last slices are left to the report"
