"""What of the person's environment a build is given, and what of that its log must not show."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local_cloud.cloud import Cloud
from local_cloud.codebuild.toolchain import Toolchain, _link_tools


@pytest.fixture
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    for name in (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "HTTPS_PROXY",
        "HTTP_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    cloud: Any = SimpleNamespace(state_dir=tmp_path)
    monkeypatch.setattr("local_cloud.codebuild.toolchain.command_directory", lambda _: tmp_path / "bin")
    return Toolchain(cloud)


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("PIP_INDEX_URL", "https://ann:pa55word@packages.example/simple", ["pa55word"]),
        ("PIP_EXTRA_INDEX_URL", "https://a:one111@x.example https://b:two222@y.example", ["one111", "two222"]),
        ("UV_DEFAULT_INDEX", "https://t0ken-alone@packages.example/simple", ["t0ken-alone"]),
        ("https_proxy", "http://ann:pa55word@proxy.example:3128", ["pa55word"]),
        ("UV_INDEX_TEAM_PASSWORD", "pa55word", ["pa55word"]),
        ("UV_KEYRING_TOKEN", "t0ken", ["t0ken"]),
        ("PIP_INDEX_URL", "https://packages.example/@scope/simple", []),
    ],
)
def test_the_password_of_a_package_index_or_proxy_is_known_as_a_secret(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch, name: str, value: str, secrets: list[str]
) -> None:
    before = set(toolchain.secrets())
    monkeypatch.setenv(name, value)

    assert set(toolchain.secrets()) - before == set(secrets)
    assert toolchain.environment(Path("/python"), Path("/home"))[name] == value  # a build needs it to install


@pytest.mark.parametrize(
    "name",
    [
        "UV_PUBLISH_TOKEN",
        "UV_PUBLISH_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SHARED_CREDENTIALS_FILE",
        "GITHUB_TOKEN",
        "SSH_AUTH_SOCK",
        "PYTHONPATH",
    ],
)
def test_what_a_build_has_no_use_for_stays_with_the_person(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")

    assert name not in toolchain.environment(Path("/python"), Path("/home"))


def test_docker_has_a_daemon_to_talk_to_in_privileged_builds_alone(tmp_path: Path) -> None:
    toolchain = Toolchain(cast(Cloud, SimpleNamespace(state_dir=tmp_path)))
    answers = [
        subprocess.run(
            ["docker", "version"], env={"PATH": toolchain.search_path(privileged=privileged)}, capture_output=True,
            text=True, check=False,
        )
        for privileged in (True, False)
    ]  # fmt: skip
    assert [answer.returncode for answer in answers] == [0, 1]
    assert "the local cloud; no engine" in answers[0].stdout
    assert answers[1].stderr.startswith("Cannot connect to the Docker daemon")
    assert "privilegedMode" in answers[1].stderr


def test_a_build_finds_the_aws_command_that_is_locked_with_the_server(tmp_path: Path) -> None:
    _link_tools(tmp_path / "tools")

    assert (tmp_path / "tools" / "aws").readlink() == Path(sys.executable).with_name("aws")
