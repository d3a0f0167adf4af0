"""An endpoint is verified by calling it as its clients will."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.clock import SYSTEM_CLOCK
from pipeline_steps.documents import Prediction, Samples
from pipeline_steps.errors import DocumentError, VerificationError, WaitTimeoutError
from pipeline_steps.serving import wait_until_in_service
from pipeline_steps.steps import verify_endpoint
from pipeline_steps.steps.verify_endpoint import CSV, JSON
from settings import Settings
from tests.pipeline_steps.doubles import (
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    Answer,
    ManualTime,
    answer_instead,
    script,
    serve_model_package,
)

STAGING = "flight-delays-staging"
SAMPLES = Samples(
    columns=("temp", "dest", "wind"),
    records=(
        {"temp": 39.02, "dest": "BOS", "wind": 10.5},
        {"temp": 41.0, "dest": 'a "hostile", name', "wind": None},
        {"temp": -3, "dest": "SFO", "wind": 0},
    ),
    predictions=(0.25, 0.5, 0.125),
)


class Container:
    """A model's container as SageMaker calls it: it knows the samples, and refuses what is not like them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.answer_to: Callable[[str, bytes], tuple[int, bytes] | None] = lambda _type, _body: None
        self._rows = {
            tuple("" if value is None else str(value) for value in record.values()): prediction
            for record, prediction in zip(SAMPLES.records, SAMPLES.predictions, strict=True)
        }

    def __call__(self, content_type: str, body: bytes) -> tuple[int, bytes]:
        self.requests.append((content_type, body))
        special = self.answer_to(content_type, body)
        if special is not None:
            return special
        try:
            return 200, self._predict(content_type, body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return 400, json.dumps({"error": str(error)}).encode()

    def _predict(self, content_type: str, body: bytes) -> bytes:
        if content_type == CSV:
            rows = [tuple(row) for row in csv.reader(io.StringIO(body.decode()))]
            return "".join(f"{self._rows[row]}\n" for row in rows).encode()
        if content_type != JSON:
            raise ValueError(content_type)
        records = json.loads(body)["instances"]
        rows = [tuple("" if value is None else str(value) for value in record.values()) for record in records]
        return json.dumps({"predictions": [self._rows[row] for row in rows]}).encode()


@pytest.fixture
def container(aws: Aws) -> Container:
    """The container behind the endpoint (moto's endpoints give one fixed answer)."""
    container = Container()

    def invoke(params: dict[str, Any]) -> Answer:
        status, body = container(params["headers"]["Content-Type"], params["body"])
        if status == 200:
            return 200, {"Body": io.BytesIO(body), "ContentType": params["headers"]["Accept"]}
        error = {"Code": "ModelError", "Message": f"Received {status} from primary: {body.decode()}"}
        return 424, {"Error": error, "OriginalStatusCode": status}

    answer_instead(aws.sagemaker_runtime, "InvokeEndpoint", invoke)
    return container


@pytest.fixture
def inputs(aws: Aws, tmp_path: Path) -> verify_endpoint.Inputs:
    SAMPLES.write(tmp_path, "samples")
    arn = serve_model_package(aws, STAGING, image_uri=IMAGE_URI, model_data_uri="s3://bucket/model.tar.gz")
    return verify_endpoint.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        endpoint_name=STAGING,
        model_package_arn=arn,
        documents_dir=tmp_path,
    )


