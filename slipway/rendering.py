"""How executions, approvals, served models and predictions look, at 80 columns and without colour too."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline_steps.documents import Prediction
from slipway.executions import Action, Approval, Execution, ExecutionSummary
from slipway.serving import ServedModel, Variant

_STYLES = {
    "Succeeded": "green",
    "InService": "green",
    "Failed": "bold red",
    "Stopped": "red",
    "Abandoned": "red",
    "InProgress": "cyan",
    "WaitingForApproval": "bold yellow",
    "NotStarted": "dim",
}
_SHOWN = {"WaitingForApproval": "waiting", "NotStarted": "", "InProgress": "in progress"}
_SHOWN_METRICS = 4
_COLUMN_GAP = 3


def execution_view(execution: Execution, name: str, now: datetime) -> RenderableType:
    """A heading, and a table of stages and actions."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("stage", no_wrap=True, style="bold")
    table.add_column("action", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("summary", no_wrap=True, overflow="ellipsis", ratio=1)
    for stage in execution.stages:
        for number, action in enumerate(stage.actions):
            table.add_row(stage.name if number == 0 else "", *_action_cells(action, now))
    return Group(_heading(execution, name, now), "", table, "")


def failures_view(execution: Execution) -> RenderableType:
    """Each failed action with its reason, whole."""
    lines = [
        Text.assemble((f"{action.path} failed: ", "bold red"), action.reason or "no reason is known")
        for action in execution.failed_actions
    ]
    return Group(*lines)


def approval_view(approval: Approval, execution: Execution) -> RenderableType:
    """What an approver sees before deciding."""
    body = Text(approval.text or "(the approval has no text)", overflow="fold")
    if execution.commit:
        body.append(f"\n\ncommit {execution.commit[:8]}  {execution.message}", "dim")
    if approval.link:
        body.append(f"\n{approval.link}", "dim")
    if execution.model_package_version:
        body.append("\nthe whole evaluation: ", "dim").append(f"slipway report {execution.model_package_version}")
    return Panel(body, title=f"{approval.stage}/{approval.action} waits for a decision", border_style="yellow")


def summaries_view(summaries: Iterable[ExecutionSummary], now: datetime) -> RenderableType:
    """One line an execution."""
    table = Table.grid(padding=(0, 2))
    for summary in summaries:
        started = "" if summary.started is None else f"started {age(now - summary.started)} ago"
        table.add_row(summary.id[:8], _status(summary.status), started, Text(summary.message, overflow="ellipsis"))
    return table


def served_view(models: Mapping[str, ServedModel | None], now: datetime) -> RenderableType:
    """What staging and production serve."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("endpoint", "status", "version", "since"):
        table.add_column(column, no_wrap=True)
    table.add_column("evaluation")
    for environment, model in models.items():
        if model is None:
            table.add_row(environment, Text("none yet", "dim"), "", "", "")
            continue
        version = "" if model.version is None else str(model.version)
        since = "" if model.since is None else f"{age(now - model.since)} ago"
        told = Text(model.failure or metrics_text(model.metrics), no_wrap=model.failure is None, overflow="ellipsis")
        table.add_row(environment, _status(model.status), version, since, told)
        for variant in model.variants:
            number = "" if variant.version is None else str(variant.version)
            table.add_row(f"  {variant.role}", "", number, "", _share_text(variant))
    return table


def _share_text(variant: Variant) -> str:
    if variant.share is None:
        return "its share of the calls is not known"
    percent = f"{variant.share * 100:.3g} % of the calls"
    return f"copies of {percent}" if variant.role == "shadow" else f"answers {percent}"


def predictions_view(
    records: Sequence[Mapping[str, Any]],
    predictions: Sequence[Prediction],
    offline: Sequence[Prediction] = (),
    width: int = 80,
) -> RenderableType:
    """Predictions beside as many columns of their records as fit.

    Args:
        records: shape (n_records,); empty when they were not sent as named values.
        predictions: one for each record; of probabilities for each class, the highest is shown with its class.
        offline: what the model answered to the same records when it was evaluated; may be empty.
        width: of the terminal, in characters.
    """
    columns = {"prediction": [_prediction_text(prediction) for prediction in predictions]}
    if offline:
        columns["offline"] = [_prediction_text(prediction) for prediction in offline]
    for name in records[0] if records else ():
        columns[name] = [str(record.get(name, "")) for record in records]
    shown = _fitting(columns, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in shown:
        table.add_column(name, no_wrap=True, justify="right" if name in ("prediction", "offline") else "left")
    for row in zip(*(columns[name] for name in shown), strict=True):
        table.add_row(*(Text(value) for value in row))
    left_out = len(columns) - len(shown)
    return Group(table, Text(f"({left_out} more columns)", "dim")) if left_out else table


def _prediction_text(prediction: Prediction) -> str:
    if not isinstance(prediction, tuple):
        return f"{prediction:.4f}"
    highest = max(prediction)
    return f"class {prediction.index(highest)}: {highest:.4f}"


def shares_view(times: Sequence[tuple[str, float]], total: float) -> RenderableType:
    """How long each phase took and its share of the whole, in seconds; what is between them is `the rest`."""
    rest = total - sum(seconds for _, seconds in times)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("phase")
    table.add_column("time", justify="right")
    table.add_column("share", justify="right")
    for title, seconds in (*times, ("the rest", rest)):
        table.add_row(title, f"{seconds:.1f} s", f"{seconds / total:.0%}" if total else "")
    table.add_section()
    table.add_row("all", f"{total:.1f} s", "100%")
    return table


def next_commands(purposes: Mapping[str, str]) -> RenderableType:
    """What to type next, each with what it is for."""
    table = Table.grid(padding=(0, 2))
    for command, purpose in purposes.items():
        table.add_row(f"  {command}", Text(purpose, "dim"))
    return Group(Text("Next", "bold"), table)


def metrics_text(metrics: Mapping[str, float | None]) -> str:
    """The first metrics in one line; those without a finite value are left out."""
    known = [f"{name} {value:.4g}" for name, value in metrics.items() if value is not None]
    return ", ".join(known[:_SHOWN_METRICS])


def duration(span: timedelta) -> str:
    """Short: `4 s`, `2 m 10 s`, `3 h 5 m`, `2 d 4 h`."""
    seconds = max(int(span.total_seconds()), 0)
    units = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s"))
    for size, name, smaller, smaller_name in units:
        if seconds >= size:
            return f"{seconds // size} {name} {seconds % size // smaller} {smaller_name}"
    return f"{seconds} s"


def _fitting(columns: Mapping[str, Sequence[str]], width: int) -> list[str]:
    """The first columns whose values, with three characters between them, fit into a width; two at least."""
    shown: list[str] = []
    used = -_COLUMN_GAP
    for name, values in columns.items():
        used += _COLUMN_GAP + max(len(name), *(len(value) for value in values))
        if used > width and len(shown) > 1:
            break
        shown.append(name)
    return shown


def age(span: timedelta) -> str:
    """Coarse: `4 s`, `2 m`, `3 h`, `2 d`."""
    return " ".join(duration(span).split()[:2])


def _heading(execution: Execution, name: str, now: datetime) -> RenderableType:
    end = execution.updated if execution.ended and execution.updated else now
    passed = duration(end - execution.started) if execution.started else "0 s"
    took = f" after {passed}" if execution.ended else f" for {passed}"
    lines = [Text.assemble((name, "bold"), f"  execution {execution.id[:8]}  ", _status(execution.status), took)]
    if execution.commit:
        lines.append(Text(f"commit {execution.commit[:8]}  {execution.message}", overflow="ellipsis", no_wrap=True))
    if execution.queued_before:
        lines.append(Text(f"queued: waits to enter {execution.queued_before}, an older execution is in it", "yellow"))
    return Group(*lines)


def _action_cells(action: Action, now: datetime) -> list[RenderableType]:
    took = action.duration(now)
    told = action.reason or action.summary
    return [
        action.name,
        _status(action.status),
        "" if took is None else duration(took),
        Text(told, overflow="ellipsis", no_wrap=True),
    ]


def _status(status: str) -> Text:
    return Text(_SHOWN.get(status, status), _STYLES.get(status, ""))
