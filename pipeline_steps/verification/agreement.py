"""The endpoint answers as its description says, and what the model answered offline: one by one and together."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline_steps.documents import AgreementFindings, Prediction, Samples
from pipeline_steps.errors import VerificationError
from pipeline_steps.progress import say
from pipeline_steps.verification.description import Description
from pipeline_steps.verification.endpoint import Endpoint, shown
from pipeline_steps.verification.requests import Request, csv_request, json_request, parse_predictions

TOLERANCE = 1e-6


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


@dataclass
class Agreement:
    """Holds the endpoint's answers to the description and to the offline predictions.

    Args:
        description: None for a model of before there were any.
        seconds: a clock.

    Attributes:
        milliseconds: how long each answer to one record took.
    """

    endpoint: Endpoint
    samples: Samples
    description: Description | None
    seconds: Callable[[], float]
    milliseconds: list[float] = field(default_factory=list)

    def first_call(self) -> float:
        """Ask for one record; how many milliseconds the right answer took.

        Raises:
            VerificationError: it is another answer.
        """
        return self._time_one(
            json_request("the first record as JSON", self.samples.records[:1]), self.samples.predictions[0]
        )

    def check(self) -> AgreementFindings:
        """Ask for all samples, each alone and all together, forwards and backwards, as JSON and as CSV.

        Raises:
            VerificationError: with the first answer that is not as it must be.
        """
        columns, records, predictions = self.samples.columns, self.samples.records, self.samples.predictions
        for index, (record, prediction) in enumerate(zip(records, predictions, strict=True), start=1):
            for request in (
                json_request(f"record {index} as JSON", [record]),
                csv_request(f"record {index} as CSV", columns, [record]),
            ):
                self.milliseconds.append(self._time_one(request, prediction))
        # Backwards too: who sorts records may by chance have those of the one order.
        for order, step in (("", 1), (" backwards", -1)):
            asked, expected = records[::step], predictions[::step]
            self.check_one(json_request(f"all {len(asked)} records{order} as JSON", asked), expected)
            self.check_one(csv_request(f"all {len(asked)} records{order} as CSV", columns, asked), expected)
        say(f"{len(records)} records agree, one by one and as a batch, as JSON and as CSV")
        return AgreementFindings(records=len(records), tolerance=TOLERANCE, answers=2 * len(records) + 4)

    def check_one(self, request: Request, expected: Sequence[Prediction]) -> None:
        """Send records and compare the predictions."""
        answer = self.endpoint.send(request)
        name, what, text = self.endpoint.name, request.what, answer.body.decode("utf-8", errors="replace")
        if answer.status != 200 or answer.content_type.partition(";")[0].strip() != request.content_type:
            kind = f" as {answer.content_type or 'nothing'}" if answer.status == 200 else ""
            raise VerificationError(
                f"{name} must answer {what} with status 200 and {request.content_type}, got {shown(answer)}{kind}"
            )
        try:
            predictions = parse_predictions(text, request.content_type)
        except (ValueError, TypeError) as error:
            raise VerificationError(
                f"{name} must answer {what} with predictions as {request.content_type}, got {text[:200]!r} ({error})"
            ) from error
        self._check_form(request, text, predictions)
        if len(predictions) != len(expected):
            raise VerificationError(
                f"{name} must answer {what} with {len(expected)} predictions, got {len(predictions)}"
            )
        wrong = disagreements(expected, predictions)
        if wrong:
            first = wrong[0]
            raise VerificationError(
                f"{name} disagrees with the offline predictions on {len(wrong)} of {len(expected)} records of {what}: "
                f"the first is {predictions[first]!r}, offline it was {expected[first]!r}"
            )

    def _time_one(self, request: Request, expected: Prediction) -> float:
        started = self.seconds()
        self.check_one(request, [expected])
        return (self.seconds() - started) * 1000

    def _check_form(self, request: Request, text: str, predictions: Sequence[Prediction]) -> None:
        if self.description is None:
            return
        is_csv = request.content_type == "text/csv"
        document = {"predictions": [_as_json(one) for one in predictions]} if is_csv else json.loads(text)
        fault = self.description.fault_of_predictions(document)
        if fault is not None:
            raise VerificationError(
                f"{self.endpoint.name} must answer {request.what} as the model's openapi.json says, but {fault}"
            )


def _as_json(prediction: Prediction) -> object:
    return list(prediction) if isinstance(prediction, tuple) else prediction
