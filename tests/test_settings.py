"""slipway.yaml is read strictly: what is wrong is told at once, where it stands, and what is allowed."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import settings
from settings import (
    STRATEGIES,
    ChampionPolicy,
    Endpoint,
    HashSplit,
    Margin,
    ServerlessEndpoint,
    Settings,
    SettingsError,
    Strategy,
    TimeSplit,
    has_local_storage,
    load,
)

ROOT = Path(settings.__file__).parent.parent
EXAMPLE = ROOT / "slipway.yaml"

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def document() -> dict[str, Any]:
    """The example as a mapping, to be changed."""
    example: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    return example


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """The faults that a file has, without the file's name."""

    def faults(content: dict[str, Any] | str | bytes, overlay: str | None = None) -> list[str]:
        path = tmp_path / "slipway.yaml"
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            load(path, overlay)
        except SettingsError as error:
            assert str(error) == "\n".join(error.faults)
            assert all(fault.startswith("slipway.yaml: ") for fault in error.faults)
            return [fault.removeprefix("slipway.yaml: ") for fault in error.faults]
        return []

    return faults


def at(document: dict[str, Any], place: str) -> tuple[Any, Any]:
    """The mapping or list that holds a place, and the last key."""
    *above, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    for key in above:
        document = document[key]
    return document, last


def changed(document: dict[str, Any], **places: Any) -> dict[str, Any]:
    result = copy.deepcopy(document)
    for place, value in places.items():
        holder, key = at(result, place.replace("__", "."))
        holder[key] = value
    return result


# --- What a good file gives


def test_the_example_has_no_fault_and_its_attributes_mirror_its_keys() -> None:
    example = load(EXAMPLE)

    assert example.name == "flight-delays"
    assert example.source.branch == "main"
    assert isinstance(example.data.split, TimeSplit)
    assert (example.data.split.column, example.data.split.holdout_days) == ("scheduled_departure", 14)
    assert dict(example.training.hyperparameters) == {"trees": 100, "max_depth": 6, "learning_rate": 0.05}
    assert [(one.metric, one.at_least, one.at_most) for one in example.evaluation.limits] == [
        ("roc_auc", 0.60, None),
        ("log_loss", None, 0.60),
        ("expected_calibration_error", None, 0.10),
        ("prediction_p99_ms", None, 100),
        ("model_mib", None, 50),
    ]
    assert example.evaluation.champion == ChampionPolicy(not_worse_by=0.01)
    assert [(one.column, one.bands) for one in example.evaluation.slices.by] == [
        ("origin", ()),
        ("distance", (500, 1500)),
    ]
    assert example.endpoints.production.instance_count == 2
    assert example.removal_policy == "retain"


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(EXAMPLE).endpoints.production.instance_count = 5  # type: ignore[misc]


def test_rows_can_be_split_by_the_hash_of_a_column(document: dict[str, Any], tmp_path: Path) -> None:
    document["data"]["split"] = {"by": "hash", "column": "user_id", "holdout_percent": 20, "validation_percent": 10}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    split = load(tmp_path / "slipway.yaml").data.split

    assert split == HashSplit(by="hash", column="user_id", holdout_percent=20, validation_percent=10)


def test_what_may_be_left_out_has_a_default(document: dict[str, Any], tmp_path: Path) -> None:
    for key in (
        "source",
        "release",
        "pull_requests",
        "approval",
        "network",
        "permissions_boundary",
        "removal_policy",
        "tags",
        "local",
    ):
        del document[key]
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    read = load(tmp_path / "slipway.yaml", "local")

    assert (read.source.branch, read.approval.notify, read.removal_policy, dict(read.tags)) == (
        "main",
        (),
        "retain",
        {},
    )


def test_containers_are_isolated_and_roles_unbounded_unless_the_file_says_otherwise(
    document: dict[str, Any], tmp_path: Path
) -> None:
    del document["network"], document["permissions_boundary"]
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    read = load(tmp_path / "slipway.yaml")

    assert (read.network.mode, read.network.subnet_ids, read.network.security_group_ids) == ("isolated", (), ())
    assert read.permissions_boundary is None


def test_an_image_scan_is_strict_unless_the_file_says_otherwise(document: dict[str, Any], tmp_path: Path) -> None:
    del document["container"]["scan"]
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    scan = load(tmp_path / "slipway.yaml").container.scan

    assert (scan.fail_on, scan.unsupported, scan.accepted) == ("high", "fail", ())


@pytest.mark.parametrize("until", ["2027-01-31", "'2027-01-31'"], ids=["plain", "in quotes"])
def test_a_finding_is_accepted_until_a_day(document: dict[str, Any], tmp_path: Path, until: str) -> None:
    document["container"]["scan"]["accepted"] = [{"id": "CVE-2026-12345", "reason": "not reachable", "until": "UNTIL"}]
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document).replace("UNTIL", until))

    (accepted,) = load(tmp_path / "slipway.yaml").container.scan.accepted

    assert (accepted.id, accepted.reason, accepted.until) == ("CVE-2026-12345", "not reachable", date(2027, 1, 31))


def test_an_acceptance_that_is_over_is_no_fault_of_the_file(
    document: dict[str, Any], faults: Callable[..., list[str]]
) -> None:
    document["container"]["scan"]["accepted"] = [{"id": "CVE-2020-1", "reason": "old", "until": date(2020, 1, 31)}]

    assert faults(document) == []


