"""A pull request is tested, its model is trained on a sample and compared with the champion, and a comment says so.

The code of the pull request is a small package that writes what the container would.
"""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline_steps.aws import Aws
from pipeline_steps.errors import BranchCodeError, NotFoundError
from pipeline_steps.steps import judge_pull_request
from settings import Settings
from tests.pipeline_steps.codecommit_double import AUTHOR, FakeCodeCommit
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    put_json,
    script,
    serve_model_package,
)

PRODUCTION = "flight-delays-production"
CHAMPIONS_EXECUTION = "11111111-2222-3333-4444-555555555555"
DATASET = f"s3://{BUCKET}/datasets/{CHAMPIONS_EXECUTION}/"
CHAMPION_SHA256 = "c4" * 32
RECORDS = 1500

# Trains by remembering what it was given; the predictions are those of the test.
MODEL_CODE = """
import json, os, pathlib, shutil, sys
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
print(sys.argv[1], "with the code of the branch")
if sys.argv[1] == "train":
    (base / "model").mkdir()
    given = {"hyperparameters": json.loads((base / "input/config/hyperparameters.json").read_text())}
    given["channels"] = sorted(str(path.relative_to(base)) for path in base.glob("input/data/*/*"))
    (base / "model/model.json").write_text(json.dumps(given))
    pathlib.Path("given.json").write_text(json.dumps(given))
else:
    assert (base / "processing/input/model/model.tar.gz").is_file()
    assert (base / "processing/input/holdout/records.parquet").is_file()
    shutil.copytree("evaluation", base / "processing/output/evaluation")
    pathlib.Path("arguments.json").write_text(json.dumps(sys.argv[1:]))
"""


def evaluation(distance: float, sha256: str, *, records: int = RECORDS) -> tuple[bytes, dict[str, Any]]:
    """predictions.npz and evaluation.json; predictions for late and punctual flights are a distance apart."""
    random = np.random.default_rng(3)
    labels = (random.random(records) < 0.3).astype(float)
    predictions = np.clip(0.2 + distance * labels + random.normal(0, 0.1, records), 0, 1)
    file = io.BytesIO()
    np.savez(file, label=labels, prediction=predictions)
    return file.getvalue(), {"task": "binary", "metrics": {}, "rows": records, "model_sha256": sha256}


@pytest.fixture
def branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pull request's working tree: good tests, and a model like the champion."""
    folder = tmp_path / "branch"
    predictions, scores = evaluation(0.15, "d5" * 32)
    files = {
        "model_code/__init__.py": "", "model_code/__main__.py": MODEL_CODE,
        "tests/model_code/test_it.py": "def test_it() -> None: ...\n",
        "tests/model_code/summary.py": "print('1 tests passed, 90 % of lines covered')\n",
        "evaluation/evaluation.json": json.dumps(scores),
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "evaluation/predictions.npz").write_bytes(predictions)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def codecommit(monkeypatch: pytest.MonkeyPatch) -> FakeCodeCommit:
    client = FakeCodeCommit()

    def become(aws: Aws, role_arn: str, session_name: str) -> tuple[FakeCodeCommit, str]:
        assert (role_arn, session_name) == ("arn:aws:iam::123456789012:role/commenter", "slipway")
        return client, AUTHOR

    monkeypatch.setattr(Aws, "codecommit_as", become)
    return client


@pytest.fixture
def inputs() -> judge_pull_request.Inputs:
    return judge_pull_request.Inputs(
        execution_id=EXECUTION_ID, commit_id=COMMIT_ID, pull_request_id="7", base_commit_id="b" * 40,
        pull_requests="sample", repository="flight-delays", comment_session="slipway",
        comment_role_arn="arn:aws:iam::123456789012:role/commenter", data_bucket=BUCKET,
        model_package_group="flight-delays", production_endpoint=PRODUCTION, codebuild_build_number="12",
        codebuild_build_arn=f"arn:aws:codebuild:us-east-1:123456789012:build/flight-delays-pull-request:{EXECUTION_ID}",
    )  # fmt: skip


