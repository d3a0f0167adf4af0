import os
from dataclasses import replace
from pathlib import Path

import pytest
from moto import mock_aws

from slipway.errors import UserError
from slipway.local_server import ServerRecord
from slipway.target import aws_target, local_target, local_variables

SERVER = ServerRecord(1, 4599, "http://127.0.0.1:4599", "000000000000", "us-east-1", "2026-11-21T07:00:00+00:00")


def test_a_profile_of_the_environment_has_no_part_in_the_local_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of an account")

    target = local_target(SERVER, os.environ)

    client = target.client("s3")
    assert client.meta.endpoint_url == "http://127.0.0.1:4599"
    assert client._request_signer._credentials.token is None
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & target.environment.keys()


def test_children_do_not_go_through_a_proxy_to_the_local_cloud() -> None:
    target = local_target(SERVER, {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"})

    assert target.environment["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    assert target.environment["no_proxy"] == "127.0.0.1,localhost"
    assert target.environment["HTTP_PROXY"] == "http://proxy:3128"


def test_the_variables_of_the_local_cloud_say_where_and_who() -> None:
    variables = local_variables(SERVER)

    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4599"
    assert variables["AWS_ACCESS_KEY_ID"] == "000000000000"
    assert variables["AWS_DEFAULT_REGION"] == "us-east-1"


def test_an_account_without_a_region_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(UserError, match="no AWS region"):
        aws_target({})


@mock_aws
def test_the_account_is_the_one_that_sts_names() -> None:
    target = aws_target({})

    assert (target.kind, target.overlay) == ("aws", None)
    assert target.place == "AWS account 123456789012, region us-east-1"


def test_an_endpoint_url_in_the_environment_is_betrayed() -> None:
    target = replace(local_target(SERVER, {}), kind="aws")

    assert target.place.endswith("through http://127.0.0.1:4599 (AWS_ENDPOINT_URL)")
