"""The steps' digest of what lies in S3 is the one that the container reckons of the files it got."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_code.artifact import DIGEST_VARIABLE, model_digest, unpack
from pipeline_steps import model_artifact
from pipeline_steps.aws import Aws
from pipeline_steps.errors import ArtifactError, NotFoundError
from pipeline_steps.model_archive import Limits
from pipeline_steps.model_artifact import CLOCKS_DIFFER, read_digests
from tests.model_code.archives import HOSTILE, archive, member
from tests.pipeline_steps.doubles import BUCKET

URI = f"s3://{BUCKET}/models/model.tar.gz"
ENDED = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _bucket(bucket: str) -> None:
    """There is a bucket."""


def put(aws: Aws, content: bytes) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key="models/model.tar.gz", Body=content)


@pytest.mark.parametrize(
    "files",
    [
        {"model.ubj": b"model" * 1_000_000, "categories.json": b"{}"},
        {"b": b"2", "a/b": b"1", "a.b": b"3", "a b": b"4", "Z": b"5"},
        {"ü": b"1", "ž/é": b"2", "😀": b"3", "ﾡ": b"4"},
        {"empty": b""},
    ],
    ids=["model", "order", "beyond ASCII", "empty"],
)
def test_the_container_and_the_steps_mean_the_same_digest(aws: Aws, tmp_path: Path, files: dict[str, bytes]) -> None:
    content = archive(*(member(f"./{name}", content) for name, content in files.items()))
    put(aws, content)
    (tmp_path / "model.tar.gz").write_bytes(content)
    unpack(tmp_path / "model.tar.gz", tmp_path / "model")

    digests = read_digests(aws, URI, ENDED)

    assert digests.model == model_digest(tmp_path / "model")
    assert digests.archive == hashlib.sha256(content).hexdigest()


def test_the_digest_does_not_depend_on_how_the_files_were_packed(aws: Aws) -> None:
    found = set()
    for members in (
        [member("a", b"1"), member("b", b"2", mode=0o600, mtime=7)],
        [member("./b", b"2"), member("./a", b"1", uname="x")],
    ):
        put(aws, archive(*members))
        found.add(read_digests(aws, URI, ENDED).model)

    assert len(found) == 1


def test_both_know_the_variable_by_the_same_name() -> None:
    assert model_artifact.DIGEST_VARIABLE == DIGEST_VARIABLE


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_with_its_place(aws: Aws, kind: str) -> None:
    content, fault = HOSTILE[kind]
    put(aws, content)

    with pytest.raises(ArtifactError, match=re.escape(fault)) as refusal:
        read_digests(aws, URI, ENDED)

    assert str(refusal.value).startswith(f"the model artifact cannot be used: {URI}")


def test_limits_are_kept(aws: Aws) -> None:
    put(aws, archive(member("a"), member("b")))

    with pytest.raises(ArtifactError, match="'b' is member 2, allowed: at most 1"):
        read_digests(aws, URI, ENDED, Limits(members=1))


def test_an_artifact_that_is_not_there_is_named(aws: Aws) -> None:
    with pytest.raises(NotFoundError, match=f"could not read {URI}: NoSuchKey"):
        read_digests(aws, URI, ENDED)


def test_what_was_written_after_the_job_has_ended_is_refused(aws: Aws) -> None:
    put(aws, archive(member("a")))
    written = aws.s3.head_object(Bucket=BUCKET, Key="models/model.tar.gz")["LastModified"]

    read_digests(aws, URI, written - CLOCKS_DIFFER)
    with pytest.raises(ArtifactError, match=f"{URI} was written at .*, but its training job ended at .*: somebody has"):
        read_digests(aws, URI, written - CLOCKS_DIFFER - timedelta(seconds=1))
