"""What people see of release, rollback, promote, drop and compare."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from slipway.project import Project
from slipway.session import Session
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.production_double import NAME, ProductionDouble, arn, serving
from tests.slipway.recorded import EXECUTION, at, declaration
from tests.slipway.test_command_line import run, said

RELEASED = "2026-11-20T10:00:00+00:00"
VARIABLES = [{"name": name, "defaultValue": "new"} for name in ("ModelPackageVersion", "Strategy")]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets the commands speak to a production."""
    monkeypatch.setattr("slipway.releases._AT_ONCE", 1)

    def speak(double: ProductionDouble) -> AnsweringAws:
        double.aws._answers.update(
            {
                "GetPipeline": [{"pipeline": {**declaration(), "variables": VARIABLES}}],
                "StartPipelineExecution": [{"pipelineExecutionId": EXECUTION}],
                "GetMetricStatistics": [{"Datapoints": []}],
                "ListObjectsV2": [{}],
            }
        )
        monkeypatch.setattr(Session, "target", double.aws.target())
        return double.aws

    return speak


def released(*versions: int) -> dict[int, dict[str, str]]:
    return {version: {"released_at": RELEASED.replace("20T", f"2{version}T")} for version in versions}


def test_a_version_is_released_by_the_pipeline_with_its_variables(project: Project, production: Any) -> None:
    aws = production(serving(3))

    result = run(project.root, "release", "2", "--strategy", "ab_test")

    assert result.exit_code == 0, result.output
    (request,) = aws.called("StartPipelineExecution")
    assert request["variables"] == [
        {"name": "ModelPackageVersion", "value": "2"},
        {"name": "Strategy", "value": "ab_test"},
    ]
    assert f"slipway watch {EXECUTION[:8]}" in said(result)


def test_without_a_strategy_the_settings_decide(project: Project, production: Any) -> None:
    aws = production(serving(3))

    run(project.root, "release", "2")

    assert aws.called("StartPipelineExecution")[0]["variables"] == [{"name": "ModelPackageVersion", "value": "2"}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["9"], "there is no version 9 of flight-delays; there are 4, 3, 2, 1"),
        (["4"], "version 4 is Rejected: the gate refused it Next: slipway report 4"),
        (["2", "--strategy", "linear"], "the strategy linear needs other settings: release.step_percent must be 10"),
    ],
    ids=["unknown", "refused by the gate", "impossible strategy"],
)
def test_what_the_pipeline_would_refuse_at_its_end_is_refused_at_once(
    project: Project, production: Any, arguments: list[str], told: str
) -> None:
    aws = production(serving(3, unapproved=(4,)))
    settings = project.root / "slipway.yaml"
    settings.write_text(settings.read_text().replace("step_percent: 10 ", "step_percent: 5 "))

    result = run(project.root, "release", *arguments)

    assert result.exit_code == 1
    assert told in said(result)
    assert aws.called("StartPipelineExecution") == []


def test_a_pipeline_that_knows_no_variables_says_slipway_up(project: Project, production: Any) -> None:
    production(serving(3))._answers["GetPipeline"] = [{"pipeline": declaration()}]

    result = run(project.root, "release", "2")

    assert "was deployed without the variable ModelPackageVersion Next: slipway up" in said(result)


def test_rollback_tells_what_it_will_do_and_asks_once(project: Project, production: Any) -> None:
    double = serving(3, noted=released(2, 3))
    production(double)

    result = run(project.root, "rollback", given="n\n")

    assert result.exit_code == 1
    assert result.output.count("Go on?") == 1
    assert "Version 2 will serve, at once" in said(result)
    assert "nothing was changed" in said(result)
    assert double.aws.called("UpdateStack") == []

    assert run(project.root, "rollback", given="y\n").exit_code == 0
    assert double.champion == 2


