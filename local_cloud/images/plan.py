"""Decides what a build does: every instruction evaluated, nothing executed yet.

in   instructions  of the Dockerfile
in   build_args    name to value
in   context       the files that COPY can take
out  plan          the steps in order, and the image's configuration; or all faults of the Dockerfile at once
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from local_cloud.images.context import Context, File
from local_cloud.images.dockerfile import Instruction, InstructionError, fault_at
from local_cloud.images.pip_install import NotPipInstallError, PipInstall, read_run

_PYTHON_IMAGE = re.compile(r"(?:.*/)?python(?::(?P<version>\d+\.\d+)?[\w.-]*)?(?:@sha256:[0-9a-f]+)?")
# What the official Python images set; a Dockerfile may build on it ("ENV PATH=/opt/program:$PATH").
_BASE_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_RUN_WAY_OUT = (
    "there is no image engine here, so RUN can only be `pip install ...`. Take a Python package that brings what the "
    "line installs, or put the line into a base image of your own named .../python:3.11-... and name that as the base "
    "image: here, this machine's Python and libraries stand for it"
)


@dataclass(frozen=True)
class Step:
    """One instruction to execute.

    Attributes:
        instruction: as written.
        files: what it copies.
        installs: the `pip install` commands that it runs.
        workdir: where it runs them.
        environment: of the image, as the instruction sees it.
    """

    instruction: Instruction
    files: tuple[File, ...] = ()
    installs: tuple[PipInstall, ...] = ()
    workdir: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A build, ready to be executed.

    Attributes:
        base_image: what FROM names.
        base_version: the Python version in its tag ("3.11"), None when the tag has none.
        steps: one for each instruction.
        environment: of the image, PATH as in a Python image included.
        entrypoint: command line that containers start with.
        command: arguments that containers get when they are given none.
        workdir: absolute path in the image.
        labels: name to value.
        ports: of EXPOSE, as "8080/tcp".
        folders: absolute paths of all folders that exist in the image.
        unused_build_args: those that no ARG takes.
    """

    base_image: str
    base_version: str | None
    steps: tuple[Step, ...]
    environment: dict[str, str]
    entrypoint: list[str]
    command: list[str]
    workdir: str
    labels: dict[str, str]
    ports: list[str]
    folders: tuple[str, ...]
    unused_build_args: tuple[str, ...]


def plan_build(
    instructions: Sequence[Instruction], build_args: Mapping[str, str], context: Context
) -> tuple[Plan, list[str]]:
    """Evaluate the instructions.

    Returns:
        The plan, to be executed only when there are no faults, and the faults.
    """
    planner = _Planner(build_args, context)
    for instruction in instructions:
        planner.take(instruction)
    return planner.plan()