@pytest.mark.parametrize("value", [1, 0.5, "gini", True, 0, False, ""])
def test_a_hyperparameter_keeps_its_type(document: dict[str, Any], tmp_path: Path, value: object) -> None:
    document["training"]["hyperparameters"] = {"one": value}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    read = load(tmp_path / "slipway.yaml").training.hyperparameters["one"]

    assert (type(read), read) == (type(value), value)


# --- The overlay


def test_the_local_overlay_lays_its_values_over_the_file() -> None:
    aws, local = load(EXAMPLE), load(EXAMPLE, "local")

    assert (local.removal_policy, local.endpoints.production.instance_count) == ("destroy", 1)
    assert local.endpoints.production.instance_type == aws.endpoints.production.instance_type
    assert (aws.container.scan.unsupported, local.container.scan.unsupported) == ("fail", "allow")
    same = {
        "removal_policy": "retain",
        "endpoints": aws.endpoints,
        "release": aws.release,
        "container": aws.container,
    }
    assert local.model_copy(update=same) == aws


@pytest.mark.parametrize("overlay", [None, ""])
def test_without_an_overlay_the_file_holds_as_it_stands(overlay: str | None) -> None:
    assert load(EXAMPLE, overlay).removal_policy == "retain"


def test_an_overlay_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError) as raised:
        load(EXAMPLE, "prod")

    assert str(raised.value) == 'slipway.yaml: the overlay must be local or empty, got "prod"'


def test_a_list_in_the_overlay_replaces_the_whole_list(document: dict[str, Any], tmp_path: Path) -> None:
    document["local"] = {"evaluation": {"limits": [{"metric": "roc_auc", "at_least": 0.5}]}}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    assert [one.at_least for one in load(tmp_path / "slipway.yaml", "local").evaluation.limits] == [0.5]
    assert len(load(tmp_path / "slipway.yaml").evaluation.limits) == 5


OVERLAY_FAULTS = {
    "a value out of range": (
        {"endpoints": {"production": {"instance_count": 0}}},
        "local.endpoints.production.instance_count must be 1 or more, got 0",
    ),
    "an unknown key": (
        {"endpoints": {"produktion": {"instance_count": 1}}},
        "local.endpoints.produktion is not a known key; allowed: staging, production, objectives; "
        "did you mean production?",
    ),
    "a hyperparameter that the file does not have": (
        {"training": {"hyperparameters": {"tres": 20}}},
        "local.training.hyperparameters.tres is not a known key; allowed: trees, max_depth, learning_rate; "
        "did you mean trees?",
    ),
    "a tag that the file does not have": ({"tags": {"a": "b"}}, "local.tags.a is not a known key; allowed: none"),
    "a value that only the overlay makes senseless": (
        {"evaluation": {"primary": {"goal": "minimize"}}},
        "local.evaluation.limits[0] must have at_most: evaluation.primary says to minimize roc_auc",
    ),
    "an overlay in the overlay": (
        {"local": {}},
        "local.local is not a known key; allowed: name, source, data, container, processing, training, evaluation, "
        "endpoints, release, pull_requests, approval, network, permissions_boundary, removal_policy, tags",
    ),
    "another kind of value": ({"data": 5}, "local.data must be a mapping of keys to values, got 5"),
    "no mapping": ([1], "local must be a mapping of keys to values, got [1]"),
    "nothing": (None, "local must be a mapping of keys to values, got null"),
}


@pytest.mark.parametrize("overlay", [None, "local"])
@pytest.mark.parametrize(("values", "expected"), OVERLAY_FAULTS.values(), ids=OVERLAY_FAULTS)
def test_a_fault_of_the_overlay_is_told_at_its_place_whether_or_not_it_is_used(
    document: dict[str, Any], faults: Callable[..., list[str]], values: Any, expected: str, overlay: str | None
) -> None:
    assert faults(changed(document, local=values), overlay) == [expected]


def test_a_fault_of_the_file_is_not_told_a_second_time_for_the_overlay(
    document: dict[str, Any], faults: Callable[..., list[str]]
) -> None:
    document = changed(document, endpoints__staging__instance_count=0, data=5)
    document["local"]["data"] = {"split": {"holdout_days": -1}}

    assert faults(document, "local") == [
        "data must be a mapping of keys to values, got 5",
        "endpoints.staging.instance_count must be 1 or more, got 0",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (0.01, Margin(0.01)),
        (0, Margin(0)),
        ("2%", Margin(0.02, relative=True)),
        ("0.5 %", Margin(0.005, relative=True)),
    ],
)
def test_a_margin_is_in_units_of_the_metric_or_a_share_of_its_value(
    document: dict[str, Any], tmp_path: Path, written: object, read: Margin
) -> None:
    document["evaluation"]["champion"] = {"not_worse_by": written}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    assert load(tmp_path / "slipway.yaml").evaluation.champion.not_worse_by == read


# --- Faults of values

TOP_LEVEL_KEYS = (
    "name, source, data, container, processing, training, evaluation, endpoints, release, pull_requests, "
    "approval, network, permissions_boundary, removal_policy, tags, local"
)
NAME_RULE = "lower-case letters, digits and single hyphens, beginning with a letter"
TEXT = "text (in quotes where YAML takes it for something else)"
TAG_RULE = "letters, digits, spaces and _ . : / = + @ -"
PREFIX_RULE = "an S3 prefix such as raw/: letters, digits and _ = . - between slashes, with a slash at the end"


def accepted(**values: Any) -> dict[str, Any]:
    return {"id": "CVE-2026-1", "reason": "not reachable", "until": date(2027, 1, 31), **values}


SUBNETS = ["subnet-0123456789abcdef0", "subnet-12345678"]
GROUPS = ["sg-0123456789abcdef0"]
POLICY_RULE = "the ARN of a managed policy such as arn:aws:iam::111122223333:policy/boundary"


