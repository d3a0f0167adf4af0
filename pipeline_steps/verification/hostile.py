"""What no client should send: each request is refused with a reason that names the field, and the endpoint lives on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline_steps.aws import EndpointAnswer
from pipeline_steps.documents import HostileFindings, Samples
from pipeline_steps.errors import AwsError, NoAnswerError, VerificationError
from pipeline_steps.progress import say
from pipeline_steps.verification.agreement import Agreement
from pipeline_steps.verification.description import Description, kind_of
from pipeline_steps.verification.endpoint import Endpoint, shown
from pipeline_steps.verification.generated import SEED, generated_cases
from pipeline_steps.verification.hostile_case import HostileCase
from pipeline_steps.verification.limits import LARGEST_BODY_BYTES, Limits
from pipeline_steps.verification.requests import CSV, JSON, Record, Request, csv_request, json_request

MOST_COLUMNS = 20
_CALLS_BETWEEN = 25  # after so many hostile calls a good one
_MOST_FAILURES = 5
_DEEP = 100_000
_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (5, [], True),
    "date-time": (5, "yesterday", "2013-03-18T17:45+02:00"),
    "integer": ("one", 1.5, True, 10**30, float("nan")),
    "number": ("one", [], True, float("nan"), float("inf"), float("-inf")),
    "boolean": ("yes", 1),
}
_ODD: dict[str, tuple[Any, ...]] = {
    "string": ("no such category", "x" * 10_000),
    "date-time": ("9999-12-31T23:59:59", "0001-01-01T00:00"),
    "integer": (2**63 - 1, -(2**63)),
    "number": (1.7e308, -1.7e308, 5e-324),
}
"""At the ends of what the contract allows: an answer or a refusal, as the model will."""


def fixed_cases(samples: Samples, description: Description | None, limits: Limits) -> list[HostileCase]:
    """The same for every model with the same columns on the same kind of endpoint."""
    cases = [*_broken_bodies(samples), *_sizes(samples, limits), *_csv_lines(samples, description)]
    return cases if description is None else [*cases, *_wrong_records(samples.records[0], description)]


def _broken_bodies(samples: Samples) -> Iterator[HostileCase]:
    record = json.dumps(samples.records[0])
    for what, content_type, body in (
        ("an empty body", JSON, b""),
        ("an empty body as CSV", CSV, b""),
        ("JSON that breaks off", JSON, b'{"instances": [{'),
        ("JSON of another shape", JSON, b'{"instances": 5}'),
        ("JSON without records", JSON, b'{"instances": []}'),
        ("JSON with more than records", JSON, f'{{"instances": [{record}], "more": 1}}'.encode()),
        ("a list in place of a record", JSON, b'{"instances": [[1, 2]]}'),
        ("JSON that is nested very deep", JSON, b"[" * _DEEP),
        ("JSON that is no UTF-8", JSON, b'{"instances": [{"\xff\xfe": 1}]}'),
        ("JSON in UTF-16", JSON, f'{{"instances": [{record}]}}'.encode("utf-16")),
        ("half of a surrogate pair", JSON, rb'{"instances": [{"\ud800": "\udfff"}]}'),
        ("bytes that are no text", CSV, b"\xff\xfe\x00,\x80\n"),
        ("CSV with a quote that is never closed", CSV, b'"' + b"," * len(samples.columns)),
        ("a record of unknown columns", JSON, b'{"instances": [{"no such column": 1}]}'),
        ("an unknown content type", "application/x-unknown", b"1,2,3\n"),
        ("a binary content type", "application/x-npy", b"\x93NUMPY\x01\x00"),
    ):
        yield HostileCase(Request(what, content_type, body))


def _sizes(samples: Samples, limits: Limits) -> Iterator[HostileCase]:
    record = json.dumps({"instances": [samples.records[0]]}).encode()
    most, too_many = limits.body_bytes, LARGEST_BODY_BYTES + 1
    largest = f"{most:,} bytes"
    yield HostileCase(Request(f"a record and blanks, {largest} together", JSON, record.ljust(most)), may_answer=True)
    yield HostileCase(Request(f"a body of {too_many:,} bytes", JSON, record.ljust(too_many)), is_oversized=True)
    yield HostileCase(Request("a body of twice as many bytes", JSON, record.ljust(2 * too_many)), is_oversized=True)
    yield HostileCase(Request(f"{largest} without a line end as CSV", CSV, b"x" * most))
    yield HostileCase(Request(f"{largest} of line ends as CSV", CSV, b"\n" * most))


def _csv_lines(samples: Samples, description: Description | None) -> Iterator[HostileCase]:
    columns = samples.columns
    yield HostileCase(Request("a CSV line with a field too many", CSV, b"," * len(columns) + b"\n"))
    if len(columns) > 1:
        yield HostileCase(Request("a CSV line with a field too few", CSV, b"," * (len(columns) - 2) + b"\n"))
    fields = description.fields if description is not None else {}
    no_text = [column for column in columns if kind_of(fields.get(column, {})) not in ("string", "")]
    if no_text:
        header = csv_request("the names of the columns as a CSV line", columns, [{name: name for name in columns}])
        yield HostileCase(header, names=frozenset(no_text))


def _wrong_records(good: Record, description: Description) -> Iterator[HostileCase]:
    step = max(1, -(-len(description.fields) // MOST_COLUMNS))
    for name, schema in list(description.fields.items())[::step]:
        kind = kind_of(schema)
        for value in (*_WRONG.get(kind, ()), *_ODD.get(kind, ()), None, ""):
            yield _record_case(f"{_told(value)} as {name}", {**good, name: value}, description)
        yield _record_case(f"a record without {name}", {key: good[key] for key in good if key != name}, description)
        in_capitals = {(key.upper() if key == name else key): value for key, value in good.items()}
        yield _record_case(f"{name} in capitals", in_capitals, description)
    yield _record_case("a record with a column more", {**good, "no such column": 1}, description)


def _record_case(what: str, record: Record, description: Description) -> HostileCase:
    faulty = frozenset(description.faulty_fields(record))
    return HostileCase(json_request(what, [record]), names=faulty, may_answer=not faulty)


def _told(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) < 40 else f"{text[:30]}..."


@dataclass
class Hostility:
    """Sends all that and judges the answers.

    Attributes:
        refused, answered: number of the requests that were.
    """

    endpoint: Endpoint
    samples: Samples
    description: Description | None
    agreement: Agreement
    refused: int = 0
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self) -> HostileFindings:
        """Send everything, with good calls in between.

        Raises:
            VerificationError: with the first few that were not answered as they must be.
        """
        fixed = fixed_cases(self.samples, self.description, self.endpoint.limits)
        generated = [] if self.description is None else list(generated_cases(self.samples, self.description))
        self._send_all([*fixed, *generated])
        if self.failures:
            raise VerificationError("; ".join(self.failures))
        say(f"{self.refused} hostile requests refused, {self.answered} answered as they may be; the endpoint lives on")
        return HostileFindings(
            fixed=len(fixed), generated=len(generated), seed=SEED, refused=self.refused, answered=self.answered
        )

    def _send_all(self, cases: Sequence[HostileCase]) -> None:
        for start in range(0, len(cases), _CALLS_BETWEEN):
            some = cases[start : start + _CALLS_BETWEEN]
            for case in some:
                self._judge(case)
                if len(self.failures) == _MOST_FAILURES:
                    return
            self._call_well(some[-1])

    def _judge(self, case: HostileCase) -> None:
        name, what = self.endpoint.name, case.request.what
        try:
            answer = self.endpoint.send(case.request)
        except NoAnswerError as error:
            raise VerificationError(f"{name} hangs on {what}: {error}") from error
        except AwsError as error:
            # SageMaker may close the connection while such a body is still on its way.
            if not case.is_oversized:
                raise VerificationError(f"{name} must refuse {what} with a 4xx status: {error}") from error
            self.refused += 1
            return
        fault = _fault(name, case, answer)
        if fault is not None:
            self.failures.append(fault)
        elif answer.status == 200:
            self.answered += 1
        else:
            self.refused += 1

    def _call_well(self, last: HostileCase) -> None:
        what = f"a good record after hostile input such as {last.request.what}"
        try:
            self.agreement.check_one(json_request(what, self.samples.records[:1]), self.samples.predictions[:1])
        except AwsError as error:
            raise VerificationError(f"{self.endpoint.name} must answer {what}: {error}") from error


def _fault(endpoint: str, case: HostileCase, answer: EndpointAnswer) -> str | None:
    """What is wrong with the answer to a case; None when nothing is."""
    what = case.request.what
    if answer.status == 200 and case.may_answer:
        return None
    if not 400 <= answer.status < 500:
        allowed = "answer or refuse" if case.may_answer else "refuse"
        return f"{endpoint} must {allowed} {what} with a 4xx status, got {shown(answer)}"
    text = answer.body.decode("utf-8", errors="replace")
    if case.names and not any(_is_named(name, text) for name in case.names):
        named = " or ".join(sorted(case.names))
        return f"{endpoint} must name the field {named} when it refuses {what}, got {shown(answer)}"
    return None


def _is_named(name: str, text: str) -> bool:
    """Whether a refusal names a field, in its JSON or as it is."""
    return name in text or json.dumps(name)[1:-1] in text
