"""Whether a container fits is judged by what it took in the evaluation and what the instance has."""

import gzip
import json
from importlib.resources import files
from typing import Any

import pytest
from botocore.loaders import create_loader

from pipeline_steps.verification.fit import Instance, instance, judge_fit

METRICS: dict[str, float | None] = {
    "serving_memory_mib": 400.0, "serving_processes": 2.0, "serving_start_seconds": 3.0,
    "serving_recovery_seconds": 0.5,
}  # fmt: skip


SERVERLESS = {"VariantName": "AllTraffic", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5}}
UNMEASURED = "the evaluation of this model did not measure its server"


def on(instance_type: str) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "InstanceType": instance_type}


def test_what_is_known_of_sagemakers_instance_types_is_what_ec2_says() -> None:
    ec2 = json.loads(gzip.decompress((files("moto") / "ec2/resources/instance_types.json.gz").read_bytes()))
    service = create_loader().load_service_model("sagemaker", "service-2")
    known = {name: instance(name) for name in service["shapes"]["ProductionVariantInstanceType"]["enum"]}
    known = {name: found for name, found in known.items() if found is not None}

    assert len(known) > 200
    for name, found in known.items():
        told = ec2[name.removeprefix("ml.")]
        assert found == Instance(told["VCpuInfo"]["DefaultVCpus"], told["MemoryInfo"]["SizeInMiB"]), name


@pytest.mark.parametrize("name", ["ml.p4d.24xlarge", "ml.inf2.xlarge", "ml.c5n.large", "ml.x9.large", "large", ""])
def test_other_types_are_not_known(name: str) -> None:
    assert instance(name) is None


def test_a_container_that_fits() -> None:
    found = judge_fit(on("ml.m5.large"), METRICS)

    assert (found.verdict, found.memory_mib, found.needed_mib) == ("fits", 8192, 400)
    assert found.reason == "its container takes 400 MiB under load of the 8,192 MiB of ml.m5.large, and starts in 3.0 s"


@pytest.mark.parametrize(("memory", "verdict"), [(7372.0, "fits"), (7373.0, "does not fit")])
def test_nine_tenths_of_the_memory_are_the_containers(memory: float, verdict: str) -> None:
    found = judge_fit(on("ml.m5.large"), {**METRICS, "serving_memory_mib": memory})

    assert found.verdict == verdict
    assert verdict == "fits" or found.reason == "its container takes 7,373 MiB under load, ml.m5.large has 8,192 MiB"


def test_an_instance_with_more_processors_runs_more_processes() -> None:
    assert judge_fit(on("ml.m5.4xlarge"), METRICS).needed_mib == 400 * 16 / 2
    assert judge_fit(on("ml.t2.medium"), {**METRICS, "serving_processes": 8.0}).needed_mib == 400
    assert judge_fit(on("ml.c5.4xlarge"), {**METRICS, "serving_memory_mib": 4000.0}).verdict == "does not fit"


@pytest.mark.parametrize(("seconds", "verdict"), [(480.0, "fits"), (480.1, "does not fit")])
def test_a_server_must_start_while_sagemaker_waits(seconds: float, verdict: str) -> None:
    assert judge_fit(on("ml.m5.large"), {**METRICS, "serving_start_seconds": seconds}).verdict == verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(180.0, "fits"), (180.1, "does not fit")])
def test_a_serverless_endpoint_waits_less_long_for_a_server(seconds: float, verdict: str) -> None:
    found = judge_fit(SERVERLESS, {**METRICS, "serving_start_seconds": seconds})

    assert found.verdict == verdict
    assert verdict == "fits" or found.reason == "its server takes 180 s to start, SageMaker waits 180 s"


@pytest.mark.parametrize(
    ("instance_type", "metrics", "reason"),
    [
        ("ml.p4d.24xlarge", METRICS, "the memory of ml.p4d.24xlarge is not known here"),
        ("ml.m5.large", {}, UNMEASURED),
        ("ml.m5.large", {**METRICS, "serving_memory_mib": None}, UNMEASURED),
    ],
    ids=["instance", "old container", "memory"],
)  # fmt: skip
def test_what_is_not_known_is_not_judged(instance_type: str, metrics: dict[str, float | None], reason: str) -> None:
    found = judge_fit(on(instance_type), metrics)

    assert (found.verdict, found.reason) == ("not judged", reason)


def test_what_is_known_to_be_wrong_is_wrong_even_where_the_rest_is_not_known() -> None:
    found = judge_fit(on("ml.p4d.24xlarge"), {**METRICS, "serving_start_seconds": 600.0})

    assert (found.verdict, found.reason) == (
        "does not fit",
        "its server takes 600 s to start, SageMaker waits 480 s",
    )


def test_a_serverless_endpoint_has_the_memory_that_it_was_given() -> None:
    assert judge_fit(SERVERLESS, METRICS).verdict == "fits"
    found = judge_fit(SERVERLESS, {**METRICS, "serving_memory_mib": 1000.0})
    assert (found.verdict, found.instance_type) == ("does not fit", "serverless")
