"""The docker command of the local cloud's builds, run as a build runs it, and the containers of what it built."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_cloud_access import make_role
from local_cloud_server import CloudServer

from local_cloud.images import Image, ImageNotFound, ImageStore, PullDeniedError, command_directory

REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
BASE = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/program GREETING="good day"
WORKDIR /opt/program
COPY wheels /tmp/wheels
COPY requirements.txt .
RUN pip install --no-cache-dir --no-index --find-links /tmp/wheels -r requirements.txt
COPY app app
ENTRYPOINT ["python", "-m", "app"]
CMD ["no", "arguments"]
"""
APP = """\
import json, os, sys, greeter
print(json.dumps({"arguments": sys.argv[1:], "cwd": os.getcwd(), "greeting": os.environ["GREETING"],
                  "prefix": sys.prefix, "greeter": greeter.__version__, "cached": os.path.exists(greeter.__cached__),
                  "code": CODE}))
"""


@dataclass
class Machine:
    """A local cloud's images, and builds with the clean environment that CodeBuild gives them.

    Stands for `local_cloud.cloud.Cloud` as far as images use it.
    """

    state_dir: Path
    home: Path
    place: Mapping[str, str] = field(default_factory=dict)
    make_client: Callable[[str, str | None], Any] | None = None
    account_id: str = "000000000000"
    region: str = "us-east-1"

    def client(self, service: str, role_arn: str | None = None) -> Any:
        assert self.make_client is not None
        return self.make_client(service, role_arn)

    def resolve(self, image_uri: str) -> Image:
        return ImageStore(self).resolve(image_uri)  # type: ignore[arg-type]

    def start(self, *arguments: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        directory = command_directory(self)  # type: ignore[arg-type]
        passed = {key: value for key, value in os.environ.items() if key in ("SSL_CERT_FILE", "UV_CACHE_DIR")}
        return subprocess.Popen(
            ["docker", *arguments], cwd=cwd or self.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(self.home), **passed, **self.place},
        )  # fmt: skip

    def docker(self, *arguments: str, cwd: Path | None = None, given: str = "") -> tuple[int, str]:
        """Exit code and output of one docker command."""
        process = self.start(*arguments, cwd=cwd)
        output, _ = process.communicate(given, timeout=120)
        return process.returncode, output

    def succeed(self, *arguments: str, given: str = "") -> str:
        code, output = self.docker(*arguments, given=given)
        assert code == 0, output
        return output

    def build(self, context: Path, tag: str = "example:1", base: str = BASE) -> str:
        return self.succeed("build", "--build-arg", f"BASE_IMAGE={base}", "--tag", tag, str(context))

    def inspect(self, name: str) -> dict[str, Any]:
        description: dict[str, Any] = json.loads(self.succeed("image", "inspect", name))[0]
        return description

    def leftovers(self) -> list[Path]:
        drafts = self.state_dir / "images" / "drafts"
        return list(drafts.iterdir()) if drafts.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "home").mkdir()
    return Machine(tmp_path / "state", tmp_path / "home")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context that builds offline: its one requirement is a wheel of its own."""
    folder = tmp_path / "context"
    (folder / "app").mkdir(parents=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "app" / "__main__.py").write_text(APP.replace("CODE", "'first'"))
    (folder / "requirements.txt").write_text("greeter==1.0\n")
    wheels = folder / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "greeter-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeter.py", "__version__ = '1.0'\n")
        wheel.writestr("greeter-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
        wheel.writestr("greeter-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        names = ("greeter.py", "greeter-1.0.dist-info/METADATA", "greeter-1.0.dist-info/WHEEL")
        wheel.writestr("greeter-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in names))
    return folder


def test_progress_is_told_step_by_step_as_docker_does(machine: Machine, context: Path) -> None:
    output = machine.build(context)
    assert "Step 2/11 : FROM ${BASE_IMAGE}" in output
    install = output.index("Step 8/11 : RUN pip install")
    assert install < output.index(" + greeter==1.0") < output.index("Step 9/11 : COPY app app")
    assert output.endswith("Successfully tagged example:1\n")
    assert "[Warning]" not in output


def test_changed_code_does_not_install_again(machine: Machine, context: Path) -> None:
    machine.build(context, "example:1")
    (context / "app" / "__main__.py").write_text(APP.replace("CODE", "'second'"))
    output = machine.build(context, "example:2")
    assert (
        "RUN pip install --no-cache-dir --no-index --find-links /tmp/wheels -r requirements.txt\n ---> Using cache\n"
        in output
    )
    assert "+ greeter" not in output
    first, second = machine.inspect("example:1"), machine.inspect("example:2")
    assert first["RootFS"]["Layers"][0] == second["RootFS"]["Layers"][0]
    assert first["Id"] != second["Id"]


def test_changed_requirements_install_again(machine: Machine, context: Path) -> None:
    machine.build(context, "example:1")
    (context / "requirements.txt").write_text("greeter>=1.0\n")
    assert "+ greeter==1.0" in machine.build(context, "example:2")


def test_the_same_inputs_give_the_same_image_elsewhere(machine: Machine, context: Path, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other", machine.home)
    machine.build(context)
    os.utime(context / "app" / "__main__.py", (0, 0))
    other.build(context)
    assert machine.inspect("example:1") == other.inspect("example:1")


def test_each_input_changes_the_image(machine: Machine, context: Path) -> None:
    def image_id(*options: str, base: str = BASE) -> str:
        machine.succeed("build", "--build-arg", f"BASE_IMAGE={base}", *options, "--tag", "example:1", str(context))
        return str(machine.inspect("example:1")["Id"])

    ids = [image_id(), image_id("--label", "commit=1"), image_id(base="python:3-bookworm")]
    (context / "app" / "__main__.py").chmod(0o755)
    ids.append(image_id())
    (context / "app" / "more.py").touch()
    ids.append(image_id())
    assert len(set(ids)) == 5


def test_labels_are_those_of_the_dockerfile_and_of_the_command(machine: Machine, context: Path) -> None:
    machine.succeed(
        "build", "--build-arg", f"BASE_IMAGE={BASE}", "--label", "commit=abc", "--tag", "example:1", str(context)
    )
    assert machine.inspect("example:1")["Config"]["Labels"] == {
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true", "commit": "abc",
    }  # fmt: skip


def test_another_python_version_is_built_with_a_warning(machine: Machine, context: Path) -> None:
    output = machine.build(context, base="python:3.8-slim")
    assert f"[Warning] python:3.8-slim has Python 3.8; this machine's Python {sys.version_info[0]}." in output


@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        pytest.param("no-such-package==1.0\n", "no-such-package was not found", id="bad name"),
        pytest.param("greeter==2.0\n", "there is no version of greeter==2.0", id="bad version"),
        pytest.param(f"greeter==1.0 --hash=sha256:{'0' * 64}\n", "Hash mismatch for `greeter", id="bad hash"),
    ],
)  # fmt: skip
def test_a_requirement_that_does_not_install_ends_the_build(
    machine: Machine, context: Path, requirements: str, reason: str
) -> None:
    (context / "requirements.txt").write_text(requirements)
    code, output = machine.docker("build", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", "example:1", str(context))
    assert code != 0
    last = output.splitlines()[-1]
    assert last.startswith("ERROR: line 8: RUN pip install")
    assert reason in last
    assert output.count(reason) == 2  # in the installer's own words, and in the last line
    assert machine.leftovers() == []
    assert machine.docker("image", "inspect", "example:1") == (1, "No such image: example:1\n")


def test_a_faulty_dockerfile_is_refused_before_anything_is_installed(machine: Machine, context: Path) -> None:
    (context / "Dockerfile").write_text(DOCKERFILE + "RUN apt-get install -y gcc\nCOPY ../secret .\n")
    code, output = machine.docker("build", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", "example:1", str(context))
    assert code == 1
    assert "cannot be built (2 faults):\n  line 12: RUN apt-get install -y gcc:" in output
    assert "\n  line 13: COPY ../secret .: ../secret is outside of the build context" in output
    assert "Step" not in output


def test_concurrent_builds_share_one_installation(machine: Machine, context: Path) -> None:
    builds = [
        machine.start("build", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", f"example:{number}", str(context))
        for number in range(3)
    ]
    outputs = [build.communicate(timeout=120)[0] for build in builds]
    assert [build.returncode for build in builds] == [0, 0, 0], outputs
    assert sum("+ greeter==1.0" in output for output in outputs) == 1
    assert len({machine.inspect(f"example:{number}")["Id"] for number in range(3)}) == 1


class SlowIndex:
    """A package index that takes a connection and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/simple"
        self.asked = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        self._connection, _ = self._listener.accept()
        self.asked.set()

    def close(self) -> None:
        self._listener.close()
        if self.asked.is_set():
            self._connection.close()


