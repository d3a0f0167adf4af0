from pathlib import Path

import polars as pl
import pytest

from slipway.example_data import write_example


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("example")
    files = write_example(directory, range(1, 4))
    assert [file.relative_to(directory).as_posix() for file in files] == [
        "flights/2013-01.parquet", "weather/2013-01.parquet",
        "flights/2013-02.parquet", "weather/2013-02.parquet",
        "flights/2013-03.parquet", "weather/2013-03.parquet",
    ]  # fmt: skip
    return directory


def test_every_flight_of_a_month_is_in_its_file(example: Path) -> None:
    months = [pl.read_parquet(example / f"flights/2013-0{month}.parquet") for month in (1, 2, 3)]
    assert [month.height for month in months] == [27_004, 24_951, 28_834]
    assert months[1]["month"].unique().to_list() == [2]
    assert months[0].width == 19


def test_missing_values_are_missing_and_times_are_times(example: Path) -> None:
    flights = pl.read_parquet(example / "flights/2013-02.parquet")
    assert flights["arr_delay"].dtype == pl.Int64
    assert flights["arr_delay"].null_count() > 0
    assert flights["time_hour"].dtype == pl.Datetime("us", "UTC") == pl.read_parquet(
        example / "weather/2013-02.parquet"
    )["time_hour"].dtype  # fmt: skip


def test_nearly_every_flight_finds_the_weather_of_its_hour(example: Path) -> None:
    flights, weather = (pl.read_parquet(example / name / "*.parquet") for name in ("flights", "weather"))
    with_weather = flights.join(weather, on=["origin", "time_hour"], how="semi")
    assert with_weather.height / flights.height > 0.99


def test_the_same_months_give_the_same_bytes_and_a_later_month_is_a_new_file(example: Path, tmp_path: Path) -> None:
    for file in write_example(tmp_path, [4, 3]):
        earlier = example / file.relative_to(tmp_path)
        assert file.read_bytes() == earlier.read_bytes() if "2013-03" in file.name else not earlier.exists()


@pytest.mark.parametrize("months", [[], [0, 1], [13]], ids=["none", "before January", "after December"])
def test_a_month_that_does_not_exist_is_refused(tmp_path: Path, months: list[int]) -> None:
    with pytest.raises(ValueError, match="months must be from 1 to 12, at least one"):
        write_example(tmp_path, months)
