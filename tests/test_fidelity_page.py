"""docs/fidelity.md names what the running code serves and refuses, no more and no less."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fidelity_support import Registered, registered
from pydantic import BaseModel

from local_cloud import server
from local_cloud.codebuild import buildspec
from local_cloud.codepipeline.actions import served_action_types
from local_cloud.images import docker, dockerfile, scanning
from local_cloud.wire import service_model

PAGE = (Path(__file__).parents[1] / "docs" / "fidelity.md").read_text()
TITLES = {
    "CodeCommit": "codecommit",
    "CodeBuild": "codebuild",
    "CodePipeline": "codepipeline",
    "SageMaker": "sagemaker",
    "Application Auto Scaling": "application-autoscaling",
}


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    with registered(tmp_path_factory.mktemp("registered")) as found:
        yield found


def section(title: str) -> str:
    """The page from a heading to the next of its level."""
    mark = re.search(rf"^(#+) {re.escape(title)}$", PAGE, re.MULTILINE)
    assert mark is not None, f"the page has no section {title}"
    rest = PAGE[mark.end() :]
    following = re.search(rf"^#{{1,{len(mark[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def named(text: str, start: str) -> list[str]:
    """What stands in backquotes in the sentence, or the rest of a table's cell, that begins so."""
    sentence = re.search(rf"{start}(.*?)(?:\.\s|\.$| \||\n\n)", text, re.DOTALL)
    assert sentence is not None, f"no sentence begins with {start}"
    return re.findall(r"`([^`]+)`", sentence[1])


def refused(text: str) -> dict[str, set[str]]:
    """The table of refused members: by operation, with `of A and B: c` written out."""
    table: dict[str, set[str]] = {}
    for operations, cell in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", text, re.MULTILINE):
        members: set[str] = set()
        for part in cell.split("; "):
            prefix = re.match(r"of (.*?): ", part)
            inside = [f"{name}." for name in re.findall(r"`([^`]+)`", prefix[1])] if prefix else [""]
            names = re.findall(r"`([^`]+)`", part[prefix.end() :] if prefix else part)
            members |= {f"{place}{name}" for place in inside for name in names}
        table |= dict.fromkeys(re.findall(r"\w+", operations), members)
    return table


@pytest.mark.parametrize(("title", "name"), TITLES.items())
def test_the_page_names_the_served_operations_and_how_many_there_are(added: Registered, title: str, name: str) -> None:
    service = added.services[name]
    served = service.served_operations()
    counts = rf"Served: {len(served)} of {len(service.model.operation_names)} operations: "
    assert named(section(title), counts) == served


@pytest.mark.parametrize(("title", "name"), TITLES.items())
def test_the_page_names_every_refused_member(added: Registered, title: str, name: str) -> None:
    wanted = {operation: set(members) for operation, members in added.services[name].not_served.items()}
    assert refused(section(title)) == wanted


def keys_of(model: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{place}{field.alias or name}"


def test_the_page_names_the_keys_of_a_buildspec() -> None:
    inside = {"env": buildspec.Environment, "phases": buildspec.Phases, "artifacts": buildspec.Artifacts,
              "reports": buildspec.Report, "phases.*": buildspec.Phase}  # fmt: skip
    served = {*keys_of(buildspec.Buildspec), "phases.install.runtime-versions"}
    for place, model in inside.items():
        served |= set(keys_of(model, f"{place}."))
    text = section("CodeBuild")
    assert set(named(text, "Keys served: ")) == served
    assert set(named(text, "Keys refused: ")) == buildspec.KNOWN_BUT_UNSERVED


def test_the_page_names_the_docker_commands_and_instructions() -> None:
    text = section("docker")
    assert ", ".join(named(text, "Commands: ")) == docker.SERVED
    assert tuple(named(text, "Instructions of a Dockerfile: ")) == dockerfile.SERVED


def test_the_page_names_the_action_providers() -> None:
    assert ", ".join(named(section("CodePipeline"), "Action providers: ")) == served_action_types()


def test_the_page_names_the_types_routes_and_targets(added: Registered) -> None:
    text = section("Routes, events and types")
    of_no_service = re.findall(r"add_resource\(\"([^\"]+)\"", inspect.getsource(server))
    assert named(text, "CloudFormation types that are ours: ") == sorted(added.resources + of_no_service)
    assert re.findall(r"^\| `(/[^`]*)` \|", text, re.MULTILINE) == added.routes
    assert named(text, "Targets of EventBridge rules that are ours: ") == added.event_targets
    operations = len(service_model("sagemaker-runtime").operation_names)
    assert f"`InvokeEndpoint` of sagemaker-runtime, which has {operations} operations" in text


def test_the_page_names_the_operations_that_are_put_beside_ministacks() -> None:
    added = scanning.rules("us-east-1", "000000000000")
    assert set(named(section("What comes from ministack"), r"Ours: ")) == added.keys()


def test_the_page_leads_to_nothing_that_is_not_there() -> None:
    root = Path(__file__).parents[1]
    for pattern in re.findall(r"`((?:tests|docs|local_cloud)/[^`]*)`", PAGE):
        assert list(root.glob(pattern)), pattern
    for number in re.findall(r"\(decision (\d)\)", PAGE):
        assert list((root / "docs" / "decisions").glob(f"000{number}-*.md")), number
