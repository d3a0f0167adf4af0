"""The buildspec, version 0.2: read strictly, with the words of CodeBuild for what is wrong with it.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

PHASES = ("install", "pre_build", "build", "post_build")

OnFailure = Literal["ABORT", "CONTINUE"]


class BuildspecError(Exception):
    """The buildspec cannot be used; on AWS the build fails with YAML_FILE_ERROR."""


def _list(value: object) -> object:
    return [] if value == "" else value  # a key without a value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Strings = Annotated[tuple[str, ...], BeforeValidator(_list)]


class _Part(BaseModel):
    """Part of a buildspec: keys with hyphens as in the file, none beyond those known."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-"))


class Environment(_Part):
    """The section `env`."""

    shell: Literal["bash", "/bin/sh", "sh"] = "/bin/sh"
    variables: dict[str, str] = {}
    parameter_store: dict[str, str] = {}
    secrets_manager: dict[str, str] = {}
    exported_variables: Strings = ()
    git_credential_helper: bool = False


class Phase(_Part):
    """The commands of a phase."""

    commands: Strings = ()
    finally_: Strings = Field(default=(), alias="finally")
    on_failure: Annotated[OnFailure, BeforeValidator(_upper)] | None = None


class InstallPhase(Phase):
    """The phase that may choose runtimes as well."""

    runtime_versions: dict[str, str] = {}


class Phases(_Part):
    """The section `phases`, whose own names have underscores."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=None)

    install: InstallPhase = InstallPhase()
    pre_build: Phase = Phase()
    build: Phase = Phase()
    post_build: Phase = Phase()

    def named(self, name: str) -> Phase:
        phase: Phase = getattr(self, name)
        return phase


class FileSet(_Part):
    """Which files of the build are taken."""

    files: Strings
    base_directory: str | None = None
    discard_paths: bool = False
    exclude_paths: Strings = ()


class Artifact(FileSet):
    """What is uploaded, under which name."""

    name: str | None = None


class Artifacts(Artifact):
    """The section `artifacts`: the primary artifact, and secondary ones by identifier."""

    files: Strings = ()
    secondary_artifacts: dict[str, Artifact] = {}


class Report(FileSet):
    """The raw data of a report."""

    file_format: Annotated[Literal["JUNITXML", "COBERTURAXML"], BeforeValidator(_upper)] = "JUNITXML"


class Cache(_Part):
    """The section `cache`, which the local cloud only reads."""

    paths: Strings = ()
    key: str | None = None
    fallback_keys: Strings = ()
    action: str | None = None


class Buildspec(_Part):
    """A whole buildspec."""

    version: Literal["0.2"]
    env: Environment = Environment()
    phases: Phases
    artifacts: Artifacts | None = None
    reports: dict[str, Report] = {}
    cache: Cache = Cache()

    @model_validator(mode="after")
    def _has_commands(self) -> "Buildspec":
        if not any(self.phases.named(name).commands for name in PHASES):
            raise ValueError("at least one phase needs commands")
        return self


def parse(text: str) -> Buildspec:
    """Read a buildspec, which is YAML or JSON.

    Raises:
        BuildspecError: it is no YAML, or not the YAML of a buildspec; the message names every fault.
    """
    try:
        # Scalars stay as they are written: `PORT: 080` and `DEBUG: yes` are the texts 080 and yes in the environment.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes strings, lists and maps only
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BuildspecError(f"{error.problem or 'malformed YAML'}{line}") from error
    except yaml.YAMLError as error:
        raise BuildspecError(str(error)) from error
    if not isinstance(document, dict):
        raise BuildspecError("a buildspec must be a YAML mapping with the keys version and phases")
    try:
        return Buildspec.model_validate(document)
    except ValidationError as error:
        raise BuildspecError("; ".join(_fault(fault) for fault in error.errors())) from error


_COMMAND = re.compile(r"phases\.(\w+)\.(commands|finally)\.(\d+)")
_WRONG_TYPES = {
    "tuple_type": "must be a list", "dict_type": "must be a mapping", "model_type": "must be a mapping",
    "string_type": "must be a text",
}  # fmt: skip
KNOWN_BUT_UNSERVED = {"run-as", "proxy", "batch", "enable-symlinks", "s3-prefix"}


def _fault(fault: Mapping[str, Any]) -> str:
    """One fault; CodeBuild's own words where they are known, from the logs that people publish."""
    place = ".".join(str(part) for part in fault["loc"])
    key = str(fault["loc"][-1]) if fault["loc"] else ""
    if (command := _COMMAND.fullmatch(place)) and isinstance(fault["input"], dict):
        return (
            f"Expected Commands[{command[3]}] to be of string type: found subkeys instead in phase {command[1]}, "
            "the command may need quotation marks because of a ': ' inside"
        )
    if fault["type"] == "extra_forbidden" and place.startswith("phases.") and place.count(".") == 1:
        return f"Invalid buildspec phase name: {key}. Expecting: build,install,post_build,pre_build"
    if fault["type"] == "extra_forbidden":
        return f"{place}: {'not served by the local cloud' if key in KNOWN_BUT_UNSERVED else 'unknown key'}"
    if fault["type"] == "missing":
        return f"{place}: missing"
    if fault["type"] in _WRONG_TYPES:
        return f"{place}: {_WRONG_TYPES[fault['type']]}"
    got = "" if isinstance(fault["input"], dict | list) else f", got {fault['input']!r}"
    return f"{place}: {fault['msg']}{got}".removeprefix(": ")
