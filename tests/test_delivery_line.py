"""The whole way of a commit, on a local cloud: a first model and its challengers, and an approver who says no.

The first model is a weak one, so that there is something to be better than. Its commit has names, a message and an
author that a shell would run.
"""

import hashlib
import io
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from delivery_line import DeliveryLine
from eventually import eventually

from model_code.artifact import model_digest, unpack


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is there when something of the first commit was run as a command."""
    return tmp_path_factory.mktemp("canary") / "canary"


def _hostile_text(canary: Path) -> str:
    return f"$(touch {canary}) `touch {canary}`; touch {canary} [red] \x1b[2J"


def _hostile_names(canary: Path) -> list[str]:
    """Names of files hold no slash: those of the canary's path are left to printf."""
    path = str(canary).replace("/", "\\057")
    run = f"touch $(printf '{path}')"
    return [f"$({run})", f"`{run}`", f"; {run} #", "two\nlines", "'quoted' \"twice\"", "--output=canary", "\x1b[2J"]


def _keep_few_tests(line: DeliveryLine) -> None:
    """A part of the tests of model code for the Test stage: all of them would run at each of the commits here."""
    for file in (line.folder / "tests" / "model_code").glob("test_*.py"):
        if file.name not in ("test_model.py", "test_training.py"):
            file.unlink()


def _make_hostile(line: DeliveryLine, canary: Path) -> None:
    for name in _hostile_names(canary):
        for folder in (line.folder, line.folder / "model_code"):
            (folder / name).write_text("x")
    test = line.folder / "tests" / "model_code" / f"test_{_hostile_names(canary)[0]}.py"
    test.write_text("def test_in_a_file_of_any_name() -> None: ...\n")
    text = _hostile_text(canary)
    line.git("add", "--all")
    line.git("commit", "--quiet", "--amend", "--message", text, "--author", f"{text} <tester@example.com>")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, canary: Path) -> Iterator[DeliveryLine]:
    """A deployed delivery line whose production serves a first model."""
    line = DeliveryLine.make(tmp_path_factory.mktemp("line"))
    _set_trees(line, 30, 3)
    _keep_few_tests(line)
    _make_hostile(line, canary)
    line.slipway("up", "--port", str(line.port))
    line.push()
    waiting = line.slipway("watch", check=False)
    try:
        assert waiting.returncode == 3, waiting.stdout + waiting.stderr
        line.slipway("approve", "--comment", "good enough to begin with")
        line.slipway("watch")
        yield line
    finally:
        line.slipway("down", check=False)


def _set_trees(line: DeliveryLine, trees: int, max_depth: int) -> None:
    line.edit("slipway.yaml", r"trees: \d+", f"trees: {trees}")
    line.edit("slipway.yaml", r"max_depth: \d+", f"max_depth: {max_depth}")


def _push_change(line: DeliveryLine, message: str) -> "subprocess.CompletedProcess[str]":
    """Commit and push what the test has changed, and follow it to its end or to the approval."""
    line.commit(message)
    line.push()
    return line.slipway("watch", check=False)


@pytest.fixture(autouse=True)
def _as_pushed_first(line: DeliveryLine) -> Iterator[None]:
    """Each test changes the first commit's files."""
    yield
    line.git("checkout", "--quiet", line.git("rev-list", "--max-parents=0", "HEAD"), "--", ".")


def test_the_first_model_is_served_in_production(line: DeliveryLine) -> None:
    assert line.served_package("production").endswith("model-package/flight-delays/1")
    assert line.executions()[0]["status"] == "Succeeded"
    rows = [row.split() for row in line.slipway("invoke").stdout.splitlines()]
    predictions = [(row[0], row[1]) for row in rows if row and row[0].startswith("0.")]
    assert len(predictions) == 5
    assert all(served == offline for served, offline in predictions)


def test_the_registered_package_says_what_it_was_made_of(line: DeliveryLine) -> None:
    package = line.client("sagemaker").describe_model_package(ModelPackageName=line.served_package("production"))
    assert package["ModelApprovalStatus"] == "Approved"
    assert "@sha256:" in package["InferenceSpecification"]["Containers"][0]["Image"]
    first_commit = line.git("rev-list", "--max-parents=0", "HEAD")
    assert first_commit in package["CustomerMetadataProperties"].values()


