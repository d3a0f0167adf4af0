"""Build the model's container and push it, once for each commit; judge it by ECR's scan, each time.

in   commit_id         the image's tag; model_code/ is what is built
in   released_version  whose image is passed on, unless it is `new`
in   image_repository  name of the ECR repository
out  IMAGE_URI         the image by digest
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_steps import names
from pipeline_steps.aws import Aws, translated
from pipeline_steps.clock import SYSTEM_CLOCK, Clock
from pipeline_steps.docker import run_docker
from pipeline_steps.errors import DockerError, ImageScanError, NotFoundError
from pipeline_steps.image_scan import judge_findings, judge_unsupported
from pipeline_steps.inputs import StepInputs
from pipeline_steps.progress import say
from pipeline_steps.released_version import released_version
from pipeline_steps.scan_results import await_scan
from settings import Scan, Settings

CONTAINER_DIRECTORY = Path("model_code")


@dataclass(frozen=True, kw_only=True)
class Inputs(StepInputs):
    """What the step is given."""

    image_repository: str


def build_arguments(*, base_image: str, commit_id: str, tagged_uri: str) -> list[str]:
    """What follows `docker` to build the container of a commit."""
    return [
        "build",
        "--build-arg",
        f"BASE_IMAGE={base_image}",
        "--label",
        f"org.opencontainers.image.revision={commit_id}",
        "--tag",
        tagged_uri,
        f"{CONTAINER_DIRECTORY}/",
    ]


def run(aws: Aws, settings: Settings, inputs: Inputs, clock: Clock = SYSTEM_CLOCK) -> Mapping[str, str]:
    """Give the image of the commit by digest, built and pushed unless the registry has it.

    Raises:
        DockerError: docker is missing, or the build, the login or the push failed.
        ImageScanError: the scan found what slipway.yaml does not allow, or ended without a result.
        WaitTimeoutError: the scan took too long.
        ReleaseError: the version to release cannot be.
    """
    version = released_version(aws, inputs)
    if version is not None:
        _check_scan(aws, settings.container.scan, inputs.image_repository, names.digest(version.image_uri), clock)
        return {"IMAGE_URI": version.image_uri}
    repository_uri = _repository_uri(aws, inputs.image_repository)
    digest = _pushed_digest(aws, inputs)
    if digest is not None:
        say(f"the image of commit {inputs.commit_id} is in {inputs.image_repository} already: not building it again")
    else:
        say(f"building the image of commit {inputs.commit_id} on {settings.container.base_image}")
        digest = _build_and_push(aws, settings.container.base_image, repository_uri, inputs)
    image_uri = f"{repository_uri}@{digest}"
    say(f"the image of commit {inputs.commit_id} is {names.short_digest(image_uri)}")
    _check_scan(aws, settings.container.scan, inputs.image_repository, digest, clock)
    return {"IMAGE_URI": image_uri}


def _check_scan(aws: Aws, policy: Scan, repository: str, digest: str, clock: Clock) -> None:
    if policy.fail_on == "none":
        say("container.scan.fail_on is none: not waiting for a scan of the image")
        return
    result = await_scan(aws, repository, digest, clock)
    if result.unsupported is not None:
        verdict = judge_unsupported(result.unsupported, policy)
    else:
        verdict = judge_findings(result.findings, policy, clock.today())
    for line in (*verdict.notes, *verdict.reasons):
        say(line)
    if not verdict.passed:
        raise ImageScanError(verdict.summary)
    say(verdict.summary)


def _build_and_push(aws: Aws, base_image: str, repository_uri: str, inputs: Inputs) -> str:
    tagged_uri = f"{repository_uri}:{inputs.commit_id}"
    _log_in(aws, repository_uri)
    run_docker(build_arguments(base_image=base_image, commit_id=inputs.commit_id, tagged_uri=tagged_uri))
    try:
        run_docker(["push", tagged_uri])
    except DockerError:
        # Tags are immutable: when another execution of the same commit was quicker, its image is the one to use.
        digest = _pushed_digest(aws, inputs)
        if digest is None:
            raise
        say(f"another execution pushed the image of commit {inputs.commit_id} meanwhile: using that one")
        return digest
    digest = _pushed_digest(aws, inputs)
    if digest is None:
        raise DockerError(f"docker push ended well, but {inputs.image_repository} has no image {inputs.commit_id}")
    return digest


def _log_in(aws: Aws, repository_uri: str) -> None:
    with translated("get a password for the container registry"):
        token = aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    registry = repository_uri.partition("/")[0]
    run_docker(["login", "--username", user, "--password-stdin", registry], standard_input=password)


def _repository_uri(aws: Aws, repository: str) -> str:
    with translated(f"find the image repository {repository}"):
        uri: str = aws.ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    return uri


def _pushed_digest(aws: Aws, inputs: Inputs) -> str | None:
    try:
        with translated(f"look for the image of commit {inputs.commit_id}"):
            answer = aws.ecr.describe_images(
                repositoryName=inputs.image_repository, imageIds=[{"imageTag": inputs.commit_id}]
            )
    except NotFoundError:
        return None
    digest: str = answer["imageDetails"][0]["imageDigest"]
    return digest
