"""Answers of CodePipeline about one execution of the example's pipeline, built up action by action."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

NAME = "flight-delays"
EXECUTION = "3f2a91c0-1111-4222-8333-444455556666"
OLDER = "aaaabbbb-1111-4222-8333-444455556666"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
START = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
TOKEN = "1a2b3c4d-5e6f-4711-8899-aabbccddeeff"

_STAGES = {
    "Source": [("Source", "CodeCommit", 1)],
    "Test": [("Test", "CodeBuild", 1)],
    "Build": [("BuildImage", "CodeBuild", 1), ("Synth", "CodeBuild", 1)],
    "Train": [
        ("PrepareData", "CodeBuild", 1),
        ("TrainModel", "CodeBuild", 2),
        ("EvaluateModel", "CodeBuild", 3),
        ("RegisterModel", "CodeBuild", 4),
    ],
    "Staging": [("Deploy", "CloudFormation", 1), ("Verify", "CodeBuild", 2)],
    "Approve": [("Approve", "Manual", 1)],
    "Production": [("Deploy", "CloudFormation", 1), ("Verify", "CodeBuild", 2)],
}
_CATEGORIES = {"CodeCommit": "Source", "CodeBuild": "Build", "CloudFormation": "Deploy", "Manual": "Approval"}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def declaration() -> dict[str, Any]:
    """`pipeline` of GetPipeline."""
    stages = [{"name": stage, "actions": [_declared(*a) for a in actions]} for stage, actions in _STAGES.items()]
    return {"name": NAME, "roleArn": "arn:aws:iam::000000000000:role/pipeline", "stages": stages}


def _declared(name: str, provider: str, order: int) -> dict[str, Any]:
    kind = {"category": _CATEGORIES[provider], "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "runOrder": order}


def summary(status: str = "InProgress", execution: str = EXECUTION, **more: Any) -> dict[str, Any]:
    """One of ListPipelineExecutions."""
    return {
        "pipelineExecutionId": execution,
        "status": status,
        "startTime": START,
        "lastUpdateTime": at(100),
        "trigger": {"triggerType": "CloudWatchEvent", "triggerDetail": "a rule"},
        "sourceRevisions": [
            {"actionName": "Source", "revisionId": COMMIT, "revisionSummary": "Add a feature\n\nIt matters."}
        ],
        **more,
    }


@dataclass
class Recording:
    """What CodePipeline would say; `passed`, `running`, ... add an attempt of an action, 10 s after the last one."""

    details: list[dict[str, Any]] = field(default_factory=list)
    stage_states: list[dict[str, Any]] = field(default_factory=list)
    execution: str = EXECUTION

    def passed(self, stage: str, action: str, variables: dict[str, str] | None = None) -> "Recording":
        return self._add(stage, action, "Succeeded", {"outputVariables": variables or {}})

    def running(self, stage: str, action: str, external_id: str | None = None) -> "Recording":
        return self._add(stage, action, "InProgress", {}, external_id)

    def failed(
        self, stage: str, action: str, message: str, external_id: str | None = None, stack: str | None = None
    ) -> "Recording":
        error = {"executionResult": {"errorDetails": {"code": "JobFailed", "message": message}}}
        return self._add(stage, action, "Failed", error, external_id, {"StackName": stack} if stack else None)

    def waiting(self, text: str, execution: str | None = None) -> "Recording":
        """The approval asks for a decision, for this execution or for an older one."""
        if execution is None:
            self._add("Approve", "Approve", "InProgress", {}, configuration={"CustomData": text})
        action = {
            "actionName": "Approve",
            "latestExecution": {"status": "InProgress", "token": TOKEN, "lastStatusChange": at(90)},
        }
        entered = {"pipelineExecutionId": execution or self.execution, "status": "InProgress"}
        self.stage_states.append({"stageName": "Approve", "latestExecution": entered, "actionStates": [action]})
        return self

    def decided(self, status: str, comment: str) -> "Recording":
        self._add("Approve", "Approve", status, {"executionResult": {"externalExecutionSummary": "Approved by x"}})
        result = {"status": status, "summary": comment, "lastUpdatedBy": "arn:aws:iam::000000000000:user/ann"}
        self.stage_states.append(
            {
                "stageName": "Approve",
                "latestExecution": {"pipelineExecutionId": self.execution, "status": status},
                "actionStates": [{"actionName": "Approve", "latestExecution": result}],
            }
        )
        return self

    def queued(self, stage: str) -> "Recording":
        inbound = [{"pipelineExecutionId": self.execution, "status": "InProgress"}]
        known = next((state for state in self.stage_states if state["stageName"] == stage), None)
        if known is None:
            self.stage_states.append({"stageName": stage, "inboundExecutions": inbound})
        else:
            known["inboundExecutions"] = inbound
        return self

    def state(self) -> dict[str, Any]:
        """The answer of GetPipelineState."""
        return {"pipelineName": NAME, "stageStates": self.stage_states}

    def answers(self, status: str = "InProgress") -> dict[str, Any]:
        """All that `Pipeline.read` asks for."""
        return {
            "GetPipeline": {"pipeline": declaration()},
            "ListPipelineExecutions": {"pipelineExecutionSummaries": [summary(status)]},
            "ListActionExecutions": {"actionExecutionDetails": self.details},
            "GetPipelineState": self.state(),
        }

    def _add(
        self,
        stage: str,
        action: str,
        status: str,
        output: dict[str, Any],
        external_id: str | None = None,
        configuration: dict[str, str] | None = None,
    ) -> "Recording":
        if external_id is not None:
            output = {
                **output,
                "executionResult": {**output.get("executionResult", {}), "externalExecutionId": external_id},
            }
        number = len(self.details)
        self.details.insert(  # AWS gives the newest first
            0,
            {
                "pipelineExecutionId": self.execution,
                "actionExecutionId": f"action-{number}",
                "stageName": stage,
                "actionName": action,
                "startTime": at(number * 10),
                "lastUpdateTime": at(number * 10 + 8),
                "status": status,
                "input": {"configuration": {}, "resolvedConfiguration": configuration or {}},
                "output": output,
            },
        )
        return self


def trained() -> Recording:
    """An execution whose stages up to Train have passed."""
    recording = Recording()
    for stage, actions in list(_STAGES.items())[:4]:
        for name, _, _ in actions:
            recording.passed(stage, name)
    return recording
