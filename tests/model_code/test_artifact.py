"""A model artifact is unpacked into its folder alone, and another one than the one that was trained is told."""

import re
from pathlib import Path

import pytest

from model_code.artifact import check_model, model_digest, unpack
from model_code.errors import ConfigurationError, ModelError
from model_code.model_archive import Limits
from tests.model_code.archives import HOSTILE, archive, member

FILES = {"a": b"one", "b/2": b"two"}
DIGEST = "5c0de078168ee18e4d3a16cfb28348bc0b477b54cfa01f2ceaf2df1141b50d72"  # as in test_model_archive.py
OTHER = "ab" * 32


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    return tmp_path / "model"


def packed(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "model.tar.gz").write_bytes(content)
    return tmp_path / "model.tar.gz"


def everything_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


# --- Unpacking ------------------------------------------------------------------------------------------------------


def test_files_are_unpacked_without_the_permissions_that_they_came_with(tmp_path: Path) -> None:
    content = archive(member("./deep/model.ubj", b"model", mode=0o6777), member("a", b"one", mode=0))
    unpack(packed(tmp_path, content), tmp_path / "to")
    assert (tmp_path / "to/deep/model.ubj").read_bytes() == b"model"
    assert (tmp_path / "to/a").read_bytes() == b"one"
    assert {(tmp_path / "to" / name).stat().st_mode & 0o7111 for name in ("a", "deep/model.ubj")} == {0}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing_outside_of_its_folder(tmp_path: Path, kind: str) -> None:
    content, fault = HOSTILE[kind]
    (tmp_path / "in").mkdir()
    with pytest.raises(ModelError, match=f"{re.escape(fault)}|File exists") as refusal:
        unpack(packed(tmp_path, content), tmp_path / "in/to")
    assert str(refusal.value).startswith("the model artifact cannot be unpacked: model.tar.gz")
    assert everything_in(tmp_path)[:1] == ["in"]
    assert [path for path in everything_in(tmp_path) if not path.startswith("in/to")] == ["in", "model.tar.gz"]
    assert not [path for path in (tmp_path / "in").rglob("*") if path.is_symlink() or path.stat().st_nlink > 2]


def test_what_is_there_already_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to/a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="File exists"):
        unpack(packed(tmp_path, archive(member("a", b"one"))), tmp_path / "to")
    assert not (tmp_path / "elsewhere").exists()


def test_limits_are_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'b' is member 2, allowed: at most 1"):
        unpack(packed(tmp_path, archive(member("a"), member("b"))), tmp_path / "to", Limits(members=1))


def test_a_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the model artifact cannot be unpacked: .*model.tar.gz"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "to")


# --- Digests --------------------------------------------------------------------------------------------------------


def test_the_digest_is_of_names_and_contents_and_of_nothing_else(model_dir: Path) -> None:
    (model_dir / "empty folder").mkdir()
    (model_dir / "a").chmod(0o600)
    assert model_digest(model_dir) == DIGEST


def test_what_is_unpacked_has_the_digest_of_what_was_packed(tmp_path: Path) -> None:
    members = [member(name, content) for name, content in reversed(FILES.items())]
    unpack(packed(tmp_path, archive(*members)), tmp_path / "to")
    assert model_digest(tmp_path / "to") == DIGEST


def test_the_model_that_was_trained_passes(model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_model(model_dir, DIGEST) == DIGEST
    assert capsys.readouterr().out == f"the model's files have the SHA-256 {DIGEST}, as they must\n"


@pytest.mark.parametrize(
    ("name", "content"), [("a", b"onf"), ("c", b""), ("b/3", b"two")], ids=["changed", "added", "added below"]
)
def test_another_model_is_refused_with_both_digests(model_dir: Path, name: str, content: bytes) -> None:
    (model_dir / name).write_bytes(content)
    got = model_digest(model_dir)
    with pytest.raises(ModelError) as refusal:
        check_model(model_dir, DIGEST)
    assert str(refusal.value) == (
        f"the model's files have the SHA-256 {got}, but those that were trained have {DIGEST} (SLIPWAY_MODEL_SHA256): "
        "the model artifact was changed or replaced; find out by whom, and train again"
    )


def test_a_file_that_is_gone_is_another_model(model_dir: Path) -> None:
    (model_dir / "a").unlink()
    with pytest.raises(ModelError, match=f"but those that were trained have {DIGEST}"):
        check_model(model_dir, DIGEST)


def test_no_files_at_all_are_another_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"but those that were trained have {OTHER}"):
        check_model(tmp_path / "model", OTHER)


def test_without_a_digest_any_model_passes_with_a_warning(model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_model(model_dir, None) == DIGEST
    assert capsys.readouterr().out.startswith("WARNING: SLIPWAY_MODEL_SHA256 is not set, so this can be any model; its")


@pytest.mark.parametrize(
    "value", ["", "none", DIGEST[:-1], f"{DIGEST}0", DIGEST.upper(), f"{DIGEST}\n", "sha256:" + DIGEST], ids=repr
)
def test_a_digest_that_is_none_is_refused_and_does_not_pass_as_not_given(model_dir: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match="SLIPWAY_MODEL_SHA256 must be 64 hexadecimal digits in lower case"):
        check_model(model_dir, value)


@pytest.mark.parametrize("target", ["a", "/etc/passwd", "nowhere", "."], ids=["inside", "outside", "nowhere", "folder"])
def test_a_link_is_no_part_of_a_model(model_dir: Path, target: str) -> None:
    (model_dir / "link").symlink_to(target)
    with pytest.raises(ModelError, match="must consist of files and folders alone, 'link' is neither"):
        check_model(model_dir, DIGEST)


def test_a_name_that_could_be_read_as_two_lines_of_the_list_is_refused(model_dir: Path) -> None:
    (model_dir / f"a\n{OTHER}  b").write_bytes(b"one")
    with pytest.raises(ModelError, match="must be of printable characters without a backslash"):
        check_model(model_dir, DIGEST)
