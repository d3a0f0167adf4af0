"""Pipelines under test: a repository with files, a pipeline of given stages, and what a user asks and does."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from eventually import eventually
from local_cloud_access import EVERYTHING, make_role
from local_cloud_server import CloudServer

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


def action(name: str, category: str, provider: str, **members: Any) -> dict[str, Any]:
    """An ActionDeclaration."""
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": type_id, **members}


def approval(name: str, run_order: int = 1, **configuration: str) -> dict[str, Any]:
    return action(name, "Approval", "Manual", runOrder=run_order, configuration=configuration)


def deploy(name: str, stack: str, template: str, run_order: int = 1, **members: Any) -> dict[str, Any]:
    """A CloudFormation action on a file of the source; `configuration` adds to what every test needs."""
    configuration = {
        "ActionMode": "CREATE_UPDATE", "StackName": stack, "TemplatePath": f"Source::{template}",
        **members.pop("configuration", {}),
    }  # fmt: skip
    return action(
        name, "Deploy", "CloudFormation", runOrder=run_order, configuration=configuration,
        inputArtifacts=[{"name": "Source"}], **members,
    )  # fmt: skip


def stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "actions": list(actions)}


def topic_template(name: str, display_name: str = "one") -> str:
    """A template of one SNS topic, whose display name is a parameter."""
    return json.dumps(
        {
            "Parameters": {"DisplayName": {"Type": "String", "Default": display_name}},
            "Resources": {
                "Topic": {
                    "Type": "AWS::SNS::Topic",
                    "Properties": {"TopicName": name, "DisplayName": {"Ref": "DisplayName"}},
                }
            },
            "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}},
        }
    )


def saved(server: CloudServer, name: str) -> bool:
    """Whether ministack, which saves its state once a second, has written that name to disk."""
    return any(name in path.read_text(errors="ignore") for path in server.state_dir.rglob("*.json"))


FAILING_TEMPLATE = json.dumps(
    {
        "Resources": {
            "Rule": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {"RoleArn": "arn:aws:iam::000000000000:role/nobody", "Stages": []},
            }
        }
    }
)
"""A stack that CloudFormation cannot create: CodePipeline refuses its only resource."""


class PipelineUnderTest:
    """A pipeline with a source stage and its own repository and bucket, in a running local cloud."""

    def __init__(self, server: CloudServer, files: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.name = f"pipeline-{uuid.uuid4().hex[:8]}"
        self.client = server.client("codepipeline")
        self.codecommit = server.client("codecommit")
        self.bucket = f"{self.name}-artifacts"
        self.role_arn = make_role(server, "codepipeline", EVERYTHING)
        server.client("s3").create_bucket(Bucket=self.bucket)
        self.codecommit.create_repository(repositoryName=self.name)
        self.commit_id = self.commit({"README.md": "hello", **(files or {})}, "first commit")

    def commit(self, files: Mapping[str, str], message: str, branch: str = "main") -> str:
        """Commit files through the API and return the commit's id."""
        tips = {
            name: self.codecommit.get_branch(repositoryName=self.name, branchName=name)["branch"]["commitId"]
            for name in self.codecommit.list_branches(repositoryName=self.name)["branches"]
        }
        if branch not in tips and tips:
            self.codecommit.create_branch(repositoryName=self.name, branchName=branch, commitId=tips["main"])
        parent = tips.get(branch, tips.get("main"))
        answer = self.codecommit.create_commit(
            repositoryName=self.name, branchName=branch, commitMessage=message,
            putFiles=[{"filePath": path, "fileContent": text.encode()} for path, text in files.items()],
            **({} if parent is None else {"parentCommitId": parent}),
        )  # fmt: skip
        return str(answer["commitId"])

    def move_to(self, server: CloudServer) -> None:
        """Ask another server, which has taken up the state of the one before."""
        self.server = server
        self.client = server.client("codepipeline")
        self.codecommit = server.client("codecommit")

    def declaration(self, *stages: dict[str, Any], mode: str = "QUEUED", **members: Any) -> dict[str, Any]:
        source = action(
            "Source", "Source", "CodeCommit", namespace="Source", outputArtifacts=[{"name": "Source"}],
            configuration={"RepositoryName": self.name, "BranchName": "main", "PollForSourceChanges": "false"},
        )  # fmt: skip
        return {
            "name": self.name, "roleArn": self.role_arn, "pipelineType": "V2", "executionMode": mode,
            "artifactStore": {"type": "S3", "location": self.bucket},
            "stages": [stage("Source", source), *stages], **members,
        }  # fmt: skip

    def create(self, *stages: dict[str, Any], mode: str = "QUEUED", **members: Any) -> str:
        """Create the pipeline; returns the execution that starts by itself."""
        self.client.create_pipeline(pipeline=self.declaration(*stages, mode=mode, **members))
        return self.executions()[0]["pipelineExecutionId"]

    def start(self, **request: Any) -> str:
        return str(self.client.start_pipeline_execution(name=self.name, **request)["pipelineExecutionId"])

    def executions(self) -> list[Any]:
        """The executions' summaries, the newest first."""
        return list(self.client.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"])

    def execution(self, execution_id: str) -> Any:
        answer = self.client.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution_id)
        return answer["pipelineExecution"]

    def status(self, execution_id: str) -> str:
        return str(self.execution(execution_id)["status"])

    def ended(self, execution_id: str) -> str:
        """Wait until an execution has ended; its status."""
        eventually(lambda: self.status(execution_id) in ENDED, 60)
        return self.status(execution_id)

    def stage(self, name: str) -> Any:
        """A stage's part of GetPipelineState."""
        states = self.client.get_pipeline_state(name=self.name)["stageStates"]
        return next(state for state in states if state["stageName"] == name)

    def action(self, stage_name: str, action_name: str) -> Any:
        """The latest execution of an action, as GetPipelineState has it."""
        states = self.stage(stage_name)["actionStates"]
        return next(state for state in states if state["actionName"] == action_name).get("latestExecution", {})

    def details(self, execution_id: str) -> list[Any]:
        """The action executions of an execution, in the order in which they were started."""
        answer = self.client.list_action_executions(
            pipelineName=self.name, filter={"pipelineExecutionId": execution_id}
        )
        return list(reversed(answer["actionExecutionDetails"]))

    def detail(self, execution_id: str, action_name: str) -> Any:
        """The latest run of an action in an execution."""
        return [d for d in self.details(execution_id) if d["actionName"] == action_name][-1]

    def token(self, stage_name: str, action_name: str, execution_id: str | None = None) -> str:
        """Wait until an approval is asked for (in that execution); its token."""

        def asked() -> str | None:
            state = self.stage(stage_name)
            if execution_id is not None and state.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
                return None
            token: str | None = self.action(stage_name, action_name).get("token")
            return token

        return str(eventually(asked))

    def answer(self, stage_name: str, action_name: str, status: str = "Approved", summary: str = "fine") -> None:
        """Wait until an approval is asked for, and answer it."""
        self.put_result(stage_name, action_name, self.token(stage_name, action_name), status, summary)

    def put_result(
        self, stage_name: str, action_name: str, token: str, status: str = "Approved", summary: str = "fine"
    ) -> None:
        self.client.put_approval_result(
            pipelineName=self.name, stageName=stage_name, actionName=action_name, token=token,
            result={"status": status, "summary": summary},
        )  # fmt: skip
