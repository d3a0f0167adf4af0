import os
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from slipway.errors import PipelineError
from slipway.git_repository import GitRepository
from slipway.phases import Phases
from slipway.project import Project
from slipway.release import APPROVAL_COMMENT, Release
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import EXECUTION, OLDER, Recording, summary, trained
from tests.slipway.test_git_repository import commit, git
from tests.slipway.test_serving import answers as endpoint_answers


@pytest.fixture
def head(project: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The project is a git repository whose remote is another folder; returns its commit."""
    hosted = tmp_path_factory.mktemp("hosted")
    git(hosted, "init", "-q", "--bare")
    git(project.root, "init", "-q", "-b", "main")
    head = commit(project.root, "a")
    GitRepository(project.root, os.environ).set_remote(str(hosted))
    return head


def run(project: Project, aws: AnsweringAws) -> tuple[list[str], str]:
    """The phases, and what was printed."""
    console = Console(file=StringIO(), width=80)
    phases = Phases(console)
    Release(console, project, aws.target()).run(phases)
    return [title for title, _ in phases.times], console.file.getvalue()  # type: ignore[attr-defined]


def executions(*summaries: dict[str, Any]) -> dict[str, Any]:
    return {"pipelineExecutionSummaries": list(summaries)}


def of_commit(head: str, status: str = "InProgress", execution: str = EXECUTION) -> dict[str, Any]:
    return summary(status, execution, sourceRevisions=[{"actionName": "Source", "revisionId": head}])


def finished() -> Recording:
    recording = trained().passed("Staging", "Deploy").passed("Staging", "Verify")
    return recording.decided("Succeeded", "ok").passed("Production", "Deploy").passed("Production", "Verify")


def test_a_push_is_followed_and_approved_and_its_stages_are_phases(project: Project, head: str) -> None:
    waiting = trained().waiting("roc_auc 0.64").answers()
    answers: dict[str, Any] = {
        **waiting,
        "ListPipelineExecutions": [executions(), executions(of_commit(head)), executions(of_commit(head)),
                                   executions(of_commit(head, "Succeeded"))],
        "ListActionExecutions": [waiting["ListActionExecutions"], {"actionExecutionDetails": finished().details}],
        "GetPipelineState": [waiting["GetPipelineState"], finished().state()],
        "PutApprovalResult": {},
    }  # fmt: skip
    aws = AnsweringAws(answers)

    phases, said = run(project, aws)

    assert phases == ["git push", "Source", "Test", "Build", "Train", "Staging", "Approve", "Production"]
    assert aws.called("PutApprovalResult")[0]["result"] == {"status": "Approved", "summary": APPROVAL_COMMENT}
    assert "roc_auc 0.64" in said
    assert said.count("Source/Source: Succeeded") == 1


def test_a_commit_that_production_serves_is_not_trained_again(project: Project, head: str) -> None:
    GitRepository(project.root, os.environ).push("main")
    served = endpoint_answers()
    served["DescribeModelPackage"] = {**served["DescribeModelPackage"], "MetadataProperties": {"CommitId": head}}
    aws = AnsweringAws({"ListPipelineExecutions": executions(of_commit(head, "Succeeded")), **served})

    phases, said = run(project, aws)

    assert phases == ["git push"]
    assert f"Production serves the model of {head[:8]} already" in said


def test_a_commit_whose_execution_is_under_way_is_followed_and_not_started_again(project: Project, head: str) -> None:
    GitRepository(project.root, os.environ).push("main")
    answers = finished().answers() | {
        "ListPipelineExecutions": [
            executions(of_commit(head)), executions(of_commit(head)), executions(of_commit(head, "Succeeded")),
        ],
        "DescribeEndpoint": Refusal("ValidationException", "Could not find endpoint"),
    }  # fmt: skip

    phases, _ = run(project, AnsweringAws(answers))  # StartPipelineExecution would fail: nothing is recorded for it

    assert "Production" in phases


def test_a_commit_that_failed_is_started_again(project: Project, head: str) -> None:
    GitRepository(project.root, os.environ).push("main")
    failed = executions(of_commit(head, "Failed", OLDER))
    answers = finished().answers() | {
        "ListPipelineExecutions": [failed, failed, executions(of_commit(head, "Succeeded"))],
        "StartPipelineExecution": {"pipelineExecutionId": EXECUTION},
        "DescribeEndpoint": Refusal("ValidationException", "Could not find endpoint"),
    }  # fmt: skip
    aws = AnsweringAws(answers)

    run(project, aws)

    assert [request["name"] for request in aws.called("StartPipelineExecution")] == ["flight-delays"]


def test_an_execution_that_fails_ends_the_release_with_its_reason(project: Project, head: str) -> None:
    failed = Recording().failed("Source", "Source", "the commit is gone")
    answers = failed.answers() | {
        "ListPipelineExecutions": [executions(), executions(of_commit(head)), executions(of_commit(head, "Failed"))]
    }

    with pytest.raises(PipelineError, match="failed in Source/Source: the commit is gone"):
        run(project, AnsweringAws(answers))
