from pathlib import Path

import pytest

from model_code.files import write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    write_whole(file, b"{}")
    write_whole(file, b"[]")
    assert file.read_bytes() == b"[]"
    assert list(tmp_path.iterdir()) == [file]


def test_a_writing_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evaluation.json"
    write_whole(file, b"{}")

    def full(path: Path, content: bytes) -> None:
        path.open("wb").close()
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(file, b"[]")
    assert file.read_text() == "{}"
