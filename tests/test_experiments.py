"""Experiments on a real local cloud, which holds every job to its role, with the real SDK: make test-experiments."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from delivery_line import ROOT, DeliveryLine

from slipway.experiment_sdk import ENVIRONMENT

pytestmark = pytest.mark.experiments


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeliveryLine]:
    """A deployed delivery line whose production serves a first model."""
    line = DeliveryLine.make(tmp_path_factory.mktemp("line"))
    (line.folder / ENVIRONMENT).parent.mkdir()
    (line.folder / ENVIRONMENT).symlink_to(ROOT / ENVIRONMENT)
    line.slipway("up", "--port", str(line.port))
    line.push()
    waiting = line.slipway("watch", check=False)
    try:
        assert waiting.returncode == 3, waiting.stdout + waiting.stderr
        line.slipway("approve")
        line.slipway("watch")
        yield line
    finally:
        line.slipway("down", check=False)


@pytest.fixture(autouse=True)
def _as_committed(line: DeliveryLine) -> Iterator[None]:
    yield
    line.git("checkout", "--quiet", "--", ".")


def records(line: DeliveryLine) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(line.slipway("experiments", "--json").stdout)
    return told


def newest(line: DeliveryLine) -> dict[str, Any]:
    return max(records(line), key=lambda record: record["started"])


def image_builds(line: DeliveryLine) -> int:
    return len(line.client("codebuild").list_builds_for_project(projectName="flight-delays-build-image")["ids"])


def test_committed_code_needs_no_build(line: DeliveryLine) -> None:
    builds = image_builds(line)

    line.slipway("experiment", "--set", "trees=20")

    record = newest(line)
    assert image_builds(line) == builds
    assert (record["outcome"], record["person"], record["changed_files"]) == ("Completed", "developer", [])
    assert record["changes"] == {"trees": "20"}
    assert record["champion"]["version"] == "1"
    assert record["difference"]["low"] < record["difference"]["value"] < record["difference"]["high"]


def test_changed_code_is_what_is_trained_and_nothing_of_it_is_registered(line: DeliveryLine) -> None:
    line.edit("model_code/model.py", '"tree_method": "hist"', '"tree_method": "hist", "base_score": 0.9')

    done = line.slipway("experiment", "--set", "trees=1", "--set", "learning_rate=0.01")

    record = newest(line)
    assert "built by flight-delays-build-image" in done.stdout
    assert record["changed_files"] == [" M model_code/model.py"]
    assert record["metrics"]["log_loss"] > 1  # nine in ten flights late, says the one tree of the changed code
    assert record["verdict"] == "Rejected"
    packages = line.client("sagemaker").list_model_packages(ModelPackageGroupName="flight-delays")
    assert len(packages["ModelPackageSummaryList"]) == 1


def test_the_raw_data_can_be_prepared_anew(line: DeliveryLine) -> None:
    line.slipway("experiment", "--prepare", "--set", "trees=5")

    record = newest(line)
    assert record["dataset_uri"].endswith(f"/datasets/{record['id']}/")
    assert record["champion"]["metrics"]


def test_a_training_that_fails_says_why(line: DeliveryLine) -> None:
    done = line.slipway("experiment", "--set", "max_depth=99", check=False)

    assert done.returncode == 1
    assert "max_depth must be 1 to 16, got 99" in done.stderr
    assert newest(line)["outcome"] == "Failed"
    assert "max_depth must be 1 to 16, got 99" in line.slipway("experiments").stdout


def test_ctrl_c_stops_the_training_job(line: DeliveryLine) -> None:
    command = [sys.executable, "-m", "slipway", "experiment", "--set", "trees=4000"]
    child = subprocess.Popen(
        command, cwd=line.folder, env=line.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    with child:
        for printed in child.stdout or ():
            if "is Training" in printed:
                child.send_signal(signal.SIGINT)

    assert child.returncode == 130
    record = newest(line)
    assert record["outcome"] == "Stopped"
    job = line.client("sagemaker").describe_training_job(TrainingJobName=record["training_job"])
    assert job["TrainingJobStatus"] in ("Stopping", "Stopped")
