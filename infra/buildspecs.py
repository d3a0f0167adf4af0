"""The buildspecs: what CodeBuild does in each project."""

from collections.abc import Sequence
from typing import Any

_VERSION = "0.2"
_PYTHON = "3.11"
_NODE = "22"  # jsii, the bridge from Python to the CDK, needs it
_UV = "0.13.8"


def step(name: str, *, exports: Sequence[str], documents: bool = False, evidence: bool = False) -> dict[str, Any]:
    """The buildspec of a pipeline step.

    Args:
        name: the step, as `python -m pipeline_steps` knows it.
        exports: the variables that the step exports to later actions.
        documents: whether the step leaves documents, which become the action's output artifact.
        evidence: whether the step reads the evaluation's documents from the action's second input artifact.
    """
    run = [f"python -m pipeline_steps {name} --exports exports.sh", ". ./exports.sh"]
    find_documents = ['export DOCUMENTS_DIR="$CODEBUILD_SRC_DIR_Evaluation"']
    buildspec = {
        "version": _VERSION,
        "env": {"exported-variables": list(exports)},
        "phases": {
            "install": _install(["pipeline_steps/requirements.txt"]),
            "build": {"commands": [*find_documents, *run] if evidence else run},
        },
    }
    if documents:
        buildspec["artifacts"] = {"base-directory": "evaluation", "files": ["**/*"]}
    return buildspec


def test() -> dict[str, Any]:
    """The team's tests of their model code, with their results as a CodeBuild report."""
    return {
        "version": _VERSION,
        "phases": {
            "install": _install(["model_code/requirements.txt", "tests/model_code/requirements.txt"]),
            # The container's own contract is left out: the stages that follow start the container for real.
            "build": {
                "commands": ['python -m pytest tests/model_code -m "not container" --junitxml=reports/junit.xml']
            },
        },
        "reports": {"pytest": {"base-directory": "reports", "files": ["junit.xml"], "file-format": "JUNITXML"}},
    }


def synth() -> dict[str, Any]:
    """The endpoint stacks' templates of the commit under test.

    `cp` refuses when a pattern fits more than one template, as it should.
    """
    return {
        "version": _VERSION,
        "phases": {
            "install": _install(["infra/requirements.txt"], node=True),
            "build": {
                "commands": [
                    "python app.py",
                    "mkdir -p templates",
                    "cp cdk.out/assembly-Staging/*.template.json templates/staging.template.json",
                    "cp cdk.out/assembly-Production/*.template.json templates/production.template.json",
                ]
            },
        },
        "artifacts": {"base-directory": "templates", "files": ["*.template.json"]},
    }


def _install(requirements: Sequence[str], *, node: bool = False) -> dict[str, Any]:
    files = " ".join(f"-r {file}" for file in requirements)
    return {
        "runtime-versions": {"python": _PYTHON, **({"nodejs": _NODE} if node else {})},
        "commands": [
            # A build image may have it already; then pip need not even start.
            f"uv --version 2>/dev/null | grep -qF 'uv {_UV} ' || "
            "pip install --quiet --require-hashes -r requirements-bootstrap.txt",
            f"uv pip install --system --quiet --require-hashes {files}",
        ],
    }
