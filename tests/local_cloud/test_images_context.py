"""What a Dockerfile copies comes from its context and stays in the image, whatever the files are called."""

import os
import sys
from pathlib import Path

import pytest

from local_cloud.images.build import BuildRequest, build
from local_cloud.images.context import Context
from local_cloud.images.dockerfile import InstructionError
from local_cloud.images.errors import BuildError, DockerfileError
from local_cloud.images.local_images import LocalImages, layers_of

BASE = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    return folder


def built(context: Path, *lines: str) -> Path:
    """Build a Dockerfile; the image's files."""
    (context / "Dockerfile").write_text("\n".join([f"FROM {BASE}", "WORKDIR /app", *lines]))
    (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    images = LocalImages(context.parent / "images")
    request = BuildRequest(context, context / "Dockerfile", {}, {}, {"PATH": os.environ["PATH"]})
    image_id = build(request, images, lambda line: None)
    return images.layers.path(layers_of(images.configuration(image_id))[1]) / "root"


@pytest.mark.parametrize("source", ["../private/key", "a/../../private/key", "link/key", "*/key", "link", "."])
def test_nothing_is_copied_from_outside_of_the_context(context: Path, source: str) -> None:
    (context / "link").symlink_to("../private")

    with pytest.raises(InstructionError):
        Context(context, context / "Dockerfile").copy([source], "/app/")


@pytest.mark.parametrize(
    "name", ["two\nlines", "$(touch canary)", "--chown=canary", "'quoted' \"twice\"", "a b", "*", "\x1b[2J", "[x]"]
)
def test_a_file_of_any_name_is_copied_under_that_name(context: Path, name: str) -> None:
    (context / "folder").mkdir()
    (context / "folder" / name).write_text("content")

    root = built(context, "COPY folder folder")

    assert [path.name for path in (root / "app" / "folder").iterdir()] == [name]
    assert not list(context.parent.rglob("canary"))


def test_a_link_that_leads_out_of_the_image_is_not_written_through(context: Path) -> None:
    # Inside of the context it leads to a folder beside it; at the top of the image it leads above.
    (context / "a/b/c").mkdir(parents=True)
    (context / "a/b/c/link").symlink_to("../../..")
    (context / "evil").write_text("x")

    with pytest.raises(BuildError, match="outside of the image"):
        built(context, "COPY a/b/c/link /link", "COPY evil /link/evil")

    assert not list((context.parent / "images").rglob("evil"))


@pytest.mark.parametrize(
    "line", ["RUN touch canary", "RUN pip install x; touch canary", "RUN pip install $(touch canary)"]
)
def test_a_command_other_than_pip_install_is_not_run(context: Path, line: str) -> None:
    with pytest.raises(DockerfileError):
        built(context, line)

    assert not list(context.parent.rglob("canary"))
