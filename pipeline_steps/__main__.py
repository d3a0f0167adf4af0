"""The command that CodeBuild runs: `python -m pipeline_steps STEP --exports FILE`.

A step's inputs are environment variables; what it makes is appended to FILE as `export NAME=VALUE` lines for the shell
that goes on. Exit code 0: done; 1: failed, with `slipway: FAILED <reason>` as the last line; 2: cannot be used so.
"""

import argparse
import importlib
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline_steps.aws import Aws
from pipeline_steps.errors import StepError, StepStopped, UsageError
from pipeline_steps.inputs import StepInputs
from pipeline_steps.progress import one_line, say
from settings import Settings, SettingsError, load

SETTINGS_FILE = Path("slipway.yaml")
_LONGEST_LINE = 900


# Modules of pipeline_steps.steps with Inputs and run, each imported when it runs: what one alone needs is only there.
STEPS = (
    "build_image",
    "prepare_data",
    "train_model",
    "evaluate_model",
    "register_model",
    "plan_release",
    "verify_endpoint",
    "judge_pull_request",
)


class _Step(Protocol):
    Inputs: type[StepInputs]
    run: Callable[[Aws, Settings, Any], Mapping[str, str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    parsed = _parse(arguments)
    try:
        with _stoppable():
            _run(parsed.step, parsed.exports, os.environ)
    except UsageError as error:
        return _failed(str(error), exit_code=2)
    except (StepError, SettingsError, StepStopped) as error:
        return _failed(str(error), exit_code=1)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        return _failed(f"{type(error).__name__}: {error}", exit_code=1)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline_steps", description="Run one step of the pipeline.")
    parser.add_argument("step", metavar="STEP", choices=STEPS, help=f"one of {', '.join(STEPS)}")
    parser.add_argument(
        "--exports", metavar="FILE", type=Path, required=True, help="gets the lines `export NAME=VALUE`"
    )
    return parser.parse_args(arguments)


def _run(name: str, exports: Path, environment: Mapping[str, str]) -> None:
    step = cast(_Step, importlib.import_module(f"pipeline_steps.steps.{name}"))
    inputs = _read_inputs(step.Inputs, environment)
    settings = load(SETTINGS_FILE, environment.get("SLIPWAY_OVERLAY"))
    say(f"{name} for commit {inputs.commit_id}, execution {inputs.execution_id}")
    started = time.monotonic()
    results = step.run(Aws(environment["AWS_REGION"]), settings, inputs)
    with exports.open("a", encoding="utf-8") as file:
        file.writelines(f"export {key}={shlex.quote(value)}\n" for key, value in results.items())
    say("\n".join(f"{key} = {value}" for key, value in results.items()))
    say(f"{name} took {time.monotonic() - started:.1f} s")


def _read_inputs(inputs: type[StepInputs], environment: Mapping[str, str]) -> StepInputs:
    """Make a step's inputs of the environment variables that are named as its fields, in capitals."""
    needed = [*(field.name.upper() for field in fields(inputs) if field.default is MISSING), "AWS_REGION"]
    missing = [variable for variable in needed if not environment.get(variable)]
    if missing:
        raise UsageError(f"these environment variables must be set: {', '.join(missing)}")
    given = [field for field in fields(inputs) if field.name.upper() in environment]
    values: dict[str, Any] = {field.name: environment[field.name.upper()] for field in given}
    paths = {field.name: Path(values[field.name]) for field in given if field.type is Path}
    return inputs(**values | paths)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into StepStopped; later ones must not interrupt the stopping of jobs."""

    def stop(number: int, _frame: object) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise StepStopped(f"the step was stopped by {signal.Signals(number).name}")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failed(reason: str, *, exit_code: int) -> int:
    """Tell why, and end with the line that `slipway status` reads: the first paragraph, which holds no traceback."""
    sys.stderr.flush()
    first, _, more = reason.strip().partition("\n\n")
    if more:
        say(reason)
    prefix = "slipway: FAILED "
    say(prefix + one_line(first, _LONGEST_LINE - len(prefix)))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
