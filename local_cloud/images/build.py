"""`docker build` without an image engine: requirements become a virtual environment, copied files a folder.

An image has two layers, each made once for what it depends on: the environment (interpreter, and every step up to the
last `pip install`), and the files. So a build after a change of code installs nothing.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.images.context import Context, File
from local_cloud.images.dockerfile import fault_at, read_dockerfile
from local_cloud.images.environment import Environment, Interpreter
from local_cloud.images.errors import BuildError, DockerfileError
from local_cloud.images.layers import Draft, canonical, digest_of
from local_cloud.images.local_images import LocalImages
from local_cloud.images.pip_install import inside
from local_cloud.images.plan import Plan, Step, plan_build

Log = Callable[[str], None]


@dataclass(frozen=True)
class BuildRequest:
    """What `docker build` is given.

    Attributes:
        context: the folder that COPY takes from.
        dockerfile: the Dockerfile.
        build_args: name to value.
        labels: added to the image after those of the Dockerfile.
        settings: environment variables for the installer (index, proxy, cache).
    """

    context: Path
    dockerfile: Path
    build_args: Mapping[str, str]
    labels: Mapping[str, str]
    settings: Mapping[str, str]


def build(request: BuildRequest, images: LocalImages, log: Log) -> str:
    """Build an image.

    Args:
        request: what to build.
        images: where it is kept.
        log: takes the lines of progress.

    Returns:
        The image's id.

    Raises:
        DockerfileError: the Dockerfile asks for what cannot be done here; nothing was executed.
        BuildError: a step failed.
    """
    plan = read_plan(request)
    interpreter = Interpreter.of_this_machine()
    for warning in _warnings(plan, interpreter):
        log(f"[Warning] {warning}")
    environment = environment_descriptor(plan, interpreter)
    with images.layers.making(
        environment, lambda: log("waiting for another build with the same requirements")
    ) as draft:
        _execute(plan, _Installation(draft, interpreter, request.settings, log) if draft else None, log)
    files = files_descriptor(plan)
    with images.layers.making(files, lambda: None) as draft:
        if draft:
            _write_files(plan, draft.path / "root")
    layers = [digest_of(environment), digest_of(files)]
    return images.add(canonical(configuration(plan, request.labels, interpreter, layers)))


def read_plan(request: BuildRequest) -> Plan:
    """Read the Dockerfile and decide all steps.

    Raises:
        DockerfileError: with every fault of the Dockerfile.
    """
    instructions, unreadable = read_dockerfile(request.dockerfile.read_text())
    plan, faults = plan_build(instructions, request.build_args, Context(request.context, request.dockerfile))
    if all_faults := [*unreadable, *faults]:
        in_order = sorted(all_faults, key=lambda fault: int("".join(filter(str.isdigit, fault.partition(":")[0])) or 0))
        raise DockerfileError(str(request.dockerfile), in_order)
    return plan


def environment_descriptor(plan: Plan, interpreter: Interpreter) -> bytes:
    """What the environment depends on: the interpreter, and all that the installer can see at each `pip install`."""
    last = max((number for number, step in enumerate(plan.steps, 1) if step.installs), default=0)
    steps: list[Any] = []
    for step in plan.steps[:last]:
        if step.files:
            steps.append({"copy": [file.entry() for file in step.files]})
        for install in step.installs:
            arguments = install.arguments(Path("/"))
            steps.append({"install": arguments, "workdir": step.workdir, "environment": dict(step.environment)})
    return canonical({
        "layer": "environment", "python": interpreter.version, "platform": interpreter.platform,
        "interpreter": str(interpreter.path), "steps": steps,
    })  # fmt: skip


def files_descriptor(plan: Plan) -> bytes:
    """What the image's files are: the last copy of each path, and the folders."""
    return canonical({"layer": "files", "folders": plan.folders, "files": [f.entry() for f in _last_copies(plan)]})


def configuration(plan: Plan, labels: Mapping[str, str], interpreter: Interpreter, layers: list[str]) -> dict[str, Any]:
    """The image configuration, in Docker's form; it holds no time, so the same inputs give the same image."""
    machine = interpreter.platform.rpartition("-")[2]
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        "os": "linux",
        "config": {
            "Env": [f"{key}={value}" for key, value in plan.environment.items()],
            "Entrypoint": plan.entrypoint,
            "Cmd": plan.command,
            "WorkingDir": plan.workdir,
            "Labels": {**plan.labels, **labels},
            "ExposedPorts": {port: {} for port in plan.ports},
        },
        "history": [
            {"created_by": f"FROM {plan.base_image}"},
            *({"created_by": str(s.instruction)} for s in plan.steps),
        ],
        "rootfs": {"type": "layers", "diff_ids": layers},
    }


def _warnings(plan: Plan, interpreter: Interpreter) -> list[str]:
    warnings = []
    if plan.base_version not in (None, interpreter.minor_version):
        warnings.append(
            f"{plan.base_image} has Python {plan.base_version}; this machine's Python {interpreter.version} stands for "
            "it, so packages are taken for that version"
        )
    if plan.unused_build_args:
        warnings.append(f"One or more build-args [{' '.join(plan.unused_build_args)}] were not consumed")
    return warnings


class _Installation:
    """Makes the environment layer while the steps are executed."""

    def __init__(self, draft: Draft, interpreter: Interpreter, settings: Mapping[str, str], log: Log) -> None:
        self._root = draft.path / "root"  # what the installer sees of the image
        self._root.mkdir()
        self._environment = Environment(draft.path, interpreter, settings, draft.lock, log)

    def execute(self, step: Step) -> None:
        for file in step.files:
            _write(file, self._root)
        workdir = inside(self._root, step.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        for install in step.installs:
            self._environment.install(install, self._root, workdir, step.environment)

    def finish(self) -> None:
        shutil.rmtree(self._root)


def _execute(plan: Plan, installation: _Installation | None, log: Log) -> None:
    for number, step in enumerate(plan.steps, 1):
        log(f"Step {number}/{len(plan.steps)} : {step.instruction}")
        if installation is None:
            if step.installs:
                log(" ---> Using cache")
            continue
        try:
            installation.execute(step)
        except BuildError as failure:
            raise BuildError(
                f"ERROR: {fault_at(step.instruction, f'exit code {failure.exit_code}: {failure}')}", failure.exit_code
            ) from failure
    if installation is not None:
        installation.finish()


def _write_files(plan: Plan, root: Path) -> None:
    for folder in plan.folders:
        inside(root, folder).mkdir(parents=True, exist_ok=True)
    for file in _last_copies(plan):
        _write(file, root)


def _last_copies(plan: Plan) -> list[File]:
    return list({file.path: file for step in plan.steps for file in step.files}.values())


def _write(file: File, root: Path) -> None:
    target = inside(root, file.path)
    if not target.parent.resolve().is_relative_to(root.resolve()):  # through a link that was copied before
        raise BuildError(f"{file.path} lies outside of the image: a symbolic link leads there", 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if file.link is not None:
        target.symlink_to(file.link)
    else:
        shutil.copyfile(file.source, target)
        target.chmod(file.mode)
