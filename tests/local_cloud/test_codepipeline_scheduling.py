"""What happens next in a pipeline, as decided by pure functions, and how the API shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from codepipeline_support import action, approval, stage

from local_cloud import paging
from local_cloud.codepipeline import views
from local_cloud.codepipeline.actions.action import Place
from local_cloud.codepipeline.records import ActionExecution, Execution, PipelineRecord, StageExecution
from local_cloud.codepipeline.scheduling import Finish, Start, may_enter, next_step, superseded
from local_cloud.wire import ServiceError

TIME = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STAGE = stage("Train", approval("First"), approval("Left", 2), approval("Right", 2), approval("Last", 7))


def an_execution(
    number: int = 1, gate: str | None = None, mode: str = "QUEUED", status: str = "InProgress"
) -> Execution:
    return Execution(
        id=f"e-{number}", pipeline="p", version=1, number=number, mode=mode, trigger_type="StartPipelineExecution",
        trigger_detail="someone", started_at=TIME, updated_at=TIME, gate=gate, status=status,
    )  # fmt: skip


def in_stage(stage_status: str, **statuses: str) -> tuple[StageExecution, Execution]:
    """An execution in the stage, with the statuses of the actions that have started."""
    execution = an_execution()
    run = execution.stages["Train"] = StageExecution("Train", TIME, stage_status)
    for number, (name, status) in enumerate(statuses.items()):
        time = TIME + timedelta(seconds=number)
        execution.actions.append(ActionExecution(f"a-{name}", "Train", name, {}, [], [], time, time, status))
        run.counting[name] = f"a-{name}"
    return run, execution


@pytest.mark.parametrize(
    ("statuses", "step"),
    [
        ({}, Start(("First",))),
        ({"First": "InProgress"}, None),
        ({"First": "Succeeded"}, Start(("Left", "Right"))),
        ({"First": "Failed"}, Finish("Failed")),
        ({"First": "Succeeded", "Left": "Failed", "Right": "InProgress"}, None),
        ({"First": "Succeeded", "Left": "Failed", "Right": "Succeeded"}, Finish("Failed")),
        ({"First": "Succeeded", "Left": "Succeeded"}, Start(("Right",))),
        ({"First": "Succeeded", "Left": "Succeeded", "Right": "Succeeded"}, Start(("Last",))),
        ({"First": "Succeeded", "Left": "Succeeded", "Right": "Succeeded", "Last": "Succeeded"}, Finish("Succeeded")),
    ],
    ids=str,
)
def test_actions_start_by_run_order_and_a_failure_ends_the_stage(statuses: dict[str, str], step: Any) -> None:
    assert next_step(STAGE, *in_stage("InProgress", **statuses)) == step


@pytest.mark.parametrize(
    ("statuses", "step"),
    [
        ({}, Finish("Stopped")),
        ({"First": "InProgress"}, None),
        ({"First": "Abandoned"}, Finish("Stopped")),
        ({"First": "Failed"}, Finish("Stopped")),
        ({"First": "Succeeded"}, Finish("Stopped")),
        ({"First": "Succeeded", "Left": "Succeeded", "Right": "Succeeded", "Last": "Succeeded"}, Finish("Succeeded")),
    ],
    ids=str,
)
def test_a_stage_that_is_being_stopped_starts_nothing(statuses: dict[str, str], step: Any) -> None:
    assert next_step(STAGE, *in_stage("Stopping", **statuses)) == step


def test_an_execution_waits_for_the_stage_and_for_those_before_it() -> None:
    _, inside = in_stage("InProgress", First="InProgress")
    second, third = an_execution(2, "Train"), an_execution(3, "Train")

    assert not may_enter(second, [inside, second, third], [])
    inside.stages["Train"].status = "Succeeded"
    inside.gate = "Staging"
    assert may_enter(second, [inside, second, third], [])
    assert not may_enter(third, [inside, second, third], [])
    assert not may_enter(second, [inside, second, third], ["Train"])
    assert may_enter(second, [inside, second, third], ["Staging"])


def test_an_ended_execution_holds_nobody_up() -> None:
    _, failed = in_stage("InProgress", First="Failed")
    failed.status = "Failed"

    assert may_enter(an_execution(2, "Train"), [failed], [])


def test_parallel_executions_enter_side_by_side() -> None:
    _, inside = in_stage("InProgress", First="InProgress")

    assert may_enter(an_execution(2, "Train", "PARALLEL"), [inside], [])


def test_only_in_mode_superseded_the_newest_at_a_gate_displaces_the_others() -> None:
    older, newer, newest = (an_execution(number, "Train", "SUPERSEDED") for number in (1, 2, 3))
    elsewhere = an_execution(4, "Staging", "SUPERSEDED")
    everyone = [older, newer, newest, elsewhere]

    assert [superseded(e, everyone) for e in everyone] == [newest, newest, None, None]
    queued = [an_execution(1, "Train"), an_execution(2, "Train")]
    assert superseded(queued[0], queued) is None


def test_a_record_comes_back_from_its_document() -> None:
    _, execution = in_stage("InProgress", First="Succeeded", Left="Failed")

    assert Execution.from_document(execution.document()) == execution


def test_the_state_shows_of_each_action_its_latest_run_of_any_execution() -> None:
    _, first = in_stage("Failed", First="Succeeded", Left="Failed")
    first.status = "Failed"
    second = an_execution(2)
    second.stages["Train"] = StageExecution("Train", TIME + timedelta(minutes=1))
    later = TIME + timedelta(minutes=1)
    second.actions.append(ActionExecution("b-First", "Train", "First", {}, [], [], later, later, token="t"))
    record = PipelineRecord("p", "arn", 1, TIME, TIME)

    view = views.state_view(record, {"stages": [STAGE]}, [first, second], Place("us-east-1", "000000000000"))

    [train] = view["stageStates"]
    assert train["latestExecution"]["pipelineExecutionId"] == "e-2"
    states = {state["actionName"]: state.get("latestExecution", {}) for state in train["actionStates"]}
    assert (states["First"]["actionExecutionId"], states["First"]["token"]) == ("b-First", "t")
    assert states["Left"]["status"] == "Failed"
    assert states["Last"] == {}


def test_a_page_goes_on_where_the_one_before_ended() -> None:
    items = [{"id": str(number)} for number in range(5)]

    def page(**request: Any) -> Any:
        return paging.page(items, request, lambda item: item["id"], 3)

    assert page() == (items[:3], "2")
    assert page(nextToken="2") == (items[3:], None)
    assert page(maxResults=5) == (items, None)
    with pytest.raises(ServiceError, match="not given out"):
        page(nextToken="9")


def test_an_unserved_action_type_has_no_page() -> None:
    record = PipelineRecord("p", "arn", 1, TIME, TIME)
    declaration = {"stages": [stage("Old", action("Gone", "Deploy", "ECS"))]}

    view = views.state_view(record, declaration, [], Place("us-east-1", "000000000000"))

    assert view["stageStates"][0]["actionStates"] == [{"actionName": "Gone", "entityUrl": None}]
