import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import UserError
from slipway.experiment_image import BuiltImage, WorkingImage
from slipway.experiment_line import DeployedLine
from slipway.git_repository import GitRepository
from slipway.project import Project
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import EXECUTION, START
from tests.slipway.test_git_repository import commit, git

REPOSITORY_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/flight-delays"
DIGEST = f"sha256:{'a1' * 32}"
BUILD = "flight-delays-build-image:1"
NO_IMAGE = Refusal("ImageNotFoundException")


class Cloud(AnsweringAws):
    """A registry with images by tag, and a build project whose builds push one, or end otherwise.

    Args:
        tags: in the registry.
        builds: what BatchGetBuilds tells of the build, one look after the other.
        pushes: whether a build puts its image into the registry.
    """

    def __init__(self, *tags: str, builds: list[Any] | None = None, pushes: bool = True, log: str = "") -> None:
        self.tags, self.sources = set(tags), list[bytes]()
        self._pushes = pushes
        stream = {"events": [{"timestamp": 1, "message": log}], "nextForwardToken": "end"}
        repositories = [{"repositoryName": "flight-delays", "repositoryUri": REPOSITORY_URI}]
        super().__init__(
            {
                "DescribeImages": self._describe,
                "DescribeRepositories": {"repositories": repositories},
                "PutObject": self._keep,
                "StartBuild": self._start,
                "BatchGetBuilds": builds or [looked("SUCCEEDED")],
                "StopBuild": {},
                "GetLogEvents": stream,
            }
        )

    def _describe(self, request: dict[str, Any]) -> Any:
        tag = request["imageIds"][0]["imageTag"]
        return {"imageDetails": [{"imageDigest": DIGEST}]} if tag in self.tags else NO_IMAGE

    def _keep(self, request: dict[str, Any]) -> Any:
        self.sources.append(request["Body"].read())
        return {}

    def _start(self, request: dict[str, Any]) -> Any:
        if self._pushes:
            variables = {variable["name"]: variable["value"] for variable in request["environmentVariablesOverride"]}
            self.tags.add(variables["COMMIT_ID"])
        return {"build": {"id": BUILD}}


def looked(status: str, phase: str = "COMPLETED") -> dict[str, Any]:
    logs = {"groupName": "group", "streamName": "stream"}
    build = {"id": BUILD, "buildStatus": status, "currentPhase": phase, "buildComplete": status != "IN_PROGRESS"}
    return {"builds": [{**build, "startTime": START, "logs": logs}]}


@pytest.fixture
def root(project: Project) -> Path:
    """A commit with model code, and a file that git ignores."""
    git(project.root, "init", "-q", "-b", "main")
    (project.root / "model_code").mkdir()
    (project.root / ".gitignore").write_text("*.log\n")
    (project.root / "model_code" / "debug.log").write_text("ignored")
    (project.root / "README.md").write_text("read me")
    commit(project.root, "model_code/model.py")
    return project.root


def provide(cloud: Cloud, project: Project, base_image: str = "base") -> tuple[BuiltImage, list[str]]:
    line = DeployedLine({"IMAGE_REPOSITORY": "flight-delays"}, "artifacts")
    told: list[str] = []
    working = WorkingImage(cloud.target(), project, line, GitRepository(project.root, os.environ), base_image)
    return working.provide(EXECUTION, told.append), told


def test_unchanged_code_has_the_commits_own_image(root: Path, project: Project) -> None:
    head = git(root, "rev-parse", "HEAD")
    (root / "README.md").write_text("changed")

    image, _ = provide(cloud := Cloud(head), project)

    assert image == BuiltImage(f"{REPOSITORY_URI}@{DIGEST}", f"of commit {head[:8]}")
    assert cloud.called("StartBuild") == []


@pytest.mark.parametrize("file", ["model_code/model.py", "model_code/new.py", "slipway.yaml"])
def test_changed_code_is_built_by_the_pipelines_project_from_the_working_tree(
    root: Path, project: Project, file: str
) -> None:
    head = git(root, "rev-parse", "HEAD")
    (root / file).write_text("changed")

    image, told = provide(cloud := Cloud(head, builds=[looked("IN_PROGRESS", "BUILD"), looked("SUCCEEDED")]), project)

    assert image.uri == f"{REPOSITORY_URI}@{DIGEST}"
    assert told == [f"{BUILD} is in BUILD"]
    (tag,) = cloud.tags - {head}
    assert tag.startswith("experiment-")
    assert cloud.called("StartBuild") == [
        {
            "projectName": "flight-delays-build-image",
            "sourceTypeOverride": "S3",
            "sourceLocationOverride": f"artifacts/flight-delays/Source/{tag}.zip",
            "artifactsOverride": {"type": "NO_ARTIFACTS"},
            "environmentVariablesOverride": [
                {"name": "EXECUTION_ID", "value": EXECUTION},
                {"name": "COMMIT_ID", "value": tag},
            ],
        }
    ]


def test_the_source_is_the_working_tree_without_what_git_ignores(root: Path, project: Project) -> None:
    (root / "model_code" / "model.py").write_text("changed")
    (root / "new.py").write_text("new")
    (root / "README.md").unlink()

    provide(cloud := Cloud(), project)

    with zipfile.ZipFile(io.BytesIO(cloud.sources[0])) as source:
        assert set(source.namelist()) == {".gitignore", "model_code/model.py", "new.py", "slipway.yaml"}
        assert source.read("model_code/model.py") == b"changed"


def test_the_same_code_is_built_once_whatever_else_changes(root: Path, project: Project) -> None:
    (root / "model_code" / "model.py").write_text("changed")
    cloud = Cloud()
    provide(cloud, project)
    (root / "slipway.yaml").write_text((root / "slipway.yaml").read_text() + "\n# more\n")

    image, _ = provide(cloud, project)

    assert len(cloud.called("StartBuild")) == 1
    assert image.origin.endswith("built before")


def test_another_base_image_is_another_image(root: Path, project: Project) -> None:
    (root / "model_code" / "model.py").write_text("changed")
    cloud = Cloud()
    provide(cloud, project)
    provide(cloud, project, "newer")

    assert len(cloud.called("StartBuild")) == 2


def test_a_build_that_fails_is_told_with_its_reason(root: Path, project: Project) -> None:
    (root / "model_code" / "model.py").write_text("changed")
    cloud = Cloud(builds=[looked("FAILED")], pushes=False, log="slipway: FAILED no such package: xgbost")

    with pytest.raises(UserError, match=r"could not be built: no such package: xgbost") as raised:
        provide(cloud, project)

    assert raised.value.next_step == "correct model_code/, and try again"


def test_an_image_that_the_pipeline_would_refuse_is_used_with_a_word_on_it(root: Path, project: Project) -> None:
    (root / "model_code" / "model.py").write_text("changed")

    image, _ = provide(Cloud(builds=[looked("FAILED")], log="slipway: FAILED the scan found CVE-1"), project)

    assert image.uri == f"{REPOSITORY_URI}@{DIGEST}"
    assert image.complaint == "the scan found CVE-1"


def test_ctrl_c_stops_the_build(root: Path, project: Project) -> None:
    def press(_: object) -> Any:
        raise KeyboardInterrupt

    (root / "model_code" / "model.py").write_text("changed")
    cloud = Cloud(builds=[looked("IN_PROGRESS", "BUILD"), press])

    with pytest.raises(KeyboardInterrupt):
        provide(cloud, project)

    assert cloud.called("StopBuild") == [{"id": BUILD}]
