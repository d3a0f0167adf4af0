"""Decides what happens next in a pipeline: who enters a stage, which actions start, when a stage is over. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby

from local_cloud.codepipeline.records import (
    ABANDONED,
    FAILED,
    IN_PROGRESS,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Declaration,
    Execution,
    StageExecution,
)


@dataclass(frozen=True)
class Start:
    """Start these actions side by side."""

    actions: tuple[str, ...]


@dataclass(frozen=True)
class Finish:
    """The stage is over with this status."""

    status: str


def next_step(stage: Declaration, run: StageExecution, execution: Execution) -> Start | Finish | None:
    """What to do in a stage; None while its running actions have to be waited for.

    Actions of one runOrder run side by side. When one fails the others of its group finish, and the stage fails.
    """
    for group in _groups(stage):
        statuses = {name: execution.action(run.counting[name]).status for name in group if name in run.counting}
        if IN_PROGRESS in statuses.values():
            return None
        waiting = tuple(name for name in group if name not in statuses)
        if run.status == STOPPING and (waiting or set(statuses.values()) != {SUCCEEDED}):
            return Finish(STOPPED)
        if waiting:
            return Start(waiting)
        if FAILED in statuses.values() or ABANDONED in statuses.values():
            return Finish(FAILED)
    return Finish(SUCCEEDED)


def _groups(stage: Declaration) -> Iterable[list[str]]:
    def run_order(action: Declaration) -> int:
        return int(action.get("runOrder", 1))

    ordered = sorted(stage["actions"], key=run_order)
    return ([action["name"] for action in group] for _, group in groupby(ordered, key=run_order))


def following_stage(declaration: Declaration, stage: str) -> str | None:
    """The stage after this one; None after the last."""
    names = [s["name"] for s in declaration["stages"]]
    return next(iter(names[names.index(stage) + 1 :]), None)


def may_enter(execution: Execution, executions: Collection[Execution], closed: Collection[str]) -> bool:
    """Whether an execution may go through the gate before which it waits.

    A stage takes one execution at a time, in the order in which the executions were started; in mode PARALLEL
    executions do not wait for each other.
    """
    if execution.gate in closed:
        return False
    if execution.mode == "PARALLEL":
        return True
    others = [other for other in executions if other.id != execution.id and other.active]
    occupied = any((stage := other.current_stage()) and stage.name == execution.gate for other in others)
    overtaking = any(other.gate == execution.gate and other.number < execution.number for other in others)
    return not occupied and not overtaking


def superseded(execution: Execution, executions: Collection[Execution]) -> Execution | None:
    """In mode SUPERSEDED the newer execution that has come to the same gate, whose way this one must make."""
    if execution.mode != "SUPERSEDED" or execution.gate is None:
        return None
    newer = [e for e in executions if e.active and e.gate == execution.gate and e.number > execution.number]
    return max(newer, key=lambda other: other.number, default=None)


def latest_in_stage(executions: Iterable[Execution], stage: str) -> Execution | None:
    """The execution that entered a stage last."""
    entered = [execution for execution in executions if stage in execution.stages]
    return max(entered, key=lambda execution: execution.stages[stage].entered_at, default=None)
