"""`slipway status`: where the newest execution is, which others are under way, and what is served."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from slipway import rendering, serving
from slipway.executions import Execution, ExecutionSummary, now
from slipway.failures import explained
from slipway.following import after_failure
from slipway.pipeline import Pipeline
from slipway.project import ENVIRONMENTS, Project
from slipway.serving import ServedModel
from slipway.target import Target

_INTERNAL = frozenset({"token", "configuration", "samples_uri", "evaluation_uri"})


@dataclass(frozen=True)
class Status:
    """What there is to tell of a project.

    Attributes:
        execution: None when the pipeline has not run yet.
        under_way: the other executions that have not ended, the newest first.
        serving: by environment; None where there is no endpoint yet.
    """

    pipeline: str
    execution: Execution | None
    under_way: tuple[ExecutionSummary, ...]
    serving: Mapping[str, ServedModel | None]


def read_status(target: Target, project: Project, pipeline: Pipeline, execution_prefix: str | None) -> Status:
    """Raises PipelineError when the pipeline is not deployed, or there is no such execution."""
    recent = pipeline.recent()
    execution = None
    if recent or execution_prefix is not None:
        execution = explained(target, pipeline.read(pipeline.find(execution_prefix).id))
    return Status(
        pipeline=project.name,
        execution=execution,
        under_way=tuple(
            summary
            for summary in recent
            if summary.status in ("InProgress", "Stopping") and (execution is None or summary.id != execution.id)
        ),
        serving={name: serving.served_model(target, project.endpoint(name)) for name in ENVIRONMENTS},
    )


def show_status(console: Console, status: Status, branch: str) -> None:
    """Print it for people, with what to type next."""
    if status.execution is None:
        console.print(f"The pipeline {status.pipeline} has not run yet.")
        console.print(f"Next:  git push slipway HEAD:{branch}")
    else:
        show_execution(console, status.pipeline, status.execution)
    if status.under_way:
        console.print(Text("Other executions under way", "bold"))
        console.print(rendering.summaries_view(status.under_way, now()))
        console.print()
    console.print(rendering.served_view(status.serving, now()))


def show_execution(console: Console, name: str, execution: Execution) -> None:
    """Print an execution, why it failed, and the decision that it waits for."""
    console.print(rendering.execution_view(execution, name, now()))
    show_outcome(console, execution)


def show_outcome(console: Console, execution: Execution) -> None:
    """Print why an execution failed, or what it waits for; nothing when neither."""
    if execution.failed_actions:
        console.print(rendering.failures_view(execution), soft_wrap=True)  # one line, to be found with grep
        console.print(Text(f"Next:  {after_failure(execution)}\n"))
    if execution.approval is not None:
        console.print(rendering.approval_view(execution.approval, execution))
        version = execution.model_package_version
        report = "" if version is None else f"slipway report {version}, then "
        console.print(Text(f"Next:  {report}slipway approve, or slipway reject --reason TEXT\n"))
    if execution.held_by is not None:
        console.print(Text(f"Execution {execution.held_by[:8]} waits for an approval ahead of this one.", "yellow"))
        console.print(Text("Next:  slipway approve, or slipway reject --reason TEXT\n"))


def as_document(value: Any) -> Any:
    """Views as what JSON can hold; what is of no use to anybody else is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: as_document(inner) for name, inner in fields.items() if name not in _INTERNAL}
    if isinstance(value, Mapping):
        return {str(name): as_document(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [as_document(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
