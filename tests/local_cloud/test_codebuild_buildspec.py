"""Buildspecs and the patterns in them, read without a server."""

from pathlib import Path

import pytest

from local_cloud.codebuild.buildspec import BuildspecError, FileSet, parse
from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.files import NoBaseDirectoryError, select

MINIMAL = "version: 0.2\nphases:\n  build:\n    commands:\n      - make\n"


def test_a_whole_buildspec_is_read() -> None:
    found = parse("""
version: 0.2
env:
  shell: bash
  variables: {PORT: 080, DEBUG: yes, EMPTY: ""}
  exported-variables: [A]
phases:
  install:
    runtime-versions: {python: 3.10}
  build:
    on-failure: abort
    commands:
      - make
      - |
        one
        two
    finally: [clean]
artifacts:
  files: ['**/*']
  discard-paths: yes
  secondary-artifacts:
    Other: {files: [a], name: b}
reports:
  unit: {files: [junit.xml], file-format: junitxml}
cache:
  paths: [/var/cache/models/**/*]
""")
    assert found.env.variables == {"PORT": "080", "DEBUG": "yes", "EMPTY": ""}
    assert found.phases.install.runtime_versions == {"python": "3.10"}
    assert found.phases.build.commands == ("make", "one\ntwo\n")
    assert (found.phases.build.on_failure, found.phases.build.finally_) == ("ABORT", ("clean",))
    assert found.artifacts is not None
    assert (found.artifacts.discard_paths, found.artifacts.secondary_artifacts["Other"].name) == (True, "b")
    assert found.reports["unit"].file_format == "JUNITXML"


def test_json_is_a_buildspec_too() -> None:
    assert parse('{"version": "0.2", "phases": {"build": {"commands": ["make"]}}}').phases.build.commands == ("make",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a buildspec must be a YAML mapping with the keys version and phases"),
        ("- a\n", "a buildspec must be a YAML mapping with the keys version and phases"),
        ("version: 0.2\n", "phases: missing"),
        ("version: 0.2\nphases: {}\n", "at least one phase needs commands"),
        ("version: 0.2\nphases:\n  build:\n    commands: make\n", "phases.build.commands: must be a list"),
        (MINIMAL + "run-as: root\n", "run-as: not served by the local cloud"),
        (MINIMAL + "artefacts: {}\n", "artefacts: unknown key"),
        (MINIMAL + "    on-failure: RETRY\n", "on-failure: Input should be 'ABORT' or 'CONTINUE', got 'RETRY'"),
        (MINIMAL + "artifacts: {secondary-artifacts: {A: {name: x}}}\n", "secondary-artifacts.A.files: missing"),
        (MINIMAL + "env: {shell: fish}\nbatch: {}\n", "or 'sh', got 'fish'; batch: not served"),
        ("version: 0.2\n\tphases: x\n", "found character '\\t' that cannot start any token at line 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BuildspecError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("one.txt", "a/one.txt", "a/b/two.txt", "a/b/.hidden", "site-1/x.html", "site-2/y.html", "a/b[1].txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"files": ["one.txt"]}, {"one.txt"}),
        ({"files": ["./one.txt"]}, {"one.txt"}),
        ({"files": ["*.txt"]}, {"one.txt"}),
        ({"files": ["**/one.txt"]}, {"one.txt", "a/one.txt"}),
        ({"files": ["a/*"]}, {"a/one.txt", "a/b[1].txt"}),
        ({"files": ["a/**/*"]}, {"a/one.txt", "a/b/two.txt", "a/b/.hidden", "a/b[1].txt"}),
        ({"files": ["a/b/**"]}, {"a/b/two.txt", "a/b/.hidden"}),
        ({"files": ["**/*"], "base-directory": "a/b"}, {"two.txt", ".hidden"}),
        ({"files": ["**/*"], "base-directory": "site-*"}, {"x.html", "y.html"}),
        ({"files": ["a/**/*"], "discard-paths": "yes"}, {"one.txt", "two.txt", ".hidden", "b[1].txt"}),
        ({"files": ["a/**/*"], "exclude-paths": ["a/b/**", "**/*1*"]}, {"a/one.txt"}),
        ({"files": ["one"]}, set()),
    ],
    ids=lambda value: str(value.get("files", "")) if isinstance(value, dict) else "",
)  # fmt: skip
def test_patterns_name_files(tree: Path, given: dict[str, object], expected: set[str]) -> None:
    assert set(select(FileSet.model_validate(given), tree)) == expected


def test_a_base_directory_must_exist(tree: Path) -> None:
    with pytest.raises(NoBaseDirectoryError, match="none"):
        select(FileSet.model_validate({"files": ["*"], "base-directory": "none"}), tree)


def test_secrets_are_hidden_longest_first_and_line_by_line() -> None:
    lines: list[str] = []

    class Sink:
        def write(self, line: str) -> None:
            lines.append(line)

    log = ContainerLog()
    log.write_to(Sink())
    log.hide(["abcd", "abcdef", "first line\nsecond line", "xyz"])
    log.output("abcdef abcd second line; xyz is too short to be a secret")
    log.say("first line")
    assert lines[0] == "*** *** ***; xyz is too short to be a secret"
    assert lines[1].endswith(" ***")
