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
    directory = image_directory(cloud.state_dir) / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "docker", script.encode(), mode=0o755)
    return directory
