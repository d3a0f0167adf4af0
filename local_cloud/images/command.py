"""The `docker` command that the local cloud's builds find first on their PATH."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uv

import local_cloud
from local_cloud.images.image import image_directory
from local_cloud.images.layers import write_whole

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud

_SCRIPT = """\
#!/bin/sh
# docker, as far as the local cloud's builds need it; it starts no engine. See local_cloud/images.
PYTHONPATH={package_place} exec {python} -P -m local_cloud.images.docker --store {store} --installer-cache {cache} "$@"
"""
_WITHOUT_A_DAEMON = """\
#!/bin/sh
echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2
echo "(CodeBuild starts one for a project with privilegedMode.)" >&2
exit 1
"""


def command_directory(cloud: "Cloud") -> Path:
    """Write the command; to be put first on PATH.

    It runs on the interpreter of the local cloud, whatever the build's environment and working folder are, and speaks
    to the cloud that AWS_ENDPOINT_URL names, with the credentials of its environment. Packages are installed through
    the cache that this user's other projects use.

    Returns:
        The folder that holds `docker` alone.
    """
    asked = subprocess.run([uv.find_uv_bin(), "cache", "dir"], check=True, capture_output=True, text=True)
    script = _SCRIPT.format(
        package_place=shlex.quote(str(Path(local_cloud.__file__).parents[1])), python=shlex.quote(sys.executable),
        store=shlex.quote(str(image_directory(cloud.state_dir))), cache=shlex.quote(asked.stdout.strip()),
    )  # fmt: skip
    return _directory_of(script, image_directory(cloud.state_dir) / "bin")


def refusing_directory(cloud: "Cloud") -> Path:
    """Write a `docker` that has no daemon to talk to, as a build that is not privileged has none on AWS.

    Returns:
        The folder that holds it alone.
    """
    return _directory_of(_WITHOUT_A_DAEMON, image_directory(cloud.state_dir) / "bin-without-a-daemon")


def _directory_of(script: str, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "docker", script.encode(), mode=0o755)
    return directory
