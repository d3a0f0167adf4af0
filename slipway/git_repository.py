"""The project's git repository: its remote `slipway`, what would be pushed, and the push."""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from slipway.errors import GitError

REMOTE = "slipway"


@dataclass(frozen=True)
class GitRepository:
    """The repository around `root`.

    Args:
        root: the project's folder.
        environment: the target's, for credential helpers and proxies.
    """

    root: Path
    environment: Mapping[str, str]

    def require(self) -> None:
        """Raise GitError when this is no git repository or has no commit yet."""
        if not self._succeeds("rev-parse", "--git-dir"):
            raise GitError(f"{self.root} is not a git repository", "git init -b main && git add -A && git commit")
        if not self._succeeds("rev-parse", "--verify", "HEAD"):
            raise GitError("the git repository has no commit yet", "git add -A && git commit")

    def head(self) -> str:
        """The commit that is checked out, 40 hex digits."""
        return self._run("rev-parse", "HEAD").strip()

    def uncommitted_changes(self, *places: str) -> list[str]:
        """The files that differ from HEAD, as `git status --short` lists them; those of some places, or all."""
        return self._run("status", "--short", "--", *places).splitlines()

    def files(self) -> list[str]:
        """What a commit of everything would hold: the working tree's files without those that git ignores."""
        listed = self._run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
        return sorted(name for name in listed.split("\0") if name and (self.root / name).is_file())

    def remote_url(self) -> str | None:
        """The URL of the remote `slipway`; None when there is no such remote."""
        done = self._git("remote", "get-url", REMOTE)
        return done.stdout.strip() if done.returncode == 0 else None

    def set_remote(self, url: str) -> bool:
        """Let the remote `slipway` point to `url`; returns whether anything changed."""
        present = self.remote_url()
        if present == url:
            return False
        self._run("remote", "add" if present is None else "set-url", REMOTE, url)
        return True

    def remove_remote(self) -> bool:
        """Remove the remote `slipway`; returns whether there was one."""
        url = self.remote_url()
        if url is None:
            return False
        self._run("remote", "remove", REMOTE)
        for section in ("credential", "http"):
            self._git("config", "--remove-section", f"{section}.{_host(url)}")
        return True

    def use_codecommit_credentials(self, url: str, profile: str | None) -> None:
        """Let git ask the aws command for credentials, for the host of `url` and in this repository only.

        Source: https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
        """
        aws = "aws" if profile is None else f"aws --profile {shlex.quote(profile)}"
        self._use_credential_helper(url, f"!{aws} codecommit credential-helper $@")

    def use_local_credentials(
        self, url: str, *, ca_folder: str, variables: Mapping[str, str], unset: Sequence[str]
    ) -> None:
        """Let git trust the local cloud and ask the aws command of this Python for its credentials.

        In this repository only, for the host of `url`, and in any shell, whatever AWS that shell is set up for.

        Args:
            url: of the remote.
            ca_folder: the certificates to trust; a file in git's configuration would yield to GIT_SSL_CAINFO.
            variables: that lead the aws command to the local cloud.
            unset: variables that would lead it elsewhere.
        """
        env = " ".join([f"-u {name}" for name in unset] + [f"{k}={shlex.quote(v)}" for k, v in variables.items()])
        aws = shlex.quote(str(Path(sys.executable).with_name("aws")))
        get = f"env {env} {aws} codecommit credential-helper --ignore-host-check get"
        # The aws command takes the option for `get` alone, and has nothing to do for git's `store` and `erase`.
        self._use_credential_helper(url, f'!f() {{ test "$1" != get || {get}; }}; f')
        self._run("config", f"http.{_host(url)}.sslCAPath", ca_folder)

    def _use_credential_helper(self, url: str, helper: str) -> None:
        scope = f"credential.{_host(url)}"
        # An empty helper first: the user's own ones are neither asked nor told of the password.
        self._run("config", "--replace-all", f"{scope}.helper", "")
        self._run("config", "--add", f"{scope}.helper", helper)
        self._run("config", f"{scope}.useHttpPath", "true")

    def push(self, branch: str) -> bool:
        """Push HEAD to a branch of the remote `slipway`.

        Returns:
            Whether the branch moved; False when it was up to date.

        Raises:
            GitError: the push was refused.
        """
        done = self._git("push", "--porcelain", REMOTE, f"HEAD:refs/heads/{branch}")
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip()
            rewritten = "[rejected]" in said
            raise GitError(
                f"git push {REMOTE} HEAD:{branch} was refused:\n{said}",
                f"git fetch {REMOTE} && git rebase {REMOTE}/{branch}" if rewritten else None,
            )
        return not any(line.startswith("=\t") for line in done.stdout.splitlines())

    def _succeeds(self, *arguments: str) -> bool:
        return self._git(*arguments).returncode == 0

    def _run(self, *arguments: str) -> str:
        done = self._git(*arguments)
        if done.returncode != 0:
            raise GitError(f"git {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def _git(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            return subprocess.run(
                ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise GitError("the git command is not installed", "install git") from error


def _host(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))
