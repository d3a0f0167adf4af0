"""The section `runtime-versions`: what is asked for, beside what this machine has."""

import re
from collections.abc import Callable, Mapping

from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.failures import PhaseError

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def select_runtimes(
    wanted: Mapping[str, str],
    variables: Mapping[str, str],
    available: Callable[[], Mapping[str, str]],
    log: ContainerLog,
) -> None:
    """Check the runtimes that a buildspec asks for.

    Another minor version of Python than the one asked for, or any other version of Node, is used and said in the log: a
    machine has one of each, where a build image has several.

    Raises:
        PhaseError: this machine lacks a runtime, or has another major version of Python.
    """
    found = available() if wanted else {}
    for name, asked in wanted.items():
        version = _VARIABLE.sub(lambda match: variables.get(match[1], ""), asked)
        log.say(f"Selecting '{name}' runtime version '{version}' based on manual selections...")
        if name not in found:
            known = ", ".join(sorted(found))
            raise PhaseError(
                "YAML_FILE_ERROR",
                f"Unknown runtime named '{name}'. This build image has the following runtimes: {known}",
            )
        if _matches(version, found[name]):
            continue
        if name == "python" and version.partition(".")[0] != found[name].partition(".")[0]:
            raise PhaseError(
                "YAML_FILE_ERROR",
                f"Unknown runtime version named '{version}' of {name}. "
                f"This build image has the following versions: {found[name]}",
            )
        log.say(f"This machine has {name} {found[name]} and no {version}: the build uses {found[name]}")


def _matches(asked: str, present: str) -> bool:
    """`3.11` and `3.x` stand for 3.11.7, and `latest` for whatever there is."""
    parts = [part for part in asked.split(".") if part != "x"]
    return asked == "latest" or present.split(".")[: len(parts)] == parts
