"""The calls that an endpoint recorded, beside the labels that arrived for them: how good each variant really is.

Calls are in SageMaker's JSON lines below captures/ of the data bucket, labels in CSV files with the columns
inference_id and label below labels/. A call is known by the caller's InferenceId, else by its event's id; only calls of
one record have one label.
"""

import base64
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from pipeline_steps.comparison.bootstrap import SEED, Sampled, percentile_interval, resample
from pipeline_steps.comparison.metrics import all_once, known, statistic
from pipeline_steps.comparison.predictions import Array, Predictions
from pipeline_steps.documents import Prediction, Task
from slipway.errors import EndpointError, UserError
from slipway.serving import predictions
from slipway.target import Target
from slipway.variant_comparison import Labelled, Measured, VariantComparison

CAPTURES, LABELS = "captures/", "labels/"


@dataclass(frozen=True)
class Measure:
    """What is measured on labelled calls.

    Attributes:
        metric: its name.
        confidence: of the intervals.
        classes: their names, in the order of their numbers; a label may be either.
    """

    task: Task
    metric: str
    confidence: float
    classes: tuple[str, ...] = ()


def add_labelled_calls(
    target: Target, bucket: str, endpoint: str, comparison: VariantComparison, measure: Measure
) -> VariantComparison:
    """The comparison with the metric of each variant, as far as calls are recorded.

    Raises:
        UserError: a file of labels cannot be read, or the metric is not one of single calls.
    """
    calls = {
        one.variant.name: dict(recorded_calls(target, bucket, endpoint, one.variant.name, comparison.since))
        for one in comparison.variants
    }
    if not any(calls.values()):
        return comparison
    if measure.metric not in known(measure.task):
        raise UserError(
            f"{measure.metric} cannot be reckoned from recorded calls; of a {measure.task} task these can: "
            f"{', '.join(known(measure.task))}"
        )
    labels = read_labels(target, bucket, measure.classes)
    samples: list[Array] = []
    variants = []
    for number, one in enumerate(comparison.variants):
        labelled, sample = _labelled(calls[one.variant.name], labels, measure, seed=SEED + number)
        variants.append(replace(one, labelled=labelled))
        samples.append(sample)
    difference = _difference([one.labelled for one in variants if one.labelled], samples, measure.confidence)
    return replace(comparison, variants=tuple(variants), metric=measure.metric, difference=difference)


def _difference(labelled: Sequence[Labelled], samples: Sequence[Array], confidence: float) -> Measured | None:
    """The challenger's metric minus the champion's, on calls of their own; None when one has none."""
    champion, challenger = (one.metric.value if one.metric is not None else None for one in labelled)
    if champion is None or challenger is None:
        return None
    interval = percentile_interval(samples[1] - samples[0], confidence)
    return Measured(challenger - champion, *(interval or ()))


def recorded_calls(
    target: Target, bucket: str, endpoint: str, variant: str, since: datetime
) -> Iterator[tuple[str, Prediction]]:
    """The answers of a variant to calls of one record, by the call's id."""
    s3 = target.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{CAPTURES}{endpoint}/{variant}/")
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        if entry["LastModified"] < since:
            continue
        text = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        for line in text.splitlines():
            call = json.loads(line)
            answers = _answers(call["captureData"])
            if len(answers) == 1:
                event = call["eventMetadata"]
                yield event.get("inferenceId") or event["eventId"], answers[0]


def read_labels(target: Target, bucket: str, classes: tuple[str, ...] = ()) -> dict[str, float]:
    """All labels by the id of their call; of several for one call the last counts.

    Raises:
        UserError: a file has other columns, or a label is neither a number nor the name of a class.
    """
    s3 = target.client("s3")
    numbers = {name: float(number) for number, name in enumerate(classes)}
    labels: dict[str, float] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=LABELS):
        for key in (entry["Key"] for entry in page.get("Contents", []) if entry["Key"].endswith(".csv")):
            text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8-sig")
            labels |= _parse_labels(text, f"s3://{bucket}/{key}", numbers)
    return labels


def _parse_labels(text: str, source: str, classes: Mapping[str, float]) -> dict[str, float]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"inference_id", "label"} <= set(rows.fieldnames or ()):
        raise UserError(f"{source} must have the columns inference_id and label, it has {rows.fieldnames}")
    labels = {}
    for row in rows:
        given = (row["label"] or "").strip()
        try:
            labels[row["inference_id"]] = classes[given] if given in classes else float(given)
        except ValueError as error:
            allowed = f", nor one of {', '.join(classes)}" if classes else ""
            raise UserError(f"{source}, line {rows.line_num}: the label {given!r} is no number{allowed}") from error
    return labels


def _answers(capture: Mapping[str, Any]) -> list[Prediction]:
    """The predictions in an answer; none when the call was refused or is not of this kind."""
    output = capture.get("endpointOutput")
    if output is None:
        return []
    data: str = output["data"]
    body = base64.b64decode(data) if output.get("encoding") == "BASE64" else data.encode()
    try:
        return predictions(body, (output.get("observedContentType") or "").partition(";")[0])
    except EndpointError:
        return []


def _labelled(
    calls: Mapping[str, Prediction], labels: Mapping[str, float], measure: Measure, *, seed: int
) -> tuple[Labelled, Array]:
    """The metric of one variant, and what it was in each resample."""
    known_calls = [call for call in calls if call in labels]
    if not known_calls:
        return Labelled(len(calls), 0, None), np.empty(0)
    answered = Predictions(
        task=measure.task,
        labels=np.array([labels[call] for call in known_calls], dtype=np.float64),
        predictions=np.array([calls[call] for call in known_calls], dtype=np.float64),
    )
    _check_labels(answered, measure)
    value = statistic(measure.metric, answered)
    assert value is not None, "the metric was looked up"
    sample = resample({"metric": Sampled(value)}, answered.records, seed=seed)["metric"]
    estimate = value(all_once(answered.records))
    interval = percentile_interval(sample, measure.confidence)
    measured = Measured(estimate if np.isfinite(estimate) else None, *(interval or ()))
    return Labelled(len(calls), len(known_calls), measured), sample


def _check_labels(answered: Predictions, measure: Measure) -> None:
    """Raise UserError when a class is none that the model knows, on which the metrics rely."""
    if measure.task == "regression":
        return
    classes = answered.predictions.shape[1] if measure.task == "multiclass" else 2
    unknown = answered.labels[~np.isin(answered.labels, np.arange(classes))]
    if len(unknown):
        raise UserError(
            f"labels must be the number of a class, from 0 to {classes - 1}; below {LABELS} is {unknown[0]:g}"
        )
