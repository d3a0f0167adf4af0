from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from slipway import rendering
from slipway.executions import Execution, read_execution, read_summary, with_reasons
from slipway.phases import Phases
from slipway.serving import ServedModel, Variant
from tests.slipway.recorded import NAME, START, Recording, at, declaration, summary, trained

LONG = "roc_auc 0.5512 is below the limit 0.60 " * 8


def shown(renderable: RenderableType, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def read(recording: Recording, status: str = "InProgress") -> Execution:
    return read_execution(declaration(), read_summary(summary(status)), recording.details, recording.state())


def test_an_execution_fits_into_80_columns_with_every_name_whole() -> None:
    recording = trained().failed("Staging", "Verify", LONG)

    text = shown(rendering.execution_view(read(recording, "Failed"), NAME, at(200)))

    assert max(len(line) for line in text.splitlines()) <= 80
    for name in ("Production", "EvaluateModel", "RegisterModel", "Succeeded", "Failed"):
        assert name in text
    assert "flight-delays  execution 3f2a91c0  Failed after 1 m 40 s" in text
    assert "commit 01234567  Add a feature" in text


def test_what_runs_shows_its_time_so_far() -> None:
    text = shown(rendering.execution_view(read(Recording().running("Source", "Source")), NAME, at(75)))

    assert "in progress" in text
    assert "1 m 15 s" in text


def test_a_failure_is_shown_whole() -> None:
    execution = with_reasons(read(Recording().failed("Test", "Test", "x"), "Failed"), {"Test/Test": LONG.strip()})

    assert " ".join(shown(rendering.failures_view(execution)).split()) == f"Test/Test failed: {LONG.strip()}"


def test_an_approver_sees_the_text_the_commit_and_the_link() -> None:
    execution = read(trained().waiting("challenger 0.64, champion [0.63]"))
    assert execution.approval is not None

    text = shown(rendering.approval_view(execution.approval, execution))

    assert "Approve/Approve waits for a decision" in text
    assert "challenger 0.64, champion [0.63]" in text
    assert "commit 01234567  Add a feature" in text


def test_what_is_served_is_one_line_an_endpoint() -> None:
    metrics = {"roc_auc": 0.64321, "log_loss": None, "accuracy": 0.8}
    model = ServedModel(f"{NAME}-production", "InService", START, "arn", 3, "0" * 40, metrics)

    text = shown(rendering.served_view({"staging": None, "production": model}, at(7200)))

    assert "none yet" in text
    line = next(line for line in text.splitlines() if "production" in line)
    assert line.split("  ")[0].strip() == "production"
    for told in ("InService", " 3 ", "2 h ago", "roc_auc 0.6432, accuracy 0.8"):
        assert told in line


def test_an_endpoint_that_is_out_of_service_tells_why() -> None:
    model = ServedModel("e", "Failed", START, failure="the container did not answer /ping")

    text = shown(rendering.served_view({"production": model}, at(1)))

    assert "the container did not answer /ping" in " ".join(text.split())


def test_a_test_is_shown_below_its_endpoint_with_the_shares() -> None:
    variants = (
        Variant("AllTraffic", "champion", "arn/3", 1.0, 1),
        Variant("Challenger", "shadow", "arn/4", 0.125, 1),
    )
    model = ServedModel("e", "InService", START, version=3, variants=variants)

    lines = [" ".join(line.split()) for line in shown(rendering.served_view({"production": model}, at(1))).splitlines()]

    assert "champion 3 answers 100 % of the calls" in lines
    assert "shadow 4 copies of 12.5 % of the calls" in lines


def test_predictions_stand_beside_a_few_columns_and_the_offline_answer() -> None:
    records = [{"carrier": "AA", "origin": "JFK", "hour": 7, "distance": 100, "temp": 1.5, "wind": 2}]

    text = shown(rendering.predictions_view(records, [0.25], [0.2501]))

    assert "0.2500" in text
    assert "0.2501" in text
    assert "JFK" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_columns_that_do_not_fit_are_counted() -> None:
    records = [{f"column_{number}": "x" for number in range(10)}]

    text = shown(rendering.predictions_view(records, [0.25], width=80))

    assert "column_5" in text
    assert "column_6" not in text
    assert "(4 more columns)" in text


def test_predictions_of_csv_lines_stand_alone() -> None:
    assert "0.2500" in shown(rendering.predictions_view([], [0.25]))


def test_of_probabilities_for_each_class_the_highest_is_shown_with_its_class() -> None:
    text = shown(rendering.predictions_view([], [(0.25, 0.75), (0.5, 0.5)], [(0.5, 0.25), (0.0, 1.0)]))

    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["class", "1:", "0.7500", "class", "0:", "0.5000"],
        ["class", "0:", "0.5000", "class", "1:", "1.0000"],
    ]


def test_phases_have_shares_that_add_up_with_the_rest() -> None:
    text = shown(rendering.shares_view([("Set-up", 10.0), ("Train", 25.0)], 40.0))

    assert [line.split() for line in text.splitlines() if "%" in line] == [
        ["Set-up", "10.0", "s", "25%"],
        ["Train", "25.0", "s", "62%"],
        ["the", "rest", "5.0", "s", "12%"],
        ["all", "40.0", "s", "100%"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 m 0 s"), (3600, "1 h 0 m"), (90_000, "1 d 1 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert rendering.duration(timedelta(seconds=seconds)) == text


def test_a_phase_tells_what_came_out_and_is_timed() -> None:
    out = StringIO()
    phases = Phases(Console(file=out, width=80))

    with phases.phase("CDK deploy") as phase:
        phase.progress("Toy  CREATE_COMPLETE")
        phase.note = "two stacks"

    assert "  Toy  CREATE_COMPLETE\n" in out.getvalue()
    assert "CDK deploy      two stacks" in out.getvalue()
    assert [title for title, _ in phases.times] == ["CDK deploy"]


def test_a_phase_that_fails_is_not_counted() -> None:
    phases = Phases(Console(file=StringIO()))

    with pytest.raises(RuntimeError), phases.phase("CDK deploy"):
        raise RuntimeError

    assert phases.times == []


def test_on_a_terminal_a_phase_is_one_line_that_changes() -> None:
    out = StringIO()
    phases = Phases(Console(file=out, width=40, force_terminal=True, color_system=None))

    with phases.phase("CDK deploy") as phase:
        phase.progress("x" * 100)

    assert "\n" + "x" * 30 not in out.getvalue()
    assert "CDK deploy      done" in out.getvalue()
