import os
from dataclasses import replace
from pathlib import Path

import pytest
from moto import mock_aws

from slipway.errors import UserError
from slipway.local_server import ServerRecord
from slipway.target import aws_target, local_target, local_variables


@pytest.fixture
def server(tmp_path: Path) -> ServerRecord:
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = AKIALOCAL\naws_secret_access_key = local-secret\n")
    return ServerRecord(
        1, 4599, "https://127.0.0.1:4599", "/cloud/ca.pem", "/cloud/trusted", str(keys), "000000000000", "us-east-1",
        "2026-11-21T07:00:00+00:00",
    )  # fmt: skip


def test_credentials_of_the_environment_have_no_part_in_the_local_cloud(
    server: ServerRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of an account")

    target = local_target(server, os.environ)

    client = target.client("s3")
    assert client.meta.endpoint_url == "https://127.0.0.1:4599"
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("AKIALOCAL", "local-secret", None)
    of_an_account = {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert not of_an_account & target.environment.keys()


def test_children_do_not_go_through_a_proxy_to_the_local_cloud(server: ServerRecord) -> None:
    target = local_target(server, {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"})

    assert target.environment["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    assert target.environment["no_proxy"] == "127.0.0.1,localhost"
    assert target.environment["HTTP_PROXY"] == "http://proxy:3128"


def test_the_variables_of_the_local_cloud_say_where_whom_to_trust_and_where_the_key_is(server: ServerRecord) -> None:
    variables = local_variables(server)

    assert variables["AWS_ENDPOINT_URL"] == "https://127.0.0.1:4599"
    assert variables["AWS_CA_BUNDLE"] == variables["NODE_EXTRA_CA_CERTS"] == "/cloud/ca.pem"
    assert variables["AWS_SHARED_CREDENTIALS_FILE"] == variables["AWS_CONFIG_FILE"] == server.credentials_file
    assert variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "local-secret" not in str(variables)


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


def test_an_endpoint_url_in_the_environment_is_betrayed(server: ServerRecord) -> None:
    target = replace(local_target(server, {}), kind="aws")

    assert target.place.endswith("through https://127.0.0.1:4599 (AWS_ENDPOINT_URL)")
