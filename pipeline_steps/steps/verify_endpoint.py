"""Call an endpoint as its clients will, and compare what it answers with what the model answered offline.

in   endpoint_name      the endpoint that was deployed
in   model_package_arn  what it must serve
in   samples.json       Samples: records and the predictions made offline
out  SUMMARY            for the pipeline
"""

import csv
import io
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import SYSTEM_CLOCK
from pipeline_steps.documents import Prediction, Samples
from pipeline_steps.errors import ModelError, VerificationError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.progress import say
from pipeline_steps.serving import served_model_package, wait_until_in_service
from settings import Settings

TOLERANCE = 1e-6
LATENCY_REQUESTS = 50
CSV, JSON = "text/csv", "application/json"

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given."""

    endpoint_name: str
    model_package_arn: str
    documents_dir: Path


@dataclass(frozen=True)
class Request:
    """One request to the endpoint; `what` says in a failure's text what was sent."""

    what: str
    content_type: str
    body: bytes


def csv_request(what: str, columns: Sequence[str], records: Sequence[Record]) -> Request:
    """Records as text/csv: no header, the model's own order of columns, a missing value as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[_csv_field(record.get(column)) for column in columns] for record in records])
    return Request(what, CSV, text.getvalue().encode())


def json_request(what: str, records: Sequence[Record]) -> Request:
    """Records as application/json."""
    return Request(what, JSON, json.dumps({"instances": list(records)}).encode())


def hostile_requests(samples: Samples) -> list[Request]:
    """What a client must not send, each to be answered with a 4xx status."""
    requests = [
        Request("JSON that breaks off", JSON, b'{"instances": [{'),
        Request("JSON of another shape", JSON, b'{"instances": 5}'),
        Request("a record of unknown columns", JSON, b'{"instances": [{"no such column": 1}]}'),
        Request("bytes that are no text", CSV, b"\xff\xfe\x00,\x80\n"),
        Request("a CSV line with a field too many", CSV, b"," * len(samples.columns) + b"\n"),
        Request("an unknown content type", "application/x-unknown", b"1,2,3\n"),
    ]
    number = next((column for column in samples.columns if _is_numeric(samples, column)), None)
    if number is not None:
        record = {**samples.records[0], number: "not a number"}
        requests.append(json_request(f"text in the numeric column {number}", [record]))
    return requests


def parse_predictions(answer: str, content_type: str) -> list[Prediction]:
    """The predictions in an endpoint's answer: numbers, or a probability for each class.

    Raises:
        ValueError: these are no predictions.
    """
    if content_type == CSV:
        lines = [[float(field) for field in line.split(",")] for line in answer.split()]
        return [line[0] if len(line) == 1 else tuple(line) for line in lines]
    document = json.loads(answer)
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        raise ValueError('is not of the form {"predictions": [...]}')  # noqa: TRY004 (the text's form, not a type)
    return [
        tuple(map(float, prediction)) if isinstance(prediction, list) else float(prediction)
        for prediction in document["predictions"]
    ]


def disagreements(expected: Sequence[Prediction], answered: Sequence[Prediction]) -> list[int]:
    """Places where two lists of predictions differ by more than 1e-6 (a NaN differs from everything)."""
    return [
        index
        for index, (offline, online) in enumerate(zip(expected, answered, strict=True))
        if not _agree(offline, online)
    ]


def _agree(offline: Prediction, online: Prediction) -> bool:
    if isinstance(offline, tuple) and isinstance(online, tuple):
        return len(offline) == len(online) and not disagreements(offline, online)
    return isinstance(offline, float) and isinstance(online, float) and abs(offline - online) <= TOLERANCE


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that `percent` % of the values do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Verify that an endpoint serves the package, agrees with the offline predictions and withstands hostile input.

    Raises:
        VerificationError: it does not, with the request, what was expected and what came.
    """
    samples = Samples.read(inputs.documents_dir, "samples")
    say(f"verifying {inputs.endpoint_name} with {len(samples.records)} records")
    wait_until_in_service(aws, inputs.endpoint_name, SYSTEM_CLOCK)
    _check_package(aws, inputs)
    endpoint = _Endpoint(aws, inputs.endpoint_name)
    _check_predictions(endpoint, samples)
    _check_hostile_input(endpoint, samples)
    p50, p99 = _latency_milliseconds(endpoint, samples, time.perf_counter)
    agreement = f"{len(samples.records)} records agree with the offline predictions"
    return {"SUMMARY": f"{agreement}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"}


