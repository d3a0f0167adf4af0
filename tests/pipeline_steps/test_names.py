"""Names are legal in AWS, whatever the project and the execution are called."""

import re

import pytest

from pipeline_steps import names
from pipeline_steps.errors import UsageError
from pipeline_steps.inputs import StepInputs
from tests.pipeline_steps.doubles import COMMIT_ID, EXECUTION_ID, IMAGE_URI

JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def test_a_job_is_named_after_project_role_and_execution() -> None:
    assert names.job_name("flight-delays", "train", EXECUTION_ID) == "flight-delays-train-0f9e8d7c"


@pytest.mark.parametrize(("attempt", "name"), [(1, "job"), (2, "job-2"), (11, "job-11")])
def test_the_first_attempt_has_the_plain_name(attempt: int, name: str) -> None:
    assert names.attempt_name("job", attempt) == name


def test_the_longest_name_is_legal() -> None:
    name = names.attempt_name(names.job_name("a" * 24, "evaluate-challenger", EXECUTION_ID), 999)

    assert JOB_NAME.fullmatch(name)


def test_an_execution_keeps_what_it_makes_apart() -> None:
    assert names.dataset_uri("data", EXECUTION_ID) == f"s3://data/datasets/{EXECUTION_ID}/"
    assert names.models_uri("data", EXECUTION_ID) == f"s3://data/models/{EXECUTION_ID}/"
    assert names.evaluation_uri("data", EXECUTION_ID, "champion") == f"s3://data/evaluations/{EXECUTION_ID}/champion/"


def test_a_digest_is_shown_short() -> None:
    assert names.digest(IMAGE_URI) == f"sha256:{'a1' * 32}"
    assert names.short_digest(IMAGE_URI) == "sha256:a1a1a1a1a1a1"


@pytest.mark.parametrize(
    "execution_id",
    [
        "",
        "0f9e8d7c",
        "../../models",
        f"{EXECUTION_ID}/..",
        f"{EXECUTION_ID}\n",
        EXECUTION_ID.upper(),
        "0f9e8d7c; rm -rf .",
    ],
)
def test_an_execution_id_that_could_lead_elsewhere_is_refused(execution_id: str) -> None:
    with pytest.raises(UsageError, match="EXECUTION_ID must be the id of a pipeline execution"):
        StepInputs(execution_id=execution_id, commit_id=COMMIT_ID)


@pytest.mark.parametrize("commit_id", ["", "-f", ".hidden", "a b", "main@{1}", "a/b", "x" * 129, "abc\n"])
def test_a_commit_id_that_cannot_be_a_tag_is_refused(commit_id: str) -> None:
    with pytest.raises(UsageError, match="COMMIT_ID must be usable as an image tag"):
        StepInputs(execution_id=EXECUTION_ID, commit_id=commit_id)
