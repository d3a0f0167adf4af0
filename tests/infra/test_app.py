"""The app as a whole: the same templates every time and everywhere, and faults of the settings told as they are."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from infra_support import BOUNDARY, Deployment

import app
from settings import Settings

ROOT = Path(app.__file__).parent


def run_app(folder: Path, outdir: Path, overlay: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CDK_OUTDIR": str(outdir), "SLIPWAY_OVERLAY": overlay}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_python_app_py_alone_makes_the_templates_of_the_overlay_asked_for(
    tmp_path: Path, local_deployment: Deployment
) -> None:
    done = run_app(ROOT, tmp_path / "assembly", overlay="local")

    assert (done.returncode, done.stderr) == (0, "")
    assert Deployment.read(tmp_path / "assembly").templates == local_deployment.templates


def test_faults_of_the_settings_are_told_without_a_traceback(tmp_path: Path) -> None:
    for name in ("infra", "settings"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, tmp_path)
    faulty = (ROOT / "slipway.yaml").read_text().replace(" instance_count: 2", " instance_count: 0")
    (tmp_path / "slipway.yaml").write_text(faulty)

    done = run_app(tmp_path, tmp_path / "assembly")

    assert done.returncode == 1
    assert done.stderr == "slipway.yaml: endpoints.production.instance_count must be 1 or more, got 0\n"
    assert not (tmp_path / "assembly").exists()


def test_two_synths_give_equal_templates(
    deployment: Deployment, example: Settings, synthesize: Callable[..., Deployment]
) -> None:
    assert synthesize(example).templates == deployment.templates


def test_the_overlay_changes_values_and_neither_resources_nor_grants(
    deployment: Deployment, local_deployment: Deployment
) -> None:
    changed = {
        place.rpartition("/")[2]
        for name in deployment.templates
        for place in differences(deployment.templates[name], local_deployment.templates[name], name)
    }

    assert changed == {
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "EmptyOnDelete",
        "Value",
        "InitialInstanceCount",
        "EnableEnhancedMetrics",
        "MetricPublishFrequencyInSeconds",
        "Period",
        "WaitIntervalInSeconds",
        "TerminationWaitInSeconds",
        "MaximumExecutionTimeoutInSeconds",
    }


def differences(one: Any, other: Any, place: str) -> Iterator[str]:
    """The places at which two documents of the same shape differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            yield from differences(one[key], other[key], f"{place}/{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), place
        for first, second in zip(one, other, strict=True):
            yield from differences(first, second, place)
    elif one != other:
        yield place


def test_the_templates_depend_on_no_account_or_region(deployment: Deployment) -> None:
    for template in deployment.templates.values():
        text = json.dumps(template)
        assert "us-east-1" not in text
        assert "000000000000" not in text


def test_cdk_deploys_foundation_and_pipeline_and_leaves_the_endpoints_to_the_pipeline(
    tmp_path: Path, example: Settings
) -> None:
    app.build(example, outdir=str(tmp_path)).synth()

    def stacks(folder: Path) -> set[str]:
        artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"].values()
        return {one["properties"]["stackName"] for one in artifacts if one["type"] == "aws:cloudformation:stack"}

    assert stacks(tmp_path) == {"flight-delays-foundation", "flight-delays-pipeline"}
    assert stacks(tmp_path / "assembly-Staging") == {"flight-delays-staging"}
    assert stacks(tmp_path / "assembly-Production") == {"flight-delays-production"}


@pytest.mark.parametrize(("fixture", "boundary"), [("deployment", None), ("in_the_teams_vpc", BOUNDARY)])
def test_every_role_is_bounded_where_the_settings_say_so(
    fixture: str, boundary: str | None, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(fixture)
    roles = [one for name in deployment.templates for one in deployment.resources(name, "AWS::IAM::Role").values()]

    assert len(roles) == len(deployment.resources("pipeline", "AWS::CodeBuild::Project")) + 10
    assert {role["Properties"].get("PermissionsBoundary") for role in roles} == {boundary}


def test_the_cdk_command_runs_the_python_that_is_active() -> None:
    assert json.loads((ROOT / "cdk.json").read_text())["app"] == "python app.py"


@pytest.mark.parametrize("template", ["foundation", "pipeline", "staging", "production"])
def test_every_taggable_resource_bears_the_projects_tags(customized: Deployment, template: str) -> None:
    tagged = [one["Properties"].get("Tags") for one in customized.templates[template]["Resources"].values()]

    for tags in filter(None, tagged):
        assert {(tag["Key"], tag["Value"]) for tag in tags} == {
            ("slipway:project", "a-name-of-23-characters"),
            ("cost-center", "42"),
        }
    assert any(tagged)
