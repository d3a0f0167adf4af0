import io
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws
from rich.console import Console

from pipeline_steps.documents import Estimate
from settings import PrimaryMetric
from slipway.experiment_listing import as_json_text, show_experiments
from slipway.experiment_record import PREFIX, ChampionScores, ExperimentRecord, KeptRecord
from slipway.experiment_view import best_first, listing_view
from slipway.project import Project
from slipway.target import Target, aws_target
from tests.slipway.recorded import COMMIT, START

TEMPLATE = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"DataBucketName": {"Value": "data"}},
}
ROC_AUC = PrimaryMetric(metric="roc_auc", goal="maximize")
LOG_LOSS = PrimaryMetric(metric="log_loss", goal="minimize")


def record(id: str, **facts: Any) -> ExperimentRecord:
    made: dict[str, Any] = {
        "id": id, "started": START, "person": "ann", "commit": COMMIT, "changed_files": (), "hyperparameters": {},
        "changes": {}, "image_uri": "image", "dataset_uri": "dataset", "data_version": "ab" * 32,
    }  # fmt: skip
    return ExperimentRecord(**made | facts)


def scored(id: str, roc_auc: float | None, **facts: Any) -> ExperimentRecord:
    metrics = {"roc_auc": roc_auc, "log_loss": 0.4}
    return record(id, **{"outcome": "Completed", "metrics": metrics, "verdict": "Accepted", **facts})


def shown(*records: ExperimentRecord, primary: PrimaryMetric = ROC_AUC, width: int = 140) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(listing_view(records, primary, START + timedelta(hours=2)))
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


@pytest.fixture
def target() -> Iterator[Target]:
    with mock_aws():
        target = aws_target(os.environ)
        target.client("s3").create_bucket(Bucket="data")
        target.client("cloudformation").create_stack(
            StackName="flight-delays-foundation", TemplateBody=json.dumps(TEMPLATE)
        )
        yield target


@pytest.mark.parametrize(
    ("primary", "best"),
    [(ROC_AUC, ["c", "a", "b", "d"]), (LOG_LOSS, ["a", "b", "c", "d"])],
    ids=["maximize", "minimize"],
)
def test_the_best_comes_first_and_what_has_no_value_last(primary: PrimaryMetric, best: list[str]) -> None:
    records = [
        record("d", outcome="Failed"),
        scored("b", 0.6, metrics={"roc_auc": 0.6, "log_loss": 0.5}),
        scored("a", 0.7, metrics={"roc_auc": 0.7, "log_loss": 0.4}),
        scored("c", 0.8, metrics={"roc_auc": 0.8, "log_loss": 0.6}),
    ]

    assert [one.id for one in best_first(records, primary)] == best


def test_of_those_without_a_value_the_newest_comes_first() -> None:
    older, newer = record("older"), record("newer", started=START + timedelta(seconds=1))

    assert [one.id for one in best_first([older, newer, scored("best", 0.6)], ROC_AUC)] == ["best", "newer", "older"]


def test_a_line_says_when_who_what_and_how_it_is_beside_its_champion() -> None:
    champion = ChampionScores(version="3", metrics={"roc_auc": 0.64})
    difference = Estimate(value=0.0101, low=0.0021, high=0.0181)
    one = scored(
        "3f2a91c0-1111", 0.6501, champion=champion, difference=difference, changes={"trees": "200", "max_depth": "4"},
        changed_files=(" M model_code/model.py",),
    )  # fmt: skip

    lines = shown(one)

    assert lines == [
        "experiment age roc_auc champion difference gate",
        "3f2a91c0 2 h 0.6501 0.6400 (v3) +0.0101 better accepted",
        "01234567+ by ann; trees=200 max_depth=4",
        "+ with changes that were not committed",
    ]


@pytest.mark.parametrize(
    ("primary", "low", "high", "word"),
    [
        (ROC_AUC, 0.001, 0.02, "better"), (ROC_AUC, -0.02, -0.001, "worse"), (ROC_AUC, 0.0, 0.02, "unclear"),
        (LOG_LOSS, -0.02, -0.001, "better"), (LOG_LOSS, 0.001, 0.02, "worse"), (LOG_LOSS, -0.02, 0.0, "unclear"),
    ],
)  # fmt: skip
def test_a_difference_is_clear_when_its_interval_is_on_one_side_of_zero(
    primary: PrimaryMetric, low: float, high: float, word: str
) -> None:
    champion = ChampionScores(version="3", metrics={"roc_auc": 0.64, "log_loss": 0.4})
    one = scored("a", 0.65, champion=champion, difference=Estimate(value=0.01, low=low, high=high))

    assert shown(one, primary=primary)[1].endswith(f"+0.0100 {word} accepted")


def test_one_that_failed_has_its_reason_below_in_one_line() -> None:
    lines = shown(record("3f2a91c0-1", outcome="Failed", failure="no such\ncolumn\n\nTraceback: ..."))

    assert lines[1:] == ["3f2a91c0 2 h failed", "01234567 by ann; no such column"]


def test_one_that_runs_says_so_and_without_a_champion_there_is_none_to_compare() -> None:
    lines = shown(scored("a", 0.7), record("b"))

    assert lines[1] == "a 2 h 0.7000 none - accepted"
    assert lines[3] == "b 2 h in progress"


def test_its_numbers_fit_into_80_columns() -> None:
    champion = ChampionScores(version="123", metrics={"roc_auc": 0.64})
    one = scored("3f2a91c0-1111", 0.65, champion=champion, difference=Estimate(value=-0.01, low=-0.02, high=0.01))

    assert shown(one, width=80)[1] == "3f2a91c0 2 h 0.6500 0.6400 (v123) -0.0100 unclear accepted"


def test_different_holdouts_are_told() -> None:
    note = "Their holdouts differ: compare each with its champion, not with each other."

    assert note not in shown(scored("a", 0.7), scored("b", 0.6), record("c", data_version="cd" * 32))
    assert note in shown(scored("a", 0.7), scored("b", 0.6, data_version="cd" * 32))


def test_a_team_sees_each_others_experiments(target: Target, project: Project) -> None:
    with KeptRecord(target, "data", record("mine")) as kept:
        kept.note(outcome="Completed", metrics={"roc_auc": 0.7})
    with KeptRecord(target, "data", record("theirs", person="ben")) as kept:
        kept.note(outcome="Completed", metrics={"roc_auc": 0.8})
    target.client("s3").put_object(Bucket="data", Key=f"{PREFIX}notes.txt", Body=b"no record")

    told = json.loads(as_json_text(target, project))

    assert [(one["id"], one["person"], one["metrics"]["roc_auc"]) for one in told] == [
        ("theirs", "ben", 0.8), ("mine", "ann", 0.7),
    ]  # fmt: skip


def test_each_fact_is_stored_as_soon_as_it_is_known(target: Target, project: Project) -> None:
    with KeptRecord(target, "data", record("mine")) as kept:
        kept.note(training_job="job")
        (told,) = json.loads(as_json_text(target, project))

    assert (told["outcome"], told["training_job"]) == ("InProgress", "job")


def test_without_experiments_it_says_how_to_make_one(target: Target, project: Project) -> None:
    console = Console(width=100, record=True, file=io.StringIO())

    show_experiments(console, target, project)

    assert "slipway experiment --set NAME=VALUE" in console.export_text()
