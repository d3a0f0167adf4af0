"""The commands that people type, and what they say of themselves; each hands over to a module of its own."""

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.prompt import Confirm, Prompt
from rich.text import Text
from typer.exceptions import Exit

from pipeline_steps.documents import Prediction
from slipway import down as downing
from slipway import invocation, logs, production_commands, releases, rendering, reports, serving
from slipway.demo import Demo
from slipway.errors import PipelineError, UserError
from slipway.executions import Execution
from slipway.following import follow, newest_execution, view_for, wait_until_taken
from slipway.git_repository import GitRepository
from slipway.local_server import DEFAULT_PORT
from slipway.phases import Phases
from slipway.pipeline import Pipeline, refuse_long_comment
from slipway.project import ENVIRONMENTS
from slipway.reporting import interruptible
from slipway.session import DECIDE, EXPERIMENT, FOLLOW, SET_UP, USE, Commands, Session, examples
from slipway.status import as_document, read_status, show_outcome, show_status
from slipway.target import NOT_LOCAL, local_variables
from slipway.up import Deployment, refuse_folder, start_local_cloud

WAITS_FOR_APPROVAL = 3
"""Exit code of `slipway watch` when the pipeline cannot go on without a person."""

_SAMPLE_RECORDS = 5
_EXECUTION_HELP = "The beginning of an execution's id; else the newest."


class TargetName(StrEnum):
    """The values of `--target`."""

    LOCAL = "local"
    AWS = "aws"


class EndpointName(StrEnum):
    """The values of `--endpoint`."""

    STAGING = "staging"
    PRODUCTION = "production"


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Start with [bold]slipway up[/], [bold]git push slipway HEAD:main[/] and [bold]slipway watch[/].",
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(production_commands.app)


@app.callback()
def options(
    ctx: typer.Context,
    target: Annotated[
        TargetName, typer.Option(envvar="SLIPWAY_TARGET", help="The AWS to speak to: this machine's, or an account.")
    ] = TargetName.LOCAL,
) -> None:
    """Train, prove and release models on AWS, or on the AWS of this machine.

    With [bold]--target aws[/], account and region come from the usual AWS variables and profiles.
    """
    ctx.obj = Session("aws" if target is TargetName.AWS else "local", ctx.obj)


@app.command(rich_help_panel=SET_UP, epilog=examples("slipway up", "slipway up --port 4600", "slipway --target aws up"))
def up(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="SLIPWAY_PORT", help="Port of the local cloud.")
    ] = DEFAULT_PORT,
    example_data: Annotated[
        bool | None, typer.Option(help="Put the example's data into an empty data bucket (locally by default).")
    ] = None,
) -> None:
    """Start the local cloud and deploy the pipeline; run again, it goes on where it stopped."""
    session: Session = ctx.obj
    refuse_folder(session.project.root)
    environment = session.surroundings.environment
    phases = Phases(session.console)
    with interruptible("Interrupted; what is done is kept, and slipway up goes on from here."):
        local = session.kind == "local"
        target = start_local_cloud(phases, session.server, port, environment) if local else session.target
        Deployment(phases, target, session.project).all(
            example_data=local if example_data is None else example_data, profile=environment.get("AWS_PROFILE")
        )
    purposes = {
        f"git push slipway HEAD:{session.project.branch}": "train, prove and release what is committed",
        "slipway watch": "follow it",
        "slipway status": "where the newest commit is, and what is served",
    }
    session.console.print(rendering.next_commands(purposes))