def vpc(**values: Any) -> dict[str, Any]:
    return {"mode": "vpc", "subnet_ids": SUBNETS, "security_group_ids": GROUPS, **values}


FAULTS = [
    ("name", "ab", 'name must be at least 3 characters long, got "ab"'),
    ("name", "a" * 25, f'name must be at most 24 characters long, got "{"a" * 25}"'),
    ("name", "Flights", f'name must be {NAME_RULE}, got "Flights"'),
    ("name", "1flights", f'name must be {NAME_RULE}, got "1flights"'),
    ("name", "flight--delays", f'name must be {NAME_RULE}, got "flight--delays"'),
    ("name", "flights-", f'name must be {NAME_RULE}, got "flights-"'),
    ("name", True, f"name must be {TEXT}, got true"),
    ("name", None, f"name must be {TEXT}, got null"),
    ("source.branch", "a b", 'source.branch must be the name of a git branch, got "a b"'),
    ("data.prefix", "raw", f'data.prefix must be {PREFIX_RULE}, got "raw"'),
    ("data.prefix", "/raw/", f'data.prefix must be {PREFIX_RULE}, got "/raw/"'),
    ("data.prefix", "../raw/", f'data.prefix must be {PREFIX_RULE}, got "../raw/"'),
    ("data.prefix", "raw/*/", f'data.prefix must be {PREFIX_RULE}, got "raw/*/"'),
    (
        "data.prefix",
        "models/mine/",
        "data.prefix must not lie under datasets/, models/, evaluations/, captures/, which Slipway writes, "
        'got "models/mine/"',
    ),
    ("data.split.by", "random", 'data.split.by must be time or hash, got "random"'),
    ("data.split.holdout_days", 0, "data.split.holdout_days must be 1 or more, got 0"),
    ("data.split.validation_days", -1, "data.split.validation_days must be 1 or more, got -1"),
    ("data.split.holdout_days", 1.5, "data.split.holdout_days must be a whole number, got 1.5"),
    ("data.split.column", "", 'data.split.column must be the name of a column, without spaces around it, got ""'),
    (
        "container.base_image",
        "python 3",
        "container.base_image must be a container image such as "
        'public.ecr.aws/docker/library/python:3.11-slim-bookworm, got "python 3"',
    ),
    (
        "container.scan.fail_on",
        "High",
        'container.scan.fail_on must be critical, high, medium, low or none, got "High"',
    ),
    ("container.scan.unsupported", "warn", 'container.scan.unsupported must be fail or allow, got "warn"'),
    ("container.scan.accepted", "CVE-2026-1", 'container.scan.accepted must be a list, got "CVE-2026-1"'),
    (
        "container.scan.accepted",
        ["CVE-2026-1"],
        'container.scan.accepted[0] must be a mapping of keys to values, got "CVE-2026-1"',
    ),
    (
        "container.scan.accepted",
        [{"id": "CVE-2026-1", "until": date(2027, 1, 31)}],
        "container.scan.accepted[0].reason is missing: why it is accepted, in words",
    ),
    (
        "container.scan.accepted",
        [accepted(), accepted(id="CVE 1")],
        'container.scan.accepted[1].id must be the id of a finding such as CVE-2026-12345, got "CVE 1"',
    ),
    (
        "container.scan.accepted",
        [accepted(reason=" ")],
        'container.scan.accepted[0].reason must be a reason in words, got " "',
    ),
    (
        "container.scan.accepted",
        [accepted(until="next year")],
        'container.scan.accepted[0].until must be a day such as 2027-01-31, got "next year"',
    ),
    (
        "container.scan.accepted",
        [accepted(until="2027-02-29")],
        'container.scan.accepted[0].until must be a day such as 2027-01-31, got "2027-02-29"',
    ),
    (
        "container.scan.accepted",
        [accepted(until=datetime(2027, 1, 31, tzinfo=UTC))],
        'container.scan.accepted[0].until must be a day such as 2027-01-31, got "2027-01-31 00:00:00+00:00"',
    ),
    (
        "container.scan.accepted",
        [accepted(until=20270131)],
        "container.scan.accepted[0].until must be a day such as 2027-01-31, got 20270131",
    ),
    (
        "container.scan.accepted",
        [accepted(), accepted(until=date(2028, 1, 31))],
        "container.scan.accepted[1] must not name CVE-2026-1 again",
    ),
    (
        "processing.instance_type",
        "m5.large",
        'processing.instance_type must be a SageMaker instance type such as ml.m5.large, got "m5.large"',
    ),
    ("processing.volume_gib", 16385, "processing.volume_gib must be 16384 or less, got 16385"),
    ("processing.max_runtime_minutes", 2101, "processing.max_runtime_minutes must be 2100 or less, got 2101"),
    ("training.instance_count", "2", 'training.instance_count must be a whole number, got "2"'),
    ("training.instance_count", True, "training.instance_count must be a whole number, got true"),
    ("training.hyperparameters", [1], "training.hyperparameters must be a mapping of keys to values, got [1]"),
    (
        "training.hyperparameters.trees",
        [100, 200],
        "training.hyperparameters.trees must be text, a number, true or false, got [100, 200]",
    ),
    (
        "training.hyperparameters.trees",
        float("inf"),
        "training.hyperparameters.trees must be a finite number, got Infinity",
    ),
    (
        "training.hyperparameters.trees",
        "x" * 2501,
        f'training.hyperparameters.trees must be at most 2500 characters long, got "{"x" * 76}...',
    ),
    ("training.hyperparameters.7", 1, f"training.hyperparameters[7] as a key must be {TEXT}, got 7"),
    ("source.7", 1, f"source[7] as a key must be {TEXT}, got 7"),
    ("tags", {"a#b": "c"}, f'tags.a#b as a key must be {TAG_RULE}, got "a#b"'),
    ("tags", {"a": "b#c"}, f'tags.a must be {TAG_RULE}, got "b#c"'),
    ("evaluation.primary.goal", "max", 'evaluation.primary.goal must be maximize or minimize, got "max"'),
    (
        "evaluation.primary.metric",
        "ROC AUC",
        'evaluation.primary.metric must be the name of a metric such as roc_auc, got "ROC AUC"',
    ),
    ("evaluation.limits", [], "evaluation.limits must be a list of at least 1, got []"),
    ("evaluation.limits", "roc_auc", 'evaluation.limits must be a list, got "roc_auc"'),
    ("evaluation.limits.1", {"metric": "log_loss"}, "evaluation.limits[1] must have at_least, at_most or both"),
    (
        "evaluation.limits.1",
        {"metric": "log_loss", "at_least": 0.9, "at_most": 0.2},
        "evaluation.limits[1] cannot be kept: at_least 0.9 is more than at_most 0.2",
    ),
    (
        "evaluation.limits.1",
        {"metric": "roc_auc", "at_most": 0.99},
        "evaluation.limits[1] must not name roc_auc again: give its limits in one entry",
    ),
    (
        "evaluation.limits.0",
        {"metric": "roc_auc", "at_most": 0.9},
        "evaluation.limits[0] must have at_least: evaluation.primary says to maximize roc_auc",
    ),
    ("evaluation.limits.0.at_least", float("nan"), "evaluation.limits[0].at_least must be a finite number, got NaN"),
    ("evaluation.limits.0.at_least", "high", 'evaluation.limits[0].at_least must be a number, got "high"'),
    ("evaluation.champion.not_worse_by", -0.1, "evaluation.champion.not_worse_by must be 0 or more, got -0.1"),
    (
        "evaluation.champion.not_worse_by",
        "2 percent",
        'evaluation.champion.not_worse_by must be a number, or a percentage such as "2%", got "2 percent"',
    ),
    ("evaluation.champion", {}, "evaluation.champion must have either not_worse_by or better_by"),
    (
        "evaluation.champion",
        {"not_worse_by": 0.1, "better_by": 0},
        "evaluation.champion must have either not_worse_by or better_by",
    ),
    ("evaluation.confidence", 1, "evaluation.confidence must be 0.999 or less, got 1"),
    (
        "evaluation.slices.by.0.column",
        "a:b",
        "evaluation.slices.by[0].column must be the name of a column, without spaces around it and without a colon, "
        'got "a:b"',
    ),
    (
        "evaluation.slices.by.1.bands",
        [500, 1500, 1500],
        "evaluation.slices.by[1].bands[2] must be more than 1500, the edge before it",
    ),
    (
        "evaluation.slices.by.1.bands",
        ["low"],
        'evaluation.slices.by[1].bands[0] must be a number, got "low"',
    ),
    (
        "evaluation.slices.by.1.column",
        "origin",
        "evaluation.slices.by[1].column must not name origin again",
    ),
    ("evaluation.slices.minimum_records", 1, "evaluation.slices.minimum_records must be 2 or more, got 1"),
    ("pull_requests", "all", 'pull_requests must be none, tests or sample, got "all"'),
    ("endpoints.production.instance_count", 0, "endpoints.production.instance_count must be 1 or more, got 0"),
    (
        "endpoints.production.max_instance_count",
        1,
        "endpoints.production.max_instance_count must not be less than instance_count, which is 2, got 1",
    ),
    (
        "endpoints.production",
        {"instance_type": "ml.t2.medium", "instance_count": 1, "max_instance_count": 2},
        "endpoints.production.max_instance_count must be that of instance_count: SageMaker does not scale burstable "
        "instances, ml.t2.medium",
    ),
    (
        "endpoints.production.max_instance_count",
        "4",
        'endpoints.production.max_instance_count must be a whole number, got "4"',
    ),
    (
        "endpoints.staging",
        {"serverless": {"memory_mib": 1000, "max_concurrency": 5}},
        "endpoints.staging.serverless.memory_mib must be 1024, 2048, 3072, 4096, 5120 or 6144, got 1000",
    ),
    (
        "endpoints.staging",
        {"serverless": {"memory_mib": 1024, "max_concurrency": 201}},
        "endpoints.staging.serverless.max_concurrency must be 200 or less, got 201",
    ),
    (
        "endpoints.staging",
        {"serverless": {"memory_mib": 1024}},
        "endpoints.staging.serverless.max_concurrency is missing: calls that may be under way at once, each in an "
        "environment of its own",
    ),
    (
        "endpoints.staging",
        {"serverless": {"memory_mib": 1024, "max_concurrency": 5}, "instance_count": 1},
        "endpoints.staging.instance_count must not stand beside serverless, which takes the place of instances",
    ),
    ("endpoints.staging", 5, "endpoints.staging must be a mapping of keys to values, got 5"),
    ("endpoints.production.capture_percent", 101, "endpoints.production.capture_percent must be 100 or less, got 101"),
    (
        "endpoints.objectives.requests_per_second",
        0,
        "endpoints.objectives.requests_per_second must be 1 or more, got 0",
    ),
    ("release.promotion", "auto", 'release.promotion must be manual or automatic, got "auto"'),
    ("release.approval_expires_hours", 1441, "release.approval_expires_hours must be 1440 or less, got 1441"),
    (
        "release.strategy",
        "blue_green",
        'release.strategy must be all_at_once, canary, linear, ab_test or shadow, got "blue_green"',
    ),
    ("release.step_percent", 51, "release.step_percent must be 50 or less, got 51"),
    (
        "release",
        {"strategy": "linear", "step_percent": 9},
        "release.step_percent must be 10 or more for linear, got 9",
    ),
    (
        "release.step_seconds",
        59,
        "release.step_seconds must be 60 or more, which is rollback_on.period_seconds, or no alarm would see a step, "
        "got 59",
    ),
    (
        "release.termination_wait_seconds",
        59,
        "release.termination_wait_seconds must be 60 or more, which is rollback_on.period_seconds, or no alarm would "
        "see a step, got 59",
    ),
    (
        "release",
        {"strategy": "linear", "step_percent": 10, "step_seconds": 2601, "termination_wait_seconds": 3600},
        "release.step_seconds must be less: with termination_wait_seconds, a linear rollout waits for 27009 seconds in "
        "all, and SageMaker allows 27000",
    ),
    (
        "release",
        {"strategy": "ab_test", "challenger_percent": 100},
        "release.challenger_percent must be 99 or less for an ab_test, or the champion would serve nobody",
    ),
    ("release.rollback_on.p99_ms", 0, "release.rollback_on.p99_ms must be 1 or more, got 0"),
    (
        "release.rollback_on.server_error_percent",
        101,
        "release.rollback_on.server_error_percent must be 100 or less, got 101",
    ),
    (
        "release.rollback_on.period_seconds",
        90,
        "release.rollback_on.period_seconds must be 10, 30 or a multiple of 60, got 90",
    ),
    ("endpoints.production", "big", 'endpoints.production must be a mapping of keys to values, got "big"'),
    ("approval.notify", ["a@b.org", "nobody"], 'approval.notify[1] must be an e-mail address, got "nobody"'),
    ("approval.notify", ["a@b.org", "a@b.org"], 'approval.notify[1] repeats "a@b.org"'),
    ("network", None, "network must be a mapping of keys to values, got null"),
    ("network.mode", "public", 'network.mode must be isolated or vpc, got "public"'),
    (
        "network",
        {"subnet_ids": SUBNETS},
        "network.subnet_ids must be empty unless mode is vpc, got mode isolated",
    ),
    (
        "network",
        {"mode": "isolated", "security_group_ids": GROUPS},
        "network.security_group_ids must be empty unless mode is vpc, got mode isolated",
    ),
    ("network", vpc(security_group_ids=[]), "network.security_group_ids must not be empty where subnet_ids is given"),
    ("network", vpc(subnet_ids=[]), "network.subnet_ids must not be empty where security_group_ids is given"),
    (
        "network",
        vpc(subnet_ids=SUBNETS[:1]),
        "network.subnet_ids must be two or more, in different zones: SageMaker asks so for endpoints",
    ),
    ("network", vpc(subnet_ids=[*SUBNETS, SUBNETS[0]]), f'network.subnet_ids[2] repeats "{SUBNETS[0]}"'),
    ("network", vpc(security_group_ids=GROUPS * 2), f'network.security_group_ids[1] repeats "{GROUPS[0]}"'),
    (
        "network",
        vpc(subnet_ids=[SUBNETS[0], "subnet-1"]),
        'network.subnet_ids[1] must be the id of a subnet such as subnet-0123456789abcdef0, got "subnet-1"',
    ),
    (
        "network",
        vpc(security_group_ids=SUBNETS[:1]),
        "network.security_group_ids[0] must be the id of a security group such as sg-0123456789abcdef0, "
        f'got "{SUBNETS[0]}"',
    ),
    (
        "network",
        vpc(security_group_ids=[f"sg-{number:08x}" for number in range(6)]),
        "network.security_group_ids must be at most 5 entries, got "
        '["sg-00000000", "sg-00000001", "sg-00000002", "sg-00000003", "sg-00000004", "...',
    ),
    ("permissions_boundary", "boundary", f'permissions_boundary must be {POLICY_RULE}, got "boundary"'),
    (
        "permissions_boundary",
        "arn:aws:iam::111122223333:role/boundary",
        f'permissions_boundary must be {POLICY_RULE}, got "arn:aws:iam::111122223333:role/boundary"',
    ),
    ("permissions_boundary", 5, f"permissions_boundary must be {TEXT}, got 5"),
    ("removal_policy", "keep", 'removal_policy must be retain or destroy, got "keep"'),
    ("tags", {"cost-center": 42}, f"tags.cost-center must be {TEXT}, got 42"),
    ("tags", {"slipway:x": "y"}, "tags.slipway:x must not begin with aws: or slipway:, which are reserved"),
    ("tags", {"AWS:x": "y"}, "tags.AWS:x must not begin with aws: or slipway:, which are reserved"),
    (
        "training.instance_typ",
        "ml.m5.large",
        "training.instance_typ is not a known key; allowed: instance_type, instance_count, volume_gib, "
        "max_runtime_minutes, hyperparameters; did you mean instance_type?",
    ),
    ("locl", {}, f"locl is not a known key; allowed: {TOP_LEVEL_KEYS}; did you mean local?"),
    ("xyz", 1, f"xyz is not a known key; allowed: {TOP_LEVEL_KEYS}"),
]