def test_rollback_without_a_question_tells_the_seconds(project: Project, production: Any) -> None:
    double = serving(3, noted=released(2, 3))
    production(double)

    result = run(project.root, "rollback", "--yes", "--reason", "too many delays")

    assert result.exit_code == 0, result.output
    assert "Go on?" not in result.output
    assert "Production serves version 2 after 0." in said(result)
    assert double.noted[3]["reason"] == "too many delays"


def test_nobody_there_to_answer_changes_nothing(project: Project, production: Any) -> None:
    double = serving(3, noted=released(2, 3))
    production(double)

    result = run(project.root, "rollback", given="")

    assert result.exit_code == 1
    assert "nobody has answered Next: the same command with --yes" in said(result)
    assert double.champion == 3


def test_before_the_first_release_there_is_nothing_to_go_back_from(project: Project, production: Any) -> None:
    aws = production(serving(1))
    aws._answers["DescribeStacks"] = [Refusal("ValidationError", f"Stack with id {NAME} does not exist")]

    result = run(project.root, "rollback")

    assert result.exit_code == 1
    assert "production serves no registered model yet" in said(result)


@pytest.mark.parametrize(("command", "left"), [("promote", 4), ("drop", 3)])
def test_a_test_is_ended_by_a_command(project: Project, production: Any, command: str, left: int) -> None:
    double = serving(3, 4)
    production(double)

    result = run(project.root, command, "--yes")

    assert result.exit_code == 0, result.output
    assert (double.champion, double.challenger) == (left, None)


def test_compare_shows_both_variants(project: Project, production: Any) -> None:
    def points(request: dict[str, Any]) -> dict[str, Any]:
        is_challenger = {"Name": "VariantName", "Value": "Challenger"} in request["Dimensions"]
        sums = {"Invocations": 900, "Invocation4XXErrors": 0, "Invocation5XXErrors": 0}
        if is_challenger:
            sums = {"Invocations": 100, "Invocation4XXErrors": 0, "Invocation5XXErrors": 5}
        if request["MetricName"] == "ModelLatency":
            latency = {"p50": 4000.0, "p99": 12500.0 if is_challenger else 9000.0}
            return {"Datapoints": [{"ExtendedStatistics": latency}]}
        return {"Datapoints": [{"Sum": sums[request["MetricName"]]}]}

    aws = production(serving(3, 4))
    aws._answers["GetMetricStatistics"] = [points]
    aws._answers["DescribeStacks"] = [{"Stacks": [foundation()]}]

    lines = run(project.root, "compare").output.splitlines()

    rows = {line.split("  ")[0]: line.split("  ", 1)[1].split() for line in lines if "  " in line}
    assert rows["calls"] == ["900", "100"]
    assert rows["failed (5xx)"] == ["0", "5", "(5.00%)"]
    assert rows["share of the calls"] == ["90", "%", "10", "%"]
    assert rows["model, p99"] == ["9.0", "ms", "12.5", "ms"]
    document = json.loads(run(project.root, "compare", "--json").output)
    assert [one["variant"]["package_arn"] for one in document["variants"]] == [arn(3), arn(4)]


def test_compare_needs_a_test(project: Project, production: Any) -> None:
    production(serving(3))

    result = run(project.root, "compare")

    assert result.exit_code == 1
    assert "no challenger is tested in production Next: slipway release VERSION --strategy ab_test" in said(result)


def test_status_shows_champion_and_challenger_with_their_shares(project: Project, production: Any) -> None:
    aws = production(serving(3, 4))
    aws._answers["ListPipelineExecutions"] = [{"pipelineExecutionSummaries": []}]

    lines = run(project.root, "status").output.splitlines()

    assert any(line.split() == ["champion", "3", "answers", "90", "%", "of", "the", "calls"] for line in lines)
    assert any(line.split() == ["challenger", "4", "answers", "10", "%", "of", "the", "calls"] for line in lines)


def foundation() -> dict[str, Any]:
    output = {"OutputKey": "DataBucketName", "OutputValue": "data"}
    return {"StackName": "f", "StackStatus": "CREATE_COMPLETE", "CreationTime": at(0), "Outputs": [output]}