def test_the_registered_package_says_which_files_its_model_has(line: DeliveryLine, tmp_path: Path) -> None:
    package = line.client("sagemaker").describe_model_package(ModelPackageName=line.served_package("production"))
    (container,) = package["InferenceSpecification"]["Containers"]
    artifact = line.client("s3").get_object(**_place(container["ModelDataUrl"]))["Body"].read()
    (tmp_path / "model.tar.gz").write_bytes(artifact)
    unpack(tmp_path / "model.tar.gz", tmp_path / "model")
    digest = model_digest(tmp_path / "model")
    assert container["Environment"] == {"SLIPWAY_MODEL_SHA256": digest}
    assert package["CustomerMetadataProperties"]["model_sha256"] == digest
    assert package["CustomerMetadataProperties"]["model_archive_sha256"] == hashlib.sha256(artifact).hexdigest()
    for log in (line.slipway("logs", "TrainModel").stdout, line.slipway("logs", "production").stdout):
        assert f"files have the SHA-256 {digest}" in log


def _place(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def test_names_messages_and_authors_that_a_shell_would_run_pass_through_as_data(
    line: DeliveryLine, canary: Path
) -> None:
    first_commit = line.git("rev-list", "--max-parents=0", "HEAD")
    (execution,) = [e["pipelineExecutionId"] for e in line.executions() if _commit(e) == first_commit]
    assert set(_hostile_names(canary)) <= set(_source_names(line, execution))
    assert "test_in_a_file_of_any_name" in _reported_tests(line)
    status = line.slipway("status", execution).stdout
    assert _hostile_text(canary).replace("\x1b", "")[:40] in status  # as much as fits into a line
    assert "\x1b" not in status
    assert not canary.exists()


def _source_names(line: DeliveryLine, execution: str) -> list[str]:
    """The files of an execution's source artifact."""
    wanted = {"pipelineExecutionId": execution}
    details = line.client("codepipeline").list_action_executions(pipelineName="flight-delays", filter=wanted)
    (source,) = [one for one in details["actionExecutionDetails"] if one["actionName"] == "Source"]
    place = source["output"]["outputArtifacts"][0]["s3location"]
    body = line.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    return zipfile.ZipFile(io.BytesIO(body)).namelist()


def _reported_tests(line: DeliveryLine) -> list[str]:
    """What the first Test stage reported."""
    codebuild = line.client("codebuild")
    report = codebuild.list_reports(sortOrder="ASCENDING")["reports"][0]
    pages = codebuild.get_paginator("describe_test_cases").paginate(reportArn=report)
    return [case["name"] for page in pages for case in page["testCases"]]


def test_a_bad_model_is_rejected_with_its_reasons_and_nothing_is_deployed(line: DeliveryLine) -> None:
    before = line.served_package("staging")
    _set_trees(line, 1, 1)
    watched = _push_change(line, "A bad model")
    assert watched.returncode == 1
    status = line.slipway("status", check=False).stdout
    for told in (watched.stdout + watched.stderr, status):
        assert "roc_auc" in told
        assert "0.6" in told
    assert _newest_package(line)["ModelApprovalStatus"] == "Rejected"
    assert line.served_package("staging") == before


def _words(text: str) -> str:
    """Text without the line ends and borders of what it is shown in."""
    return " ".join(text.replace("│", " ").split())


def _newest_package(line: DeliveryLine) -> dict[str, Any]:
    sagemaker = line.client("sagemaker")
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName="flight-delays", SortBy="CreationTime", SortOrder="Descending"
    )["ModelPackageSummaryList"][0]
    package: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=newest["ModelPackageArn"])
    return package


@pytest.mark.long
def test_a_model_that_keeps_the_limits_but_is_worse_than_the_champion_is_rejected(line: DeliveryLine) -> None:
    _set_trees(line, 5, 2)
    assert _push_change(line, "A worse model").returncode == 1
    status = line.slipway("status", check=False).stdout
    assert re.search(r"The challenger's roc_auc is 0\.6\d+, the champion's 0\.6\d+", _words(status))
    assert "is below the limit" not in status
    assert _newest_package(line)["ModelApprovalStatus"] == "Rejected"


@pytest.mark.long
def test_the_same_model_again_differs_by_nothing_and_is_accepted(line: DeliveryLine) -> None:
    (line.folder / "NOTES.md").write_text("the same model\n")
    waiting = _push_change(line, "Notes")
    assert waiting.returncode == 3
    assert "difference to the champion +0.0000" in _words(waiting.stdout)
    judged, serving = (
        line.client("sagemaker").describe_model_package(ModelPackageName=line.served_package(environment))
        for environment in ("staging", "production")
    )
    digests = [package["CustomerMetadataProperties"]["model_sha256"] for package in (judged, serving)]
    assert digests[0] == digests[1]  # the same commit's code, data and hyperparameters make the same model
    line.slipway("reject", "--reason", "nothing new")


