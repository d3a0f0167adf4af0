"""Call an endpoint as its clients will: what it answers, what it refuses, how it bears their number.

Staging takes everything. Production is spared hostile input and load: its container has withstood both in staging, and
there they would set off the alarms of a rollout and come on top of what clients ask.

in   endpoint_name      the endpoint that was deployed
in   environment        whose it is: staging or production
in   model_package_arn  what it must serve
in   challenger_model_package_arn  what it must serve beside that, in an A/B test or as a shadow; else none
in   samples.json       Samples: records and the predictions made offline
in   openapi.json       what the endpoint takes and answers; absent for a version of before there was one
in   challenger.json    EvaluationReport: what memory the container takes, and how long it starts
in   report_facts.json  and the other documents of the evaluation, to make the report again
out  verification.json  Verification, in S3; staging's is also in the report
out  SUMMARY            for the pipeline and the approval
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_steps.aws import Aws
from pipeline_steps.clock import SYSTEM_CLOCK
from pipeline_steps.documents import EvaluationReport, LatencyFindings, Samples, Verification
from pipeline_steps.errors import VerificationError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.progress import say
from pipeline_steps.serving import VARIANT, served_model_package, wait_until_in_service
from pipeline_steps.verification.agreement import Agreement
from pipeline_steps.verification.description import Description
from pipeline_steps.verification.endpoint import Endpoint
from pipeline_steps.verification.findings import (
    cold_start_words,
    fit_words,
    load_words,
    publish_again,
    store,
    summary,
)
from pipeline_steps.verification.fit import judge_fit
from pipeline_steps.verification.hostile import Hostility
from pipeline_steps.verification.limits import limits_of
from pipeline_steps.verification.load import (
    SHORTEST_ANSWER_SECONDS,
    answer_seconds,
    broken_objectives,
    connections,
    measure_load,
    percentile,
)
from pipeline_steps.verification.requests import json_request
from pipeline_steps.verification.variants import CHALLENGER, Variants, model_package_of, read_variants
from settings import AnyEndpoint, ServerlessEndpoint, Settings

STAGING = "staging"
NO_CHALLENGER = "none"
_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given."""

    endpoint_name: str
    environment: str
    model_package_arn: str
    challenger_model_package_arn: str = NO_CHALLENGER
    data_bucket: str
    documents_dir: Path


def run(aws: Aws, settings: Settings, inputs: Inputs) -> Mapping[str, str]:
    """Verify that an endpoint serves the package as it was shipped, and store what was found, good or bad.

    Raises:
        VerificationError: it does not, with the request, what was expected and what came.
    """
    verification = Verification(
        environment=inputs.environment, endpoint_name=inputs.endpoint_name, model_package_arn=inputs.model_package_arn
    )
    failure: VerificationError | None = None
    try:
        for found in _findings(aws, settings, inputs):
            verification = verification.model_copy(update=found)
    except VerificationError as error:
        failure, verification = error, verification.model_copy(update={"failure": str(error)})
    store(aws, verification, inputs.data_bucket, inputs.execution_id)
    if inputs.environment == STAGING:  # what is found in production comes after the approval that the report is for
        folder, bucket = inputs.documents_dir, inputs.data_bucket
        publish_again(aws, verification, settings.evaluation, folder, bucket, inputs.execution_id)
    if failure is not None:
        raise failure
    return {"SUMMARY": summary(verification)}


def _findings(aws: Aws, settings: Settings, inputs: Inputs) -> Iterator[Mapping[str, Any]]:
    """One check after the other: fields of the Verification."""
    samples = Samples.read(inputs.documents_dir, "samples")
    description = Description.read(inputs.documents_dir)
    say(f"verifying {inputs.endpoint_name} with {len(samples.records)} records")
    wait_until_in_service(aws, inputs.endpoint_name, SYSTEM_CLOCK)
    _check_package(aws, inputs)
    variants = read_variants(aws, inputs.endpoint_name)
    tested = None if inputs.challenger_model_package_arn == NO_CHALLENGER else CHALLENGER
    _check_challenger(aws, inputs, variants)
    yield from _fit(inputs, variants, tested or VARIANT)
    if tested in variants.shadow:
        say("the samples are the shadow's, whose answers nobody gets: clients' calls will show how it does")
        return
    limits = limits_of(variants.production[tested or VARIANT])
    seconds = SHORTEST_ANSWER_SECONDS + (limits.start_seconds if limits.starts_when_called else 0)
    invoker = aws.invoker(connections=1, answer_seconds=seconds, attempts=_ATTEMPTS)
    endpoint = Endpoint(invoker, inputs.endpoint_name, tested, limits)
    agreement = Agreement(endpoint, samples, description, time.perf_counter)
    if limits.starts_when_called:
        yield from _cold_start(agreement)
    agreed = agreement.check()
    yield {"agreement": agreed, "contract": None if description is None else description.version}
    if inputs.environment == STAGING:
        yield {"hostile": Hostility(endpoint, samples, description, agreement).check()}
        yield from _load(aws, settings, inputs, samples)
    else:
        yield from _latency(settings, agreement)


