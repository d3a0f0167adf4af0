"""What is kept of a pipeline and its executions: plain records that go into the store and come out of it.

PipelineRecord --version--> declaration (the structure that an execution started with)
Execution
  +-- stages   {name: StageExecution}, in the order in which they were entered
  +-- actions  [ActionExecution], in the order in which they were started, retried ones included
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

Declaration = dict[str, Any]
"""A PipelineDeclaration (or a part of one) with the names of botocore's model."""

IN_PROGRESS = "InProgress"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
STOPPING = "Stopping"
STOPPED = "Stopped"
SUPERSEDED = "Superseded"
ABANDONED = "Abandoned"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Artifact:
    """Where an artifact's zip file lies."""

    name: str
    bucket: str
    key: str


@dataclass(frozen=True)
class Revision:
    """The version of the source that a source action delivered."""

    id: str
    summary: str
    url: str
    created: datetime


@dataclass(frozen=True)
class Approval:
    """An approver's answer."""

    status: str
    summary: str
    by: str
    at: datetime


@dataclass
class ActionExecution:
    """One run of an action; a retry is another."""

    id: str
    stage: str
    action: str
    configuration: dict[str, str]
    """The configuration with its variables resolved."""
    inputs: list[Artifact]
    outputs: list[Artifact]
    started_at: datetime
    updated_at: datetime
    status: str = IN_PROGRESS
    updated_by: str | None = None
    token: str | None = None
    summary: str | None = None
    external_execution_id: str | None = None
    external_execution_url: str | None = None
    log_stream_arn: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    output_variables: dict[str, str] = field(default_factory=dict)
    revision: Revision | None = None
    approval: Approval | None = None


@dataclass
class StageExecution:
    """An execution's way through one stage."""

    name: str
    entered_at: datetime
    status: str = IN_PROGRESS
    counting: dict[str, str] = field(default_factory=dict)
    """Action name -> id of the action execution that counts; a retry takes out those that are to run again."""
    retries: int = 0


@dataclass
class Execution:
    """One execution of a pipeline."""

    id: str
    pipeline: str
    version: int
    number: int
    """Place in the order in which the pipeline's executions were started, from 1."""
    mode: str
    trigger_type: str
    trigger_detail: str
    started_at: datetime
    updated_at: datetime
    gate: str | None
    """The stage before which the execution waits; None inside a stage and when it has ended."""
    status: str = IN_PROGRESS
    status_summary: str | None = None
    stop_reason: str | None = None
    abandoned: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    source_revisions: dict[str, str] = field(default_factory=dict)
    """Source action name -> the commit id that it must deliver."""
    client_request_token: str | None = None
    stages: dict[str, StageExecution] = field(default_factory=dict)
    actions: list[ActionExecution] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.status in (IN_PROGRESS, STOPPING)

    def current_stage(self) -> StageExecution | None:
        """The stage that the execution is in; None at a gate and when it has ended."""
        return next((s for s in self.stages.values() if s.status in (IN_PROGRESS, STOPPING)), None)

    def action(self, action_execution_id: str) -> ActionExecution:
        return next(a for a in self.actions if a.id == action_execution_id)

    def counting(self) -> Iterator[ActionExecution]:
        """The action executions that count: of each action the latest, in the order in which they were started."""
        ids = {id_ for stage in self.stages.values() for id_ in stage.counting.values()}
        return (action for action in self.actions if action.id in ids)

    def artifacts(self) -> dict[str, Artifact]:
        """The artifacts delivered so far, by name."""
        return {a.name: a for action in self.counting() if action.status == SUCCEEDED for a in action.outputs}

    def commit_ids(self) -> dict[str, str]:
        """Artifact name -> commit, of the artifacts that source actions have delivered."""
        return {a.name: run.revision.id for run in self.counting() if run.revision is not None for a in run.outputs}

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Execution":
        return cls(
            **{
                **document,
                "stages": {name: StageExecution(**stage) for name, stage in document["stages"].items()},
                "actions": [_action_from_document(action) for action in document["actions"]],
            }
        )


def _action_from_document(document: Mapping[str, Any]) -> ActionExecution:
    revision, approval = document["revision"], document["approval"]
    return ActionExecution(
        **{
            **document,
            "inputs": [Artifact(**artifact) for artifact in document["inputs"]],
            "outputs": [Artifact(**artifact) for artifact in document["outputs"]],
            "revision": None if revision is None else Revision(**revision),
            "approval": None if approval is None else Approval(**approval),
        }
    )


@dataclass(frozen=True)
class ClosedTransition:
    """A transition into a stage that someone has disabled."""

    reason: str
    by: str
    at: datetime


@dataclass
class PipelineRecord:
    """A pipeline as it is now."""

    name: str
    arn: str
    version: int
    created: datetime
    updated: datetime
    tags: dict[str, str] = field(default_factory=dict)
    closed: dict[str, ClosedTransition] = field(default_factory=dict)
    """Stage name -> why no execution may enter it."""

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "PipelineRecord":
        closed = {stage: ClosedTransition(**transition) for stage, transition in document["closed"].items()}
        return cls(**{**document, "closed": closed})
