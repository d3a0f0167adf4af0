import os
import subprocess
from pathlib import Path

import pytest

from slipway.errors import GitError
from slipway.git_repository import GitRepository


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, name: str) -> str:
    (folder / name).write_text(name)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"Add {name}")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "work")
    return folder


@pytest.fixture
def hosted(tmp_path: Path) -> str:
    url = tmp_path / "hosted.git"
    git(tmp_path, "init", "-q", "--bare", str(url))
    return str(url)


def repository(folder: Path) -> GitRepository:
    return GitRepository(folder, os.environ)


def test_a_folder_outside_git_is_refused_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is not a git repository") as raised:
        GitRepository(tmp_path, {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}).require()

    assert raised.value.next_step is not None
    assert raised.value.next_step.startswith("git init")


def test_a_repository_without_a_commit_is_refused(folder: Path) -> None:
    with pytest.raises(GitError, match="no commit yet"):
        repository(folder).require()


def test_the_remote_is_added_then_kept_then_moved(folder: Path) -> None:
    assert repository(folder).set_remote("http://127.0.0.1:1/v1/repos/x")
    assert not repository(folder).set_remote("http://127.0.0.1:1/v1/repos/x")
    assert repository(folder).set_remote("http://127.0.0.1:2/v1/repos/x")
    assert git(folder, "remote", "get-url", "slipway") == "http://127.0.0.1:2/v1/repos/x"


def test_the_remote_is_removed_once(folder: Path) -> None:
    repository(folder).set_remote("http://127.0.0.1:1/v1/repos/x")

    assert repository(folder).remove_remote()
    assert not repository(folder).remove_remote()


def test_head_goes_to_the_branch_whatever_the_local_branch_is_called(folder: Path, hosted: str) -> None:
    head = commit(folder, "a")
    repository(folder).set_remote(hosted)

    assert repository(folder).push("main")
    assert git(Path(hosted), "rev-parse", "main") == head
    assert repository(folder).head() == head


def test_a_push_of_what_is_there_moves_nothing(folder: Path, hosted: str) -> None:
    commit(folder, "a")
    repository(folder).set_remote(hosted)
    repository(folder).push("main")

    assert not repository(folder).push("main")
    commit(folder, "b")
    assert repository(folder).push("main")


def test_a_push_over_other_peoples_commits_is_refused_with_what_to_type(folder: Path, hosted: str) -> None:
    commit(folder, "a")
    repository(folder).set_remote(hosted)
    repository(folder).push("main")
    git(folder, "commit", "-q", "--amend", "-m", "Another")

    with pytest.raises(GitError, match="was refused") as raised:
        repository(folder).push("main")

    assert raised.value.next_step == "git fetch slipway && git rebase slipway/main"


def test_a_push_to_a_cloud_that_does_not_run_is_refused_and_does_not_ask_for_a_password(folder: Path) -> None:
    commit(folder, "a")
    repository(folder).set_remote("http://127.0.0.1:1/v1/repos/x")

    with pytest.raises(GitError, match="git push slipway HEAD:main was refused"):
        repository(folder).push("main")


def test_changed_and_new_files_count_as_uncommitted(folder: Path) -> None:
    commit(folder, "a")
    assert repository(folder).uncommitted_changes() == []

    (folder / "a").write_text("changed")
    (folder / "b").write_text("new")

    assert repository(folder).uncommitted_changes() == [" M a", "?? b"]


def test_credentials_are_asked_for_at_the_remotes_host_only(folder: Path) -> None:
    url = "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/x"

    repository(folder).use_codecommit_credentials(url, "ml")
    repository(folder).use_codecommit_credentials(url, "ml")  # again, as a second `up` does

    scope = "https://git-codecommit.eu-west-1.amazonaws.com"
    assert git(folder, "config", "--get-all", f"credential.{scope}.helper") == (
        "!aws --profile ml codecommit credential-helper $@"
    )
    assert git(folder, "config", f"credential.{scope}.UseHttpPath") == "true"


@pytest.mark.parametrize("profile", ["two words", "a'b", "$(touch canary)", "x; touch canary", "`touch canary`"])
def test_a_profiles_name_is_one_word_for_the_shell_that_git_starts(folder: Path, tmp_path: Path, profile: str) -> None:
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "username=$2"\necho password=none\n')
    program.chmod(0o755)
    repository(folder).use_codecommit_credentials("https://host.example/v1/repos/x", profile)

    filled = subprocess.run(
        ["git", "credential", "fill"], cwd=folder, input="protocol=https\nhost=host.example\npath=v1/repos/x\n\n",
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "GIT_TERMINAL_PROMPT": "0"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert f"username={profile}\n" in filled.stdout
    assert not list(folder.rglob("canary"))


def test_a_local_remote_is_trusted_and_asked_with_the_local_key_in_any_shell(folder: Path) -> None:
    git(folder, "config", "credential.helper", "the-users-own")
    url = "https://127.0.0.1:4566/v1/repos/x"
    repository(folder).set_remote(url)

    for _ in range(2):  # `slipway up` may run again
        repository(folder).use_local_credentials(
            url, ca_folder="/a b/trusted", variables={"AWS_CONFIG_FILE": "/a b/keys"}, unset=("AWS_PROFILE",)
        )

    assert git(folder, "config", "--get-urlmatch", "http.sslCAPath", url) == "/a b/trusted"
    setting = "credential.https://127.0.0.1:4566.helper="
    others, helper = [line for line in git(folder, "config", "--local", "--list").splitlines() if setting in line]
    assert others == setting  # an empty helper: the user's own is not asked
    assert helper.startswith(f"{setting}!f() {{ test \"$1\" != get || env -u AWS_PROFILE AWS_CONFIG_FILE='/a b/keys' /")
    assert helper.endswith("/aws codecommit credential-helper --ignore-host-check get; }; f")

    repository(folder).remove_remote()

    assert "127.0.0.1" not in git(folder, "config", "--local", "--list")
