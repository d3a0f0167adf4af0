"""The commands that change what production serves; and `compare`, which helps to decide."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.prompt import Confirm
from rich.text import Text

import settings
from pipeline_steps.documents import Scores
from settings import Strategy
from slipway import releases, serving
from slipway.errors import PipelineError, RegistryError, UserError
from slipway.production import Production, ProductionState
from slipway.production_changes import Change, carry_out, plan_drop, plan_promotion, plan_rollback
from slipway.project import SETTINGS_FILE
from slipway.reporting import interruptible
from slipway.session import PRODUCTION, Session, examples
from slipway.stacks import Stacks
from slipway.target import overlay_of
from slipway.variant_comparison import VariantComparison, as_json_text, read_metrics, show_comparison

_Reason = Annotated[str | None, typer.Option(help="Why, for whoever reads it later; noted on the versions.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

app = typer.Typer()


@app.command(rich_help_panel=PRODUCTION, epilog=examples("slipway release 7", "slipway release 7 --strategy ab_test"))
def release(
    ctx: typer.Context,
    version: Annotated[int, typer.Argument(min=1, help="An Approved version; see slipway releases.")],
    strategy: Annotated[
        Strategy | None, typer.Option(help="How production comes to it; else release.strategy of slipway.yaml.")
    ] = None,
) -> None:
    """Send a version that exists through the pipeline again: staging, verification, approval, production."""
    session: Session = ctx.obj
    _refuse_unreleasable(session, version)
    _refuse_strategy(session, strategy)
    variables = {"ModelPackageVersion": str(version), **({"Strategy": strategy} if strategy else {})}
    execution = session.pipeline.start(variables)
    session.console.print(f"Execution {execution[:8]} releases version {version}; nothing is trained.", soft_wrap=True)
    session.console.print(f"Next:  slipway watch {execution[:8]}")


@app.command(
    rich_help_panel=PRODUCTION,
    epilog=examples("slipway rollback", 'slipway rollback --to 5 --reason "wrong on night flights" --yes'),
)
def rollback(
    ctx: typer.Context,
    to: Annotated[
        int | None, typer.Option(min=1, help="A version; else the one that production served before.")
    ] = None,
    reason: _Reason = None,
    yes: _Yes = False,
) -> None:
    """Bring production back to the version that it served before, at once and without the pipeline."""
    session: Session = ctx.obj

    def plan(state: ProductionState) -> Change:
        return plan_rollback(state, releases.read_releases(session.target, session.project), to)

    _change(session, plan, reason, yes)


@app.command(rich_help_panel=PRODUCTION, epilog=examples("slipway promote", 'slipway promote --reason "better"'))
def promote(ctx: typer.Context, reason: _Reason = None, yes: _Yes = False) -> None:
    """End a test in production: the challenger serves all calls."""
    _change(ctx.obj, plan_promotion, reason, yes)


@app.command(rich_help_panel=PRODUCTION, epilog=examples("slipway drop", 'slipway drop --reason "no better"'))
def drop(ctx: typer.Context, reason: _Reason = None, yes: _Yes = False) -> None:
    """End a test in production: the champion serves all calls again."""
    _change(ctx.obj, plan_drop, reason, yes)


@app.command(rich_help_panel=PRODUCTION, epilog=examples("slipway compare", "slipway compare --json"))
def compare(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show champion and challenger side by side: calls, errors, latency, and the metric where labels have arrived."""
    session: Session = ctx.obj
    model = serving.served_model(session.target, session.project.endpoint("production"))
    comparison = _with_labels(session, read_metrics(session.target, model))
    if as_json:
        typer.echo(as_json_text(comparison))
    else:
        show_comparison(session.console, comparison)


def _change(session: Session, plan: Callable[[ProductionState], Change], reason: str | None, yes: bool) -> None:
    production = Production(session.target, session.project, _with_time(session))
    change = plan(production.read())
    for sentence in change.told:
        session.console.print(Text(sentence), soft_wrap=True)
    if not yes and not _agreed(session):
        raise UserError("nothing was changed")
    with interruptible("Interrupted; the stack's update goes on by itself. See it with slipway status."):
        carry_out(production, change, reason, session.say)


def _with_time(session: Session) -> Callable[[str], None]:
    started = time.monotonic()
    return lambda line: session.say(f"{time.monotonic() - started:6.1f} s  {line}")


def _agreed(session: Session) -> bool:
    try:
        return Confirm.ask(Text("Go on?", "prompt"), console=session.console, default=False)
    except EOFError as error:  # nobody is there to answer
        raise UserError("nothing was changed, for nobody has answered", "the same command with --yes") from error


def _refuse_unreleasable(session: Session, version: int) -> None:
    found = {one.version: one for one in releases.read_releases(session.target, session.project)}
    if version not in found:
        known = ", ".join(map(str, found)) or "none"
        raise RegistryError(
            f"there is no version {version} of {session.project.name}; there are {known}", "slipway releases"
        )
    if found[version].status != "Approved":
        raise RegistryError(
            f"version {version} is {found[version].status}: the gate refused it", f"slipway report {version}"
        )


def _refuse_strategy(session: Session, strategy: Strategy | None) -> None:
    """What the pipeline would refuse at its very end."""
    if strategy is None:
        return
    read = settings.load(session.project.root / SETTINGS_FILE, overlay_of(session.kind))
    faults = read.release.faults(strategy, read.endpoints.production)
    if faults:
        told = "; ".join(f"release.{'.'.join(map(str, location))} {fault}" for location, fault in faults)
        raise PipelineError(
            f"the strategy {strategy} needs other settings: {told}", f"correct {SETTINGS_FILE} and push it"
        )


def _with_labels(session: Session, comparison: VariantComparison) -> VariantComparison:
    from slipway.labelled_calls import Measure, add_labelled_calls  # numpy: not for every command

    read = settings.load(session.project.root / SETTINGS_FILE, overlay_of(session.kind))
    champion = serving.served_model(session.target, session.project.endpoint("production"))
    scores: Scores | None = None if champion is None else serving.read_scores(session.target, champion)
    if scores is None or scores.task is None:
        return comparison
    bucket = Stacks(session.target).outputs(session.project.foundation_stack)["DataBucketName"]
    measure = Measure(scores.task, read.evaluation.primary.metric, read.evaluation.confidence, scores.classes or ())
    return add_labelled_calls(session.target, bucket, session.project.endpoint("production"), comparison, measure)
