import subprocess
import sys
from pathlib import Path

import pytest

from slipway.experiment_sdk import ENVIRONMENT
from slipway.project import Project
from tests.slipway.test_command_line import run, said

ROOT = Path(__file__).parents[2]
MODEL = "class Hyperparameters:\n    trees: int = 100\n"


@pytest.fixture(autouse=True)
def _model_code(project: Project) -> None:
    (project.root / "model_code").mkdir()
    (project.root / "model_code" / "model.py").write_text(MODEL)


@pytest.fixture
def _sdk(project: Project) -> None:
    (project.root / ENVIRONMENT).mkdir(parents=True)
    (project.root / ENVIRONMENT / ".installed").touch()


def test_a_wrong_hyperparameter_is_told_before_anything_else(project: Project) -> None:
    result = run(project.root, "experiment", "--set", "tres=200")

    assert result.exit_code == 1
    assert "tres is unknown, did you mean trees? (allowed: trees (a whole number)" in said(result)


def test_without_the_sdk_it_says_how_to_install_it(project: Project) -> None:
    result = run(project.root, "experiment", "--set", "trees=200")

    assert result.exit_code == 1
    assert "the SageMaker SDK, which is not installed" in said(result)
    assert "Next: make experiments" in said(result)


@pytest.mark.usefixtures("_sdk")
@pytest.mark.parametrize("command", ["experiment", "experiments"])
def test_without_a_local_cloud_it_says_slipway_up(project: Project, command: str) -> None:
    result = run(project.root, command)

    assert result.exit_code == 1
    assert result.output == "Error: the local cloud is not running\nNext:  slipway up\n"


def test_listing_experiments_needs_no_sdk(project: Project) -> None:
    assert "the local cloud is not running" in said(run(project.root, "experiments"))


def test_the_other_commands_load_nothing_of_it() -> None:
    loaded = "import sys, slipway.command_line; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)

    names = done.stdout.split()
    assert "slipway.command_line" in names
    assert [name for name in names if name.startswith(("slipway.experiment", "numpy", "sagemaker"))] == []


def test_the_sdk_is_a_requirement_of_nothing_else() -> None:
    listed = ["git", "ls-files", "--", "requirements*.*", "**/requirements*.*"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [ROOT / name for name in names]
    naming = [file.name for file in files if "sagemaker" in file.read_text()]

    assert len(files) > 8
    assert set(naming) == {"requirements-experiments.in", "requirements-experiments.txt"}