@pytest.mark.parametrize(
    ("place", "value", "expected"), FAULTS, ids=[f"{place}={value!r:.20}" for place, value, _ in FAULTS]
)
def test_a_fault_says_where_it_is_what_is_allowed_and_what_is_there(
    document: dict[str, Any], faults: Callable[..., list[str]], place: str, value: object, expected: str
) -> None:
    document["local"] = {}
    holder, key = at(document, place)
    holder[key] = value

    assert faults(document) == [expected]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "abc"),
        ("name", "a" * 24),
        ("data.split.holdout_days", 1),
        ("processing.max_runtime_minutes", 2100),
        ("evaluation.champion.not_worse_by", 0),
        ("evaluation.champion", {"better_by": "0%"}),
        ("evaluation.slices", {"by": [{"column": "two words", "bands": [0.5]}], "minimum_records": 2}),
        ("evaluation.limits.0", {"metric": "roc_auc", "at_least": 0.5, "at_most": 0.5}),
        ("evaluation.limits.0", {"metric": "roc_auc", "at_least": 0}),
        ("endpoints.staging.instance_count", 1),
        ("endpoints.staging", {"instance_type": "ml.t2.medium", "instance_count": 2, "max_instance_count": 2}),
        ("endpoints.production.max_instance_count", 3),
        ("endpoints.production.capture_percent", 100),
        ("release.approval_expires_hours", 1440),
        ("release.step_percent", 1),
        ("release.step_seconds", 60),
        ("release.termination_wait_seconds", 60),
        ("release", {"strategy": "linear", "step_percent": 10, "step_seconds": 2600, "termination_wait_seconds": 3600}),
        ("release", {"strategy": "ab_test", "challenger_percent": 99}),
        ("release", {"strategy": "shadow", "challenger_percent": 100}),
        ("release.rollback_on", {"period_seconds": 10}),
        ("release.rollback_on", {"period_seconds": 30}),
        ("release.rollback_on", {"period_seconds": 240, "server_error_percent": 0}),
        ("data.prefix", "incoming/year=2013/"),
        ("approval.notify", ["first.last+models@mail.example.co.uk"]),
        ("network", vpc()),
        ("network", vpc(subnet_ids=[f"subnet-{number:017x}" for number in range(16)])),
        ("network", vpc(security_group_ids=[f"sg-{number:017x}" for number in range(5)])),
        ("permissions_boundary", "arn:aws-cn:iam::111122223333:policy/teams/boundary"),
        ("permissions_boundary", "arn:aws:iam::aws:policy/PowerUserAccess"),
    ],
)
def test_a_value_on_the_boundary_is_accepted(
    document: dict[str, Any], faults: Callable[..., list[str]], place: str, value: object
) -> None:
    holder, key = at(document, place)
    holder[key] = value

    assert faults(document) == []


