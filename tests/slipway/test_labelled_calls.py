"""Labels that arrive later tell how good each variant really is."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws
from sklearn.metrics import roc_auc_score

from slipway.errors import UserError
from slipway.labelled_calls import Measure, add_labelled_calls, read_labels, recorded_calls
from slipway.serving import Variant
from slipway.target import Target, aws_target
from slipway.variant_comparison import VariantComparison, VariantMetrics
from tests.slipway.production_double import NAME, arn

BUCKET = "data"
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
MEASURE = Measure("binary", "roc_auc", 0.95)
BOTH = VariantComparison(
    BEFORE,
    (
        VariantMetrics(Variant("AllTraffic", "champion", arn(3), 0.9, 1), 0, 0, 0, None, None),
        VariantMetrics(Variant("Challenger", "challenger", arn(4), 0.1, 1), 0, 0, 0, None, None),
    ),
)


@pytest.fixture
def account() -> Iterator[Target]:
    with mock_aws():
        target = aws_target({})
        target.client("s3").create_bucket(Bucket=BUCKET)
        yield target


def put(target: Target, key: str, text: str) -> None:
    target.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def call(id: str, *predictions: Any, encoding: str = "JSON", inference_id: bool = True) -> dict[str, Any]:
    """A line as SageMaker captures a call and its answer."""
    data, kind = json.dumps({"predictions": predictions}), "application/json"
    if encoding == "CSV":
        data, kind = "\n".join(map(str, predictions)), "text/csv; charset=utf-8"
    if encoding == "BASE64":
        data = base64.b64encode(data.encode()).decode()
    event = {"eventId": f"event-of-{id}" if inference_id else id, "inferenceTime": "2026-11-21T17:00:00Z"}
    return {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1", "encoding": "CSV"},
            "endpointOutput": {"observedContentType": kind, "mode": "OUTPUT", "data": data, "encoding": encoding},
        },
        "eventMetadata": {**event, **({"inferenceId": id} if inference_id else {})},
        "eventVersion": "0",
    }


def capture(target: Target, variant: str, *calls: dict[str, Any]) -> None:
    text = "\n".join(map(json.dumps, calls))
    put(target, f"captures/{NAME}/{variant}/2026/11/21/17/00-01-000-x.jsonl", text)


def recorded(target: Target, since: datetime = BEFORE) -> dict[str, Any]:
    return dict(recorded_calls(target, BUCKET, NAME, "AllTraffic", since))


def test_the_metric_is_that_of_scikit_learn_with_an_interval_around_it(account: Target) -> None:
    labels = [0, 1] * 60
    weak = [0.3 + 0.1 * label + 0.4 * (number % 7) / 7 for number, label in enumerate(labels)]
    strong = [0.1 + 0.4 * label + 0.5 * (number % 5) / 5 for number, label in enumerate(labels)]
    capture(account, "AllTraffic", *(call(f"a{number}", value) for number, value in enumerate(weak)), call("open", 0.5))
    capture(account, "Challenger", *(call(f"c{number}", value) for number, value in enumerate(strong)))
    rows = [f"{variant}{number},{label}" for variant in "ac" for number, label in enumerate(labels)]
    put(account, "labels/today.csv", "\n".join(["inference_id,label", *rows]))

    found = add_labelled_calls(account, BUCKET, NAME, BOTH, MEASURE)

    champion, challenger = (one.labelled for one in found.variants)
    assert champion is not None
    assert challenger is not None
    assert (champion.captured, champion.labelled, challenger.captured) == (121, 120, 120)
    for one, values in ((champion, weak), (challenger, strong)):
        assert one.metric is not None
        assert one.metric.value == pytest.approx(roc_auc_score(labels, values))
        assert one.metric.low is not None
        assert one.metric.high is not None
        assert one.metric.low < one.metric.value <= one.metric.high
    assert found.metric == "roc_auc"
    assert found.difference is not None
    assert found.difference.value == pytest.approx(roc_auc_score(labels, strong) - roc_auc_score(labels, weak))
    assert found.difference.low is not None
    assert found.difference.low > 0  # that much better cannot be chance


def test_without_recorded_calls_there_is_nothing_to_add(account: Target) -> None:
    assert add_labelled_calls(account, BUCKET, NAME, BOTH, MEASURE) == BOTH


def test_without_labels_the_recorded_calls_are_counted(account: Target) -> None:
    capture(account, "AllTraffic", call("a", 0.5))

    found = add_labelled_calls(account, BUCKET, NAME, BOTH, MEASURE)

    assert [one.labelled and (one.labelled.captured, one.labelled.metric) for one in found.variants] == [
        (1, None),
        (0, None),
    ]
    assert found.difference is None


def test_answers_are_read_in_every_encoding(account: Target) -> None:
    calls = [call(name, 0.25, encoding=name) for name in ("JSON", "CSV", "BASE64")]
    capture(account, "AllTraffic", *calls)

    assert recorded(account) == {"JSON": 0.25, "CSV": 0.25, "BASE64": 0.25}


def test_a_call_without_an_inference_id_is_known_by_its_events(account: Target) -> None:
    capture(account, "AllTraffic", call("e", 0.25, inference_id=False))

    assert recorded(account) == {"e": 0.25}


def test_calls_of_several_records_and_refused_ones_are_left_out(account: Target) -> None:
    refused, no_answer = call("r"), call("n", 0.5)
    refused["captureData"]["endpointOutput"]["data"] = '{"error": "no"}'
    del no_answer["captureData"]["endpointOutput"]
    capture(account, "AllTraffic", call("two", 0.1, 0.2), refused, no_answer, call("one", 0.3))

    assert recorded(account) == {"one": 0.3}


def test_calls_of_other_endpoints_and_earlier_tests_are_left_out(account: Target) -> None:
    capture(account, "AllTraffic", call("a", 0.5))
    for place in (f"{NAME}-other/AllTraffic", f"{NAME}/AllTrafficToo"):
        put(account, f"captures/{place}/2026/x.jsonl", json.dumps(call("b", 0.5)))

    assert recorded(account) == {"a": 0.5}
    assert recorded(account, since=datetime(2100, 1, 1, tzinfo=UTC)) == {}


def test_labels_may_be_names_of_classes(account: Target) -> None:
    put(account, "labels/a.csv", "label,inference_id\nlate,x\n0,y\n")
    put(account, "labels/note.txt", "not for us")

    assert read_labels(account, BUCKET, ("on time", "late")) == {"x": 1.0, "y": 0.0}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,label\nx,1\n", r"a\.csv must have the columns inference_id and label, it has \['id', 'label'\]"),
        ("inference_id,label\nx,1\ny,early\n", r"a\.csv, line 3: the label 'early' is no number, nor one of on, off"),
        ("", "must have the columns"),
    ],
    ids=["other columns", "no label", "empty"],
)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(account: Target, text: str, told: str) -> None:
    put(account, "labels/a.csv", text)

    with pytest.raises(UserError, match=told):
        read_labels(account, BUCKET, ("on", "off"))


def test_a_class_that_the_model_does_not_know_is_refused(account: Target) -> None:
    capture(account, "AllTraffic", call("a", 0.5), call("b", 0.5))
    put(account, "labels/a.csv", "inference_id,label\na,1\nb,2\n")

    with pytest.raises(UserError, match="from 0 to 1; below labels/ is 2"):
        add_labelled_calls(account, BUCKET, NAME, BOTH, MEASURE)


def test_a_metric_of_the_teams_own_is_refused_with_those_that_can_be(account: Target) -> None:
    capture(account, "AllTraffic", call("a", 0.5))

    with pytest.raises(UserError, match="delay_cost cannot be reckoned from recorded calls; of a binary task these"):
        add_labelled_calls(account, BUCKET, NAME, BOTH, Measure("binary", "delay_cost", 0.95))