def _fit(inputs: Inputs, variants: Variants, tested: str) -> Iterator[Mapping[str, Any]]:
    metrics = EvaluationReport.read(inputs.documents_dir, "challenger").metrics
    found = judge_fit((variants.production | variants.shadow)[tested], metrics)
    yield {"fit": found}
    if found.verdict == "does not fit":
        raise VerificationError(f"the model does not fit {inputs.endpoint_name}: {found.reason}")
    say(fit_words(found))


def _cold_start(agreement: Agreement) -> Iterator[Mapping[str, Any]]:
    """The first call after a deployment, which the calls of the other checks are not to wait for."""
    milliseconds = agreement.first_call()
    say(cold_start_words(milliseconds))
    yield {"cold_start_ms": milliseconds}


def _load(aws: Aws, settings: Settings, inputs: Inputs, samples: Samples) -> Iterator[Mapping[str, Any]]:
    objectives = settings.endpoints.objectives
    most = connections(objectives)
    endpoint = Endpoint(
        aws.invoker(connections=most, answer_seconds=answer_seconds(objectives), attempts=1), inputs.endpoint_name
    )
    requests = [json_request("a record", [record]) for record in samples.records]
    say(f"load: {objectives.requests_per_second} requests/s for {objectives.seconds} s, after a ramp")
    found = measure_load(
        lambda number: endpoint.send(requests[number % len(requests)]).status == 200, objectives, SYSTEM_CLOCK
    )
    yield {"load": found}
    broken = broken_objectives(found, objectives)
    if broken:
        raise VerificationError(
            f"{inputs.endpoint_name} does not keep its objectives: {'; '.join(broken)} ({load_words(found)}, "
            f"{found.answered_per_second:.1f} answered a second): raise {_capacity(settings.endpoints.staging)} under "
            "endpoints of slipway.yaml, make the model faster, or change the objective"
        )
    say(load_words(found))


def _capacity(endpoint: AnyEndpoint) -> str:
    return (
        "memory_mib or max_concurrency"
        if isinstance(endpoint, ServerlessEndpoint)
        else "instance_type or instance_count"
    )


def _latency(settings: Settings, agreement: Agreement) -> Iterator[Mapping[str, Any]]:
    allowed, times = settings.endpoints.objectives.p99_ms, agreement.milliseconds
    p50, p95, p99 = (percentile(times, percent) for percent in (50, 95, 99))
    yield {"latency": LatencyFindings(requests=len(times), p50_ms=p50, p95_ms=p95, p99_ms=p99)}
    if p99 > allowed:
        raise VerificationError(
            f"{agreement.endpoint.name} does not keep its objectives: p99 of {len(times)} calls, one by one, is "
            f"{p99:,.0f} ms, endpoints.objectives.p99_ms allows {allowed:,}"
        )


def _check_package(aws: Aws, inputs: Inputs) -> None:
    served = served_model_package(aws, inputs.endpoint_name)
    if served != inputs.model_package_arn:
        raise VerificationError(f"{inputs.endpoint_name} must serve {inputs.model_package_arn}, but serves {served}")
    say(f"{inputs.endpoint_name} serves {served}")


def _check_challenger(aws: Aws, inputs: Inputs, variants: Variants) -> None:
    wanted, name = inputs.challenger_model_package_arn, inputs.endpoint_name
    found = (variants.production | variants.shadow).get(CHALLENGER)
    served = NO_CHALLENGER if found is None else model_package_of(aws, found)
    if served != wanted:
        raise VerificationError(f"the variant {CHALLENGER} of {name} must serve {wanted}, but serves {served}")