@pytest.mark.parametrize(
    "hostile",
    [
        "$(touch canary)",
        "x;touch",
        "x\ntouch",
        "main\n",
        "{{resolve:secretsmanager:password}}",
        "${Token[TOKEN.1]}",
        "#{Source.CommitId}",
        "x\x1b[2J",
        '"x"',
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "name",
        "source.branch",
        "data.prefix",
        "container.base_image",
        "training.instance_type",
        "evaluation.primary.metric",
        "approval.notify.0",
        "network.subnet_ids.0",
        "network.security_group_ids.0",
        "permissions_boundary",
        "tags.team",
    ],
)
def test_a_text_that_becomes_a_name_or_stands_in_a_template_cannot_hold_a_command_or_a_reference(
    document: dict[str, Any], faults: Callable[..., list[str]], place: str, hostile: str
) -> None:
    document["approval"]["notify"], document["tags"] = ["ann@example.org"], {"team": "delays"}
    document["network"] = vpc(subnet_ids=[*SUBNETS], security_group_ids=[*GROUPS])
    holder, key = at(document, place)
    # As the others must begin and end, so that it is the hostile part that is refused.
    beginnings = {"permissions_boundary": "arn:aws:iam::111122223333:policy/"}
    endings = {"data.prefix": "/", "approval.notify.0": "@example.org"}
    holder[key] = beginnings.get(place, "") + hostile + endings.get(place, "")

    assert [fault for fault in faults(document) if fault.startswith(place.replace(".0", "[0]"))]


