"""`slipway demo`: everything once, from nothing to predictions of a model in production."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from slipway import rendering, serving
from slipway.errors import EndpointError
from slipway.executions import now
from slipway.git_repository import GitRepository
from slipway.local_server import LocalServer
from slipway.phases import Phases
from slipway.project import ENVIRONMENTS, Project
from slipway.release import Release
from slipway.target import Target
from slipway.up import Deployment, start_local_cloud

RECORDS = 5
_NEXT = {
    "slipway report": "the evaluation, as the approver saw it",
    "slipway status": "where the newest commit is, and what is served",
    "slipway invoke": "call the production endpoint",
    "slipway logs production": "what the production endpoint writes",
    'eval "$(slipway env)"': "let the aws command speak to the local cloud",
    "slipway down": "stop the local cloud; slipway up brings all back",
}


@dataclass(frozen=True)
class Demo:
    """One run of the demo.

    Args:
        started: when `make demo` was typed, in seconds since 1970; None when it was not make.
    """

    console: Console
    project: Project
    server: LocalServer
    environment: Mapping[str, str]
    started: float | None

    def run(self, port: int) -> None:
        """Raises UserError at the first thing that does not work."""
        phases = Phases(self.console)
        began = time.time() if self.started is None else self.started
        if self.started is not None:
            phases.times.append(("Set-up", max(time.time() - began, 0.0)))
        repository = GitRepository(self.project.root, self.environment)
        repository.require()
        self._warn_of_changes(repository)
        target = start_local_cloud(phases, self.server, port, self.environment)
        Deployment(phases, target, self.project).all(example_data=True, profile=None)
        Release(self.console, self.project, target).run(phases)
        self._call_production(phases, target)
        self._tell(target)
        self.console.print(rendering.shares_view(phases.times, time.time() - began))

    def _warn_of_changes(self, repository: GitRepository) -> None:
        changes = repository.uncommitted_changes()
        if changes:
            self.console.print(
                Text(f"Note: {len(changes)} uncommitted changes are not part of what is pushed.", "yellow")
            )

    def _call_production(self, phases: Phases, target: Target) -> None:
        """Send real records to the production endpoint, and show what it answers."""
        endpoint = self.project.endpoint("production")
        with phases.phase("Invoke") as phase:
            model = serving.served_model(target, endpoint)
            if model is None:
                raise EndpointError(f"the endpoint {endpoint} does not exist", "slipway status")
            samples = serving.read_samples(target, model)
            records = samples.records[:RECORDS]
            answer = serving.invoke(target, endpoint, serving.json_body(records), "application/json")
            predictions = serving.predictions(answer, "application/json")
            phase.note = f"{len(predictions)} real records to {endpoint}"
        offline = samples.predictions[:RECORDS]
        self.console.print()
        self.console.print(rendering.predictions_view(records, predictions, offline, self.console.width))

    def _tell(self, target: Target) -> None:
        """What runs, and where."""
        models = {name: serving.served_model(target, self.project.endpoint(name)) for name in ENVIRONMENTS}
        self.console.print(Text(f"\nRunning: {target.place}\n", "bold"), soft_wrap=True)
        self.console.print(rendering.served_view(models, now()), "")
        self.console.print(rendering.next_commands(_NEXT), "")
