import io
import tarfile
from pathlib import Path

import pytest

from model_code.errors import ModelError
from model_code.evaluate import unpack


def write_archive(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def test_files_and_directories_are_unpacked(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", (tarfile.TarInfo("./deep/model.ubj"), b"model"))
    unpack(archive, tmp_path / "to", 5)
    assert (tmp_path / "to/deep/model.ubj").read_bytes() == b"model"


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../outside"), tarfile.TarInfo("a/../../outside"),
        link("inside", "../outside"), link("a", "/etc/passwd"),
    ],
    ids=["parent", "parent of a part", "link out", "absolute link"],
)  # fmt: skip
def test_an_archive_that_reaches_out_of_the_directory_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", (member, b""))
    (tmp_path / "to").mkdir()
    with pytest.raises(ModelError, match=r"artifact model.tar.gz cannot be unpacked"):
        unpack(archive, tmp_path / "to", 100)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["model.tar.gz", "to"]


def test_an_absolute_name_stays_inside(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", (tarfile.TarInfo("/absolute"), b"model"))
    unpack(archive, tmp_path / "to", 100)
    assert (tmp_path / "to/absolute").read_bytes() == b"model"


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_written(tmp_path: Path) -> None:
    small, large = (tarfile.TarInfo("small"), b"ab"), (tarfile.TarInfo("large"), b"0" * 10_000_000)
    archive = write_archive(tmp_path / "model.tar.gz", small, large)
    assert archive.stat().st_size < 20_000
    with pytest.raises(ModelError, match="must unpack to at most 10,000,001 bytes"):
        unpack(archive, tmp_path / "to", 10_000_001)
    assert not (tmp_path / "to/large").exists()
    unpack(archive, tmp_path / "to", 10_000_002)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"], ids=["empty", "text", "broken gzip"]
)
def test_a_broken_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(ModelError, match=r"artifact model.tar.gz cannot be unpacked"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "to", 100)


def test_an_archive_cut_short_is_told(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.tar.gz", (tarfile.TarInfo("model"), bytes(range(256)) * 400))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "to", 10**9)


def test_a_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"artifact model.tar.gz cannot be unpacked"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "to", 100)
