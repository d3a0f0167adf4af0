"""A source's zip file, whoever packed it, is unpacked into its folder and nowhere else."""

import stat
import zipfile
from pathlib import Path

import pytest

from local_cloud.codebuild.source import unpack

LINK = stat.S_IFLNK | 0o777


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "below" / "source"
    folder.mkdir(parents=True)
    return folder


def packed(folder: Path, *entries: tuple[str, str, int]) -> Path:
    """A zip file of names, contents and modes, as they are."""
    archive = folder.parents[1] / "source.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for name, text, mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            content.NameToInfo.pop(name, None)  # which would warn of a name that is there twice
            content.writestr(entry, text)
    return archive


def outside(folder: Path) -> list[str]:
    """What there is beside the folder and the zip file."""
    everything = {path for path in folder.parents[1].rglob("*") if not path.is_relative_to(folder)}
    return sorted(path.name for path in everything - {folder.parent, folder.parents[1] / "source.zip"})


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "two\nlines",
        "'quoted' \"twice\"",
        "$(touch canary)",
        "`touch canary`",
        "; touch canary",
        "--output=canary",
        "-rf",
        "~",
        "*",
        "back\\slash",
        "\x1b[2J",
        "Z\u00fcrich",
        "... /..x/...",
    ],
)
def test_a_name_that_means_something_to_a_shell_is_a_name(folder: Path, name: str) -> None:
    unpack(packed(folder, (name, "content", 0o644)), folder)

    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == [name]
    assert outside(folder) == []


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", "x", 0o644)],
        [("a/../../evil", "x", 0o644)],
        [("/nowhere/evil", "x", 0o644)],
        [("../evil/", "", 0o40755)],
        [("passwords", "/etc/passwd", LINK)],
        [("up", "..", LINK)],
        [("up", "../../..", LINK), ("up/evil", "x", 0o644)],
        [("a/up", "../..", LINK)],
        [("up", "later/..", LINK), ("later", ".", LINK)],
        [("up", "later/..", LINK), ("later", ".", LINK), ("up/evil", "x", 0o644)],
        [("evil", "../evil", LINK), ("evil", "x", 0o644)],
    ],
    ids=[
        "above",
        "above from below",
        "absolute",
        "a folder above",
        "a link to a file elsewhere",
        "a link above",
        "through a link",
        "a link from below",
        "a link that a later one turns",
        "through a link that a later one turns",
        "a file in a link's place",
    ],
)
def test_what_would_lie_or_lead_outside_is_refused(folder: Path, entries: list[tuple[str, str, int]]) -> None:
    with pytest.raises(ValueError, match="leads out of the archive"):
        unpack(packed(folder, *entries), folder)

    assert outside(folder) == []
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize(
    "entries",
    [
        [("a", "b", LINK), ("b", "a", LINK), ("a/x", "x", 0o644)],
        [("a", "x", 0o644), ("a", "b", LINK)],
        [("a", "x", 0o644), ("a/b", "x", 0o644)],
        [("x" * 300, "x", 0o644)],
    ],
    ids=["links in a circle", "a link in a file's place", "a file below a file", "a name that is too long"],
)
def test_entries_in_each_others_way_are_an_error_and_lead_nowhere(
    folder: Path, entries: list[tuple[str, str, int]]
) -> None:
    with pytest.raises((OSError, RuntimeError)):
        unpack(packed(folder, *entries), folder)

    assert outside(folder) == []


def test_links_within_the_archive_stay(folder: Path) -> None:
    unpack(packed(folder, ("a/file", "x", 0o644), ("b/link", "../a/file", LINK), ("c", "a", LINK)), folder)

    assert (folder / "b/link").read_text() == (folder / "c/file").read_text() == "x"
