"""The model card of a model package: kept as it was given, held to AWS's schema, closed when it is archived."""

import json
from typing import Any

import jsonschema
import pytest
from botocore.exceptions import ClientError
from local_cloud_sagemaker import SageMakerCloud

from local_cloud.sagemaker.model_cards import SCHEMA, faults

METRIC = {"name": "auc", "type": "number", "value": 0.5}
# After the examples of the guide and of SageMaker's Python SDK.
CARD: dict[str, Any] = {
    "model_overview": {"model_creator": "the team", "model_artifact": ["s3://bucket/model.tar.gz"]},
    "intended_uses": {"purpose_of_model": "delays", "risk_rating": "Low"},
    "training_details": {
        "objective_function": {"function": {"function": "Maximize", "facet": "auc"}, "notes": "of the validation set"},
        "training_job_details": {
            "training_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/train",
            "training_metrics": [{"name": "auc", "value": 0.5}],
            "hyper_parameters": [{"name": "trees", "value": "200"}],
        },
    },
    "evaluation_details": [
        {
            "name": "holdout",
            "metadata": {"records": "1400"},
            "metric_groups": [
                {
                    "name": "all",
                    "metric_data": [
                        METRIC,
                        {"name": "verdict", "type": "string", "value": "good"},
                        {"name": "roc", "type": "linear_graph", "value": [[0, 0], [1, 1]], "x_axis_name": "fpr"},
                        {"name": "slices", "type": "bar_chart", "value": [0.1, 0.2], "x_axis_name": ["a", "b"]},
                        {"name": "confusion", "type": "matrix", "value": [[1, 2], [3, 4]], "y_axis_name": ["0", "1"]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"report": "s3://bucket/report.html"}},
}


def with_group(*metrics: Any, **more: Any) -> dict[str, Any]:
    return {"evaluation_details": [{"name": "x", "metric_groups": [{"name": "y", "metric_data": metrics, **more}]}]}


FAULTY: dict[str, Any] = {
    "no object": [],
    "unknown section": {"model_package_details": {}},
    "unknown key of a section": {"model_overview": {"model_name": "x"}},
    "text that is too long": {"model_overview": {"model_creator": "x" * 1025}},
    "text that is a number": {"model_overview": {"model_creator": 1}},
    "no such risk": {"intended_uses": {"risk_rating": "None"}},
    "evaluation without a name": {"evaluation_details": [{}]},
    "empty name": {"evaluation_details": [{"name": ""}]},
    "metric without a value": with_group({"name": "auc", "type": "number"}),
    "metric that is null": with_group({**METRIC, "value": None}),
    "metric of an unknown type": with_group({**METRIC, "type": "percentage"}),
    "graph of single numbers": with_group({**METRIC, "type": "linear_graph", "value": [1, 2]}),
    "matrix that is too large": with_group({**METRIC, "type": "matrix", "value": [[0.0] * 21]}),
    "hyperparameter that is a number": {
        "training_details": {"training_job_details": {"hyper_parameters": [{"name": "a", "value": 1}]}}
    },
    "too many hyperparameters": {
        "training_details": {"training_job_details": {"hyper_parameters": [{"name": "a", "value": "1"}] * 101}}
    },
    "custom detail that is no text": {"additional_information": {"custom_details": {"a": {}}}},
}


def test_a_good_card_has_no_faults() -> None:
    assert list(faults(CARD, SCHEMA)) == []
    jsonschema.validate(CARD, SCHEMA)


@pytest.mark.parametrize("card", FAULTY.values(), ids=FAULTY)
def test_a_faulty_card_is_refused_as_json_schema_refuses_it(card: Any) -> None:
    document = json.loads(json.dumps(card))

    assert list(faults(document, SCHEMA))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_a_fault_is_told_with_its_place() -> None:
    assert list(faults({"evaluation_details": [{"name": "x", "datasets": "s3"}]}, SCHEMA)) == [
        "#/evaluation_details/0/datasets: must be of type array"
    ]


@pytest.fixture
def package(sagemaker: SageMakerCloud) -> str:
    group = sagemaker.name("Group")
    sagemaker.api.create_model_package_group(ModelPackageGroupName=group)
    card = {"ModelCardContent": json.dumps(CARD), "ModelCardStatus": "PendingReview"}
    return str(sagemaker.api.create_model_package(ModelPackageGroupName=group, ModelCard=card)["ModelPackageArn"])


def card_of(sagemaker: SageMakerCloud, package: str) -> dict[str, str]:
    card: dict[str, str] = sagemaker.api.describe_model_package(ModelPackageName=package)["ModelCard"]
    return card


def test_a_card_is_described_as_it_was_given(sagemaker: SageMakerCloud, package: str) -> None:
    card = card_of(sagemaker, package)

    assert json.loads(card["ModelCardContent"]) == CARD
    assert card["ModelCardStatus"] == "PendingReview"


def test_an_update_of_its_status_leaves_its_content(sagemaker: SageMakerCloud, package: str) -> None:
    sagemaker.api.update_model_package(ModelPackageArn=package, ModelCard={"ModelCardStatus": "Approved"})

    card = card_of(sagemaker, package)
    assert card["ModelCardStatus"] == "Approved"
    assert json.loads(card["ModelCardContent"]) == CARD


@pytest.mark.parametrize("content", ["no JSON", json.dumps({"unknown": 1}), '{"model_overview": NaN}'])
def test_a_content_that_does_not_follow_the_schema_is_refused(
    sagemaker: SageMakerCloud, package: str, content: str
) -> None:
    with pytest.raises(ClientError, match="Model card content"):
        sagemaker.api.update_model_package(ModelPackageArn=package, ModelCard={"ModelCardContent": content})
    assert json.loads(card_of(sagemaker, package)["ModelCardContent"]) == CARD


def test_the_content_of_an_archived_card_stays(sagemaker: SageMakerCloud, package: str) -> None:
    sagemaker.api.update_model_package(ModelPackageArn=package, ModelCard={"ModelCardStatus": "Archived"})

    with pytest.raises(ClientError, match="Model Card is in Archived state"):
        sagemaker.api.update_model_package(ModelPackageArn=package, ModelCard={"ModelCardContent": "{}"})
    sagemaker.api.update_model_package(ModelPackageArn=package, ModelCard={"ModelCardStatus": "Draft"})
    assert card_of(sagemaker, package)["ModelCardStatus"] == "Draft"