@pytest.fixture
def slow_index() -> Iterator[SlowIndex]:
    index = SlowIndex()
    yield index
    index.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_build_leaves_no_half_environment(
    machine: Machine, context: Path, slow_index: SlowIndex, number: signal.Signals
) -> None:
    arguments = ("build", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", "example:1", str(context))
    (context / "Dockerfile").write_text(DOCKERFILE.replace("--no-index", f"--index-url {slow_index.url}"))
    build = machine.start(*arguments)
    assert slow_index.asked.wait(60)
    os.killpg(build.pid, number)
    build.communicate(timeout=30)
    assert build.returncode not in (0, None)
    if number == signal.SIGTERM:
        assert machine.leftovers() == []

    environments = machine.state_dir / "images" / "layers"
    assert not environments.exists() or list(environments.iterdir()) == []
    (context / "Dockerfile").write_text(DOCKERFILE)
    assert "+ greeter==1.0" in machine.build(context)


def test_an_installer_that_outlives_its_killed_build_keeps_the_next_one_waiting(
    machine: Machine, context: Path, slow_index: SlowIndex
) -> None:
    (context / "Dockerfile").write_text(DOCKERFILE.replace("--no-index", f"--index-url {slow_index.url}"))
    builds = [machine.start("build", "--build-arg", f"BASE_IMAGE={BASE}", str(context))]
    assert slow_index.asked.wait(60)
    os.kill(builds[0].pid, signal.SIGKILL)
    try:
        builds.append(machine.start("build", "--build-arg", f"BASE_IMAGE={BASE}", str(context)))
        assert builds[1].stdout is not None
        assert builds[1].stdout.readline() == "waiting for another build with the same requirements\n"
    finally:
        for build in builds:
            os.killpg(build.pid, signal.SIGKILL)
            build.communicate(timeout=30)


def test_what_is_not_served_is_refused_with_what_is(machine: Machine, context: Path) -> None:
    for arguments in (("run", "example:1"), ("build", "--squash", str(context)), ("image", "prune")):
        code, output = machine.docker(*arguments)
        assert code == 125
        assert "serves: login, build, tag, push, pull, images, image inspect, version" in output


def test_a_context_or_dockerfile_that_is_absent_is_named(machine: Machine, context: Path) -> None:
    assert machine.docker("build", "nowhere") == (1, "unable to prepare context: path nowhere is not a folder\n")
    code, output = machine.docker("build", "--file", "Dockerfile.gpu", str(context))
    assert (code, output) == (1, "failed to read Dockerfile: Dockerfile.gpu is not a file; name it with --file\n")


def test_the_command_is_not_led_astray_by_the_checkout_it_builds(machine: Machine, context: Path) -> None:
    (context / "local_cloud").mkdir()
    (context / "local_cloud" / "__init__.py").write_text("raise SystemExit('imported from the checkout')\n")
    code, output = machine.docker("version", cwd=context)
    assert (code, output.splitlines()[0]) == (0, "Client:")


def test_images_are_listed_with_their_tags(machine: Machine, context: Path) -> None:
    machine.build(context, f"{REGISTRY}/example:1")
    machine.succeed("tag", f"{REGISTRY}/example:1", "other:two")
    rows = [line.split() for line in machine.succeed("images").splitlines()]
    short_id = machine.inspect("other:two")["Id"].removeprefix("sha256:")[:12]
    assert rows[1:] == [[f"{REGISTRY}/example", "1", short_id], ["other", "two", short_id]]


# --- with the registry of a real local cloud


@pytest.fixture
def clouded(machine: Machine, cloud_server: CloudServer) -> Machine:
    def make_client(service: str, role_arn: str | None) -> Any:
        return cloud_server.client(service, **(cloud_server.role_keys(role_arn) if role_arn else {}))

    machine.place = cloud_server.environment()
    machine.make_client = make_client
    return machine


@pytest.fixture
def repository(cloud_server: CloudServer) -> Iterator[str]:
    """URI of a repository with immutable tags, of the test's own."""
    ecr = cloud_server.client("ecr")
    name = f"images-{uuid.uuid4().hex}"
    uri = ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")["repository"]["repositoryUri"]
    yield uri
    ecr.delete_repository(repositoryName=name, force=True)


def log_in(machine: Machine) -> None:
    token = machine.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    output = machine.succeed("login", "--username", user, "--password-stdin", REGISTRY, given=password)
    assert output == "Login Succeeded\n"


def pushed_digest(output: str) -> str:
    return output.splitlines()[-1].split()[2]


def run(machine: Machine, image_uri: str, *arguments: str) -> dict[str, Any]:
    """Start a container of the image and read what the example prints."""
    command, environment, cwd = machine.resolve(image_uri).process(list(arguments))
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_pushed_image_is_started_by_digest_or_by_tag(clouded: Machine, context: Path, repository: str) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    output = clouded.succeed("push", f"{repository}:v1")
    digest = pushed_digest(output)
    assert output.splitlines()[0] == f"The push refers to repository [{repository}]"
    assert clouded.inspect(f"{repository}:v1")["RepoDigests"] == [f"{repository}@{digest}"]

    image = clouded.resolve(f"{repository}@{digest}")
    assert image.digest == digest
    assert image.labels == {"com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"}
    answer = run(clouded, f"{repository}@{digest}", "train")
    assert answer == {
        "arguments": ["train"], "cwd": str(image.root / "opt/program"), "greeting": "good day",
        "prefix": str(image.venv), "greeter": "1.0", "cached": True, "code": "first",
    }  # fmt: skip
    assert run(clouded, f"{repository}:v1")["arguments"] == ["no", "arguments"]


def test_byte_code_is_compiled_at_install_only_when_containers_may_not_write_it(
    clouded: Machine, context: Path, repository: str
) -> None:
    log_in(clouded)
    for tag, dockerfile in (("never", DOCKERFILE), ("later", DOCKERFILE.replace("PYTHONDONTWRITEBYTECODE=1 ", ""))):
        (context / "Dockerfile").write_text(dockerfile)
        output = clouded.build(context, f"{repository}:{tag}")
        assert ("Bytecode compiled" in output) == (tag == "never")
        clouded.succeed("push", f"{repository}:{tag}")
        assert run(clouded, f"{repository}:{tag}")["cached"]


def test_the_registry_tells_digest_and_manifest(
    clouded: Machine, context: Path, repository: str, cloud_server: CloudServer
) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    digest = pushed_digest(clouded.succeed("push", f"{repository}:v1"))
    ecr, name = cloud_server.client("ecr"), repository.partition("/")[2]
    (detail,) = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (digest, ["v1"])
    (held,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"]
    manifest = json.loads(held["imageManifest"])
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == held["imageManifestMediaType"]
    assert manifest["config"]["digest"] == clouded.inspect(f"{repository}:v1")["Id"]


def test_an_immutable_tag_is_not_pushed_twice(clouded: Machine, context: Path, repository: str) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    clouded.succeed("push", f"{repository}:v1")
    (context / "app" / "__main__.py").write_text(APP.replace("CODE", "'second'"))
    clouded.build(context, f"{repository}:v1")
    code, output = clouded.docker("push", f"{repository}:v1")
    assert code == 1
    assert output.splitlines()[-1] == (
        f"tag invalid: The image tag 'v1' already exists in the '{repository.partition('/')[2]}' repository and cannot "
        "be overwritten because the repository is immutable."
    )
    assert run(clouded, f"{repository}:v1")["code"] == "first"


def test_a_push_without_login_repository_or_image_says_so(clouded: Machine, context: Path) -> None:
    name = f"{REGISTRY}/absent:v1"
    assert clouded.docker("push", name) == (1, f"No such image: {name}\n")
    clouded.build(context, name)
    code, output = clouded.docker("push", name)
    assert code == 1
    assert output.startswith("no basic auth credentials: log in first")
    log_in(clouded)
    code, output = clouded.docker("push", name)
    assert code == 1
    assert output.splitlines()[-1].startswith("name unknown: The repository with name 'absent' does not exist")


def test_a_push_never_goes_to_aws(machine: Machine, context: Path) -> None:
    name = f"{REGISTRY}/example:v1"
    machine.build(context, name)
    code, output = machine.docker("push", name)
    assert code == 1
    assert output == "AWS_ENDPOINT_URL is not set: this docker command speaks to a local cloud, never to AWS\n"


def test_a_pulled_image_has_its_name_again(clouded: Machine, context: Path, repository: str) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    digest = pushed_digest(clouded.succeed("push", f"{repository}:v1"))
    assert f"Digest: {digest}\n" in clouded.succeed("pull", f"{repository}@{digest}")
    assert clouded.inspect(f"{repository}@{digest}")["Id"] == clouded.inspect(f"{repository}:v1")["Id"]
    code, output = clouded.docker("pull", f"{repository}:v2")
    assert (code, "manifest unknown" in output) == (1, True)


def test_an_image_that_is_not_there_is_named(clouded: Machine, context: Path, repository: str) -> None:
    for uri, reason in (
        (f"{repository}:v9", f"{repository}:v9 is not in the registry: tag v9 was never pushed"),
        (f"{repository}@sha256:{'0' * 64}", "was never pushed"),
        (f"{REGISTRY}/absent:v1", "does not exist"),
        ("public.ecr.aws/docker/library/python:3.11", "is not in an ECR registry"),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/example:1", "account 111111111111"),
        ("Not An Image", "invalid reference format"),
    ):
        with pytest.raises(ImageNotFound) as raised:
            clouded.resolve(uri)
        assert reason in str(raised.value)


def test_an_image_whose_files_are_gone_can_be_built_again(clouded: Machine, context: Path, repository: str) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    clouded.succeed("push", f"{repository}:v1")
    store = clouded.state_dir / "images"
    (environment,) = store.glob("layers/*/venv")
    environment.parent.rename(store / "elsewhere")
    with pytest.raises(ImageNotFound, match="its files are not on this machine any more: build and push it again"):
        clouded.resolve(f"{repository}:v1")
    clouded.build(context, f"{repository}:v1")
    assert run(clouded, f"{repository}:v1")["code"] == "first"


# "IAM permissions for pushing an image" in ECR's user guide; the login takes ecr:GetAuthorizationToken.
PUSH = (
    "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
    "ecr:BatchGetImage", "ecr:PutImage",
)  # fmt: skip
# What SageMaker asks of an execution role.
PULL = ("ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer")


def act_as(machine: Machine, server: CloudServer, actions: Iterable[str], repository_uri: str) -> None:
    """From now on, commands have the credentials of a role with these permissions on a repository."""
    keys = server.role_keys(role_for(server, actions, repository_uri))
    machine.place = {**machine.place, **{name.upper(): value for name, value in keys.items()}}


def role_for(server: CloudServer, actions: Iterable[str], repository_uri: str) -> str:
    repository = f"arn:aws:ecr:{server.region}:{server.account_id}:repository/{repository_uri.partition('/')[2]}"
    statements = [
        {"Action": action, "Resource": "*" if action == "ecr:GetAuthorizationToken" else repository}
        for action in actions
    ]
    return make_role(server, "account", *statements)


@pytest.mark.parametrize("missing", PUSH)
def test_a_push_takes_every_permission_of_a_push(
    clouded: Machine, cloud_server: CloudServer, context: Path, repository: str, missing: str
) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    act_as(clouded, cloud_server, [action for action in PUSH if action != missing], repository)
    code, output = clouded.docker("push", f"{repository}:v1")
    assert code == 1
    last = output.splitlines()[-1]
    assert last.startswith("denied: User: arn:aws:sts::000000000000:assumed-role/role-")
    assert (
        f"is not authorized to perform: {missing} on resource: arn:aws:ecr:us-east-1:000000000000:repository/" in last
    )


def test_a_push_takes_no_other_permission_and_can_be_repeated(
    clouded: Machine, cloud_server: CloudServer, context: Path, repository: str
) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    act_as(clouded, cloud_server, PUSH, repository)
    digest = pushed_digest(clouded.succeed("push", f"{repository}:v1"))
    again = clouded.succeed("push", f"{repository}:v1")
    assert "v1: already there" in again
    assert pushed_digest(again) == digest


@pytest.mark.parametrize("missing", ["ecr:GetAuthorizationToken", *PULL])
def test_a_role_pulls_with_every_permission_of_a_pull_and_no_other(
    clouded: Machine, cloud_server: CloudServer, context: Path, repository: str, missing: str
) -> None:
    log_in(clouded)
    clouded.build(context, f"{repository}:v1")
    clouded.succeed("push", f"{repository}:v1")
    store = ImageStore(clouded)  # type: ignore[arg-type]
    actions = ["ecr:GetAuthorizationToken", *PULL]
    assert store.pull(f"{repository}:v1", role_for(cloud_server, actions, repository)).labels
    actions.remove(missing)
    with pytest.raises(PullDeniedError, match=f"is not authorized to perform: {missing} on resource: ") as raised:
        store.pull(f"{repository}:v1", role_for(cloud_server, actions, repository))
    assert raised.value.action == missing