@app.command(
    rich_help_panel=FOLLOW,
    epilog=examples("slipway status", "slipway status 3f2a91c0", "slipway status --json"),
)
def status(
    ctx: typer.Context,
    execution: Annotated[str | None, typer.Argument(help=_EXECUTION_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show where an execution is, why it failed, what waits for a decision, and what is served."""
    session: Session = ctx.obj
    read = read_status(session.target, session.project, session.pipeline, execution)
    if as_json:
        typer.echo(json.dumps(as_document(read), indent=2))
    else:
        show_status(session.console, read, session.project.branch)


@app.command(
    rich_help_panel=FOLLOW,
    epilog="Exit code: 0 it succeeded, 1 it did not, 3 it waits for an approval.\n\n"
    + examples("slipway watch", "slipway watch && slipway invoke"),
)
def watch(
    ctx: typer.Context,
    execution: Annotated[str | None, typer.Argument(help=_EXECUTION_HELP)] = None,
) -> None:
    """Follow an execution and its log until it ends or waits for an approval."""
    session: Session = ctx.obj
    with interruptible("Stopped watching; the pipeline goes on. See it with slipway status."):
        if execution is None:
            execution_id = newest_execution(session.target, session.pipeline, session.project)
        else:
            execution_id = session.pipeline.find(execution).id
        with view_for(session.console, session.project.name) as view:
            followed = follow(session.target, session.pipeline, execution_id, view)
    show_outcome(session.console, followed)
    raise Exit(_exit_code(followed))


@app.command(
    name="logs",
    rich_help_panel=FOLLOW,
    epilog=examples(
        "slipway logs", "slipway logs TrainModel -f", "slipway logs Staging/Verify", "slipway logs production"
    ),
)
def show_logs(
    ctx: typer.Context,
    action: Annotated[
        str | None,
        typer.Argument(help="An action, as Action or Stage/Action, or an endpoint: staging, production."),
    ] = None,
    execution: Annotated[str | None, typer.Option(help=_EXECUTION_HELP)] = None,
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Go on as long as it runs.")] = False,
) -> None:
    """Print the log of an action, or of an endpoint; without a name, of the failed or running action."""
    session: Session = ctx.obj
    with interruptible("Stopped following."):
        if action is not None and action.lower() in ENVIRONMENTS:
            logs.print_endpoint_log(session.target, session.project, action.lower(), follow=follow_it, say=session.say)
            return
        found = session.pipeline.read(session.pipeline.find(execution).id)
        chosen = logs.chosen_action(found, action)
        session.errors.print(Text(f"{chosen.path} of execution {found.id[:8]}", "dim"))
        logs.print_action_log(session.target, session.pipeline, found, chosen, follow=follow_it, say=session.say)


@app.command(name="releases", rich_help_panel=DECIDE, epilog=examples("slipway releases", "slipway releases --json"))
def show_releases(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List all versions of the model: verdict, numbers, who approved it, and which of them are served."""
    session: Session = ctx.obj
    read = releases.read_releases(session.target, session.project)
    if as_json:
        typer.echo(releases.as_json_text(read))
    else:
        releases.show_releases(session.console, read)


@app.command(
    name="report",
    rich_help_panel=DECIDE,
    epilog=examples("slipway report", "slipway report 4 --no-open", "slipway report --markdown"),
)
def show_report(
    ctx: typer.Context,
    version: Annotated[
        int | None, typer.Argument(help="A version; else the one that waits for an approval, or the newest.")
    ] = None,
    opens: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it here.")] = False,
) -> None:
    """Show the report of a version's evaluation: everything that speaks for and against it."""
    session: Session = ctx.obj
    reports.show_report(
        session.console, session.target, session.project, session.pipeline, version, markdown=markdown, opens=opens
    )


@app.command(
    rich_help_panel=DECIDE, epilog=examples("slipway approve", 'slipway approve --comment "better on every slice"')
)
def approve(
    ctx: typer.Context,
    comment: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "Approved with slipway approve",
) -> None:
    """Show what waits for a decision, and let it go to production."""
    _decide(ctx.obj, "Approved", comment)


@app.command(rich_help_panel=DECIDE, epilog=examples('slipway reject --reason "recall on night flights is too low"'))
def reject(
    ctx: typer.Context, reason: Annotated[str, typer.Option(help="Why; it becomes the action's summary.")]
) -> None:
    """Show what waits for a decision, and keep it out of production."""
    if not reason.strip():
        raise UserError("a rejection needs a reason", 'slipway reject --reason "..."')
    _decide(ctx.obj, "Rejected", reason)


@app.command(
    rich_help_panel=USE,
    epilog=examples("slipway invoke", "slipway invoke --file flights.csv", "slipway invoke - < record.json"),
)
def invoke(
    ctx: typer.Context,
    record: Annotated[
        str | None, typer.Argument(help="A record as JSON, or - to read JSON or CSV from standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A .json file of records, or a .csv file without a header.")] = None,
    endpoint: Annotated[EndpointName, typer.Option(help="Which endpoint to call.")] = EndpointName.PRODUCTION,
) -> None:
    """Call an endpoint; without a record, with real ones that its model was evaluated on."""
    session: Session = ctx.obj
    if record is not None and file is not None:
        raise typer.BadParameter("give a record or --file, not both")
    name = session.project.endpoint(endpoint)
    request, offline = _request(session, name, record, file)
    answer = serving.invoke(session.target, name, request.body, request.content_type)
    predictions = serving.predictions(answer, request.content_type)
    width = session.console.width
    session.console.print(rendering.predictions_view(request.records, predictions, offline, width))


@app.command(
    rich_help_panel=EXPERIMENT,
    epilog="Needs the SageMaker SDK: make experiments\n\n"
    + examples("slipway experiment", "slipway experiment --set trees=200 --set max_depth=4"),
)
def experiment(
    ctx: typer.Context,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A hyperparameter in place of slipway.yaml's; may be repeated."
        ),
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Prepare the raw data with this code first; else the newest data set.")
    ] = False,
) -> None:
    """Train the code as it lies here, committed or not, and see its evaluation beside the champion's."""
    from slipway.experiment import make_experiment  # the pipeline's steps: not for every command

    session: Session = ctx.obj
    with interruptible("Stopped; the jobs that ran were told to stop."):
        make_experiment(session.console, session.project, lambda: session.target, changes or [], prepare=prepare).run()


@app.command(rich_help_panel=EXPERIMENT, epilog=examples("slipway experiments", "slipway experiments --json"))
def experiments(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the team's experiments side by side, the best first."""
    from slipway.experiment_listing import as_json_text, show_experiments

    session: Session = ctx.obj
    if as_json:
        typer.echo(as_json_text(session.target, session.project))
    else:
        show_experiments(session.console, session.target, session.project)


@app.command(
    rich_help_panel=SET_UP,
    epilog=examples("slipway down", "slipway down --purge", "slipway --target aws down --purge"),
)
def down(
    ctx: typer.Context,
    purge: Annotated[bool, typer.Option(help="Delete everything that is stored, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (local cloud only).")] = False,
) -> None:
    """Stop the local cloud, its state kept for the next up; on AWS, delete everything with --purge."""
    session: Session = ctx.obj
    if session.kind == "aws":
        _take_down_account(session, purge)
    elif purge:
        _purge_local_cloud(session, yes)
    else:
        stopped = downing.stop_local(session.server)
        said = "did not run" if stopped is None else f"at {stopped.endpoint_url} is stopped"
        session.console.print(f"The local cloud {said}. Its state is kept: slipway up brings all back.", soft_wrap=True)


@app.command(rich_help_panel=USE, epilog=examples('eval "$(slipway env)" && aws s3 ls'))
def env(ctx: typer.Context) -> None:
    """Print the shell commands that bring the aws command to the local cloud."""
    session: Session = ctx.obj
    if session.kind == "aws":
        raise UserError("for an AWS account there is nothing to set: the aws command uses the same variables")
    variables = local_variables(session.server.require())
    typer.echo(f"unset {' '.join(NOT_LOCAL)}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command(rich_help_panel=SET_UP, epilog=examples("make demo", "slipway demo --port 4600"))
def demo(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="SLIPWAY_PORT", help="Port of the local cloud.")
    ] = DEFAULT_PORT,
    started: Annotated[float | None, typer.Option(envvar="SLIPWAY_DEMO_STARTED", hidden=True)] = None,
) -> None:
    """Go the whole way once on this machine: deploy, push, train, approve, serve, call."""
    session: Session = ctx.obj
    if session.kind == "aws":
        raise UserError("the demo runs on the local cloud only", "slipway --target aws up")
    refuse_folder(session.project.root)
    with interruptible("Interrupted; what is done is kept, and slipway demo goes on from here."):
        Demo(session.console, session.project, session.server, session.surroundings.environment, started).run(port)


def _exit_code(execution: Execution) -> int:
    if execution.approval is not None or execution.held_by is not None:
        return WAITS_FOR_APPROVAL
    return 0 if execution.status == "Succeeded" else 1


def _decide(session: Session, decision: str, comment: str) -> None:
    refuse_long_comment(comment)
    execution = session.pipeline.waiting()
    if execution is None or execution.approval is None:
        raise PipelineError(f"nothing waits for an approval: {_state(session.pipeline)}", "slipway status")
    session.console.print(rendering.approval_view(execution.approval, execution))
    session.pipeline.decide(execution.approval, decision, comment)
    wait_until_taken(session.target, session.pipeline, execution.approval)
    session.console.print(f"{decision} execution {execution.id[:8]}: {comment}", soft_wrap=True, markup=False)
    if decision == "Approved":
        session.console.print(f"Next:  slipway watch {execution.id[:8]}")


def _state(pipeline: Pipeline) -> str:
    recent = pipeline.recent()
    if not recent:
        return "the pipeline has not run yet"
    execution = pipeline.read(recent[0].id)
    places = ", ".join(action.path for action in execution.running_actions or execution.failed_actions)
    return f"execution {execution.id[:8]} is {execution.status}{f' in {places}' if places else ''}"


def _request(
    session: Session, endpoint: str, record: str | None, file: Path | None
) -> tuple[invocation.Request, tuple[Prediction, ...]]:
    """What to send, and what the model answered to it offline when that is known."""
    if file is not None:
        return invocation.from_file(file), ()
    if record == "-":
        return invocation.from_text(sys.stdin.read(), "standard input"), ()
    if record is not None:
        return invocation.from_json(record, "the record"), ()
    model = serving.served_model(session.target, endpoint)
    if model is None:
        raise UserError(f"the endpoint {endpoint} does not exist yet", "slipway status")
    samples = serving.read_samples(session.target, model)
    records = samples.records[:_SAMPLE_RECORDS]
    request = invocation.Request(serving.json_body(records), "application/json", records)
    return request, samples.predictions[:_SAMPLE_RECORDS]


def _purge_local_cloud(session: Session, yes: bool) -> None:
    folder = session.server.state_dir
    question = Text(f"Delete {folder}, with all data, models and executions in it?", "prompt")
    if not yes and not Confirm.ask(question, console=session.console, default=False):
        raise UserError("nothing was deleted")
    repository = GitRepository(session.project.root, session.surroundings.environment)
    downing.purge_local(session.server, repository)
    session.console.print("The local cloud, its state and the git remote slipway are gone.")


def _take_down_account(session: Session, purge: bool) -> None:
    stacks = ", ".join(session.project.stacks)
    if not purge:
        raise UserError(
            f"an account has nothing to stop: down deletes the stacks {stacks} of {session.target.place}, "
            "and does so with --purge only",
            "slipway --target aws down --purge",
        )
    session.console.print(f"This deletes {stacks}\nin {session.target.place}, endpoints included.", soft_wrap=True)
    for kept in downing.retained_resources(session.target, session.project):
        session.console.print(f"  stays: {kept}", soft_wrap=True, markup=False)
    if Prompt.ask("Type the project's name to go on", console=session.console) != session.project.name:
        raise UserError("that is not the project's name; nothing was deleted")
    downing.purge_account(session.target, session.project, session.say)