def test_a_good_endpoint_is_summed_up(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    summary = verify_endpoint.run(aws, settings, inputs)["SUMMARY"]

    assert summary.startswith("3 records agree with the offline predictions, p50 ")
    one_json = (JSON, b'{"instances": [{"temp": 41.0, "dest": "a \\"hostile\\", name", "wind": null}]}')
    one_csv = (CSV, b'41.0,"a ""hostile"", name",\n')
    all_csv = (CSV, b'39.02,BOS,10.5\n41.0,"a ""hostile"", name",\n-3,SFO,0\n')
    assert one_json in container.requests
    assert one_csv in container.requests
    assert all_csv in container.requests
    assert len(container.requests) == 3 + 3 + 2 + 7 + 1 + verify_endpoint.LATENCY_REQUESTS


@pytest.mark.parametrize(
    ("difference", "agrees"), [(0.0, True), (0.9e-6, True), (1.1e-6, False), (float("nan"), False)]
)
def test_predictions_must_agree_closely(
    aws: Aws,
    settings: Settings,
    inputs: verify_endpoint.Inputs,
    container: Container,
    difference: float,
    agrees: bool,
) -> None:
    second = json.dumps({"predictions": [0.5 + difference]}).encode()
    container.answer_to = lambda type_, body: (
        (200, second) if type_ == JSON and body.startswith(_json(1)[:40]) else None
    )

    if agrees:
        verify_endpoint.run(aws, settings, inputs)
    else:
        with pytest.raises(VerificationError, match=r"on 1 of 1 records of record 2 as JSON: .*, offline it was 0\.5"):
            verify_endpoint.run(aws, settings, inputs)


def test_predictions_may_differ_by_the_tolerance_itself() -> None:
    assert verify_endpoint.disagreements([0.0, 0.0], [1e-6, -1.0000001e-6]) == [1]


@pytest.mark.parametrize(
    ("offline", "answered", "wrong"),
    [
        ([(0.25, 0.75)], [(0.25, 0.75)], []),
        ([(0.25, 0.75), (0.5, 0.5)], [(0.25, 0.75), (0.5, 0.500002)], [1]),
        ([(0.25, 0.75)], [(0.25, float("nan"))], [0]),
        ([(0.25, 0.75)], [(0.25, 0.75, 0.0)], [0]),
        ([(0.25, 0.75)], [0.75], [0]),
        ([0.75], [(0.25, 0.75)], [0]),
    ],
    ids=["same", "second record", "NaN", "a class more", "a number alone", "classes for a number"],
)
def test_the_probabilities_of_all_classes_must_agree(
    offline: list[Prediction], answered: list[Prediction], wrong: list[int]
) -> None:
    assert verify_endpoint.disagreements(offline, answered) == wrong


@pytest.mark.parametrize(
    ("answer", "content_type"),
    [("0.25,0.75\n1.0,0.0\n", CSV), ('{"predictions": [[0.25, 0.75], [1, 0]]}', JSON)],
    ids=["csv", "json"],
)
def test_an_answer_can_hold_a_probability_for_each_class(answer: str, content_type: str) -> None:
    assert verify_endpoint.parse_predictions(answer, content_type) == [(0.25, 0.75), (1.0, 0.0)]


def test_a_batch_in_another_order_is_noticed(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    mixed_up = b"0.125\n0.5\n0.25\n"
    container.answer_to = lambda type_, body: (200, mixed_up) if type_ == CSV and body.count(b"\n") == 3 else None

    with pytest.raises(VerificationError, match=r"on 2 of 3 records of all 3 records as CSV: the first is 0\.125"):
        verify_endpoint.run(aws, settings, inputs)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b'{"predictions": []}', "must answer record 1 as JSON with 1 predictions, got 0"),
        (b'{"predictions": ["late"]}', "must answer record 1 as JSON with predictions as application/json"),
        (b'{"prediction": 0.25}', 'is not of the form {"predictions": [...]}'),
        (b"[0.25]", 'is not of the form {"predictions": [...]}'),
        (b"<html>", "got '<html>'"),
    ],
)
def test_an_answer_that_is_no_prediction_is_shown(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container, answer: bytes, text: str
) -> None:
    container.answer_to = lambda _type, _body: (200, answer)

    with pytest.raises(VerificationError) as failure:
        verify_endpoint.run(aws, settings, inputs)
    assert text in str(failure.value)


@pytest.mark.parametrize("request_", verify_endpoint.hostile_requests(SAMPLES), ids=lambda request: request.what)
@pytest.mark.parametrize(("status", "said"), [(500, r"status 500"), (200, "but answered '0.5'")])
def test_hostile_input_must_be_refused_with_a_4xx_status(
    aws: Aws,
    settings: Settings,
    inputs: verify_endpoint.Inputs,
    container: Container,
    request_: verify_endpoint.Request,
    status: int,
    said: str,
) -> None:
    hostile = (request_.content_type, request_.body)
    container.answer_to = lambda type_, body: (status, b"0.5") if (type_, body) == hostile else None

    with pytest.raises(VerificationError, match=f"must refuse {request_.what} with a 4xx status.*{said}"):
        verify_endpoint.run(aws, settings, inputs)


