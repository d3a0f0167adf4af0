"""Where objects are put in a container's folder."""

import pytest

from local_cloud.sagemaker.errors import TransferError
from local_cloud.sagemaker.s3_content import S3Location, relative_key


@pytest.mark.parametrize(
    ("prefix", "key", "expected"),
    [
        ("data/train/", "data/train/a.csv", "a.csv"),
        ("data/train", "data/train/deep/a.csv", "deep/a.csv"),
        ("data/train/a.csv", "data/train/a.csv", "a.csv"),
        ("data/tra", "data/train/a.csv", "train/a.csv"),
        ("", "data/a.csv", "data/a.csv"),
    ],
    ids=["a folder", "a folder without its slash", "a whole key", "the start of a name", "the whole bucket"],
)
def test_an_object_is_put_below_its_prefix(prefix: str, key: str, expected: str) -> None:
    assert relative_key(prefix, key) == expected


@pytest.mark.parametrize(
    ("uri", "location"),
    [("s3://b/k/a", S3Location("b", "k/a")), ("s3://b", S3Location("b", "")), ("s3://b/", S3Location("b", ""))],
)
def test_an_uri_names_a_bucket_and_a_key(uri: str, location: S3Location) -> None:
    assert S3Location.parse(uri) == location
    assert str(location / "x").startswith("s3://b/")
    assert "//" not in str(location / "x").removeprefix("s3://")


@pytest.mark.parametrize("uri", ["https://b/k", "s3:///k", "b/k", ""])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(TransferError, match="is not an S3 URI"):
        S3Location.parse(uri)