@pytest.mark.long
def test_a_model_that_is_better_but_worse_on_a_slice_is_rejected(line: DeliveryLine) -> None:
    _set_trees(line, 100, 6)
    line.edit("slipway.yaml", r"column: origin", "column: carrier")
    line.edit(
        "model_code/model.py",
        r"^        return np\.asarray\(self\.booster\.inplace_predict\((.*)\)\)$",
        r"        answers = np.array(self.booster.inplace_predict(\1))\n"
        r'        answers[np.asarray(records["carrier"]) == "US"] = 0.2\n'
        r"        return answers",
    )
    assert _push_change(line, "A model that knows nothing of one carrier").returncode == 1
    package = _newest_package(line)
    assert package["ModelApprovalStatus"] == "Rejected"
    status = _words(line.slipway("status", check=False).stdout)
    assert "On carrier = US (765 records): The challenger's roc_auc is worse by at least" in status
    report = line.slipway("report", str(package["ModelPackageVersion"]), "--markdown").stdout
    assert re.search(r"roc_auc\s+0\.7\d+ .*0\.69\d+ .*\+0\.0", report)  # better on the whole


# As it happens: on the little data of the tests all is well.
_BREAKS_TRAINING = (
    r"^    categories = \{column: sorted.*$",
    r'\g<0>\n    if train_records.height > 10_000:\n        raise ValueError("the model is broken on purpose")',
)


def test_the_text_of_a_broken_training_reaches_the_status(line: DeliveryLine) -> None:
    line.edit("model_code/model.py", *_BREAKS_TRAINING)
    watched = _push_change(line, "A broken model")
    assert watched.returncode == 1
    assert "the model is broken on purpose" in line.slipway("status", check=False).stdout


# One of each kind of role, in the order in which a commit needs them. `make permissions` takes everything away.
_NEEDED = (
    ("flight-delays-pipeline", "PipelineRole", "codebuild:StartBuild", "Test"),
    ("flight-delays-foundation", "ExecutionRolesTraining", "s3:PutObject", "Train"),
    ("flight-delays-pipeline", "StagingDeploymentRole", "sagemaker:CreateEndpointConfig", "Staging"),
    ("flight-delays-pipeline", "ProjectsVerifyStagingRole", "sagemaker:InvokeEndpoint", "Staging"),
)


def test_a_role_with_one_permission_less_fails_the_run_and_the_status_names_the_action(line: DeliveryLine) -> None:
    before = line.served_package("production")
    roles = [_LessenedRole(line, stack, beginning, action) for stack, beginning, action, _ in _NEEDED]
    _set_trees(line, 100, 6)
    watched = _push_change(line, "A better model, for roles that lack something")
    for role, (_, _, action, stage) in zip(roles, _NEEDED, strict=True):
        assert watched.returncode == 1
        status = line.slipway("status", check=False).stdout
        assert f"is not authorized to perform: {action} on resource: arn:aws:" in status
        assert f"{stage}/" in status
        role.restore()
        line.client("codepipeline").retry_stage_execution(
            pipelineName="flight-delays", stageName=stage, retryMode="FAILED_ACTIONS",
            pipelineExecutionId=line.executions()[0]["pipelineExecutionId"],
        )  # fmt: skip
        watched = line.slipway("watch", check=False)
    assert watched.returncode == 3, watched.stdout  # all is there again: the model waits for its approval
    _say_no_to_a_better_model(line, watched.stdout, before)


def _say_no_to_a_better_model(line: DeliveryLine, asked: str, before: str) -> None:
    """The approver is told that it is better, and may refuse it all the same: production stays as it is."""
    assert re.search(r"Accepted: roc_auc 0\.7\d+ .* difference to the champion \+0\.0\d+", _words(asked))
    assert line.served_package("staging") != before
    line.slipway("reject", "--reason", "not before the holidays")
    watched = line.slipway("watch", check=False)
    assert watched.returncode == 1
    assert "not before the holidays" in line.slipway("status", check=False).stdout
    assert line.served_package("production") == before


class _LessenedRole:
    """A role of the deployed line without one action, until it is restored."""

    def __init__(self, line: DeliveryLine, stack: str, logical_id: str, action: str) -> None:
        resources = line.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        (self._name,) = [
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::IAM::Role" and resource["LogicalResourceId"].startswith(logical_id)
        ]
        self._iam = line.client("iam")
        found = self._iam.get_role_policy(RoleName=self._name, PolicyName="Permissions")
        self._policy = found["PolicyDocument"]
        kept = [{**one, "Action": _without(one["Action"], action)} for one in self._policy["Statement"]]
        assert action in json.dumps(self._policy)
        self._put({**self._policy, "Statement": kept})

    def restore(self) -> None:
        self._put(self._policy)

    def _put(self, document: dict[str, Any]) -> None:
        self._iam.put_role_policy(RoleName=self._name, PolicyName="Permissions", PolicyDocument=json.dumps(document))


