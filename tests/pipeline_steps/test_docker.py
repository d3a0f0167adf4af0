"""Docker's output is in the log, its failures are told in its own words, and secrets stay out of sight."""

import os
from pathlib import Path

import pytest

from pipeline_steps.docker import run_docker
from pipeline_steps.errors import DockerError


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` whose body tests write in shell."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory / "docker"


def write(docker: Path, body: str) -> None:
    docker.write_text(f"#!/bin/sh\n{body}\n")
    docker.chmod(0o755)


def test_output_of_both_kinds_is_shown(docker: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(docker, 'echo "arguments: $*"; echo "step 1/2" >&2; echo "done"')

    run_docker(["build", "--tag", "a b", "."])

    assert capfd.readouterr().out == "arguments: build --tag a b .\nstep 1/2\ndone\n"


def test_a_password_goes_through_standard_input_and_is_not_shown(
    docker: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(docker, f'cat > "{tmp_path}/stdin"; echo "Login Succeeded: $*"')

    run_docker(["login", "--username", "AWS", "--password-stdin", "registry"], standard_input="hunter2")

    assert (tmp_path / "stdin").read_text() == "hunter2"
    assert "hunter2" not in "".join(capfd.readouterr())


def test_images_are_built_without_attestations_which_sagemaker_refuses(
    docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(docker, 'echo "$BUILDX_NO_DEFAULT_ATTESTATIONS"')

    run_docker(["build", "."])

    assert capfd.readouterr().out == "1\n"


def test_a_failure_tells_the_lines_that_say_why(docker: Path) -> None:
    write(
        docker,
        'echo "ERROR: No matching distribution found for xgboost==99"; echo "------"; '
        'echo "ERROR: failed to solve: exit code: 1"; echo ""; exit 3',
    )

    with pytest.raises(DockerError) as failure:
        run_docker(["build", "."])
    assert str(failure.value) == (
        "docker build ended with exit code 3: ERROR: No matching distribution found for xgboost==99 / "
        "ERROR: failed to solve: exit code: 1"
    )


@pytest.mark.parametrize(("body", "reason"), [("echo first; echo last; echo; exit 1", "last"), ("exit 1", "no output")])
def test_a_failure_without_an_error_line_tells_the_last_line(docker: Path, body: str, reason: str) -> None:
    write(docker, body)

    with pytest.raises(DockerError, match=f"docker push ended with exit code 1: {reason}$"):
        run_docker(["push", "uri"])


def test_a_command_that_ends_before_it_reads_fails_with_its_own_words(docker: Path) -> None:
    write(docker, "exec 0<&-; echo 'error: no daemon'; exit 1")

    with pytest.raises(DockerError, match="error: no daemon"):
        run_docker(["login"], standard_input="x" * 1_000_000)


def test_a_missing_docker_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DockerError, match=r"build_image needs docker on its PATH.*privileged mode"):
        run_docker(["build", "."])


def test_docker_is_ended_when_the_step_is_stopped(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(docker, f"trap 'touch \"{tmp_path}/ended\"; exit 0' TERM; echo ready; while :; do sleep 0.05; done")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline_steps.docker.say", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_docker(["build", "."])

    assert (tmp_path / "ended").exists()
