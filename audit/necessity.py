"""`python -m audit.necessity`: which grants does a run fail without?

Every role of a deployed delivery line is stripped of its policy. Then commits are pushed; whenever the pipeline fails,
the grant that the failure names is given back and the failed actions are retried, until everything has succeeded. What
was given back is what the line needs, and each of it was missed by name. What was never asked back is listed.
"""

import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from audit.stripped_roles import Grant, Refusals, StrippedRoles
from tests.delivery_line import DeliveryLine

_POLL_SECONDS = 1.0
_START_SECONDS = 15.0
_ENDED = ("Succeeded", "Failed", "Stopped", "Superseded")
_STUCK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
_PRODUCTION = "flight-delays-production"
_PULL_REQUESTS = "flight-delays-pull-request"
_ROLLOUT_NOTES = "flight-delays-record-rollout"
_BRANCH = "more-trees"


class StuckError(Exception):
    """The line fails for a reason that no grant cures."""


class Experiment:
    """A delivery line whose roles get back what its runs fail without."""

    def __init__(self, line: DeliveryLine, decisions: Path, console: Console) -> None:
        self._line = line
        self._server_log = line.folder / ".slipway" / "local-cloud" / "server.log"
        self._console = console
        self._refusals = Refusals(decisions)
        self._pipeline = line.client("codepipeline")
        self._cloudformation = line.client("cloudformation")
        self.roles = StrippedRoles(line.client("iam"))
        self.named: set[Grant] = set()
        self.refused: set[Grant] = set()

    def run(self) -> None:
        """Strip the roles, then push until two models were in production one after the other and a third is judged."""
        self.roles.strip(self._cloudformation)
        self._release(100)
        if self._newest_build(_ROLLOUT_NOTES, known=()) is None:
            self._give_back("")  # the event that should have started it has no other place to say so
        self._release(101)
        self._note_rollout()
        self._judge_pull_request()

    def _release(self, trees: int) -> None:
        self._line.edit("slipway.yaml", r"trees: \d+", f"trees: {trees}")
        self._line.edit("README.md", r"\A", f"{trees}\n")
        self._succeed(self._start())

    def _note_rollout(self) -> None:
        """Retry the build that notes the rollout until it succeeds; the pipeline does not wait for it."""
        codebuild, known = self._line.client("codebuild"), list[str]()
        while (told := self._why_the_build_failed(_ROLLOUT_NOTES, known)) is not None:
            self._give_back(told)
            known = self._builds(_ROLLOUT_NOTES)
            codebuild.retry_build(id=known[0])

    def _start(self) -> str:
        """Push; gives the id of the execution that it starts, once it may."""
        before = self._newest()
        while True:
            self._line.commit("A commit")
            self._line.push()
            deadline = time.monotonic() + _START_SECONDS
            while time.monotonic() < deadline:
                if (newest := self._newest()) != before and newest is not None:
                    return newest
                time.sleep(_POLL_SECONDS)
            self._give_back("")
            self._line.edit("README.md", r"\A", "again\n")

    def _newest(self) -> str | None:
        executions = self._line.executions()
        return executions[0]["pipelineExecutionId"] if executions else None

    def _judge_pull_request(self) -> None:
        """Open a pull request, and push to its branch until a build of it succeeds."""
        self._line.edit("slipway.yaml", r"trees: \d+", "trees: 102")
        known = self._builds(_PULL_REQUESTS)
        self._push_branch()
        codecommit = self._line.client("codecommit")
        target = {"repositoryName": "flight-delays", "sourceReference": _BRANCH, "destinationReference": "main"}
        codecommit.create_pull_request(title="More trees", targets=[target])
        while (told := self._why_the_build_failed(_PULL_REQUESTS, known)) is not None:
            self._give_back(told)
            known = self._builds(_PULL_REQUESTS)
            self._line.edit("README.md", r"\A", "again\n")
            self._push_branch()

    def _push_branch(self) -> None:
        self._line.commit("A commit")
        self._line.git("push", "--quiet", "slipway", f"HEAD:refs/heads/{_BRANCH}")

    def _builds(self, project: str) -> list[str]:
        """The ids of a project's builds, the newest first."""
        ids: list[str] = self._line.client("codebuild").list_builds_for_project(projectName=project)["ids"]
        return ids

    def _newest_build(self, project: str, known: Collection[str]) -> str | None:
        """The newest build that is not known, once there is one; None when none starts."""
        deadline = time.monotonic() + _START_SECONDS
        while not (started := [one for one in self._builds(project) if one not in known]):
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL_SECONDS)
        return started[0]

    def _why_the_build_failed(self, project: str, known: Collection[str]) -> str | None:
        """What the build that is not known says of its failure, "" when none starts; None when it has succeeded."""
        started = self._newest_build(project, known)
        if started is None:
            return ""
        codebuild = self._line.client("codebuild")
        while (build := codebuild.batch_get_builds(ids=[started])["builds"][0])["buildStatus"] == "IN_PROGRESS":
            time.sleep(_POLL_SECONDS)
        return None if build["buildStatus"] == "SUCCEEDED" else f"{build['phases']}\n{self._log_of(build)}"

    def _log_of(self, build: Mapping[str, Any]) -> str:
        logs = self._line.client("logs")
        where = build["logs"]
        if "streamName" not in where:
            return ""
        try:
            events = logs.get_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"])["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in events)

    def _succeed(self, execution: str) -> None:
        while (status := self._settled(execution)) != "Succeeded":
            if status != "Failed":
                raise StuckError(f"the execution is {status}")
            told = self._line.slipway("status", check=False).stdout
            self._give_back(told)
            self._clear_production()
            self._clear_endpoints()
            self._retry(execution)

    def _settled(self, execution: str) -> str:
        while True:
            watched = self._line.slipway("watch", execution, check=False)
            if watched.returncode == 3:
                self._line.slipway("approve", "--comment", "an experiment", check=False)
                continue
            answer = self._pipeline.get_pipeline_execution(pipelineName="flight-delays", pipelineExecutionId=execution)
            status: str = answer["pipelineExecution"]["status"]
            if status in _ENDED:
                return status

    def _give_back(self, told: str) -> None:
        """Give back what the failure names, or else what the local cloud's log names.

        A push that starts nothing and a build that may not write its log have no other place to say so.
        """
        refused = [self.roles.missing(*refusal) for refusal in self._refusals.new()]
        missing = {grant for grant in refused if grant is not None}
        self.refused |= missing
        open_refusals = {grant for grant in self.refused if grant not in self.roles.given}
        named = {grant for grant in open_refusals if grant.action in told or _in_sagemakers_words(grant) in told}
        log = self._server_log.read_text()
        logged = {grant for grant in open_refusals if grant.action in log}
        for grant in sorted(named or logged):
            where = "" if named else "  [yellow](named in the local cloud's log)[/yellow]"
            what = f"{self.roles.labels[grant.role]}  {grant.action}  {grant.pattern}"
            self._console.print(f"[green]+[/green] {what}{where}", soft_wrap=True)
            self.roles.give(grant)
        self.named |= named
        if not (named or logged):
            raise StuckError(f"the line fails, and nothing names what would cure it ({sorted(missing)}):\n{told}")

    def _clear_production(self) -> None:
        """A stack that could not be created stands in the way; the pipeline never deletes production."""
        stack = self._stack(_PRODUCTION)
        if stack is not None and stack["StackStatus"] in _STUCK:
            self._cloudformation.delete_stack(StackName=_PRODUCTION)
            self._cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=_PRODUCTION, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )

    def _clear_endpoints(self) -> None:
        """An endpoint that its stack could not delete is nobody's once the stack is gone, or when it never came up."""
        sagemaker = self._line.client("sagemaker")
        for endpoint in sagemaker.list_endpoints()["Endpoints"]:
            name, status = endpoint["EndpointName"], endpoint["EndpointStatus"]
            if status == "Failed" or (status == "InService" and self._stack(name) is None):
                sagemaker.delete_endpoint(EndpointName=name)

    def _stack(self, name: str) -> dict[str, Any] | None:
        try:
            stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except self._cloudformation.exceptions.ClientError:
            return None
        return stack

    def _retry(self, execution: str) -> None:
        state = self._pipeline.get_pipeline_state(name="flight-delays")
        failed = next(
            stage["stageName"]
            for stage in state["stageStates"]
            if stage.get("latestExecution", {}).get("status") == "Failed"
            and stage["latestExecution"]["pipelineExecutionId"] == execution
        )
        self._pipeline.retry_stage_execution(
            pipelineName="flight-delays", stageName=failed, pipelineExecutionId=execution,
            retryMode="FAILED_ACTIONS",
        )  # fmt: skip


