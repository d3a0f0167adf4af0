"""A sample of a split: at most so many records, from all of it, always the same ones."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from pipeline_steps.errors import DocumentError
from pipeline_steps.sample_model import take_sample


@pytest.mark.parametrize(
    ("size", "most", "taken"),
    [(10, 10, 10), (9, 10, 9), (11, 10, 10), (1000, 7, 7), (20, 10, 10), (0, 10, 0), (1, 1, 1)],
)
def test_a_sample_has_at_most_so_many_records_from_all_of_the_split(
    tmp_path: Path, size: int, most: int, taken: int
) -> None:
    pl.DataFrame(
        {"number": range(size), "text": ["x"] * size}, schema={"number": pl.Int64, "text": pl.String}
    ).write_parquet(tmp_path / "whole.parquet")
    assert take_sample(tmp_path / "whole.parquet", tmp_path / "a/sample.parquet", most) == (size, taken)
    sample = pl.read_parquet(tmp_path / "a/sample.parquet")
    numbers = sample["number"].to_list()
    assert (sample.columns, len(numbers), numbers == sorted(set(numbers))) == (["number", "text"], taken, True)
    gaps = {after - before for before, after in pairwise(numbers)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    take_sample(tmp_path / "whole.parquet", tmp_path / "b/sample.parquet", most)
    assert (tmp_path / "b/sample.parquet").read_bytes() == (tmp_path / "a/sample.parquet").read_bytes()


def test_a_split_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(DocumentError, match="the split train cannot be read"):
        take_sample(tmp_path / "train.parquet", tmp_path / "a/sample.parquet", 10)