@dataclass
class _Planner:
    """The state that one instruction hands to the next."""

    build_args: Mapping[str, str]
    context: Context
    faults: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    global_args: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    base: tuple[str, str | None] | None = None
    environment: dict[str, str] = field(default_factory=lambda: dict(_BASE_ENVIRONMENT))
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    workdir: str = "/"
    labels: dict[str, str] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=lambda: {"/"})

    def take(self, instruction: Instruction) -> None:
        handlers: dict[str, Callable[[Instruction], Step]] = {
            "FROM": self._from, "ARG": self._arg, "ENV": self._env, "LABEL": self._label, "WORKDIR": self._workdir,
            "COPY": self._copy, "RUN": self._run, "EXPOSE": self._expose, "USER": self._user,
            "ENTRYPOINT": self._entrypoint, "CMD": self._command,
        }  # fmt: skip
        try:
            if self.base is None and instruction.keyword not in ("FROM", "ARG"):
                raise InstructionError("comes before FROM")  # noqa: TRY301
            self.steps.append(handlers[instruction.keyword](instruction))
        except InstructionError as fault:
            self.faults.append(fault_at(instruction, str(fault)))

    def plan(self) -> tuple[Plan, list[str]]:
        if self.base is None and not self.faults:
            self.faults.append("no FROM: the Dockerfile names no base image")
        base_image, base_version = self.base or ("", None)
        return Plan(
            base_image=base_image, base_version=base_version, steps=tuple(self.steps), environment=self.environment,
            entrypoint=self.entrypoint, command=self.command, workdir=self.workdir, labels=self.labels,
            ports=self.ports, folders=tuple(sorted(self.folders)),
            unused_build_args=tuple(sorted(set(self.build_args) - self.declared)),
        ), self.faults  # fmt: skip

    @property
    def _variables(self) -> dict[str, str]:
        return self.args | self.environment

    def _from(self, instruction: Instruction) -> Step:
        if self.base is not None:
            raise InstructionError("a second FROM: builds of several stages are not served, one stage is")
        words = [word for word in instruction.words(self.global_args) if not word.startswith("--platform=")]
        self.base = words[0] if words else "", None
        match = _PYTHON_IMAGE.fullmatch(self.base[0])
        if match is None:
            named = f"`{words[0]}`" if any(words) else "nothing: the build argument that it names has no value"
            raise InstructionError(
                f"the base image is {named}; only Python images are understood (.../python:3.11-slim-bookworm), "
                "because this machine's Python stands for the base image"
            )
        self.base = words[0], match["version"]
        return Step(instruction)

    def _arg(self, instruction: Instruction) -> Step:
        for key, default in self._arg_pairs(instruction):
            self.declared.add(key)
            value = self.build_args.get(key, default)
            if self.base is None:
                self.global_args |= {key: value} if value is not None else {}
            elif (value := self.global_args.get(key) if value is None else value) is not None:
                self.args[key] = value
        return Step(instruction)

    def _arg_pairs(self, instruction: Instruction) -> list[tuple[str, str | None]]:
        """Names and defaults; unlike in ENV, a word without `=` is a name without a default."""
        variables = self.global_args if self.base is None else self._variables
        pairs = [word.partition("=") for word in instruction.words(variables)]
        return [(key, value if equals else None) for key, equals, value in pairs]

    def _env(self, instruction: Instruction) -> Step:
        self.environment |= dict(instruction.pairs(self._variables))
        return Step(instruction)

    def _label(self, instruction: Instruction) -> Step:
        self.labels |= dict(instruction.pairs(self._variables))
        return Step(instruction)

    def _workdir(self, instruction: Instruction) -> Step:
        self.workdir = self._absolute(" ".join(instruction.words(self._variables)))
        self._add_folder(self.workdir)
        return Step(instruction)

    def _copy(self, instruction: Instruction) -> Step:
        words = instruction.words(self._variables)
        if flags := [word for word in words if word.startswith("--")]:
            raise InstructionError(
                f"{flags[0].partition('=')[0]} is not served: files are copied from the context, for root"
            )
        if len(words) < 2:
            raise InstructionError("needs at least one source and a destination")
        *sources, target = words
        destination = self._absolute(target)
        if (target.endswith("/") or destination in self.folders) and destination != "/":
            destination += "/"
        files = self.context.copy(sources, destination)
        for file in files:
            self.paths.add(file.path)
            self._add_folder(posixpath.dirname(file.path))
        return Step(instruction, files=tuple(files))

    def _run(self, instruction: Instruction) -> Step:
        try:
            installs = read_run(instruction.value, self._variables, self.workdir)
        except NotPipInstallError as reason:
            raise InstructionError(f"{reason}: {_RUN_WAY_OUT}") from reason
        for install in installs:
            for _, path in install.files:
                if "://" not in path and path not in self.paths:
                    raise InstructionError(f"{path} is not in the image at this point: COPY it before")
        return Step(instruction, installs=tuple(installs), workdir=self.workdir, environment=dict(self.environment))

    def _expose(self, instruction: Instruction) -> Step:
        words = instruction.words(self._variables)
        self.ports += [word if "/" in word else f"{word}/tcp" for word in words]
        return Step(instruction)

    def _user(self, instruction: Instruction) -> Step:
        user = " ".join(instruction.words(self._variables))
        if user.partition(":")[0] not in ("root", "0"):
            raise InstructionError(f"the user is {user}; SageMaker asks for images that run as root")
        return Step(instruction)

    def _entrypoint(self, instruction: Instruction) -> Step:
        self.entrypoint = instruction.command()
        return Step(instruction)

    def _command(self, instruction: Instruction) -> Step:
        self.command = instruction.command()
        return Step(instruction)

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.workdir, path)).replace("//", "/")

    def _add_folder(self, folder: str) -> None:
        while folder not in self.folders:
            self.folders.add(folder)
            folder = posixpath.dirname(folder)
