"""What no client should send is refused by name, and an endpoint that does otherwise is found out."""

import json
from collections import Counter

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from pipeline_steps.aws import Aws
from pipeline_steps.documents import HostileFindings, Samples
from pipeline_steps.errors import VerificationError
from pipeline_steps.verification.agreement import Agreement
from pipeline_steps.verification.endpoint import Endpoint
from pipeline_steps.verification.generated import REQUESTS, generated_cases
from pipeline_steps.verification.hostile import MOST_COLUMNS, Hostility, fixed_cases
from pipeline_steps.verification.hostile_case import HostileCase
from pipeline_steps.verification.limits import INSTANCES, LARGEST_BODY_BYTES, SERVERLESS
from tests.pipeline_steps.verification.endpoint_double import SAMPLES, Container, description, instances, invoker

DESCRIPTION = description()


def check(aws: Aws, container: Container, *, described: bool = True) -> HostileFindings:
    endpoint = Endpoint(invoker(aws, container), "flight-delays-staging")
    its_description = DESCRIPTION if described else None
    agreement = Agreement(endpoint, SAMPLES, its_description, lambda: 0.0)
    return Hostility(endpoint, SAMPLES, its_description, agreement).check()


def test_the_server_withstands_everything(aws: Aws) -> None:
    container = Container()

    found = check(aws, container)

    cases = [*fixed_cases(SAMPLES, DESCRIPTION, INSTANCES), *generated_cases(SAMPLES, DESCRIPTION)]
    assert found.fixed + found.generated == found.refused + found.answered == len(cases)
    assert found.generated >= REQUESTS
    assert found.refused > found.answered > 20
    good = -(-len(cases) // 25)
    assert len(container.requests) == len(cases) + good


def test_without_a_description_the_bodies_alone_are_hostile(aws: Aws) -> None:
    found = check(aws, Container(), described=False)

    assert found.generated == 0
    assert 15 < found.fixed < 40


def test_all_that_the_contract_names_is_among_the_requests() -> None:
    whats = "\n".join(case.request.what for case in fixed_cases(SAMPLES, DESCRIPTION, INSTANCES))

    for what in (
        "an empty body", "'one' as temp", "a record without stops", "a column more", "'no such category' as dest",
        "nan as temp", "inf as wind", "1.7e+308 as temp", "000000 as stops",
        "6,291,456 bytes together", "a body of 6,291,457 bytes", "a body of twice as many bytes",
        "bytes that are no text", "an unknown content type",
        "nothing as dest", "names of the columns as a CSV line",
    ):  # fmt: skip
        assert what in whats, what


def test_a_serverless_endpoint_is_sent_no_larger_good_body_than_it_takes() -> None:
    cases = fixed_cases(SAMPLES, DESCRIPTION, SERVERLESS)

    assert max(len(case.request.body) for case in cases if not case.is_oversized) == 4_000_000
    assert min(len(case.request.body) for case in cases if case.is_oversized) == LARGEST_BODY_BYTES + 1


def test_what_must_be_refused_and_what_may_be_answered_is_told_apart() -> None:
    cases = {case.request.what: case for case in fixed_cases(SAMPLES, DESCRIPTION, INSTANCES)}

    assert cases["'one' as temp"].names == {"temp"}
    assert cases["a record without stops"].names == {"stops"}
    assert cases["a record with a column more"].names == {"no such column"}
    assert cases["nan as wind"].names == {"wind"}
    assert cases["nothing as dest"].names == {"dest"}
    assert cases["nothing as wind"].may_answer
    assert cases["a record without wind"].may_answer
    assert cases["'no such category' as dest"].may_answer
    assert cases["1.7e+308 as temp"].may_answer
    assert not any(case.may_answer for case in cases.values() if case.names)


def test_generated_requests_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    def bodies(seed: int) -> list[bytes]:
        return [case.request.body for case in generated_cases(SAMPLES, DESCRIPTION, seed)]

    assert bodies(1) == bodies(1)
    assert bodies(1) != bodies(2)


def test_generated_requests_are_of_every_kind() -> None:
    cases = list(generated_cases(SAMPLES, DESCRIPTION))

    kinds = Counter((case.request.content_type, case.may_answer) for case in cases)
    assert set(kinds) == {(kind, may) for kind in ("text/csv", "application/json") for may in (True, False)}
    assert {name for case in cases for name in case.names} > set(SAMPLES.columns)
    assert {len(instances(case.request.body)) for case in cases} >= {1, 2, 3, 4}


def answering(container: Container, what: str, answer: tuple[int, bytes]) -> None:
    """Answer one of the requests in another way."""
    (case,) = [case for case in fixed_cases(SAMPLES, DESCRIPTION, INSTANCES) if case.request.what == what]
    hostile_request = (case.request.content_type, case.request.body)
    container.intercept = lambda type_, body: answer if (type_, body) == hostile_request else None


@pytest.mark.parametrize(
    ("what", "answer", "said"),
    [
        ("JSON that breaks off", (500, b"oh"), "must refuse JSON that breaks off with a 4xx status, got status 500"),
        ("JSON that breaks off", (200, b"0.5"), "must refuse JSON that breaks off with a 4xx status, got status 200"),
        ("an empty body", (0, b"exited"), "a 4xx status, got no answer of the container, but 'exited'"),
        ("a body of twice as many bytes", (502, b""), "twice as many bytes with a 4xx status, got status 502"),
        ("nan as temp", (200, b"0.5"), "must refuse nan as temp with a 4xx status, got status 200 and '0.5'"),
        ("nan as temp", (400, b"no"), "must name the field temp when it refuses nan as temp, got status 400 and 'no'"),
        ("nothing as wind", (503, b""), "must answer or refuse nothing as wind with a 4xx status, got status 503"),
    ],
)  # fmt: skip
def test_an_endpoint_that_answers_otherwise_is_told(aws: Aws, what: str, answer: tuple[int, bytes], said: str) -> None:
    container = Container()
    answering(container, what, answer)

    with pytest.raises(VerificationError) as error:
        check(aws, container)
    assert said in str(error.value)


def test_a_refusal_may_name_the_field_in_its_json(aws: Aws) -> None:
    container = Container()
    answering(container, "nan as temp", (400, json.dumps({"error": {"field": "temp"}}).encode()))

    check(aws, container)


def test_what_may_be_answered_may_also_be_refused(aws: Aws) -> None:
    container = Container()
    answering(container, "'no such category' as dest", (400, b"I know no such destination"))

    check(aws, container)


def test_several_faults_are_told_together_but_not_all_of_many(aws: Aws) -> None:
    container = Container()
    container.intercept = lambda type_, body: None if body.startswith(b'{"instances": [{"temp": 39.02,') else (500, b"")

    with pytest.raises(VerificationError) as error:
        check(aws, container)
    assert str(error.value).count("with a 4xx status, got status 500") == 5


def test_an_endpoint_that_dies_of_it_is_noticed_by_the_next_good_call(aws: Aws) -> None:
    container = Container()

    def dead_since(type_: str, body: bytes) -> tuple[int, bytes] | None:
        is_good = instances(body) == [SAMPLES.records[0]]
        met = any(type_ == "application/x-unknown" for type_, _ in container.requests)
        return (200, b'{"predictions": [0.9]}') if met and is_good else None

    container.intercept = dead_since
    with pytest.raises(VerificationError, match="on 1 of 1 records of a good record after hostile input such as"):
        check(aws, container)


def test_an_endpoint_that_hangs_is_told(aws: Aws) -> None:
    container = Container()

    def hang(type_: str, body: bytes) -> tuple[int, bytes] | None:
        if body == b'{"instances": 5}':
            raise ReadTimeoutError(endpoint_url="https://runtime.test")
        return None

    container.intercept = hang
    with pytest.raises(VerificationError, match=r"hangs on JSON of another shape: .*there was no answer in time"):
        check(aws, container)


@pytest.mark.parametrize("answer", ["413 of SageMaker", "closed"])
def test_sagemaker_may_refuse_a_body_that_is_too_large_itself(aws: Aws, answer: str) -> None:
    container = Container()

    def refuse(type_: str, body: bytes) -> tuple[int, bytes] | None:
        if len(body) <= LARGEST_BODY_BYTES:
            return None
        if answer == "closed":
            raise ConnectionClosedError(endpoint_url="https://runtime.test")
        return 413, b""

    container.intercept = refuse
    check(aws, container)


def test_a_connection_that_breaks_off_at_a_small_request_is_a_fault(aws: Aws) -> None:
    container = Container()

    def close(type_: str, body: bytes) -> tuple[int, bytes] | None:
        if not body:
            raise ConnectionClosedError(endpoint_url="https://runtime.test")
        return None

    container.intercept = close
    with pytest.raises(VerificationError, match="must refuse an empty body with a 4xx status: could not get an answer"):
        check(aws, container)


def test_of_many_columns_a_few_are_asked_for() -> None:
    schema = {"type": "number"}
    many = Samples(columns=("a",), records=({f"c{n}": 1.0 for n in range(300)},), predictions=(0.5,))
    wide = description()
    wide.fields = {f"c{n}": schema for n in range(300)}

    cases: list[HostileCase] = [
        case for case in fixed_cases(many, wide, INSTANCES) if case.request.what.startswith("'one' as ")
    ]

    assert len(cases) == MOST_COLUMNS