@pytest.mark.parametrize("place", ["name", "source.branch", "container.base_image"])
def test_a_word_of_a_command_cannot_be_an_option(
    document: dict[str, Any], faults: Callable[..., list[str]], place: str
) -> None:
    holder, key = at(document, place)
    holder[key] = "--upload-pack=canary"

    assert [fault for fault in faults(document) if fault.startswith(place)]


@pytest.mark.parametrize(("holdout", "validation", "accepted"), [(60, 39, True), (60, 40, False), (98, 98, False)])
def test_the_percentages_of_a_split_leave_rows_to_train_on(
    document: dict[str, Any], faults: Callable[..., list[str]], holdout: int, validation: int, accepted: bool
) -> None:
    document["data"]["split"] = {
        "by": "hash",
        "column": "user_id",
        "holdout_percent": holdout,
        "validation_percent": validation,
    }

    expected = (
        f"data.split must leave rows to train on: holdout_percent + validation_percent is {holdout + validation}, "
        "not below 100"
    )
    assert faults(document) == ([] if accepted else [expected])


def test_the_keys_of_the_other_split_are_unknown(document: dict[str, Any], faults: Callable[..., list[str]]) -> None:
    document["data"]["split"]["by"] = "hash"

    assert faults(document) == [
        "data.split.holdout_percent is missing: share of the groups in the holdout",
        "data.split.validation_percent is missing: share of the groups in the validation set",
        "data.split.holdout_days is not a known key; allowed: by, column, holdout_percent, validation_percent",
        "data.split.validation_days is not a known key; allowed: by, column, holdout_percent, validation_percent; "
        "did you mean validation_percent?",
    ]


