"""The sources of a build that are repositories of CodeCommit, cloned over HTTP with the rights of the build's role."""

import base64
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_cloud.cloud import Cloud
from local_cloud.codebuild.failures import PhaseError

TYPE = "CODECOMMIT"

_NAME = re.compile(r"/v1/repos/([\w.-]+)$", re.ASCII)
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_CLONE_SECONDS = 600


def repository_name(location: str) -> str | None:
    """The name in a clone URL, on AWS or here; None when it is of no repository."""
    found = _NAME.search(location)
    return found[1] if found else None


def clone(
    cloud: Cloud, role_arn: str, source: Mapping[str, Any], version: str | None, directory: Path, what: str
) -> str:
    """Clone a source into `directory` and check a commit out; answers the commit.

    Args:
        cloud: as the build sees it.
        role_arn: of the build; it needs codecommit:GitPull.
        source: a ProjectSource of this module's TYPE.
        version: commit id, branch or tag; None for the default branch.
        directory: the source's folder, which is made.
        what: the source in words, for errors.

    Raises:
        PhaseError: the role may not pull, or there is no such repository or version.
    """
    name = repository_name(source["location"])
    place = f"for {what} and source version {version or source['location']}"
    environment = _environment(cloud, role_arn, name or "")
    url = f"{cloud.endpoint_url}/v1/repos/{name}"
    _git(["clone", "--quiet", "--no-checkout", "--", url, str(directory)], directory.parent, environment, place)
    commit = _resolve(directory, version, environment)
    if commit is None:
        raise PhaseError("CLIENT_ERROR", f"reference not found {place}")
    _git(["checkout", "--quiet", "--detach", commit], directory, environment, place)
    return commit


def _resolve(directory: Path, version: str | None, environment: Mapping[str, str]) -> str | None:
    """The commit of a version; git itself would take more, such as `HEAD~1`."""
    branch = (version or "").removeprefix("refs/heads/")
    candidates = [f"refs/remotes/origin/{branch}", f"refs/tags/{branch.removeprefix('refs/tags/')}"]
    if not version:
        candidates = ["refs/remotes/origin/HEAD"]
    elif _COMMIT_ID.fullmatch(version):
        candidates = [version]
    for candidate in candidates:
        arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"]
        found = subprocess.run(["git", *arguments], cwd=directory, env=environment, capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def _git(arguments: list[str], cwd: Path, environment: Mapping[str, str], place: str) -> None:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=_CLONE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PhaseError("CLIENT_ERROR", f"git was not done after {_CLONE_SECONDS} seconds {place}") from error
    if ended.returncode != 0:
        said = re.findall(r"^remote: (.*)$", ended.stderr, re.MULTILINE) or ended.stderr.split("\n")
        raise PhaseError("CLIENT_ERROR", f"{' '.join(' '.join(said).split())} {place}")


def _environment(cloud: Cloud, role_arn: str, name: str) -> dict[str, str]:
    """git's variables, without the settings of the person who runs the server; what is secret is in no argument."""
    username, password = cloud.git_credentials(role_arn, f"/v1/repos/{name}")
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    settings = {"http.sslCAInfo": str(cloud.ca_bundle), "http.extraHeader": f"Authorization: Basic {basic}",
                "credential.helper": "", "core.hooksPath": os.devnull}  # fmt: skip
    given = {f"GIT_CONFIG_{part}_{n}": pair[i] for n, pair in enumerate(settings.items())
             for i, part in enumerate(("KEY", "VALUE"))}  # fmt: skip
    return {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, "LANG": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "NO_PROXY": "127.0.0.1",
        "GIT_CONFIG_COUNT": str(len(settings)), **given,
    }  # fmt: skip