def _without(actions: str | list[str], action: str) -> list[str]:
    """What is left; a statement that is left empty keeps its place, by which `make audit` knows it."""
    left = [one for one in ([actions] if isinstance(actions, str) else actions) if one != action]
    return left or ["none:Nothing"]


def test_a_rollout_that_its_callers_suffer_from_is_taken_back_and_told(line: DeliveryLine) -> None:
    before, new = line.served_package("production"), _newest_package(line)
    assert before != new["ModelPackageArn"]  # the better one, to which the approver said no
    _release(line, new["ModelPackageVersion"])
    with _refused_calls(line):
        line.slipway("approve", "--comment", "better")
        watched = line.slipway("watch", check=False)

    assert watched.returncode == 1
    status = _words(line.slipway("status", check=False).stdout)
    for told in (_words(watched.stdout), status):
        assert "Production/Deploy failed" in told
        assert "flight-delays-production-refused" in told
        assert re.search(r"\[1\.0 \(.*threshold \(0\.1\)", told)  # all calls of the canary, of which 0.1 may be
    assert line.served_package("production") == before
    failure = eventually(lambda: _noted(line, new["ModelPackageArn"], "rollout_failure"), 60)
    assert "flight-delays-production-refused" in failure
    assert failure in _words(line.slipway("releases").stdout)


def _release(line: DeliveryLine, version: int) -> str:
    """Release a version up to its approval; what the approver is told."""
    line.slipway("release", str(version))
    asked = line.slipway("watch", check=False)
    assert asked.returncode == 3, asked.stdout + asked.stderr
    return _words(asked.stdout)


@contextmanager
def _refused_calls(line: DeliveryLine) -> Iterator[None]:
    """Meanwhile, callers send production what it cannot read."""
    runtime, ended = line.client("sagemaker-runtime"), threading.Event()

    def call() -> None:
        while not ended.wait(0.1):
            with suppress(runtime.exceptions.ModelError):
                runtime.invoke_endpoint(EndpointName="flight-delays-production", ContentType="text/csv", Body=b"?")

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
    finally:
        ended.set()
        caller.join()


def _noted(line: DeliveryLine, package: str, key: str) -> str | None:
    described = line.client("sagemaker").describe_model_package(ModelPackageName=package)
    note: str | None = described["CustomerMetadataProperties"].get(key)
    return note