def _in_sagemakers_words(grant: Grant) -> str:
    """How SageMaker names a permission that an endpoint's role lacks."""
    return f"does not have {grant.action.partition(':')[2]} permission"


def _show(console: Console, experiment: Experiment, seconds: float) -> None:
    roles = experiment.roles
    grants = list(roles.grants())
    columns = ("grants", "missed by name", "in the log only", "refused, run goes on", "never asked")
    table = Table("role", *columns, title="What a run fails without")
    for role, label in sorted(roles.labels.items(), key=lambda item: item[1]):
        mine = {grant for grant in grants if grant.role == role}
        given, refused = mine & roles.given, mine & experiment.refused
        named = given & experiment.named
        counts = (mine, named, given - named, refused - given, mine - given - refused)
        table.add_row(label, *(str(len(one)) for one in counts))
    console.print(table)
    for grant in sorted(set(grants) - roles.given):
        what = "the run goes on without" if grant in experiment.refused else "never asked"
        console.print(f"{what}: {roles.labels[grant.role]}  {grant.action}  {grant.pattern}", soft_wrap=True)
    by_name = len(roles.given & experiment.named)
    console.print(f"{len(grants)} grants: {len(roles.given)} missed, {by_name} of them by name; {seconds / 60:.1f} min")


def main() -> int:
    """Run the experiment on a line of its own and print what it found.

    It fails, with an exception, if a run fails and nothing names what it lacks.
    """
    console = Console(width=160, highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slipway-necessity-") as folder:
        decisions = Path(folder) / "decisions.jsonl"
        (Path(folder) / "line").mkdir()
        line = DeliveryLine.make(Path(folder) / "line", {"LOCAL_CLOUD_DECISIONS": str(decisions)})
        try:
            console.print("Deploying a delivery line ...")
            line.slipway("up", "--port", str(line.port))
            experiment = Experiment(line, decisions, console)
            experiment.run()
        finally:
            line.slipway("down", check=False)
    _show(console, experiment, time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