@dataclass(frozen=True)
class _Endpoint:
    """An endpoint under verification."""

    aws: Aws
    name: str

    def send(self, request: Request) -> str:
        """The container's answer; raises ModelError when that has an error status."""
        with translated(f"get an answer of {self.name} to {request.what}"):
            answer = self.aws.sagemaker_runtime.invoke_endpoint(
                EndpointName=self.name, ContentType=request.content_type, Accept=request.content_type, Body=request.body
            )
            body: bytes = answer["Body"].read()
        return body.decode("utf-8", errors="replace")

    def check(self, request: Request, expected: Sequence[Prediction]) -> None:
        """Send records and compare the predictions."""
        answer = self.send(request)
        try:
            predictions = parse_predictions(answer, request.content_type)
        except (ValueError, TypeError) as error:
            raise VerificationError(
                f"{self.name} must answer {request.what} with predictions as {request.content_type}, "
                f"got {answer[:200]!r} ({error})"
            ) from error
        if len(predictions) != len(expected):
            raise VerificationError(
                f"{self.name} must answer {request.what} with {len(expected)} predictions, got {len(predictions)}"
            )
        wrong = disagreements(expected, predictions)
        if wrong:
            first = wrong[0]
            raise VerificationError(
                f"{self.name} disagrees with the offline predictions on {len(wrong)} of {len(expected)} records of "
                f"{request.what}: the first is {predictions[first]!r}, offline it was {expected[first]!r}"
            )


def _check_package(aws: Aws, inputs: Inputs) -> None:
    served = served_model_package(aws, inputs.endpoint_name)
    if served != inputs.model_package_arn:
        raise VerificationError(f"{inputs.endpoint_name} must serve {inputs.model_package_arn}, but serves {served}")
    say(f"{inputs.endpoint_name} serves {served}")


def _check_predictions(endpoint: _Endpoint, samples: Samples) -> None:
    columns, records, predictions = samples.columns, samples.records, samples.predictions
    for index, (record, prediction) in enumerate(zip(records, predictions, strict=True), start=1):
        endpoint.check(json_request(f"record {index} as JSON", [record]), [prediction])
        endpoint.check(csv_request(f"record {index} as CSV", columns, [record]), [prediction])
    endpoint.check(json_request(f"all {len(records)} records as JSON", records), predictions)
    endpoint.check(csv_request(f"all {len(records)} records as CSV", columns, records), predictions)
    say(f"{len(records)} records agree, one by one and as a batch, as JSON and as CSV")


def _check_hostile_input(endpoint: _Endpoint, samples: Samples) -> None:
    requests = hostile_requests(samples)
    for request in requests:
        try:
            answer = endpoint.send(request)
        except ModelError as error:
            if 400 <= error.status < 500:
                continue
            raise VerificationError(f"{endpoint.name} must refuse {request.what} with a 4xx status: {error}") from error
        raise VerificationError(
            f"{endpoint.name} must refuse {request.what} with a 4xx status, but answered {answer[:200]!r}"
        )
    endpoint.check(json_request("a record after hostile input", samples.records[:1]), samples.predictions[:1])
    say(f"{len(requests)} kinds of hostile input were refused, and the endpoint lives on")


def _latency_milliseconds(endpoint: _Endpoint, samples: Samples, seconds: Callable[[], float]) -> tuple[float, float]:
    """p50 and p99 of requests with one record each, as a client in this network sees them."""
    durations = []
    for index in range(LATENCY_REQUESTS):
        request = json_request("a record", [samples.records[index % len(samples.records)]])
        started = seconds()
        endpoint.send(request)
        durations.append((seconds() - started) * 1000)
    return percentile(durations, 50), percentile(durations, 99)


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _is_numeric(samples: Samples, column: str) -> bool:
    values = [record.get(column) for record in samples.records]
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
