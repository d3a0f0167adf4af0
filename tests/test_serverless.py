"""A delivery line whose endpoints have no instances: the whole way of a commit, then production with tiny models.

Template, roles and alarms are the project's own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_steps.documents import Verification
from tests.delivery_line import DeliveryLine
from tests.eventually import eventually
from tests.production_line import ENDPOINT, ProductionLine, deployed_production
from tests.steady_load import SteadyLoad, failed

pytestmark = pytest.mark.long

MOST_AT_ONCE = 10
PER_SECOND = 5.0
OLD, NEW, BAD = 0.1, 0.2, 0.9


def without_instances(line: DeliveryLine) -> None:
    serverless = f"{{serverless: {{memory_mib: 2048, max_concurrency: {MOST_AT_ONCE}}}}}"
    line.edit("slipway.yaml", r"^  staging: .*$", f"  staging: {serverless}")
    line.edit("slipway.yaml", r"^  production:\n(    [a-z_]+: .*\n)+", f"  production: {serverless}\n")
    line.edit("slipway.yaml", r"^    production: {instance_count: 1, max_instance_count: 1}\n", "")
    line.edit("slipway.yaml", "requests_per_second: 20$", f"requests_per_second: {PER_SECOND:.0f}")
    line.edit("slipway.yaml", "strategy: canary ", "strategy: all_at_once ")
    line.edit("slipway.yaml", "promotion: manual ", "promotion: automatic ")
    line.edit("slipway.yaml", r"trees: \d+", "trees: 30")
    for file in (line.folder / "tests" / "model_code").glob("test_*.py"):
        if file.name != "test_model.py":
            file.unlink()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductionLine]:
    """A deployed line whose first commit has gone all its way."""
    with deployed_production(tmp_path_factory.mktemp("serverless"), without_instances) as production:
        production.line.push()
        production.line.slipway("watch")
        yield production


def load(production: ProductionLine) -> SteadyLoad:
    return SteadyLoad(production.client("sagemaker-runtime"), ENDPOINT, PER_SECOND)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_commit_is_verified_on_endpoints_without_instances(production: ProductionLine, environment: str) -> None:
    execution = production.line.executions()[0]["pipelineExecutionId"]
    found = production.document(f"evaluations/{execution}/{environment}/verification.json", Verification)
    described = production.client("sagemaker").describe_endpoint(EndpointName=f"flight-delays-{environment}")

    assert found.failure is None
    warm = found.latency or found.load
    assert warm is not None
    assert found.cold_start_ms is not None
    assert found.cold_start_ms > 10 * warm.p50_ms
    assert found.fit is not None
    assert (found.fit.instance_type, found.fit.verdict) == ("serverless", "fits")
    (variant,) = described["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": MOST_AT_ONCE}


def test_a_serverless_endpoint_is_called_like_any_other(production: ProductionLine) -> None:
    rows = [row.split() for row in production.line.slipway("invoke").stdout.splitlines()]
    predictions = [(row[0], row[1]) for row in rows if row and row[0].startswith("0.")]

    assert len(predictions) == 5
    assert all(served == offline for served, offline in predictions)


def test_no_call_fails_while_another_model_takes_over(production: ProductionLine) -> None:
    assert production.deploy(production.package(OLD), Strategy="all_at_once") == "UPDATE_COMPLETE"
    new = production.package(NEW)
    with load(production).running() as calls:
        eventually(lambda: str(OLD) in {call.answer for call in calls})
        assert production.deploy(new, Strategy="all_at_once") == "UPDATE_COMPLETE"
        eventually(lambda: str(NEW) in {call.answer for call in calls})

    assert failed(calls) == []
    assert {call.answer for call in calls} == {str(OLD), str(NEW)}
    assert production.served() == [new]


def test_a_model_whose_container_dies_at_its_start_never_gets_a_call(production: ProductionLine) -> None:
    served = production.served()
    with load(production).running() as calls:
        assert production.deploy(production.package(BAD, dies=True), Strategy="all_at_once") == (
            "UPDATE_ROLLBACK_COMPLETE"
        )

    assert failed(calls) == []
    assert production.served() == served
    assert "did not pass the ping health check" in production.why_the_stack_failed()


def test_a_bad_model_is_gone_back_from_by_one_command(production: ProductionLine) -> None:
    good = production.package(NEW)
    bad = production.package(BAD, status=500)
    for package in (good, bad):
        assert production.deploy(package, Strategy="all_at_once") == "UPDATE_COMPLETE"
    to = good.rpartition("/")[2]

    production.line.slipway("rollback", "--to", to, "--reason", "answers 5xx", "--yes")

    assert production.served() == [good]
    answer = production.client("sagemaker-runtime").invoke_endpoint(EndpointName=ENDPOINT, Body=b"1")
    assert answer["Body"].read() == str(NEW).encode()


def test_an_endpoint_gets_instances_by_an_update_and_loses_them_by_none(
    production: ProductionLine, tmp_path: Path
) -> None:
    """The last test: it leaves an endpoint with instances."""
    production.line.git("checkout", "--quiet", "HEAD~1", "--", "slipway.yaml")
    with_instances = ProductionLine(production.line, tmp_path)
    served = production.served()[0]

    assert with_instances.deploy(served, Strategy="immediate") == "UPDATE_COMPLETE"
    (variant,) = production.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant.get("CurrentServerlessConfig")) == (1, None)

    assert production.deploy(served, Strategy="immediate") == "UPDATE_ROLLBACK_COMPLETE"
    assert "cannot be made serverless by an update" in production.why_the_stack_failed()
    assert production.served() == [served]