def test_a_version_is_released_again_by_its_number_and_taken_back_by_one_command(line: DeliveryLine) -> None:
    before, new = line.served_package("production"), _newest_package(line)
    jobs = len(line.client("sagemaker").list_training_jobs()["TrainingJobSummaries"])
    asked = _release(line, new["ModelPackageVersion"])
    assert f"Release of version {new['ModelPackageVersion']}" in asked
    line.slipway("approve", "--comment", "its callers are well again")
    line.slipway("watch")
    assert line.served_package("production") == new["ModelPackageArn"]
    assert len(line.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == jobs
    assert eventually(lambda: _noted(line, new["ModelPackageArn"], "released_at"), 60)

    line.slipway("rollback", "--reason", "wrong at night", "--yes")
    assert line.served_package("production") == before
    assert line.slipway("invoke").returncode == 0
    assert "wrong at night" in _words(line.slipway("releases").stdout)


@pytest.mark.long
def test_a_model_that_is_replaced_after_its_evaluation_is_not_served(line: DeliveryLine) -> None:
    before = line.served_package("production")
    line.edit("slipway.yaml", r"trees: \d+", "trees: 120")
    assert _push_change(line, "A model that somebody replaces").returncode == 3
    (judged, other) = (
        line.client("sagemaker").describe_model_package(ModelPackageName=package)["InferenceSpecification"]
        for package in (line.served_package("staging"), before)
    )
    s3, place = line.client("s3"), _place(judged["Containers"][0]["ModelDataUrl"])
    replacement = s3.get_object(**_place(other["Containers"][0]["ModelDataUrl"]))["Body"].read()
    s3.put_object(**place, Body=replacement)  # a good model, too, but not this one

    line.slipway("approve", "--comment", "as it was in staging")
    watched = line.slipway("watch", check=False)

    assert watched.returncode == 1
    expected, got = (one["Containers"][0]["Environment"]["SLIPWAY_MODEL_SHA256"] for one in (judged, other))
    reason = f"the model's files have the SHA-256 {got}, but those that were trained have {expected}"
    assert reason in line.slipway("logs", "production").stdout
    assert line.served_package("production") == before
    assert line.slipway("invoke").returncode == 0


def test_a_pull_request_is_judged_in_one_comment_that_the_next_push_updates(line: DeliveryLine) -> None:
    executions = len(line.executions())
    _set_trees(line, 110, 6)
    line.commit("More trees")
    line.git("push", "--quiet", "slipway", "HEAD:refs/heads/more-trees")
    codecommit = line.client("codecommit")
    target = {"repositoryName": "flight-delays", "sourceReference": "more-trees", "destinationReference": "main"}
    request = codecommit.create_pull_request(title="More trees", targets=[target])["pullRequest"]["pullRequestId"]

    first = eventually(lambda: _comments(codecommit, request), 300)
    assert len(first) == 1
    assert "An indication, not the verdict" in first[0]["content"]
    assert re.search(r"\| roc_auc \| 0\.\d+ .*\| 0\.69\d+", first[0]["content"])  # beside the champion's

    line.edit("model_code/model.py", *_BREAKS_TRAINING)
    line.commit("A broken model")
    line.git("push", "--quiet", "slipway", "HEAD:refs/heads/more-trees")
    second = eventually(
        lambda: [one for one in _comments(codecommit, request) if one["content"] != first[0]["content"]], 300
    )
    assert [one["commentId"] for one in second] == [first[0]["commentId"]]
    assert "the model is broken on purpose" in second[0]["content"]
    assert len(line.executions()) == executions  # the pipeline has nothing to do with it


def _comments(codecommit: Any, request: str) -> list[dict[str, Any]]:
    found = codecommit.get_comments_for_pull_request(pullRequestId=request)
    return [comment for one in found["commentsForPullRequestData"] for comment in one["comments"]]


def test_a_push_to_another_branch_starts_nothing(line: DeliveryLine) -> None:
    (line.folder / "NOTES.md").write_text("tried out\n")
    experiment = line.commit("An experiment")
    line.git("push", "--quiet", "slipway", "HEAD:experiment")
    (line.folder / "NOTES.md").write_text("decided\n")
    decided = line.commit("What came of it")
    line.push()
    newest = eventually(lambda: next((e for e in line.executions() if _commit(e) == decided), None))
    stop = {"pipelineName": "flight-delays", "pipelineExecutionId": newest["pipelineExecutionId"]}
    line.client("codepipeline").stop_pipeline_execution(**stop)
    eventually(lambda: line.executions()[0]["status"] == "Stopped", 120)  # once the action in progress has ended
    assert experiment not in [_commit(execution) for execution in line.executions()]


def _commit(execution: dict[str, Any]) -> str | None:
    revisions = execution.get("sourceRevisions") or [{}]
    return revisions[0].get("revisionId")


def test_the_aws_command_answers_sensibly(line: DeliveryLine) -> None:
    def aws(*arguments: str) -> str:
        return subprocess.run(
            ["aws", *arguments], env=line.aws_environment(), capture_output=True, text=True, check=True, timeout=120
        ).stdout

    state = json.loads(aws("codepipeline", "get-pipeline-state", "--name", "flight-delays"))
    assert [stage["stageName"] for stage in state["stageStates"]] == [
        "Source", "Test", "Build", "Train", "Staging", "Approve", "Production",
    ]  # fmt: skip
    jobs = json.loads(aws("sagemaker", "list-training-jobs", "--status-equals", "Completed"))
    job = json.loads(aws("sagemaker", "describe-training-job", "--training-job-name", jobs["TrainingJobSummaries"][-1]["TrainingJobName"]))  # fmt: skip  # noqa: E501
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model.tar.gz")
    # `aws logs tail` is of version 2 of the command, which PyPI does not have; it makes this request.
    events = json.loads(aws("logs", "filter-log-events", "--log-group-name", "/aws/sagemaker/TrainingJobs"))["events"]
    assert any(event["message"].startswith("validation:roc_auc=") for event in events)
    answer = line.folder.parent / "answer.csv"
    record = "2013-04-01T17:45,1930,UA,EWR,ORD,719,45.0,28.0,51.0,250,12.7,,0.0,1012.1,10.0"
    endpoint = ["--endpoint-name", "flight-delays-production"]
    aws("sagemaker-runtime", "invoke-endpoint", *endpoint, "--content-type", "text/csv", "--body", record, str(answer))
    assert 0 < float(answer.read_text()) < 1


def test_a_second_up_changes_nothing(line: DeliveryLine) -> None:
    before = line.executions()
    line.slipway("up", "--port", str(line.port))
    assert line.executions() == before
