"""What every command of the command line has around it: the project, the AWS that is spoken to, and its errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from slipway import project, reporting
from slipway.errors import InterruptionError, UserError
from slipway.local_server import LocalServer
from slipway.pipeline import Pipeline
from slipway.project import Project
from slipway.target import Kind, Target, aws_target, local_target, overlay_of
from slipway.terminal import Terminal

SET_UP, FOLLOW, DECIDE, USE = "Set up and take down", "Follow the pipeline", "Decide", "Use the model"
EXPERIMENT, PRODUCTION = "Try out", "Change production"
"""The parts of `slipway --help`."""


@dataclass(frozen=True)
class Surroundings:
    """What a command finds around it; the only place that knows the environment is `__main__.py`."""

    environment: Mapping[str, str]
    folder: Path


@dataclass
class Session:
    """What the commands need, made when it is first asked for."""

    kind: Kind
    surroundings: Surroundings

    def __post_init__(self) -> None:
        self.console = Terminal()
        self.errors = Terminal(stderr=True)

    @cached_property
    def project(self) -> Project:
        return project.load(self.surroundings.folder, overlay_of(self.kind))

    @cached_property
    def server(self) -> LocalServer:
        return LocalServer(self.project.root, self.project.state_dir / "local-cloud")

    @cached_property
    def target(self) -> Target:
        """The AWS that is spoken to; on a real one, a line says which."""
        environment = self.surroundings.environment
        if self.kind == "local":
            return local_target(self.server.require(), environment)
        target = aws_target(environment)
        self.errors.print(Text(target.place, "dim"), soft_wrap=True)
        return target

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.target.client("codepipeline"), self.project.name)

    def say(self, line: str) -> None:
        """Print a line that is not ours, as it is."""
        self.console.print(Text(line), soft_wrap=True)


class Commands(TyperGroup):
    """The commands, with every error in one clear message."""

    def invoke(self, ctx: Any) -> Any:
        kind: Kind = "aws" if ctx.params.get("target") == "aws" else "local"
        try:
            return super().invoke(ctx)
        except (TyperException, Exit, Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            error: UserError = InterruptionError("Interrupted.")
        except Exception as raised:
            error = reporting.understood(raised, kind) or reporting.keep_trace(raised, _log_dir(ctx))
        reporting.show(Terminal(stderr=True), error)
        raise Exit(error.exit_code)


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n".join(("[bold]Examples[/]", *(f"  {command}" for command in commands)))


def _log_dir(ctx: Any) -> Path:
    """Where the traceback of an unforeseen error goes: to the project's logs when there is a project."""
    session = ctx.obj
    folder: Path = session.surroundings.folder if isinstance(session, Session) else Path.cwd()
    root = next((f for f in (folder, *folder.parents) if (f / project.SETTINGS_FILE).is_file()), folder)
    return root / ".slipway" / "logs"