def test_all_faults_are_told_at_once_with_the_files_name(document: dict[str, Any], tmp_path: Path) -> None:
    document = changed(
        document,
        endpoints__production__instance_count=0,
        removal_policy="keep",
        evaluation__primary__goal="max",
        local={"endpoints": {"staging": {"instance_count": 0}}},
    )
    del document["processing"]
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    with pytest.raises(SettingsError) as raised:
        load(tmp_path / "slipway.yaml")

    assert str(raised.value).splitlines() == [
        "slipway.yaml: processing is missing: where data is prepared and models are evaluated",
        'slipway.yaml: evaluation.primary.goal must be maximize or minimize, got "max"',
        "slipway.yaml: endpoints.production.instance_count must be 1 or more, got 0",
        'slipway.yaml: removal_policy must be retain or destroy, got "keep"',
        "slipway.yaml: local.endpoints.staging.instance_count must be 1 or more, got 0",
    ]


@pytest.mark.parametrize(("strategy", "accepted"), [("canary", False), ("linear", False), ("all_at_once", True)])
def test_traffic_is_not_shifted_in_steps_where_sagemaker_cannot(
    document: dict[str, Any], faults: Callable[..., list[str]], strategy: str, accepted: bool
) -> None:
    document["local"] = {}
    document["endpoints"]["production"]["instance_type"] = "ml.inf1.xlarge"
    document["release"]["strategy"] = strategy

    expected = (
        "release.strategy must be all_at_once, ab_test or shadow: SageMaker shifts no traffic in steps on instances of "
        f"type ml.inf1.xlarge, got {strategy}"
    )
    assert faults(document) == ([] if accepted else [expected])


SERVERLESS = {"serverless": {"memory_mib": 2048, "max_concurrency": 5}}


def test_an_endpoint_without_instances_says_what_it_may_take(document: dict[str, Any], tmp_path: Path) -> None:
    document["local"] = {}
    document["endpoints"]["production"] = SERVERLESS
    document["release"]["strategy"] = "all_at_once"
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    endpoints = load(tmp_path / "slipway.yaml").endpoints

    assert isinstance(endpoints.production, ServerlessEndpoint)
    assert (endpoints.production.serverless.memory_mib, endpoints.production.serverless.max_concurrency) == (2048, 5)
    assert (endpoints.production.autoscaled_to, endpoints.production.capture_percent) == (None, 0)
    assert isinstance(endpoints.staging, Endpoint)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_serverless_production_takes_all_calls_at_once(
    document: dict[str, Any], faults: Callable[..., list[str]], strategy: str
) -> None:
    document["local"] = {}
    document["endpoints"]["production"] = SERVERLESS
    document["release"]["strategy"] = strategy

    expected = (
        "release.strategy must be all_at_once where production is serverless: SageMaker serves one variant there and "
        f"shifts no traffic in steps, got {strategy}"
    )
    assert faults(document) == ([] if strategy == "all_at_once" else [expected])


def test_a_serverless_endpoint_has_no_vpc(document: dict[str, Any], faults: Callable[..., list[str]]) -> None:
    document["endpoints"]["staging"] = SERVERLESS
    document["network"]["mode"] = "vpc"

    assert faults(document) == [
        "network.mode must be isolated where an endpoint is serverless, for SageMaker connects those to no VPC: "
        "endpoints.staging"
    ]


def test_an_overlay_whose_endpoint_has_instances_is_told_of_the_serverless_one_below(
    document: dict[str, Any], faults: Callable[..., list[str]]
) -> None:
    document["endpoints"]["production"] = SERVERLESS
    document["release"]["strategy"] = "all_at_once"
    document["local"] = {"endpoints": {"production": {"instance_count": 1}}}

    assert faults(document) == [
        "local.endpoints.production.instance_count must not stand beside serverless, which takes the place of instances"
    ]


def test_a_misspelt_serverless_is_known(document: dict[str, Any], faults: Callable[..., list[str]]) -> None:
    document["endpoints"]["staging"] = {"serverles": SERVERLESS["serverless"]}

    assert faults(document)[-1].endswith("capture_percent, serverless; did you mean serverless?")


def test_a_release_may_name_a_strategy_that_the_file_could_not_have(document: dict[str, Any], tmp_path: Path) -> None:
    document["release"]["step_percent"] = 5
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    read = load(tmp_path / "slipway.yaml")

    refused = [strategy for strategy in STRATEGIES if read.release.faults(strategy, read.endpoints.production)]
    assert refused == ["linear"]


@pytest.mark.parametrize(
    ("strategy", "seconds"), [("all_at_once", 60), ("canary", 360), ("linear", 960), ("ab_test", 0), ("shadow", 0)]
)
def test_a_rollout_waits_after_each_of_its_steps_and_before_the_old_instances_end(
    document: dict[str, Any], tmp_path: Path, strategy: Strategy, seconds: int
) -> None:
    document["release"] |= {"step_percent": 30, "step_seconds": 300, "termination_wait_seconds": 60}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    assert load(tmp_path / "slipway.yaml").release.waiting_seconds(strategy) == seconds


@pytest.mark.parametrize(("most", "expected"), [(None, None), (2, None), (3, 3)])
def test_an_endpoint_scales_when_it_may_have_more_instances_than_it_begins_with(
    document: dict[str, Any], tmp_path: Path, most: int | None, expected: int | None
) -> None:
    document["endpoints"]["production"] |= {"instance_count": 2, "max_instance_count": most}
    (tmp_path / "slipway.yaml").write_text(yaml.safe_dump(document))

    assert load(tmp_path / "slipway.yaml").endpoints.production.autoscaled_to == expected


