"""Model archives: the same bytes for the same files, and no trust in what is unpacked."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from local_cloud.sagemaker.archives import pack, unpack
from tests.model_code.archives import HOSTILE


def make_archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_the_same_files_give_the_same_bytes_and_come_back(tmp_path: Path) -> None:
    archives = []
    for turn in ("first", "second"):
        folder = tmp_path / turn
        (folder / "deep").mkdir(parents=True)
        names = ["b.txt", "a.txt", "deep/c.txt"]
        for name in names if turn == "first" else reversed(names):
            (folder / name).write_text(name)
            os.utime(folder / name, (len(archives) * 1000, len(archives) * 1000))
        archives.append(tmp_path / f"{turn}.tar.gz")
        pack(folder, archives[-1])

    assert archives[0].read_bytes() == archives[1].read_bytes()
    unpack(archives[0], tmp_path / "again")
    assert (tmp_path / "again" / "deep" / "c.txt").read_text() == "deep/c.txt"


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.SYMTYPE
    member.linkname = target
    return member


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.TarInfo("../outside.txt"), b"x")],
        [(tarfile.TarInfo("model/../../outside.txt"), b"x")],
        [(link("out", ".."), b""), (tarfile.TarInfo("out/outside.txt"), b"x")],
        [(link("passwords", "/etc/passwd"), b"")],
    ],
    ids=["above", "above from below", "through a link", "a link to elsewhere"],
)
def test_an_archive_that_reaches_out_of_its_folder_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    archive = make_archive(tmp_path / "model.tar.gz", *members)
    with pytest.raises(ValueError, match=r"outside|absolute"):
        unpack(archive, tmp_path / "model")
    assert not (tmp_path / "outside.txt").exists()


def test_an_archive_that_grows_too_large_is_refused(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "model.tar.gz", (tarfile.TarInfo("zeros"), bytes(1_000_001)))
    assert archive.stat().st_size < 10_000
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        unpack(archive, tmp_path / "model", maximum_bytes=1_000_000)


def test_headers_that_describe_headers_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(HOSTILE["headers of headers"][0])
    with pytest.raises(ValueError, match="recursion"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "model")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03broken"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "model")