@pytest.fixture
def dataset(aws: Aws, bucket: str) -> None:
    for split in ("train", "validation", "holdout"):
        file = io.BytesIO()
        pl.DataFrame({"number": range(30_000 if split == "train" else 10)}).write_parquet(file)
        key = f"datasets/{CHAMPIONS_EXECUTION}/{split}/records.parquet"
        aws.s3.put_object(Bucket=BUCKET, Key=key, Body=file.getvalue())


@pytest.fixture
def champion(aws: Aws, dataset: None) -> str:
    """The package that production serves, with what its own execution stored."""
    predictions, scores = evaluation(0.12, CHAMPION_SHA256)
    folder = f"evaluations/{CHAMPIONS_EXECUTION}/challenger"
    aws.s3.put_object(Bucket=BUCKET, Key=f"{folder}/predictions.npz", Body=predictions)
    put_json(aws, f"{folder}/evaluation.json", scores)
    return register(aws, served=True, execution=CHAMPIONS_EXECUTION, dataset_uri=DATASET)


def register(aws: Aws, *, served: bool, **metadata: str) -> str:
    endpoint, model_data_uri = PRODUCTION if served else "flight-delays-staging", f"s3://{BUCKET}/older/model.tar.gz"
    digest = {"SLIPWAY_MODEL_SHA256": CHAMPION_SHA256}
    arn = serve_model_package(aws, endpoint, image_uri=IMAGE_URI, model_data_uri=model_data_uri, environment=digest)
    script(aws.sagemaker, "DescribeModelPackage", [{"CustomerMetadataProperties": metadata}])
    return arn


def judge(aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, **changes: str) -> None:
    assert judge_pull_request.run(aws, settings, dataclasses.replace(inputs, **changes)) == {}