# --- Faults of the file

REQUIRED = "name, data, container, processing, training, evaluation, endpoints"
FILES = {
    "empty": ("", f"is empty; it must have the keys {REQUIRED}"),
    "comments alone": ("# nothing yet\n", f"is empty; it must have the keys {REQUIRED}"),
    "a list": ("- name", 'must be a mapping of keys to values, got ["name"]'),
    "a syntax error": (
        "name: [flights\nsource: main\n",
        "line 2, column 7: is not YAML: while parsing a flow sequence expected ',' or ']', but got ':'",
    ),
    "a tab": (
        "name: x\n\tsource: y\n",
        "line 2, column 1: is not YAML: "
        "while scanning for the next token found character '\\t' that cannot start any token",
    ),
    "two documents": (
        "name: x\n---\nname: y\n",
        "line 2, column 1: is not YAML: expected a single document in the stream but found another document",
    ),
    "a Python object": (
        "name: !!python/object:os.system x",
        "line 1, column 7: is not YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object:os.system'",
    ),
    "a date that is none": ("name: 2013-13-01", "is not YAML: month must be in 1..12"),
    "no text": (b"name: \xff", "is not UTF-8 text (byte 7)"),
    "a key given twice": (
        "name: a\nsource: {}\nname: b\n",
        "line 3: the key name must be given once, it is on line 1 already",
    ),
    "a key given twice on one line": (
        "endpoints:\n  staging: {instance_count: 1, instance_count: 2}\n",
        "line 2: the key instance_count must be given once, it is on line 2 already",
    ),
    "an alias in itself": (
        "data: &data\n  split: *data\n",
        "line 1: an alias must not stand inside the value that it repeats",
    ),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_says_where_and_why(
    faults: Callable[..., list[str]], content: str | bytes, expected: str
) -> None:
    assert faults(content) == [expected]


def test_every_key_given_twice_is_told(faults: Callable[..., list[str]]) -> None:
    assert faults("name: a\nname: b\ndata: {prefix: a/, prefix: b/}\n") == [
        "line 2: the key name must be given once, it is on line 1 already",
        "line 3: the key prefix must be given once, it is on line 3 already",
    ]


def test_a_file_that_is_not_there_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "slipway.yaml"

    with pytest.raises(SettingsError) as raised:
        load(path)

    assert str(raised.value) == f"slipway.yaml: cannot be read: No such file or directory ({path})"


# --- What follows from an instance type


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.m5.large", False),
        ("ml.m5d.large", True),
        ("ml.r6gd.xlarge", True),
        ("ml.c6i.large", False),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.xlarge", True),
        ("ml.g6e.xlarge", True),
        ("ml.p3.2xlarge", False),
        ("ml.p3dn.24xlarge", True),
        ("ml.p4de.24xlarge", True),
        ("ml.p5.48xlarge", True),
        ("ml.trn1.2xlarge", True),
        ("ml.inf2.xlarge", False),
        ("ml.t3.medium", False),
    ],
)
def test_instance_types_with_local_storage_are_known(instance_type: str, expected: bool) -> None:
    assert has_local_storage(instance_type) is expected


# --- The schema for editors


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    published: dict[str, Any] = json.loads((ROOT / "docs" / "slipway.schema.json").read_text())
    return published


def test_the_published_schema_is_current() -> None:
    command = [sys.executable, "-m", "settings", "schema"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert printed == (ROOT / "docs" / "slipway.schema.json").read_text(), (
        "run: python -m settings schema > docs/slipway.schema.json"
    )


def test_any_other_request_is_answered_with_how_to_ask() -> None:
    command = [sys.executable, "-m", "settings", "shema"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "usage: python -m settings schema\n")


def test_the_example_satisfies_the_schema_that_it_names(document: dict[str, Any], schema: dict[str, Any]) -> None:
    assert EXAMPLE.read_text().startswith("# yaml-language-server: $schema=docs/slipway.schema.json\n")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document.update(xyz=1),
        lambda document: document.pop("data"),
        lambda document: document["endpoints"]["staging"].update(instance_count=0),
        lambda document: document["endpoints"].update(staging={"serverless": {"memory_mib": 1, "max_concurrency": 1}}),
        lambda document: document["data"]["split"].update(by="random"),
        lambda document: document["local"].update(xyz=1),
        lambda document: document["local"].update(data={"split": {"holdout_weeks": 1}}),
        lambda document: document["local"].update(training={"hyperparameters": {"trees": [1]}}),
    ],
    ids=["unknown key", "missing", "range", "serverless", "split", "overlay key", "overlay key below", "overlay value"],
)
def test_editors_see_the_faults_of_keys_and_values(
    document: dict[str, Any], schema: dict[str, Any], edit: Edit
) -> None:
    edit(document)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_the_overlay_may_leave_out_every_key_in_editors_too(document: dict[str, Any], schema: dict[str, Any]) -> None:
    document["local"] = {"data": {"split": {"column": "departure"}}, "training": {"volume_gib": 5}, "endpoints": {}}

    jsonschema.validate(document, schema)


def test_every_key_is_described_for_editors_and_faults() -> None:
    def undescribed(section: type, place: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():  # type: ignore[attr-defined]
            if not field.description:
                found.append(f"{place}.{name}")
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                found += undescribed(field.annotation, f"{place}.{name}")
        return found

    assert undescribed(Settings, "") == []
