import pickle
from pathlib import Path

import polars as pl
import pytest

from model_code.errors import DataError
from model_code.failure import reason_for
from model_code.tables import read_table


def write(file: Path, **columns: list[object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(file)


def test_files_are_read_in_the_order_of_their_names_and_only_what_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "t/2.parquet", a=[3], b=[0], c=[0])
    write(tmp_path / "t/1.parquet", b=[0, 0], a=[1, 2])
    assert read_table(tmp_path, "t/*.parquet", ["a"]).to_dict(as_series=False) == {"a": [1, 2, 3]}


def test_a_missing_file_is_told_with_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "flight/1.parquet", a=[1])
    with pytest.raises(DataError, match=r"no file flights/\*.parquet \(there is flight\): upload it below data.prefix"):
        read_table(tmp_path, "flights/*.parquet", ["a"])


def test_a_missing_column_is_told_with_the_file_and_its_columns(tmp_path: Path) -> None:
    write(tmp_path / "t/1.parquet", a=[1], b=[1])
    write(tmp_path / "t/2.parquet", a=[1], bb=[1])
    with pytest.raises(DataError, match=r"the raw file t/2.parquet lacks the column b \(it has a, bb\)"):
        read_table(tmp_path, "t/*.parquet", ["a", "b"])


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "1.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"the raw file 1.parquet cannot be read as parquet"):
        read_table(tmp_path, "*.parquet", ["a"])


def test_a_column_of_two_types_is_told(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", a=[1])
    write(tmp_path / "2.parquet", a=["1"])
    with pytest.raises(DataError, match="a column changes its type"):
        read_table(tmp_path, "*.parquet", ["a"])


def test_files_without_rows_are_told(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", a=[])
    with pytest.raises(DataError, match=r"the raw files \*.parquet have no rows"):
        read_table(tmp_path, "*.parquet", ["a"])


HOSTILE_COLUMNS = [
    "^.*$",
    "*",
    "a\nvalidation:roc_auc=1",
    "\x1b[2J",
    "__class__",
    "../../a",
    "eval(1)",
    "",
    "{0}",
    "%s",
]


def test_other_columns_are_left_alone_whatever_their_names_are(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", a=[1], **{name: [0] for name in HOSTILE_COLUMNS})
    write(tmp_path / "2.parquet", a=[2])
    assert read_table(tmp_path, "*.parquet", ["a"]).to_dict(as_series=False) == {"a": [1, 2]}


def test_the_names_of_columns_make_no_second_line_of_a_reason(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", **{name: [0] for name in HOSTILE_COLUMNS})
    with pytest.raises(DataError) as error:
        read_table(tmp_path, "*.parquet", ["a"])
    assert len(reason_for(error.value).splitlines()) == 1


def test_an_arrow_extension_is_read_as_nothing_but_a_name(tmp_path: Path) -> None:
    """What it carries could be a pickle, which a library that knows the extension would load."""
    trace = tmp_path / "it ran"
    malicious = f"cos\nmkdir\n(V{trace}\ntR."
    pickle.loads(malicious.encode())  # noqa: S301 - the test's own: it does harm when it is loaded
    trace.rmdir()
    extension = pl.Extension("arrow.py_extension_type", pl.Int64(), malicious)
    pl.DataFrame({"a": pl.Series([1]).ext.to(extension), "b": [1]}).write_parquet(tmp_path / "1.parquet")
    assert isinstance(read_table(tmp_path, "*.parquet", ["a", "b"]).schema["a"], pl.BaseExtension)
    assert not trace.exists()
