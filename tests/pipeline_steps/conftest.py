"""AWS as moto plays it, with credentials that open nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import create_loader
from moto import mock_aws

from pipeline_steps.aws import Aws
from settings import Settings, load
from tests.pipeline_steps.doubles import BUCKET, REGION, SETTINGS, ManualTime

_SERVICE_MODELS = create_loader()  # read once: SageMaker's takes a quarter of a second


@pytest.fixture(autouse=True)
def _fake_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "SLIPWAY_OVERLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: _SERVICE_MODELS)


@pytest.fixture
def aws() -> Iterator[Aws]:
    """An account of moto's."""
    with mock_aws():
        yield Aws(REGION)


@pytest.fixture
def bucket(aws: Aws) -> str:
    aws.s3.create_bucket(Bucket=BUCKET)
    return BUCKET


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "slipway.yaml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def settings(settings_file: Path) -> Settings:
    return load(settings_file)


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()
