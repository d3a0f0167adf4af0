"""Credentials that open nothing, and a project to be in."""

from pathlib import Path

import pytest

from slipway.project import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "SLIPWAY_OVERLAY", "SLIPWAY_TARGET"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with the example's slipway.yaml."""
    (tmp_path / "slipway.yaml").write_text((ROOT / "slipway.yaml").read_text())
    return Project(root=tmp_path, name="flight-delays", branch="main", data_prefix="raw/")
