"""The `docker` command of the local cloud's builds: login, build, tag, push, pull, images, image inspect, version.

    python -m local_cloud.images.docker --store FOLDER --installer-cache FOLDER build --tag URI .

It needs no engine: see `build` for what an image is here. The command that builds find on their PATH is written by
`command_directory`.
"""

import argparse
import base64
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from local_cloud.images.errors import BuildError, ImageError, InvalidReferenceError, RegistryError
from local_cloud.images.layers import write_whole
from local_cloud.images.local_images import LocalImages, Tag
from local_cloud.images.reference import Reference

SERVED = "login, build, tag, push, pull, images, image inspect, version"
_VERSION = """\
Client:
 Version:           slipway
Server: the local cloud; no engine: an image is a Python environment and a folder of files
"""


@dataclass(frozen=True)
class Docker:
    """One run of the command."""

    images: LocalImages
    installer_cache: Path
    environment: Mapping[str, str]

    def version(self, _: argparse.Namespace) -> None:
        """docker version."""
        sys.stdout.write(_VERSION)

    def login(self, given: argparse.Namespace) -> None:
        """docker login: remember the password, where docker does."""
        password = sys.stdin.readline().strip() if given.password_stdin else ""
        if given.username != "AWS" or not password:
            raise RegistryError(
                f"Error response from daemon: login attempt to https://{given.registry}/v2/ failed with status: 400 "
                "Bad Request: ECR takes the user AWS, and as password (--password-stdin) the token of "
                "ecr:GetAuthorizationToken"
            )
        Reference.parse(f"{given.registry}/repository").ecr()
        path = self._login_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        logins = json.loads(path.read_bytes()) if path.exists() else {}
        token = base64.b64encode(f"{given.username}:{password}".encode()).decode()
        logins.setdefault("auths", {})[given.registry] = {"auth": token}
        write_whole(path, json.dumps(logins, indent=2).encode(), mode=0o600)
        _log("Login Succeeded")

    def build(self, given: argparse.Namespace) -> None:
        """docker build."""
        from local_cloud.images.build import BuildRequest, build  # takes as long to import as a push takes to run

        references = [Reference.parse(name) for name in given.tag]
        context = Path(given.context)
        dockerfile = Path(given.file) if given.file else context / "Dockerfile"
        if not context.is_dir():
            raise ImageError(f"unable to prepare context: path {context} is not a folder")
        if not dockerfile.is_file():
            raise ImageError(f"failed to read Dockerfile: {dockerfile} is not a file; name it with --file")
        build_args = self._build_args(given.build_arg)
        settings = {"UV_CACHE_DIR": str(self.installer_cache), **self.environment}
        labels = dict(_pair(label, "--label") for label in given.label)
        request = BuildRequest(context.resolve(), dockerfile.resolve(), build_args, labels, settings)
        image_id = build(request, self.images, _log)
        _log(f"Successfully built {_short(image_id)}")
        for reference in references:
            self.images.tag(reference, image_id)
            _log(f"Successfully tagged {reference}")

    def tag(self, given: argparse.Namespace) -> None:
        """docker tag."""
        self.images.tag(Reference.parse(given.target), self.images.find(Reference.parse(given.source)).image_id)

    def push(self, given: argparse.Namespace) -> None:
        """docker push."""
        from local_cloud.images.registry import push

        reference = Reference.parse(given.name)
        if reference.digest:
            raise InvalidReferenceError(f"cannot push a digest reference: {reference}")
        self.images.find(reference)
        push(self._ecr(reference), self.images, reference, _log)

    def pull(self, given: argparse.Namespace) -> None:
        """docker pull."""
        from local_cloud.images.registry import pull

        reference = Reference.parse(given.name)
        _log(f"Digest: {pull(self._ecr(reference), self.images, reference)}")
        _log(f"Status: Image is up to date for {reference}")

    def list_images(self, _: argparse.Namespace) -> None:
        """docker images."""
        rows = [("REPOSITORY", "TAG", "IMAGE ID")]
        for tag in self.images.tags():
            reference = Reference.parse(tag.name)
            rows.append((reference.name, reference.tag or "<none>", _short(tag.image_id)))
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for row in rows:
            _log(f"{row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]}")

    def inspect(self, given: argparse.Namespace) -> None:
        """docker image inspect."""
        found = [self.images.find(Reference.parse(name)) for name in given.names]
        _log(json.dumps([self._description(tag) for tag in found], indent=4))

    def _description(self, tag: Tag) -> dict[str, Any]:
        from local_cloud.images.manifest import make_manifest

        manifest = make_manifest(self.images, tag.image_id)
        names = [other for other in self.images.tags() if other.image_id == tag.image_id]
        configuration = json.loads(self.images.configuration(tag.image_id))
        return {
            "Id": tag.image_id,
            "RepoTags": [other.name for other in names],
            "RepoDigests": sorted({f"{Reference.parse(n.name).name}@{manifest.digest}" for n in names if n.pushed}),
            "Architecture": configuration["architecture"],
            "Os": configuration["os"],
            "Config": configuration["config"],
            "RootFS": {"Type": "layers", "Layers": configuration["rootfs"]["diff_ids"]},
        }

    def _build_args(self, given: Sequence[str]) -> dict[str, str]:
        """`K=V` pairs; a `K` alone takes its value from the environment, as docker has it."""
        alone = {name: self.environment[name] for name in given if name in self.environment}
        return alone | dict(_pair(arg, "--build-arg") for arg in given if "=" in arg)

    def _login_file(self) -> Path:
        home = self.environment.get("HOME") or str(Path.home())
        return Path(self.environment.get("DOCKER_CONFIG") or f"{home}/.docker") / "config.json"

    def _ecr(self, reference: Reference) -> Any:
        """A client of the reference's registry, when somebody has logged in to it."""
        import boto3

        _, region = reference.ecr()
        if "AWS_ENDPOINT_URL" not in self.environment:
            raise RegistryError(
                "AWS_ENDPOINT_URL is not set: this docker command speaks to a local cloud, never to AWS"
            )
        path = self._login_file()
        if not path.exists() or reference.registry not in json.loads(path.read_bytes()).get("auths", {}):
            login = f"docker login --username AWS --password-stdin {reference.registry}"
            raise RegistryError(f"no basic auth credentials: log in first ({login})")
        return boto3.client("ecr", region_name=region, endpoint_url=self.environment["AWS_ENDPOINT_URL"])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(125, f"{self.prog}: {message}\n{self.format_usage()}The local cloud's docker serves: {SERVED}.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="docker", description=f"docker without an engine, for the local cloud's builds: {SERVED}.",
                     allow_abbrev=False)  # fmt: skip
    parser.add_argument("--store", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--installer-cache", type=Path, required=True, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    commands.add_parser("version", help="show what this is").set_defaults(run=Docker.version)
    login = commands.add_parser("login", help="log in to a registry", allow_abbrev=False)
    login.add_argument("-u", "--username", required=True)
    login.add_argument("--password-stdin", action="store_true", required=True)
    login.add_argument("registry")
    login.set_defaults(run=Docker.login)
    build = commands.add_parser("build", help="build an image from a Dockerfile", allow_abbrev=False)
    build.add_argument("-t", "--tag", action="append", default=[], metavar="NAME")
    build.add_argument("-f", "--file", metavar="DOCKERFILE")
    build.add_argument("--build-arg", action="append", default=[], metavar="K=V")
    build.add_argument("--label", action="append", default=[], metavar="K=V")
    build.add_argument("context")
    build.set_defaults(run=Docker.build)
    tag = commands.add_parser("tag", help="give an image another name")
    tag.add_argument("source")
    tag.add_argument("target")
    tag.set_defaults(run=Docker.tag)
    for name, run in (("push", Docker.push), ("pull", Docker.pull)):
        transfer = commands.add_parser(name, help=f"{name} an image")
        transfer.add_argument("name")
        transfer.set_defaults(run=run)
    commands.add_parser("images", help="list images").set_defaults(run=Docker.list_images)
    image = commands.add_parser("image", help="image inspect").add_subparsers(required=True, parser_class=_Parser)
    inspect = image.add_parser("inspect", help="describe images, as JSON")
    inspect.add_argument("names", nargs="+", metavar="NAME")
    inspect.set_defaults(run=Docker.inspect)
    return parser


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command; returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        given.run(Docker(LocalImages(given.store), given.installer_cache, environment), given)
    except BuildError as failure:
        print(failure, file=sys.stderr)
        return failure.exit_code
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ImageError(f"{option} must be KEY=VALUE, got {text}")
    return key, value


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def _log(line: str) -> None:
    print(line, flush=True)


def _stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # so that the installer is ended and the draft removed
    sys.exit(main(sys.argv[1:], dict(os.environ)))