def test_an_endpoint_that_dies_of_hostile_input_is_noticed(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    def dead_since_hostile_input(_type: str, _body: bytes) -> tuple[int, bytes] | None:
        before = {type_ for type_, _ in container.requests[:-1]}
        return (200, b'{"predictions": [0.9]}') if "application/x-unknown" in before and _body == _json(0) else None

    container.answer_to = dead_since_hostile_input
    with pytest.raises(VerificationError, match="on 1 of 1 records of a record after hostile input"):
        verify_endpoint.run(aws, settings, inputs)


def test_text_in_a_number_is_only_sent_when_a_column_is_numeric() -> None:
    words = Samples(columns=("dest",), records=({"dest": "BOS"}, {"dest": "SFO"}), predictions=(0.1, 0.2))
    flags = Samples(columns=("late",), records=({"late": True},), predictions=(0.1,))

    assert verify_endpoint.hostile_requests(SAMPLES)[-1].body == (
        b'{"instances": [{"temp": "not a number", "dest": "BOS", "wind": 10.5}]}'
    )
    assert len(verify_endpoint.hostile_requests(words)) == len(verify_endpoint.hostile_requests(SAMPLES)) - 1
    assert len(verify_endpoint.hostile_requests(flags)) == len(verify_endpoint.hostile_requests(words))


def test_an_endpoint_that_serves_another_package_is_refused(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    other = verify_endpoint.Inputs(**{**vars(inputs), "model_package_arn": f"{inputs.model_package_arn}0"})

    with pytest.raises(VerificationError, match=r"must serve .*/10, but serves .*/1$"):
        verify_endpoint.run(aws, settings, other)
    assert container.requests == []


def test_a_missing_endpoint_is_named(aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs) -> None:
    aws.sagemaker.delete_endpoint(EndpointName=STAGING)

    with pytest.raises(VerificationError, match=f"there is no endpoint {STAGING}"):
        verify_endpoint.run(aws, settings, inputs)


def test_missing_samples_are_named(aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs) -> None:
    (inputs.documents_dir / "samples.json").unlink()

    with pytest.raises(DocumentError, match=r"samples\.json"):
        verify_endpoint.run(aws, settings, inputs)


@pytest.mark.usefixtures("inputs")
def test_an_endpoint_on_its_way_is_waited_for(aws: Aws, time: ManualTime) -> None:
    statuses = ["Creating", "Updating", "RollingBack", "InService"]
    script(aws.sagemaker, "DescribeEndpoint", [{"EndpointStatus": status} for status in statuses])

    wait_until_in_service(aws, STAGING, time.clock)

    assert time.sleeps == [0.5, 0.5, 0.5]


@pytest.mark.usefixtures("inputs")
def test_a_failed_endpoint_says_why(aws: Aws) -> None:
    failed = {"EndpointStatus": "Failed", "FailureReason": "The container did not pass the ping health check."}
    script(aws.sagemaker, "DescribeEndpoint", [failed])

    with pytest.raises(VerificationError, match="is Failed, not InService: The container did not pass the ping"):
        wait_until_in_service(aws, STAGING, SYSTEM_CLOCK)


@pytest.mark.usefixtures("inputs")
def test_an_endpoint_that_never_comes_is_given_up(aws: Aws, time: ManualTime) -> None:
    script(aws.sagemaker, "DescribeEndpoint", [{"EndpointStatus": "Creating"}])

    with pytest.raises(WaitTimeoutError, match=f"the endpoint {STAGING} was still Creating after 30 minutes"):
        wait_until_in_service(aws, STAGING, time.clock)


@pytest.mark.parametrize(
    ("count", "percent", "value"), [(50, 50, 25), (50, 99, 50), (100, 99, 99), (100, 50, 50), (1, 50, 1), (2, 50, 1)]
)
def test_a_percentile_is_a_value_that_was_measured(count: int, percent: int, value: float) -> None:
    shuffled = sorted(range(1, count + 1), key=lambda number: number * 7919 % 101)

    assert verify_endpoint.percentile(shuffled, percent) == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, ""),
        (1, "1"),
        (1.5, "1.5"),
        (1e-7, "1e-07"),
        (True, "true"),
        ("x", "x"),
        ('a,"b', '"a,""b"'),
        ("é\nb", '"é\nb"'),
    ],
)
def test_values_are_written_as_csv(value: Any, field: str) -> None:
    body = verify_endpoint.csv_request("x", ["a", "b"], [{"b": value, "a": 0}]).body

    assert body.decode() == f"0,{field}\n"


def _json(index: int) -> bytes:
    return verify_endpoint.json_request("", [SAMPLES.records[index]]).body
