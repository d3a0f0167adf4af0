"""An endpoint is verified by calling it as its clients will."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_steps.aws import Aws, Invoker
from pipeline_steps.clock import SYSTEM_CLOCK, Clock
from pipeline_steps.documents import EvaluationReport, Prediction, Verification
from pipeline_steps.errors import DocumentError, VerificationError, WaitTimeoutError
from pipeline_steps.serving import wait_until_in_service
from pipeline_steps.steps import verify_endpoint
from pipeline_steps.verification.agreement import disagreements
from pipeline_steps.verification.requests import CSV, JSON, csv_request, json_request, parse_predictions
from settings import ServerlessEndpoint, Settings
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    ManualTime,
    script,
    serve_model_package,
)
from tests.pipeline_steps.verification.endpoint_double import (
    SAMPLES,
    THREE,
    Container,
    description_text,
    instances,
)

STAGING, PRODUCTION = "flight-delays-staging", "flight-delays-production"
MEASURED = {"serving_memory_mib": 400.0, "serving_processes": 2.0, "serving_start_seconds": 3.0}


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Container:
    """The container behind the endpoint (moto's endpoints give one fixed answer)."""
    container = Container()
    make = Aws.invoker

    def invoker(self: Aws, **options: Any) -> Invoker:
        made = make(self, **options)
        container.behind(made)
        return made

    monkeypatch.setattr(Aws, "invoker", invoker)
    return container


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of the load are due at once, and take no time."""
    monkeypatch.setattr(verify_endpoint, "SYSTEM_CLOCK", Clock(monotonic=lambda: 0.0, sleep=lambda _seconds: None))


@pytest.fixture
def inputs(aws: Aws, bucket: str, tmp_path: Path) -> verify_endpoint.Inputs:
    SAMPLES.write(tmp_path, "samples")
    (tmp_path / "openapi.json").write_text(description_text())
    EvaluationReport(metrics=MEASURED, rows=3).write(tmp_path, "challenger")
    arn = serve_model_package(aws, STAGING, image_uri=IMAGE_URI, model_data_uri="s3://bucket/model.tar.gz")
    return verify_endpoint.Inputs(
        execution_id=EXECUTION_ID,
        commit_id=COMMIT_ID,
        endpoint_name=STAGING,
        environment="staging",
        model_package_arn=arn,
        data_bucket=bucket,
        documents_dir=tmp_path,
    )


@pytest.fixture
def production(aws: Aws, inputs: verify_endpoint.Inputs) -> verify_endpoint.Inputs:
    arn = serve_model_package(aws, PRODUCTION, image_uri=IMAGE_URI, model_data_uri="s3://bucket/model.tar.gz")
    return replace(inputs, endpoint_name=PRODUCTION, environment="production", model_package_arn=arn)


def stored(aws: Aws, environment: str = "staging") -> Verification:
    key = f"evaluations/{EXECUTION_ID}/{environment}/verification.json"
    return Verification.parse(aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode(), key)


def test_a_good_endpoint_is_summed_up(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    summary = verify_endpoint.run(aws, settings, inputs)["SUMMARY"]

    assert summary.startswith("3 records agree with the offline predictions; ")
    for told in (" hostile requests withstood; 20 requests/s for 30 s: p50 ", "fits ml.m5.large (400 of 8,192 MiB)"):
        assert told in summary
    assert len(summary) <= 300
    one_json = (JSON, b'{"instances": [{"temp": 41.0, "dest": "a \\"hostile\\", name", "wind": null, "stops": 1}]}')
    one_csv = (CSV, b'41.0,"a ""hostile"", name",,1\n')
    all_csv = (CSV, b'39.02,BOS,10.5,0\n41.0,"a ""hostile"", name",,1\n-3,SFO,0,2\n')
    backwards = (CSV, b'-3,SFO,0,2\n41.0,"a ""hostile"", name",,1\n39.02,BOS,10.5,0\n')
    for request in (one_json, one_csv, all_csv, backwards):
        assert request in container.requests
    assert container.variants == {None}


def test_what_was_found_is_stored(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    verify_endpoint.run(aws, settings, inputs)

    found = stored(aws)
    assert (found.environment, found.endpoint_name, found.failure) == ("staging", STAGING, None)
    assert found.contract == json.loads(description_text())["info"]["version"]
    assert found.agreement is not None
    assert (found.agreement.records, found.agreement.answers) == (3, 10)
    assert found.hostile is not None
    assert found.load is not None
    assert (found.load.requests, found.load.error_percent, found.load.allowed_p99_ms) == (600, 0, 500)
    assert found.fit is not None
    assert found.fit.verdict == "fits"
    assert found.latency is None


def test_production_is_spared_hostile_input_and_load(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    summary = verify_endpoint.run(aws, settings, production)["SUMMARY"]

    assert len(container.requests) == 10
    assert "6 calls one by one: p50 " in summary
    found = stored(aws, "production")
    assert (found.hostile, found.load) == (None, None)
    assert found.latency is not None
    assert found.latency.requests == 6


@pytest.fixture
def serverless(aws: Aws, inputs: verify_endpoint.Inputs) -> verify_endpoint.Inputs:
    """Production without instances."""
    capacity = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5}}
    arn = serve_model_package(
        aws, PRODUCTION, image_uri=IMAGE_URI, model_data_uri="s3://bucket/model.tar.gz", capacity=capacity
    )
    return replace(inputs, endpoint_name=PRODUCTION, environment="production", model_package_arn=arn)


def test_a_cold_start_is_told_and_counts_for_no_objective(
    aws: Aws,
    settings: Settings,
    serverless: verify_endpoint.Inputs,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    time: ManualTime,
) -> None:
    def cold(_type: str, _body: bytes) -> None:
        time.now += 7.0 if len(container.requests) == 1 else 0.01

    container.intercept = cold
    monkeypatch.setattr("pipeline_steps.steps.verify_endpoint.time.perf_counter", lambda: time.now)

    summary = verify_endpoint.run(aws, settings, serverless)["SUMMARY"]

    assert "6 calls one by one: p50 10 ms, p99 10 ms; cold start 7.0 s; fits serverless (400 of 1,024 MiB)" in summary
    found = stored(aws, "production")
    assert found.cold_start_ms == pytest.approx(7000)


def test_a_first_call_may_take_as_long_as_a_container_may_start(
    aws: Aws,
    settings: Settings,
    serverless: verify_endpoint.Inputs,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    made = Aws.invoker

    def invoker(self: Aws, **options: Any) -> Invoker:
        waits.append(options["answer_seconds"])
        return made(self, **options)

    monkeypatch.setattr(Aws, "invoker", invoker)
    verify_endpoint.run(aws, settings, serverless)

    assert waits == [190.0]


def test_what_a_serverless_endpoint_needs_more_of_is_told_in_its_own_terms(
    aws: Aws, settings: Settings, serverless: verify_endpoint.Inputs, container: Container
) -> None:
    endpoint = ServerlessEndpoint.model_validate({"serverless": {"memory_mib": 1024, "max_concurrency": 5}})
    endpoints = settings.endpoints.model_copy(update={"staging": endpoint})
    container.intercept = lambda _type, _body: (500, b"busy") if len(container.requests) > 450 else None

    with pytest.raises(VerificationError, match="raise memory_mib or max_concurrency under endpoints of"):
        verify_endpoint.run(
            aws, settings.model_copy(update={"endpoints": endpoints}), replace(serverless, environment="staging")
        )


def test_production_too_has_to_answer_in_time(
    aws: Aws,
    settings: Settings,
    production: verify_endpoint.Inputs,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    time: ManualTime,
) -> None:
    def slow(_type: str, _body: bytes) -> None:
        time.now += 0.7

    container.intercept = slow
    monkeypatch.setattr("pipeline_steps.steps.verify_endpoint.time.perf_counter", lambda: time.now)

    with pytest.raises(
        VerificationError, match=r"p99 of 6 calls, one by one, is 700 ms, endpoints\.objectives\.p99_ms allows 500"
    ):
        verify_endpoint.run(aws, settings, production)
    assert stored(aws, "production").latency is not None


def test_an_endpoint_that_breaks_an_objective_is_told_with_the_figure(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    """All goes well until the load, of which every second call fails."""
    numbers: Iterator[int] = iter(range(10**6))

    def fail(type_: str, body: bytes) -> tuple[int, bytes] | None:
        is_single = len(instances(body)) == 1 and instances(body)[0] in SAMPLES.records
        return (500, b"busy") if len(container.requests) > 450 and is_single and next(numbers) % 2 else None

    container.intercept = fail
    with pytest.raises(VerificationError) as error:
        verify_endpoint.run(aws, settings, inputs)
    assert "endpoints.objectives.error_percent allows 0" in str(error.value)
    found = stored(aws)
    assert found.failure == str(error.value)
    assert found.load is not None
    assert found.load.error_percent > 0


@pytest.mark.parametrize(
    ("difference", "agrees"), [(0.0, True), (0.9e-6, True), (1.1e-6, False), (float("nan"), False)]
)
def test_predictions_must_agree_closely(
    aws: Aws,
    settings: Settings,
    production: verify_endpoint.Inputs,
    container: Container,
    difference: float,
    agrees: bool,
) -> None:
    second = json.dumps({"predictions": [0.5 + difference]}).encode()
    container.intercept = lambda _type, body: (200, second) if body == _json(1) else None

    if agrees:
        verify_endpoint.run(aws, settings, production)
    else:
        with pytest.raises(VerificationError, match=r"record 2 as JSON"):
            verify_endpoint.run(aws, settings, production)


def test_predictions_may_differ_by_the_tolerance_itself() -> None:
    assert disagreements([0.0, 0.0], [1e-6, -1.0000001e-6]) == [1]


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
    assert disagreements(offline, answered) == wrong


@pytest.mark.parametrize(
    ("answer", "content_type"),
    [("0.25,0.75\n1.0,0.0\n", CSV), ('{"predictions": [[0.25, 0.75], [1, 0]]}', JSON)],
    ids=["csv", "json"],
)
def test_an_answer_can_hold_a_probability_for_each_class(answer: str, content_type: str) -> None:
    assert parse_predictions(answer, content_type) == [(0.25, 0.75), (1.0, 0.0)]


def test_a_batch_in_another_order_is_noticed(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    mixed_up = b"0.125\n0.5\n0.25\n"
    container.intercept = lambda type_, body: (200, mixed_up) if type_ == CSV and body.count(b"\n") == 3 else None

    with pytest.raises(VerificationError, match=r"on 2 of 3 records of all 3 records as CSV: the first is 0\.125"):
        verify_endpoint.run(aws, settings, production)


def test_a_server_that_sorts_records_is_noticed_even_when_the_samples_are_sorted(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    def sort(type_: str, body: bytes) -> tuple[int, bytes] | None:
        stops = [record.get("stops") for record in instances(body)]
        return (200, b'{"predictions": [0.25, 0.5, 0.125]}') if sorted(stops, key=str) == [0, 1, 2] else None

    container.intercept = sort
    with pytest.raises(VerificationError, match="on 2 of 3 records of all 3 records backwards as JSON"):
        verify_endpoint.run(aws, settings, production)


@pytest.mark.parametrize(
    ("content_type", "answer", "said"),
    [
        (JSON, b'{"predictions": [1.25]}', "but predictions[0]: 1.25 is greater than the maximum of 1"),
        (CSV, b"1.25\n", "but predictions[0]: 1.25 is greater than the maximum of 1"),
        (JSON, b'{"predictions": [-0.25]}', "but predictions[0]: -0.25 is less than the minimum of 0"),
        (JSON, b'{"predictions": [true]}', "but predictions[0]: True is not of type 'number'"),
        (JSON, b'{"predictions": ["0.25"]}', "but predictions[0]: '0.25' is not of type 'number'"),
        (JSON, b'{"predictions": [[0.25]]}', "but predictions[0]: [0.25] is not of type 'number'"),
        (CSV, b"0.25,0.75\n", "but predictions[0]: [0.25, 0.75] is not of type 'number'"),
        (JSON, b'{"predictions": [0.25], "model": 1}', "('model' was unexpected)"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_as_the_description_says_is_told_with_its_place(
    aws: Aws,
    settings: Settings,
    production: verify_endpoint.Inputs,
    container: Container,
    content_type: str,
    answer: bytes,
    said: str,
) -> None:
    container.intercept = lambda type_, _body: (200, answer) if type_ == content_type else None

    with pytest.raises(VerificationError) as failure:
        verify_endpoint.run(aws, settings, production)
    kind = "JSON" if content_type == JSON else "CSV"
    assert f"must answer record 1 as {kind} as the model's openapi.json says" in str(failure.value)
    assert said in str(failure.value)


def test_probabilities_of_classes_are_held_to_the_description_too(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    samples = SAMPLES.model_copy(update={"predictions": ((0.25, 0.25, 0.5), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5))})
    samples.write(production.documents_dir, "samples")
    (production.documents_dir / "openapi.json").write_text(description_text(THREE))
    container.serve(samples, THREE)

    verify_endpoint.run(aws, settings, production)

    container.intercept = lambda type_, body: (200, b'{"predictions": [[0.5, 0.5]]}') if type_ == JSON else None
    with pytest.raises(VerificationError, match=r"predictions\[0\]: \[0.5, 0.5\] is too short"):
        verify_endpoint.run(aws, settings, production)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b'{"predictions": []}', "predictions: [] should be non-empty"),
        (b'{"predictions": ["late"]}', "must answer record 1 as JSON with predictions as application/json"),
        (b'{"prediction": 0.25}', 'is not of the form {"predictions": [...]}'),
        (b"[0.25]", 'is not of the form {"predictions": [...]}'),
        (b"<html>", "got '<html>'"),
        (b'{"predictions": [0.25, 0.25]}', "must answer record 1 as JSON with 1 predictions, got 2"),
    ],
)
def test_an_answer_that_is_no_prediction_is_shown(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container, answer: bytes, text: str
) -> None:
    container.intercept = lambda _type, _body: (200, answer)

    with pytest.raises(VerificationError) as failure:
        verify_endpoint.run(aws, settings, production)
    assert text in str(failure.value)


def test_an_error_on_a_good_record_is_shown(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    container.intercept = lambda _type, _body: (500, b"out of memory")

    with pytest.raises(
        VerificationError, match=r"record 1 as JSON with status 200 .*got status 500 and 'out of memory'"
    ):
        verify_endpoint.run(aws, settings, production)


def test_an_answer_of_another_type_than_was_asked_for_is_shown(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    container.content_type = "text/html"

    with pytest.raises(
        VerificationError, match=r"with status 200 and application/json, got status 200 .* as text/html"
    ):
        verify_endpoint.run(aws, settings, production)


def test_a_model_that_came_without_a_description_is_verified_as_far_as_it_goes(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    (inputs.documents_dir / "openapi.json").unlink()

    verify_endpoint.run(aws, settings, inputs)

    found = stored(aws)
    assert found.contract is None
    assert found.hostile is not None
    assert found.hostile.generated == 0


def test_a_description_that_cannot_be_used_is_named(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    described = json.loads(description_text())
    del described["components"]["schemas"]["Predictions"]
    (inputs.documents_dir / "openapi.json").write_text(json.dumps(described))

    with pytest.raises(DocumentError, match=r"openapi\.json has no schema Predictions in its components"):
        verify_endpoint.run(aws, settings, inputs)


def test_hostile_input_that_is_answered_with_a_5xx_fails_the_step(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    container.intercept = lambda type_, _body: (500, b"") if type_ == "application/x-unknown" else None

    with pytest.raises(VerificationError, match="must refuse an unknown content type with a 4xx status"):
        verify_endpoint.run(aws, settings, inputs)
    found = stored(aws)
    assert found.agreement is not None
    assert found.load is None
    assert "must refuse an unknown content type" in (found.failure or "")


def test_a_model_that_does_not_fit_its_instance_is_refused_before_it_is_called(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    large = EvaluationReport(metrics={**MEASURED, "serving_memory_mib": 9000.0}, rows=3)
    large.write(inputs.documents_dir, "challenger")

    with pytest.raises(VerificationError, match=r"takes 9,000 MiB under load, ml\.m5\.large has 8,192 MiB"):
        verify_endpoint.run(aws, settings, inputs)
    assert container.requests == []
    fit = stored(aws).fit
    assert fit is not None
    assert fit.verdict == "does not fit"


def test_staging_makes_the_report_again_and_production_does_not(
    aws: Aws,
    settings: Settings,
    inputs: verify_endpoint.Inputs,
    production: verify_endpoint.Inputs,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published: list[Verification] = []
    monkeypatch.setattr(verify_endpoint, "publish_again", lambda _aws, verification, *_: published.append(verification))

    verify_endpoint.run(aws, settings, inputs)
    verify_endpoint.run(aws, settings, production)
    assert [one.environment for one in published] == ["staging"]

    container.intercept = lambda _type, _body: (500, b"")
    with pytest.raises(VerificationError):
        verify_endpoint.run(aws, settings, inputs)
    assert published[1].failure is not None


def test_an_endpoint_that_serves_another_package_is_refused(
    aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs, container: Container
) -> None:
    other = replace(inputs, model_package_arn=f"{inputs.model_package_arn}0")

    with pytest.raises(VerificationError, match=r"must serve .*/10, but serves .*/1$"):
        verify_endpoint.run(aws, settings, other)
    assert container.requests == []


def test_missing_samples_are_named(aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs) -> None:
    (inputs.documents_dir / "samples.json").unlink()

    with pytest.raises(DocumentError, match=r"samples\.json"):
        verify_endpoint.run(aws, settings, inputs)


# --- A challenger beside the champion ---------------------------------------------------------------------------------


@pytest.fixture
def tested(aws: Aws, production: verify_endpoint.Inputs) -> verify_endpoint.Inputs:
    """An A/B test: production serves a champion, and the version under release as the variant Challenger."""
    arn = serve_model_package(aws, "challenger", image_uri=IMAGE_URI, model_data_uri="s3://bucket/new.tar.gz")
    beside(aws, "ProductionVariants", "challenger-model")
    return replace(production, challenger_model_package_arn=arn)


def beside(aws: Aws, kind: str, model: str) -> None:
    variant = {"VariantName": "Challenger", "ModelName": model, "InstanceType": "ml.m5.xlarge"}
    config = aws.sagemaker.describe_endpoint_config(EndpointConfigName=f"{PRODUCTION}-config")
    script(aws.sagemaker, "DescribeEndpointConfig", [{kind: [*config.get(kind, []), variant]}])


def test_in_an_ab_test_it_is_the_challenger_that_is_asked(
    aws: Aws, settings: Settings, tested: verify_endpoint.Inputs, container: Container
) -> None:
    verify_endpoint.run(aws, settings, tested)

    assert container.variants == {"Challenger"}
    fit = stored(aws, "production").fit
    assert fit is not None
    assert fit.instance_type == "ml.m5.xlarge"


def test_a_shadow_is_looked_at_and_not_asked(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs, container: Container
) -> None:
    arn = serve_model_package(aws, "challenger", image_uri=IMAGE_URI, model_data_uri="s3://bucket/new.tar.gz")
    beside(aws, "ShadowProductionVariants", "challenger-model")

    summary = verify_endpoint.run(aws, settings, replace(production, challenger_model_package_arn=arn))["SUMMARY"]

    assert container.requests == []
    assert summary == "fits ml.m5.xlarge (800 of 16,384 MiB)"


def test_another_challenger_than_was_to_be_deployed_is_refused(
    aws: Aws, settings: Settings, tested: verify_endpoint.Inputs, production: verify_endpoint.Inputs
) -> None:
    other = replace(tested, challenger_model_package_arn=f"{tested.challenger_model_package_arn}0")
    with pytest.raises(VerificationError, match=r"the variant Challenger .* must serve .*/30, but serves .*/3"):
        verify_endpoint.run(aws, settings, other)
    with pytest.raises(VerificationError, match=r"the variant Challenger .* must serve none, but serves .*/3"):
        verify_endpoint.run(aws, settings, production)


def test_a_challenger_that_is_not_there_is_missed(
    aws: Aws, settings: Settings, production: verify_endpoint.Inputs
) -> None:
    missing = replace(production, challenger_model_package_arn=f"{production.model_package_arn}0")
    with pytest.raises(VerificationError, match=r"the variant Challenger .* must serve .*/20, but serves none"):
        verify_endpoint.run(aws, settings, missing)


# --- Waiting ----------------------------------------------------------------------------------------------------------


def test_a_missing_endpoint_is_named(aws: Aws, settings: Settings, inputs: verify_endpoint.Inputs) -> None:
    aws.sagemaker.delete_endpoint(EndpointName=STAGING)

    with pytest.raises(VerificationError, match=f"there is no endpoint {STAGING}"):
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
    body = csv_request("x", ["a", "b"], [{"b": value, "a": 0}]).body

    assert body.decode() == f"0,{field}\n"


def _json(index: int) -> bytes:
    return json_request("", [SAMPLES.records[index]]).body
