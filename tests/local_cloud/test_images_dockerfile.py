"""What of a Dockerfile is understood without an image engine, and how the rest is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from local_cloud.images.build import BuildRequest, read_plan
from local_cloud.images.errors import DockerfileError
from local_cloud.images.plan import Plan

FROM = "FROM public.ecr.aws/docker/library/python:3.11-slim-bookworm\n"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "app" / "data").mkdir(parents=True)
    (folder / "app" / "main.py").write_text("print('hello')\n")
    (folder / "app" / "data" / "table.csv").write_text("1,2\n")
    (folder / "app" / "notes.txt").write_text("private\n")
    (folder / "requirements.txt").write_text("six==1.17.0\n")
    (tmp_path / "secret.txt").write_text("not of the context\n")
    return folder


def plan(context: Path, dockerfile: str, build_args: Mapping[str, str] | None = None) -> Plan:
    path = context.parent / "Dockerfile"
    path.write_text(dockerfile)
    return read_plan(BuildRequest(context, path, build_args or {}, {}, {}))


def refused(context: Path, dockerfile: str, build_args: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(DockerfileError) as raised:
        plan(context, dockerfile, build_args)
    return raised.value.faults


def copied(plan: Plan) -> list[str]:
    return sorted(file.path for step in plan.steps for file in step.files)


def test_variables_reach_every_instruction_and_build_args_win(context: Path) -> None:
    made = plan(
        context,
        "ARG BASE=scratch\nARG VERSION=1\nFROM $BASE\nARG VERSION\nARG PLACE=/srv\n"
        "ENV HOME_OF=${PLACE}/program X='$PLACE'\n"
        'WORKDIR $HOME_OF\nWORKDIR inner\nLABEL version=$VERSION "a b"="c d"\nCOPY requirements.txt .\n',
        {"BASE": "python:3.11", "VERSION": "2"},
    )
    assert made.base_image == "python:3.11"
    assert made.workdir == "/srv/program/inner"
    assert made.labels == {"version": "2", "a b": "c d"}
    assert made.environment["X"] == "$PLACE"
    assert copied(made) == ["/srv/program/inner/requirements.txt"]


def test_an_arg_before_from_is_known_after_it_only_when_declared_again(context: Path) -> None:
    made = plan(context, f"ARG A=1\nARG B=2\nARG C=3\n{FROM}ARG B\nARG C=own\nENV ALL=[$A][$B][$C]\n")
    assert made.environment["ALL"] == "[][2][own]"


def test_path_can_be_extended(context: Path) -> None:
    assert (
        plan(context, f"{FROM}ENV PATH=/opt/tools:$PATH\n").environment["PATH"].startswith("/opt/tools:/usr/local/bin:")
    )


@pytest.mark.parametrize(
    ("written", "command"),
    [
        pytest.param('["python", "-m", "app"]', ["python", "-m", "app"], id="exec form"),
        pytest.param("python -m app", ["/bin/sh", "-c", "python -m app"], id="shell form"),
    ],
)
def test_the_entry_point_has_two_forms(context: Path, written: str, command: list[str]) -> None:
    assert plan(context, f"{FROM}ENTRYPOINT {written}\n").entrypoint == command


@pytest.mark.parametrize(
    ("instruction", "paths"),
    [
        pytest.param("COPY app /srv", ["/srv/data/table.csv", "/srv/main.py", "/srv/notes.txt"], id="a folder"),
        pytest.param("COPY app/main.py /srv/run.py", ["/srv/run.py"], id="a file under another name"),
        pytest.param("COPY app/main.py /srv/", ["/srv/main.py"], id="a file into a folder"),
        pytest.param("COPY app/*.txt requirements.txt lib/", ["/lib/notes.txt", "/lib/requirements.txt"], id="some"),
        pytest.param('COPY ["app/main.py", "/a place/"]', ["/a place/main.py"], id="JSON"),
        pytest.param("COPY app/main.py ../../../etc/", ["/etc/main.py"], id="nothing is above the image's root"),
    ],
)  # fmt: skip
def test_copy_finds_what_docker_finds(context: Path, instruction: str, paths: list[str]) -> None:
    assert copied(plan(context, f"{FROM}{instruction}\n")) == paths


def test_dockerignore_leaves_files_out(context: Path) -> None:
    (context / ".dockerignore").write_text("# private\n**/*.txt\n!requirements.txt\napp/data\n")
    assert copied(plan(context, f"{FROM}COPY . /srv/\n")) == [
        "/srv/.dockerignore",
        "/srv/app/main.py",
        "/srv/requirements.txt",
    ]


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        pytest.param("COPY ../secret.txt .", "outside of the build context", id="outside"),
        pytest.param("COPY app/../../secret.txt .", "outside of the build context", id="outside by a detour"),
        pytest.param("COPY link .", "symbolic link to ../secret.txt, outside", id="outside by a link"),
        pytest.param("COPY absent.py .", "does not exist in the build context", id="absent"),
        pytest.param("COPY app/notes.txt .", "left out by .dockerignore", id="ignored"),
        pytest.param("COPY app requirements.txt /srv", "must be a folder: write /srv/", id="several into a file"),
        pytest.param("COPY --from=build /x /y", "--from is not served", id="from another stage"),
        pytest.param("COPY --chown=app app /srv", "--chown is not served", id="chown"),
        pytest.param("COPY app", "needs at least one source and a destination", id="no destination"),
        pytest.param("ENV A=${B:-1}", "give a default with ARG NAME=value", id="substitution with default"),
        pytest.param("ENV A=1 B", "can't find = in", id="half a pair"),
        pytest.param("USER app", "SageMaker asks for images that run as root", id="another user"),
        pytest.param("ADD https://x.org/y /z", "ADD is not served; use COPY", id="ADD"),
        pytest.param("HEALTHCHECK NONE", "HEALTHCHECK is not served; leave it out", id="HEALTHCHECK"),
        pytest.param("INSTALL six", "INSTALL is not served; served are FROM, ARG,", id="unknown"),
        pytest.param("WORKDIR", "no complete instruction", id="a keyword alone"),
        pytest.param("ENV A=1 \\", "no complete instruction", id="unfinished"),
        pytest.param("FROM python:3.11 AS second", "a second FROM", id="two stages"),
        pytest.param('CMD ["python",]', "not a JSON list of strings", id="broken JSON"),
        pytest.param("RUN pip install -r none.txt", "/none.txt is not in the image at this point", id="not copied"),
        pytest.param("RUN pip install six && rm -r /x", "`rm -r` is not `pip install`", id="more than pip"),
        pytest.param("RUN pip install six>=1", "the shell's `>` is not understood; quote it", id="redirection"),
        pytest.param("RUN pip install --user six", "unrecognized arguments: --user; understood are", id="pip option"),
        pytest.param("RUN pip install -e .", "unrecognized arguments: -e", id="editable"),
        pytest.param("RUN pip install 'six", "no closing quotation", id="open quote"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_its_line(context: Path, instruction: str, reason: str) -> None:
    (context / ".dockerignore").write_text("app/notes.txt\n")
    (context / "link").symlink_to("../secret.txt")
    (fault,) = refused(context, f"# a comment\n{FROM}{instruction}\n")
    assert fault.startswith("line 3: " + instruction.split()[0])
    assert reason in fault


def test_a_system_package_is_refused_with_a_way_out(context: Path) -> None:
    (fault,) = refused(context, f"{FROM}RUN apt-get update \\\n    && apt-get install -y libgomp1\n")
    assert fault.startswith(
        "line 2: RUN apt-get update && apt-get install -y libgomp1: `apt-get update` is not `pip install`"
    )
    assert "no image engine" in fault
    assert "Take a Python package" in fault


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(context: Path) -> None:
    faults = refused(context, f"{FROM}RUN make\nVOLUME /data\nCOPY absent .\n")
    assert [fault.split(":")[0] for fault in faults] == ["line 2", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("dockerfile", "build_args", "reason"),
    [
        pytest.param("FROM debian:12\n", {}, "the base image is `debian:12`; only Python images", id="no Python image"),
        pytest.param("ARG BASE\nFROM $BASE\n", {}, "the build argument that it names has no value", id="no value"),
        pytest.param("ENV A=1\n", {}, "comes before FROM", id="nothing before FROM"),
        pytest.param("ARG A=1\n", {}, "no FROM", id="no FROM"),
    ],
)  # fmt: skip
def test_a_base_image_must_be_a_python_image(
    context: Path, dockerfile: str, build_args: dict[str, str], reason: str
) -> None:
    (fault,) = refused(context, dockerfile, build_args)
    assert reason in fault


@pytest.mark.parametrize(
    ("run", "arguments"),
    [
        pytest.param("pip install --no-cache-dir -q six", ["six"], id="what shapes pip's work is dropped"),
        pytest.param("python -m pip install 'six>=1,<2'", ["six>=1,<2"], id="python -m pip"),
        pytest.param('["pip3", "install", "six"]', ["six"], id="exec form"),
        pytest.param("pip install $WHAT", ["six"], id="variables"),
        pytest.param(
            "pip install --require-hashes -r requirements.txt -c ./requirements.txt six",
            ["--require-hashes", "--requirements", "/R/srv/requirements.txt",
             "--constraints", "/R/srv/requirements.txt", "six"],
            id="files are those of the image",
        ),
        pytest.param(
            "pip install ./wheels/a.whl /abs/b.whl https://x.org/c.whl -f links --index-url https://i.org/s",
            ["--index-url", "https://i.org/s", "--find-links", "/R/srv/links", "/R/srv/wheels/a.whl", "/R/abs/b.whl",
             "https://x.org/c.whl"],
            id="paths and URLs",
        ),
    ],
)  # fmt: skip
def test_pip_install_is_understood(context: Path, run: str, arguments: list[str]) -> None:
    made = plan(context, f"{FROM}ARG WHAT=six\nWORKDIR /srv\nCOPY requirements.txt .\nRUN {run}\n")
    (install,) = made.steps[-1].installs
    assert install.arguments(Path("/R")) == arguments


def test_several_installs_in_one_run_are_all_done(context: Path) -> None:
    made = plan(context, f"{FROM}RUN pip install --upgrade pip && pip install six\n")
    assert [install.arguments(Path("/")) for install in made.steps[-1].installs] == [["--upgrade", "pip"], ["six"]]
