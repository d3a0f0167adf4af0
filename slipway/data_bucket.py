"""Put the example's data into the data bucket, once."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from slipway.target import Target

DEMO_MONTHS = (1, 2, 3)


def is_empty(target: Target, bucket: str, prefix: str) -> bool:
    """Whether nothing lies below a prefix."""
    return not target.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0)


def put_example(target: Target, bucket: str, prefix: str, months: Iterable[int] = DEMO_MONTHS) -> int:
    """Upload the example's flights and weather of some months; returns the number of files."""
    from slipway.example_data import write_example  # polars: not for every command

    with tempfile.TemporaryDirectory() as folder:
        files = write_example(Path(folder), months)
        for file in files:
            key = prefix + file.relative_to(folder).as_posix()
            target.client("s3").upload_file(str(file), bucket, key)
    return len(files)
