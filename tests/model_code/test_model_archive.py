"""Archives are read within limits that count what is read, whatever their headers say."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from model_code import model_archive
from model_code.model_archive import ArchiveError, Limits, checked_path, digest_of, read_files
from tests.model_code.archives import HOSTILE, archive, fuzzed, member, tar

NAME = "model.tar.gz"


class Stream(io.BytesIO):
    """What comes from S3: it can neither be wound back nor told how far it was read."""

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")

    tell = seek  # type: ignore[assignment]


def read(content: bytes, limits: Limits = model_archive.LIMITS) -> dict[str, bytes]:
    return {str(path): b"".join(blocks) for path, blocks in read_files(Stream(content), NAME, limits)}


def test_files_come_with_their_paths_and_contents() -> None:
    folder = member("./deep", type=tarfile.DIRTYPE)
    content = archive(member(".", type=tarfile.DIRTYPE), folder, member("./deep/a b.ubj", b"model" * 1000), member("ü"))
    assert read(content) == {"deep/a b.ubj": b"model" * 1000, "ü": b""}


def test_a_content_that_is_left_alone_is_passed_over() -> None:
    content = archive(member("a", b"one" * 1000), member("b", b"two"))
    assert [str(path) for path, _ in read_files(Stream(content), NAME)] == ["a", "b"]


def test_a_content_that_is_asked_for_too_late_is_an_error_and_not_another_files() -> None:
    (_, first), _ = read_files(Stream(archive(member("a", b"one"), member("b", b"two"))), NAME)
    with pytest.raises(ArchiveError, match=r"has its content at byte 512, allowed: [0-9,]+ or more"):
        next(first)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_forms_of_tar_are_read(form: int) -> None:
    written = io.BytesIO()
    name = f"{'a' * 80}/{'b' * 90}"
    with tarfile.open(fileobj=written, mode="w:gz", format=form) as made:
        info, content = member(name, b"model")
        made.addfile(info, io.BytesIO(content))
    assert read(written.getvalue()) == {name: b"model"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_with_its_name_and_what_is_wrong(kind: str) -> None:
    content, fault = HOSTILE[kind]
    with pytest.raises(ArchiveError) as refusal:
        read(content)
    assert str(refusal.value).startswith(NAME)
    assert fault in str(refusal.value)
    assert len(str(refusal.value)) < 300
    assert str(refusal.value).isprintable()


def test_as_many_members_as_allowed_are_read_and_one_more_is_refused() -> None:
    members = [member(f"shard-{number}") for number in range(4)]
    assert len(read(archive(*members[:3]), Limits(members=3))) == 3
    with pytest.raises(ArchiveError, match=r"model.tar.gz: 'shard-3' is member 4, allowed: at most 3"):
        read(archive(*members), Limits(members=3))


def test_as_many_bytes_as_allowed_are_read_and_one_more_is_refused() -> None:
    content = archive(member("a", b"0" * 10_000_000))
    whole = len(tar(member("a", b"0" * 10_000_000)))
    assert len(content) < 20_000
    assert len(read(content, Limits(unpacked_bytes=whole))["a"]) == 10_000_000
    with pytest.raises(ArchiveError, match=rf"has {whole:,} bytes unpacked, allowed: at most {whole - 1:,}"):
        read(content, Limits(unpacked_bytes=whole - 1))


def test_a_file_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    files = read_files(Stream(archive(member("a", b"ab"), member("b", b"0" * 1000))), NAME, Limits(unpacked_bytes=2535))
    assert str(next(files)[0]) == "a"
    with pytest.raises(ArchiveError, match=r"'b' is of 1,000 bytes, up to byte 2,536, allowed: 0 or more, up to 2,535"):
        next(files)


@pytest.mark.parametrize(
    "content",
    [archive(member("a")) + gzip.compress(bytes(50_000_000)), archive(member("a", b"0" * 50_000_000))],
    ids=["after the end", "in a file"],
)
def test_a_bomb_is_left_as_soon_as_it_is_too_large(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []

    class Counted(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            unpacked.append(super().read(size))
            return unpacked[-1]

    monkeypatch.setattr(model_archive.gzip, "GzipFile", Counted)  # type: ignore[attr-defined]
    with pytest.raises(ArchiveError, match=r"allowed: (at most|0 or more, up to) 3,000,000"):
        read(content, Limits(unpacked_bytes=3_000_000))
    assert sum(map(len, unpacked)) < 3_000_000 + 2 * model_archive.LARGEST_HEADER_BYTES


def test_whatever_is_broken_in_a_header_is_read_or_refused() -> None:
    plain = tar(member("a", b"model"), member("b" * 120, b"more"))
    outcomes = set()
    for number in range(1000):
        try:
            outcomes.add(len(read(fuzzed(plain, number))))
        except ArchiveError:
            outcomes.add(-1)
    assert outcomes <= {-1, 1, 2}
    assert -1 in outcomes


def test_the_digest_is_what_sha256sum_says_of_its_list_of_the_files() -> None:
    """What this gives: find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in (("b/2", b"two"), ("a", b"one"))}
    assert digest_of(digests) == "5c0de078168ee18e4d3a16cfb28348bc0b477b54cfa01f2ceaf2df1141b50d72"


def test_the_digest_tells_names_and_contents_apart() -> None:
    one, two = "11" * 32, "22" * 32
    assert (
        len({digest_of(files) for files in ({"a": one, "b": two}, {"a": two, "b": one}, {"a": one}, {"b": one})}) == 4
    )


@pytest.mark.parametrize("name", ["a" * 255, "a b", "ü", "..a", "a.."])
def test_a_path_may_be_as_file_systems_have_it(name: str) -> None:
    assert checked_path(name) == PurePosixPath(name)


def test_both_copies_of_the_module_are_the_same() -> None:
    root = Path(__file__).parents[2]
    texts = {(root / package / "model_archive.py").read_text() for package in ("model_code", "pipeline_steps")}
    assert len(texts) == 1, "edit both: model_code/model_archive.py and pipeline_steps/model_archive.py"
