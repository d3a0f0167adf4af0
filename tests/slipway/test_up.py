import os
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from moto import mock_aws
from rich.console import Console

from slipway import data_bucket
from slipway.phases import Phases
from slipway.project import Project
from slipway.target import Target, aws_target
from slipway.up import Deployment
from tests.slipway.test_git_repository import commit, git


@pytest.fixture
def target() -> Iterator[Target]:
    with mock_aws():
        target = aws_target(os.environ)
        target.client("s3").create_bucket(Bucket="data")
        yield target


@pytest.fixture
def out() -> StringIO:
    return StringIO()


@pytest.fixture
def deployment(target: Target, project: Project, out: StringIO) -> Deployment:
    return Deployment(Phases(Console(file=out, width=200)), target, project)


@pytest.fixture(autouse=True)
def _small_example(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(destination: Path, months: Iterable[int]) -> list[Path]:
        files = [destination / "flights" / f"{month}.csv" for month in months]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            file.write_text("a flight")
        return files

    monkeypatch.setattr("slipway.example_data.write_example", write)


def keys(target: Target) -> list[str]:
    return [found["Key"] for found in target.client("s3").list_objects_v2(Bucket="data").get("Contents", [])]


def test_the_example_goes_below_the_prefix_in_the_folders_it_came_in(deployment: Deployment, target: Target) -> None:
    deployment.put_example_data("data")

    assert keys(target) == [f"raw/flights/{month}.csv" for month in data_bucket.DEMO_MONTHS]


def test_a_teams_own_data_is_left_alone(deployment: Deployment, target: Target, out: StringIO) -> None:
    target.client("s3").put_object(Bucket="data", Key="raw/own.csv", Body=b"ours")

    deployment.put_example_data("data")

    assert keys(target) == ["raw/own.csv"]
    assert "s3://data/raw/ has data already" in out.getvalue()


def test_outside_git_the_remote_is_left_out(deployment: Deployment, out: StringIO) -> None:
    deployment.set_remote("https://127.0.0.1:1/v1/repos/x", None)

    assert "left out" in out.getvalue()


@pytest.mark.parametrize(
    ("url", "helpers"),
    [
        ("https://example.com/v1/repos/x", 0),
        ("https://git-codecommit.us-east-1.amazonaws.com/v1/repos/x", 1),
    ],
    ids=["elsewhere", "CodeCommit"],
)
def test_the_credential_helper_is_for_codecommit_alone(
    deployment: Deployment, project: Project, url: str, helpers: int
) -> None:
    git(project.root, "init", "-q")
    commit(project.root, "a")

    deployment.set_remote(url, None)

    assert git(project.root, "remote", "get-url", "slipway") == url
    settings = git(project.root, "config", "--local", "--list").splitlines()
    assert len([setting for setting in settings if "codecommit credential-helper" in setting]) == helpers