def test_the_comment_has_the_report_with_the_champions_numbers_beside_it(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    judge(aws, settings, inputs)
    (text,) = codecommit.texts
    assert text.startswith("**Slipway**, build 12: commit 3b1f6c2a9d8e\n\n1 tests passed, 90 % of lines covered.\n")
    assert "trained in this build on 20,000 of 30,000 records" in text
    assert "An indication, not the verdict" in text
    assert "| roc_auc | " in text
    assert f"beside the champion, version {champion.rpartition('/')[2]}" in text
    build = f"build/flight-delays-pull-request%3A{EXECUTION_ID}/log?region=us-east-1"
    console = "https://us-east-1.console.aws.amazon.com/codesuite/codebuild/123456789012"
    assert f"[The build's log]({console}/projects/flight-delays-pull-request/{build})" in text
    assert len(text) <= 10_240


def test_the_branchs_code_gets_the_hyperparameters_the_sample_and_the_slices(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    judge(aws, settings, inputs)
    given = json.loads((branch / "given.json").read_text())
    assert given["hyperparameters"] == {"trees": "200", "learning_rate": "0.1", "grow": "lossguide", "verbose": "true"}
    assert given["channels"] == ["input/data/train/records.parquet", "input/data/validation/records.parquet"]
    assert json.loads((branch / "arguments.json").read_text()) == ["evaluate"]


def test_the_next_push_updates_the_comment(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    judge(aws, settings, inputs)
    judge(aws, settings, inputs, codebuild_build_number="13", commit_id="e" * 40)
    (text,) = codecommit.texts
    assert text.startswith("**Slipway**, build 13: commit eeeeeeeeeeee\n")


def test_a_model_that_the_gate_would_reject_is_a_judged_one(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    (branch / "evaluation/predictions.npz").write_bytes(evaluation(0.0, "d5" * 32)[0])
    judge(aws, settings, inputs)
    assert "## Judged on this sample: Rejected" in codecommit.texts[0]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("executions", "does not say which execution"),
        ("digest", "is not of the champion"),
        ("records", "the challenger's code scored 1500 records"),
        ("predictions", "could not read"),
    ],
)
def test_a_champion_whose_numbers_are_not_there_is_said_to_be_so(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str, spoil: str, told: str,
) -> None:  # fmt: skip
    folder = f"evaluations/{CHAMPIONS_EXECUTION}/challenger"
    if spoil == "executions":
        metadata = {"execution": "../../secrets", "dataset_uri": DATASET}
        script(aws.sagemaker, "DescribeModelPackage", [{"CustomerMetadataProperties": metadata}])
    elif spoil == "digest":
        put_json(aws, f"{folder}/evaluation.json", evaluation(0.12, "e6" * 32)[1])
    elif spoil == "records":
        predictions, scores = evaluation(0.12, CHAMPION_SHA256, records=10)
        aws.s3.put_object(Bucket=BUCKET, Key=f"{folder}/predictions.npz", Body=predictions)
        put_json(aws, f"{folder}/evaluation.json", scores)
    else:
        aws.s3.delete_object(Bucket=BUCKET, Key=f"{folder}/predictions.npz")
    judge(aws, settings, inputs)
    assert told in codecommit.texts[0].replace("\\", "")


def test_without_a_champion_there_are_numbers_on_the_newest_data_set(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    dataset: None,
) -> None:  # fmt: skip
    register(aws, served=False, dataset_uri=DATASET)
    judge(aws, settings, inputs)
    assert "no champion to compare with" in codecommit.texts[0]
    assert "trained in this build on 20,000 of 30,000 records" in codecommit.texts[0]


def test_before_there_is_any_data_set_only_the_tests_are_run(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    bucket: str,
) -> None:  # fmt: skip
    aws.sagemaker.create_model_package_group(ModelPackageGroupName="flight-delays")
    judge(aws, settings, inputs)
    assert "There is no data set yet" in codecommit.texts[0]
    assert not (branch / "given.json").exists()


def test_where_the_settings_ask_for_tests_alone_nothing_is_read_from_aws(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit
) -> None:
    judge(aws, settings, inputs, pull_requests="tests")
    (text,) = codecommit.texts
    assert "1 tests passed" in text
    assert not (branch / "given.json").exists()
    assert (branch / "reports/junit.xml").is_file()


def test_tests_that_fail_are_told_with_their_last_lines(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit
) -> None:
    (branch / "tests/model_code/test_it.py").write_text("def test_it() -> None:\n    assert 6 * 7 == 41\n")
    with pytest.raises(BranchCodeError, match="the run of the tests failed with exit code 1"):
        judge(aws, settings, inputs)
    (text,) = codecommit.texts
    assert "**Failed:** the run of the tests failed with exit code 1. The last lines:" in text
    assert "assert (6 * 7) == 41" in text
    assert not (branch / "given.json").exists()


def test_a_training_that_fails_is_told_and_its_lines_cannot_leave_their_block(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    program = "raise SystemExit('```\\n# **Approved by everyone**\\x1b[2J' + 'x' * 9000)\n"
    (branch / "model_code/__main__.py").write_text(program)
    with pytest.raises(BranchCodeError, match="the training failed with exit code 1"):
        judge(aws, settings, inputs)
    (text,) = codecommit.texts
    assert "**Failed:** the training failed with exit code 1" in text
    assert text.count("```") == 2
    assert "\x1b" not in text
    assert len(text) <= 10_240


def test_a_data_set_that_is_gone_is_told_too(
    aws: Aws, settings: Settings, inputs: judge_pull_request.Inputs, branch: Path, codecommit: FakeCodeCommit,
    champion: str,
) -> None:  # fmt: skip
    aws.s3.delete_object(Bucket=BUCKET, Key=f"datasets/{CHAMPIONS_EXECUTION}/train/records.parquet")
    with pytest.raises(NotFoundError):
        judge(aws, settings, inputs)
    assert f"**Failed:** could not read {DATASET}train/records.parquet" in codecommit.texts[0]
