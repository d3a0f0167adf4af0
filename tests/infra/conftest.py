"""Synthesizes the example once for all tests of the templates: a synth takes seconds."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Importing the CDK starts Node, which the virtual environment brings along.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))

from infra_support import BOUNDARY, Deployment

import app
import settings

ROOT = Path(app.__file__).parent


@pytest.fixture(scope="session")
def example() -> settings.Settings:
    """The example's settings, as on AWS."""
    return settings.load(ROOT / "slipway.yaml")


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Deployment]:
    """Synthesizes settings and reads the four templates back."""

    def synthesize(wanted: settings.Settings, overlay: str = "") -> Deployment:
        outdir = tmp_path_factory.mktemp("assembly")
        app.build(wanted, overlay=overlay, outdir=str(outdir)).synth()
        return Deployment.read(outdir)

    return synthesize


@pytest.fixture(scope="session")
def deployment(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    """The example's templates, as on AWS."""
    return synthesize(example)


@pytest.fixture(scope="session")
def local_deployment(synthesize: Callable[..., Deployment]) -> Deployment:
    """The example's templates with the local overlay."""
    return synthesize(settings.load(ROOT / "slipway.yaml", settings.LOCAL_OVERLAY), settings.LOCAL_OVERLAY)


@pytest.fixture(scope="session")
def in_a_vpc(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    """The example in a VPC that Slipway makes."""
    return synthesize(example.model_copy(update={"network": settings.Network(mode="vpc")}))


@pytest.fixture(scope="session")
def in_the_teams_vpc(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    """The example in a VPC that exists, with bounded roles."""
    network = settings.Network(
        mode="vpc",
        subnet_ids=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
        security_group_ids=("sg-0123456789abcdef0",),
    )
    return synthesize(example.model_copy(update={"network": network, "permissions_boundary": BOUNDARY}))


@pytest.fixture(scope="session")
def eager(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    """A project that asks nobody, follows its calls with instances and records half of them."""
    document = json.loads(example.model_dump_json())
    document["endpoints"]["production"] |= {"max_instance_count": 5, "capture_percent": 50}
    document["release"] |= {"promotion": "automatic", "strategy": "linear", "step_percent": 25}
    return synthesize(settings.Settings.model_validate(document))


@pytest.fixture(scope="session")
def serverless(example: settings.Settings, synthesize: Callable[..., Deployment]) -> Deployment:
    """A project whose production has no instances."""
    document = json.loads(example.model_dump_json())
    document["endpoints"]["production"] = {"serverless": {"memory_mib": 2048, "max_concurrency": 5}}
    document["release"]["strategy"] = "all_at_once"
    return synthesize(settings.Settings.model_validate(document))


@pytest.fixture(scope="session")
def customized(synthesize: Callable[..., Deployment]) -> Deployment:
    """The templates of a project in which everything that settings can change is changed."""
    document = json.loads(settings.load(ROOT / "slipway.yaml").model_dump_json())
    document["name"] = "a-name-of-23-characters"
    document["source"]["branch"] = "release/one"
    document["data"]["prefix"] = "incoming/flights/"
    document["container"]["scan"]["fail_on"] = "none"
    document["processing"]["max_runtime_minutes"] = 200
    document["training"]["max_runtime_minutes"] = 300
    document["approval"]["notify"] = ["ann@example.org", "bob@example.org"]
    document["tags"] = {"cost-center": "42"}
    document["endpoints"]["production"] = {"instance_type": "ml.g5.xlarge", "instance_count": 3}
    document["release"] |= {"step_percent": 5, "approval_expires_hours": 24}
    return synthesize(settings.Settings.model_validate(document))
