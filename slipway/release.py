"""Bring the commit that is checked out to production: push it, follow its execution, approve it."""

import time
from dataclasses import dataclass

from rich.console import Console

from slipway import rendering, serving
from slipway.errors import PipelineError
from slipway.executions import IN_PROGRESS, Execution, ExecutionSummary, now, stage_ends
from slipway.following import follow, refuse_unfinished, view_for
from slipway.git_repository import REMOTE, GitRepository
from slipway.phases import Phases
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.target import Target

APPROVAL_COMMENT = "Approved by slipway demo"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Release:
    """One way of one commit, without a person."""

    console: Console
    project: Project
    target: Target

    def run(self, phases: Phases) -> None:
        """Bring HEAD to production, unless it is there; the stages are added to the phases.

        Raises:
            UserError: the push was refused, or the execution did not succeed.
        """
        pipeline = Pipeline(self.target.client("codepipeline"), self.project.name)
        known = {summary.id for summary in pipeline.recent()}
        repository = GitRepository(self.project.root, self.target.environment)
        with phases.phase("git push") as phase:
            pushed = repository.push(self.project.branch)
            head = repository.head()
            phase.note = f"{head[:8]} -> {REMOTE}/{self.project.branch}" + ("" if pushed else " (was there already)")
        if not pushed and self._serves(head):
            self.console.print(f"Production serves the model of {head[:8]} already.")
            return
        pushed_at = now()
        execution_id = self._started_by_push(pipeline, known) if pushed else _taken_up(pipeline, head)
        execution = self._follow_to_the_end(pipeline, execution_id)
        phases.times += [(title, share.total_seconds()) for title, share in stage_ends(execution, pushed_at)]

    def _serves(self, commit: str) -> bool:
        model = serving.served_model(self.target, self.project.endpoint("production"))
        return model is not None and model.status == "InService" and model.commit == commit

    def _started_by_push(self, pipeline: Pipeline, known: set[str]) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            new = [summary.id for summary in pipeline.recent() if summary.id not in known]
            if new:
                return new[-1]
            time.sleep(self.target.poll_seconds)
        raise PipelineError(f"the push started no execution within {_START_SECONDS:.0f} s", "slipway status")

    def _follow_to_the_end(self, pipeline: Pipeline, execution_id: str) -> Execution:
        """Follow an execution, and approve it when it asks."""
        decided: str | None = None
        view = view_for(self.console, self.project.name)
        while True:
            with view:
                execution = follow(self.target, pipeline, execution_id, view, decided=decided)
            refuse_unfinished(execution)
            if execution.approval is None:
                return execution
            self.console.print(rendering.approval_view(execution.approval, execution))
            self.console.print("The demo approves it now; you would type: slipway approve")
            pipeline.decide(execution.approval, "Approved", APPROVAL_COMMENT)
            decided = execution.approval.token


def _taken_up(pipeline: Pipeline, commit: str) -> str:
    """The execution of a commit that is still under way, or a new one."""
    under_way = [summary for summary in pipeline.recent() if _is_under_way(summary, commit)]
    return under_way[0].id if under_way else pipeline.start()


def _is_under_way(summary: ExecutionSummary, commit: str) -> bool:
    return summary.status == IN_PROGRESS and summary.commit in (commit, None)
