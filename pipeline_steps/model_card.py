"""The model card that a model package carries: what the model is, how it was trained and what the evaluation found.

Source of its form: SageMaker developer guide, "View and Update the Details of a Model Version", section "Model package
model card schema", and the API reference of ModelPackageModelCard.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_steps.documents import Comparison, Curves, Estimate, PromotionDecision, SliceComparison
from pipeline_steps.progress import one_line
from pipeline_steps.training_record import TrainingRecord

_LONGEST_CARD = 100_000  # ModelCardContent
_LONGEST_TEXT = 1024  # most texts of the schema; the two below may be longer
_LONGEST_OBSERVATION = 2096
_LONGEST_CAVEAT = 2048
_LONGEST_GROUP_NAME = 63
_LONGEST_NAME = 100  # 255 are allowed: so all hyperparameters fit into the card, whatever characters they have
_LONGEST_VALUE = 255
_MOST_TRAINING_METRICS = 50
_MOST_CLASSES = 20  # of a matrix


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the card tells.

    Attributes:
        champion_arn: the model package that the challenger was compared with; None when there was none.
        report_uri: report.html in S3.
    """

    project: str
    commit_id: str
    execution_id: str
    image_uri: str
    model_data_uri: str
    dataset_uri: str
    data_version: str
    champion_arn: str | None
    report_uri: str
    training: TrainingRecord
    comparison: Comparison
    decision: PromotionDecision


def model_card(facts: CardFacts) -> str:
    """The card's content, JSON without line ends; where it would be too long, without the last slices."""
    groups = list(_metric_groups(facts.comparison))
    while len(content := _content(facts, groups)) > _LONGEST_CARD and groups:
        groups.pop()
    return content


def _content(facts: CardFacts, groups: Sequence[Mapping[str, Any]]) -> str:
    card = {
        "model_overview": {
            "model_creator": one_line(f"{facts.project}, commit {facts.commit_id}", _LONGEST_TEXT),
            "model_artifact": [facts.model_data_uri],
        },
        "training_details": _training_details(facts),
        "evaluation_details": [_evaluation_details(facts, groups)],
        "additional_information": _additional_information(facts),
    }
    return json.dumps(card, ensure_ascii=False, allow_nan=False)


def _training_details(facts: CardFacts) -> dict[str, Any]:
    training = facts.training
    took = [
        f"{seconds} s {what}"
        for seconds, what in ((training.seconds, "of training"), (training.billable_seconds, "billable"))
        if seconds is not None
    ]
    metrics = [{"name": one_line(name, _LONGEST_NAME), "value": value} for name, value in training.metrics.items()]
    return {
        "training_observations": one_line("; ".join([f"data version {facts.data_version}", *took]), _LONGEST_TEXT),
        "training_job_details": {
            "training_arn": training.arn,
            "training_datasets": [f"{facts.dataset_uri}{split}/" for split in ("train", "validation")],
            "training_environment": {"container_image": [facts.image_uri]},
            "training_metrics": metrics[:_MOST_TRAINING_METRICS],
            "hyper_parameters": [
                {"name": one_line(name, _LONGEST_NAME), "value": one_line(value, _LONGEST_VALUE) or "(empty)"}
                for name, value in training.hyperparameters.items()
            ],
        },
    }


def _evaluation_details(facts: CardFacts, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    comparison, decision = facts.comparison, facts.decision
    return {
        "name": "Holdout",
        "evaluation_observation": one_line(" ".join([f"{decision.verdict}.", *decision.reasons]), _LONGEST_OBSERVATION),
        "datasets": [f"{facts.dataset_uri}holdout/"],
        "metadata": {"records": str(comparison.records), "confidence of intervals": str(comparison.confidence)},
        "metric_groups": list(groups),
    }


def _additional_information(facts: CardFacts) -> dict[str, Any]:
    decision = facts.decision
    details = {
        "verdict": decision.verdict,
        "reasons": " ".join(decision.reasons),
        "report": facts.report_uri,
        "execution": facts.execution_id,
        "commit": facts.commit_id,
        "champion": facts.champion_arn or "none",
    }
    caveats = {"caveats_and_recommendations": one_line(" ".join(decision.notes), _LONGEST_CAVEAT)}
    return {
        **(caveats if decision.notes else {}),
        "custom_details": {name: one_line(text, _LONGEST_TEXT) for name, text in details.items()},
    }


def _metric_groups(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The most important first."""
    metrics = comparison.metrics
    yield from _group("Challenger", [_number(metric.name, metric.challenger) for metric in metrics])
    differences = [_number(metric.name, metric.difference) for metric in metrics if metric.difference is not None]
    yield from _group("Challenger minus champion", differences)
    yield from _group("Curves", list(_charts(comparison.curves.challenger)))
    for column in dict.fromkeys(one.column for one in comparison.slices):
        slices = [_slice(one) for one in comparison.slices if one.column == column]
        yield from _group(f"By {column}", slices)


def _group(name: str, data: Sequence[dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    known = [metric for metric in data if metric is not None]
    if known:
        yield {"name": one_line(name, _LONGEST_GROUP_NAME), "metric_data": known}


def _number(name: str, estimate: Estimate, *notes: str) -> dict[str, Any] | None:
    """A metric; None when it has no finite value."""
    if estimate.value is None:
        return None
    known = estimate.low is not None and estimate.high is not None
    interval = (f"{estimate.low:.6g} to {estimate.high:.6g}",) if known else ()
    told = {"notes": one_line("; ".join([*interval, *notes]), _LONGEST_TEXT)} if interval or notes else {}
    return {"name": one_line(name, _LONGEST_NAME), "type": "number", "value": estimate.value, **told}


def _slice(one: SliceComparison) -> dict[str, Any] | None:
    return _number(one.name, one.challenger, f"{one.records} records", f"{one.verdict}: {one.reason}")


def _charts(curves: Curves) -> Iterator[dict[str, Any]]:
    if curves.roc is not None:
        yield {
            "name": "Receiver operating characteristic",
            "type": "linear_graph",
            "value": [list(point) for point in curves.roc],
            "x_axis_name": "false positive rate",
            "y_axis_name": "true positive rate",
        }
    if curves.confusion is not None and len(curves.confusion) <= _MOST_CLASSES:
        classes = [str(number) for number in range(len(curves.confusion))]
        yield {
            "name": "Records by true (row) and predicted class",
            "type": "matrix",
            "value": [list(row) for row in curves.confusion],
            "x_axis_name": classes,
            "y_axis_name": classes,
        }
