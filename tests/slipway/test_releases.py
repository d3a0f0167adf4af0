"""All versions of the model at a glance."""

import dataclasses
import io
import json
from typing import Any

import pytest

from slipway import releases
from slipway.errors import RegistryError
from slipway.production_history import InProduction
from slipway.project import Project
from slipway.terminal import Terminal
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import COMMIT, EXECUTION, at
from tests.slipway.registry import ANN, REPORT, registry


@pytest.fixture(autouse=True)
def _one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded answers cannot tell two calls at once apart."""
    monkeypatch.setattr(releases, "_AT_ONCE", 1)


def read(project: Project, **more: Any) -> tuple[releases.Release, ...]:
    return releases.read_releases(AnsweringAws(registry(**more)).target(), project)


def shown(found: tuple[releases.Release, ...], width: int = 80) -> list[str]:
    console = Terminal(file=io.StringIO(), width=width)
    releases.show_releases(console, found)
    file: Any = console.file
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_versions_are_told_with_numbers_approver_and_what_serves_them(project: Project) -> None:
    newest, served, refused, _ = read(project)

    assert newest == releases.Release(
        version=4,
        arn="arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays/4",
        registered=at(4),
        verdict="Accepted",
        commit=COMMIT,
        execution=EXECUTION,
        metric="roc_auc",
        value=0.64,
        difference=0.0125,
        approval=None,
        serves=(),
        report_uri=REPORT,
        status="Approved",
        production=InProduction(),
    )
    assert (served.version, served.serves, served.difference) == (3, ("production",), None)
    assert (served.approval, served.approver) == (f"{ANN}: better: at night", "ann")
    assert (refused.version, refused.verdict, refused.difference) == (2, "Rejected", None)


def test_a_version_that_the_pipeline_did_not_register_has_sagemakers_status_alone(project: Project) -> None:
    oldest = read(project)[-1]

    assert (oldest.version, oldest.verdict) == (1, "Approved")
    assert (oldest.commit, oldest.metric, oldest.value, oldest.report_uri) == (None, None, None, None)


def test_people_see_one_line_a_version_at_80_columns(project: Project) -> None:
    lines = shown(read(project))

    assert len(lines) == 2 + 4
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == [
        "version",
        "serves",
        "verdict",
        "roc_auc",
        "champion",
        "commit",
        "age",
        "approved",
        "by",
    ]
    for told in (" 4 ", "Accepted", "0.6400", "+0.0125", "01234567"):
        assert told in f" {lines[2]} "
    assert "production" in lines[3]
    assert lines[3].endswith("ann")
    assert "Rejected" in lines[4]


def test_a_long_name_of_an_approver_is_cut_and_nothing_else(project: Project) -> None:
    _, served, *_ = read(project)

    line = shown((dataclasses.replace(served, approval=f"{ANN}{'n' * 60}: better"),))[2]

    assert len(line) == 80
    assert line.endswith("nn…")
    assert "production" in line


def test_metrics_of_several_names_are_named_in_each_line(project: Project) -> None:
    newest, served, *others = read(project)

    lines = shown((dataclasses.replace(newest, metric="f1", serves=("staging", "production")), served, *others), 120)

    assert "metric" in lines[0]
    assert "f1 0.6400" in lines[2]
    assert " both " in lines[2]
    assert "roc_auc 0.6300" in lines[3]


def test_an_empty_registry_is_told(project: Project) -> None:
    assert shown(read(project, ListModelPackages={"ModelPackageSummaryList": []})) == ["No model is registered yet."]


def test_a_project_that_is_not_deployed_says_slipway_up(project: Project) -> None:
    with pytest.raises(RegistryError, match="there is no model registry flight-delays here") as raised:
        read(project, ListModelPackages=Refusal("ValidationException", "does not exist"))
    assert raised.value.next_step == "slipway up"


def test_as_json_everything_is_told(project: Project) -> None:
    document = json.loads(releases.as_json_text(read(project)))

    assert [one["version"] for one in document] == [4, 3, 2, 1]
    assert document[1]["approval"] == f"{ANN}: better: at night"
    assert document[1]["serves"] == ["production"]
    assert document[0]["registered"] == at(4).isoformat()


def test_what_became_of_versions_in_production_is_told_below_the_table(project: Project) -> None:
    newest, served, *_ = read(project)
    failed = InProduction(failed=at(100), failure="flight-delays-production-latency: ModelLatency p99 was 9")
    found = (
        dataclasses.replace(newest, production=failed),
        dataclasses.replace(served, production=InProduction(released=at(50))),
    )

    lines = shown(found, 200)

    assert lines[-2].startswith("version 4 failed in production ")
    assert lines[-2].endswith(" ago: flight-delays-production-latency: ModelLatency p99 was 9")
    assert lines[-1].startswith("version 3 is in production since ")
