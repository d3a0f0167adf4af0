"""Source action: the tree of a branch's newest commit, or of the commit that started the execution."""

import http.client
import urllib.error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local_cloud.codepipeline import artifacts
from local_cloud.codepipeline.actions.action import ActionFailedError, ActionRun, ActionType, Outcome, Place
from local_cloud.codepipeline.records import Revision


def _perform(run: ActionRun) -> Outcome:
    repository, branch = run.configuration["RepositoryName"], run.configuration["BranchName"]
    commit_id = run.commit_id or _newest_commit(run, repository, branch)
    commit = _commit(run, repository, commit_id)
    place = Place(run.cloud.region, run.cloud.account_id)
    url = place.console("codesuite/codecommit", f"repositories/{quote(repository)}/commit/{commit_id}")
    run.report(external_execution_id=commit_id, external_execution_url=url)
    artifacts.write(run, run.outputs[0], _archive(run, repository, commit_id))
    message = commit.get("message", "").strip()
    authored, committed = _time(commit["author"]["date"]), _time(commit["committer"]["date"])
    variables = {
        "RepositoryName": repository, "BranchName": branch, "CommitId": commit_id, "CommitMessage": message,
        "AuthorDate": _iso(authored), "CommitterDate": _iso(committed),
    }  # fmt: skip
    return Outcome(message or None, variables, Revision(commit_id, message, url, committed))


def _newest_commit(run: ActionRun, repository: str, branch: str) -> str:
    try:
        answer = run.client("codecommit").get_branch(repositoryName=repository, branchName=branch)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "BranchDoesNotExistException":
            message = (
                f"The action failed because no branch named {branch} was found in the selected AWS CodeCommit "
                f"repository {repository}. Make sure you are using the correct branch name, and then try again. "
                "Error: null"
            )
            raise ActionFailedError("ConfigurationError", message) from error
        if code == "RepositoryDoesNotExistException":
            message = f"The action failed because no AWS CodeCommit repository named {repository} was found."
            raise ActionFailedError("ConfigurationError", message) from error
        raise
    commit_id: str = answer["branch"]["commitId"]
    return commit_id


def _commit(run: ActionRun, repository: str, commit_id: str) -> dict[str, Any]:
    try:
        answer = run.client("codecommit").get_commit(repositoryName=repository, commitId=commit_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("CommitIdDoesNotExistException", "InvalidCommitIdException"):
            message = f"The commit {commit_id} does not exist in the AWS CodeCommit repository {repository}."
            raise ActionFailedError("RevisionUnavailable", message) from error
        raise
    commit: dict[str, Any] = answer["commit"]
    return commit


def _archive(run: ActionRun, repository: str, commit_id: str) -> bytes:
    path = f"/v1/archives/{quote(repository)}/{commit_id}.zip"
    try:
        return run.cloud.read(path, service="codecommit", role_arn=run.role_arn)
    except urllib.error.HTTPError as error:
        message = f"The files of commit {commit_id} of {repository} cannot be read: {error.read().decode()}"
        raise ActionFailedError("PermissionError" if error.code == 403 else "RevisionUnavailable", message) from error
    except (urllib.error.URLError, http.client.HTTPException) as error:  # the latter: git broke off
        message = f"The files of commit {commit_id} of {repository} cannot be read: {error!r}"
        raise ActionFailedError("RevisionUnavailable", message) from error


def _time(date: str) -> datetime:
    """CodeCommit dates a commit as git does: `1665446400 +0000`."""
    return datetime.fromtimestamp(int(date.split()[0]), UTC)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _faults(configuration: Mapping[str, str]) -> list[str]:
    output_format = configuration.get("OutputArtifactFormat", "CODE_ZIP")
    return [] if output_format == "CODE_ZIP" else [f"OutputArtifactFormat must be CODE_ZIP, got {output_format}"]


def _entity_url(configuration: Mapping[str, str], place: Place) -> str:
    repository, branch = configuration["RepositoryName"], configuration["BranchName"]
    return place.console("codesuite/codecommit", f"repositories/{quote(repository)}/browse/{quote(branch)}/--/")


CODECOMMIT = ActionType(
    provider="CodeCommit",
    categories=("Source",),
    required=frozenset({"RepositoryName", "BranchName"}),
    optional=frozenset({"PollForSourceChanges", "OutputArtifactFormat"}),
    inputs=range(0, 1),
    outputs=range(1, 2),
    perform=_perform,
    faults=_faults,
    entity_url=_entity_url,
)
