"""The buildspecs: what CodeBuild does in each project."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_VERSION = "0.2"
_PYTHON = "3.11"
_NODE = "22"  # jsii, the bridge from Python to the CDK, needs it
_UV = "0.13.8"
_TEST_REPORTS = {
    "pytest": {"base-directory": "reports", "files": ["junit.xml"], "file-format": "JUNITXML"},
    "coverage": {"base-directory": "reports", "files": ["coverage.xml"], "file-format": "COBERTURAXML"},
}
_IS_NEW = '[ "${RELEASED_VERSION:-new}" = new ]'
APPROVAL_NOTE = Path(__file__).with_name("approval_note.py").read_text(encoding="utf-8")
"""The program of RecordApproval's build."""
ROLLOUT_NOTE = Path(__file__).with_name("rollout_note.py").read_text(encoding="utf-8")
"""The program of RecordRollout's build."""


def step(
    name: str,
    *,
    exports: Sequence[str],
    requirements: Sequence[str] = (),
    documents: bool = False,
    evidence: bool = False,
) -> dict[str, Any]:
    """The buildspec of a pipeline step.

    Args:
        name: the step, as `python -m pipeline_steps` knows it.
        exports: the variables that the step exports to later actions.
        requirements: files of what the step needs beside what all steps need.
        documents: whether the step leaves documents, which become the action's output artifact.
        evidence: whether the step reads the evaluation's documents from the action's second input artifact.
    """
    run = [f"python -m pipeline_steps {name} --exports exports.sh", ". ./exports.sh"]
    find_documents = ['export DOCUMENTS_DIR="$CODEBUILD_SRC_DIR_Evaluation"']
    buildspec = {
        "version": _VERSION,
        "env": {"exported-variables": list(exports)},
        "phases": {
            "install": _install(["pipeline_steps/requirements.txt", *requirements]),
            "build": {"commands": [*find_documents, *run] if evidence else run},
        },
    }
    if documents:
        buildspec["artifacts"] = {"base-directory": "evaluation", "files": ["**/*"]}
    return buildspec


def test() -> dict[str, Any]:
    """The team's tests of their model code, with two CodeBuild reports: their results, and the code that they ran.

    A version that is released again was tested with its own code; the commit's code says nothing of it.
    """
    return {
        "version": _VERSION,
        "env": {"exported-variables": ["SUMMARY"]},
        "phases": {
            "install": _install(["model_code/requirements.txt", "tests/model_code/requirements.txt"]),
            # The container's own contract is left out: the stages that follow start the container for real.
            "build": {
                "commands": [
                    f"if {_IS_NEW}; then "
                    'python -m pytest tests/model_code -m "not container" --junitxml=reports/junit.xml '
                    "--cov=model_code --cov-branch --cov-report=xml:reports/coverage.xml; fi",
                    f"if {_IS_NEW}; then SUMMARY=$(python -m tests.model_code.summary reports); "
                    'else SUMMARY="version $RELEASED_VERSION is released again; its tests ran when it was built"; fi '
                    "&& export SUMMARY",
                ]
            },
        },
        "reports": _TEST_REPORTS,
    }


def pull_request() -> dict[str, Any]:
    """The step that judges a pull request; its id stands for an execution's, whose form it has.

    The step runs the tests itself, for it has to tell of their failure.
    """
    return {
        "version": _VERSION,
        "phases": {
            "install": _install(
                [
                    "pipeline_steps/requirements.txt",
                    "pipeline_steps/report/requirements.txt",
                    "model_code/requirements.txt",
                    "tests/model_code/requirements.txt",
                ]
            ),
            "build": {
                "commands": [
                    'export EXECUTION_ID="${CODEBUILD_BUILD_ID##*:}"',
                    "python -m pipeline_steps judge_pull_request --exports exports.sh",
                ]
            },
        },
        "reports": _TEST_REPORTS,
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


def record_approval() -> dict[str, Any]:
    """Note on the model package who approved it, and why."""
    read = 'aws codepipeline get-pipeline-state --name "$PIPELINE_NAME" --output json > state.json'
    return _note("APPROVAL_NOTE", read)


def record_rollout() -> dict[str, Any]:
    """Note on the model package what became of its rollout."""
    read = (
        "for alarm in $ALARM_NAMES; do "
        'aws cloudwatch describe-alarms --alarm-names "$alarm" --output json > "alarm-$alarm.json" && '
        'aws cloudwatch describe-alarm-history --alarm-name "$alarm" --history-item-type StateUpdate '
        '--output json > "history-$alarm.json" || exit 1; done'
    )
    return _note("ROLLOUT_NOTE", read)


def _note(program: str, read: str) -> dict[str, Any]:
    """Have a program make an UpdateModelPackage request of what AWS knows of an execution.

    The role may change a version, so nothing of the commit is run: the build leaves the folder of its source, where
    programs look for modules (Python) and for the version to be (pyenv), before it starts any. What people wrote
    travels in files, never in a command. The program is the project's variable, as a log repeats all commands.

    Args:
        program: the variable that holds its text.
        read: the command that reads what it needs besides the execution's actions.
    """
    return {
        "version": _VERSION,
        "phases": {
            "build": {
                "commands": [
                    'folder="$(mktemp -d)" && cd "$folder"',
                    'aws codepipeline list-action-executions --pipeline-name "$PIPELINE_NAME" '
                    '--filter "pipelineExecutionId=$EXECUTION_ID" --output json > actions.json',
                    read,
                    f'python3 -I -c "${program}" > request.json',
                    "aws sagemaker update-model-package --cli-input-json file://request.json",
                ]
            }
        },
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
