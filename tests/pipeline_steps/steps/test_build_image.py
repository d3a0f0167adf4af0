"""A commit's image is built once and used by its digest."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.errors import DockerError, NotFoundError
from pipeline_steps.steps import build_image
from settings import Settings
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, answer_scan, scan_found

REPOSITORY = "flight-delays"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
INPUTS = build_image.Inputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID, image_repository=REPOSITORY)


class FakeDocker:
    """Notes what it is asked; can do something when it pushes."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], str]] = []
        self.on_push: Callable[[], object] = lambda: None

    def __call__(self, arguments: Sequence[str], *, standard_input: str = "") -> None:
        self.calls.append((list(arguments), standard_input))
        if arguments[0] == "push":
            self.on_push()

    @property
    def verbs(self) -> list[str]:
        return [arguments[0] for arguments, _ in self.calls]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    docker = FakeDocker()
    monkeypatch.setattr(build_image, "run_docker", docker)
    return docker


@pytest.fixture(autouse=True)
def _repository(aws: Aws) -> None:
    aws.ecr.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")


@pytest.fixture(autouse=True)
def scans(aws: Aws) -> list[dict[str, Any]]:
    """The requests for scans, which find nothing; what they may find is in test_build_image_scan."""
    return answer_scan(aws, scan_found())


def put_image(aws: Aws, tag: str) -> str:
    manifest = (
        f'{{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "t": "{tag}"}}'
    )
    image = aws.ecr.put_image(repositoryName=REPOSITORY, imageManifest=manifest, imageTag=tag)["image"]
    digest: str = image["imageId"]["imageDigest"]
    return digest


def test_an_image_is_built_pushed_scanned_and_named_by_its_digest(
    aws: Aws, docker: FakeDocker, settings: Settings, scans: list[dict[str, Any]]
) -> None:
    put_image(aws, "another-commit")
    digests = []
    docker.on_push = lambda: digests.append(put_image(aws, COMMIT_ID))

    exports = build_image.run(aws, settings, INPUTS)

    assert docker.verbs == ["login", "build", "push"]
    assert docker.calls[1][0] == [
        "build",
        "--build-arg",
        "BASE_IMAGE=public.ecr.aws/docker/library/python:3.11-slim-bookworm",
        "--label",
        f"org.opencontainers.image.revision={COMMIT_ID}",
        "--tag",
        f"{REGISTRY}/{REPOSITORY}:{COMMIT_ID}",
        "model_code/",
    ]
    assert docker.calls[2][0] == ["push", f"{REGISTRY}/{REPOSITORY}:{COMMIT_ID}"]
    assert scans == [{"repositoryName": REPOSITORY, "imageId": {"imageDigest": digests[0]}}]
    assert exports == {"IMAGE_URI": f"{REGISTRY}/{REPOSITORY}@{digests[0]}"}


def test_the_registrys_password_is_handed_over_but_not_as_an_argument(
    aws: Aws, docker: FakeDocker, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    token = aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().removeprefix("AWS:")
    docker.on_push = lambda: put_image(aws, COMMIT_ID)

    build_image.run(aws, settings, INPUTS)

    assert docker.calls[0] == (["login", "--username", "AWS", "--password-stdin", REGISTRY], password)
    assert password not in capsys.readouterr().out


def test_the_same_commit_is_not_built_twice(aws: Aws, docker: FakeDocker, settings: Settings) -> None:
    digest = put_image(aws, COMMIT_ID)

    exports = build_image.run(aws, settings, INPUTS)

    assert docker.calls == []
    assert exports == {"IMAGE_URI": f"{REGISTRY}/{REPOSITORY}@{digest}"}


def test_the_image_of_a_quicker_execution_is_used(
    aws: Aws, docker: FakeDocker, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = []

    def refuse() -> None:
        digests.append(put_image(aws, COMMIT_ID))
        raise DockerError("docker push ended with exit code 1: the tag is immutable")

    docker.on_push = refuse
    exports = build_image.run(aws, settings, INPUTS)

    assert exports == {"IMAGE_URI": f"{REGISTRY}/{REPOSITORY}@{digests[0]}"}
    assert "another execution pushed the image" in capsys.readouterr().out


def test_a_push_that_fails_by_itself_is_told(aws: Aws, docker: FakeDocker, settings: Settings) -> None:
    def refuse() -> None:
        raise DockerError("docker push ended with exit code 1: denied")

    docker.on_push = refuse
    with pytest.raises(DockerError, match="denied"):
        build_image.run(aws, settings, INPUTS)


def test_a_push_that_leaves_no_image_is_told(aws: Aws, docker: FakeDocker, settings: Settings) -> None:
    with pytest.raises(DockerError, match=f"flight-delays has no image {COMMIT_ID}"):
        build_image.run(aws, settings, INPUTS)


def test_a_missing_repository_is_named(aws: Aws, docker: FakeDocker, settings: Settings) -> None:
    inputs = build_image.Inputs(execution_id=EXECUTION_ID, commit_id=COMMIT_ID, image_repository="other")

    with pytest.raises(NotFoundError, match="could not find the image repository other"):
        build_image.run(aws, settings, inputs)
