"""Data is prepared in a job, and nothing goes on without rows."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from model_code import model, prepare
from model_code.paths import Paths
from model_code.split import read_split
from pipeline_steps.aws import Aws
from pipeline_steps.documents import DatasetManifest, SplitRows
from pipeline_steps.errors import DataError, DocumentError, JobError
from pipeline_steps.steps import prepare_data
from settings import Settings, TimeSplit
from tests.model_code.conftest import SPLIT, synthetic_flights, synthetic_weather
from tests.pipeline_steps.doubles import (
    BUCKET,
    COMMIT_ID,
    EXECUTION_ID,
    IMAGE_URI,
    KEY_ARN,
    ROLE_ARN,
    put_json,
    script,
)

INPUTS = prepare_data.Inputs(
    execution_id=EXECUTION_ID,
    commit_id=COMMIT_ID,
    image_uri=IMAGE_URI,
    data_bucket=BUCKET,
    processing_role_arn=ROLE_ARN,
    key_arn=KEY_ARN,
)
MANIFEST = {
    "data_version": "ab" * 32,
    "rows": {"train": 80, "validation": 7, "holdout": 14},
    "columns": {"dep_delay": "Int64"},
}


@pytest.fixture
def _raw_data(aws: Aws, bucket: str) -> None:
    aws.s3.put_object(Bucket=bucket, Key="raw/flights.csv", Body=b"1")
    put_json(aws, f"datasets/{EXECUTION_ID}/manifest.json", MANIFEST)


def test_the_request_is_complete(settings: Settings) -> None:
    request = prepare_data.preparation_request(settings, INPUTS)

    assert request.name == "flight-delays-prepare-0f9e8d7c"
    assert request.max_runtime_seconds == 3600
    assert request.body == {
        "AppSpecification": {"ImageUri": IMAGE_URI, "ContainerArguments": ["prepare"]},
        "Environment": {
            "SLIPWAY_SPLIT": '{"by":"time","column":"scheduled_departure","holdout_days":14,"validation_days":7}'
        },
        "RoleArn": ROLE_ARN,
        "ProcessingInputs": [
            {
                "InputName": "raw",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/raw/",
                    "LocalPath": "/opt/ml/processing/input/raw",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "KmsKeyId": KEY_ARN,
            "Outputs": [
                {
                    "OutputName": "dataset",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/datasets/{EXECUTION_ID}/",
                        "LocalPath": "/opt/ml/processing/output/dataset",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ],
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 20,
                "VolumeKmsKeyId": KEY_ARN,
            }
        },
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [
            {"Key": "team", "Value": "delays"},
            {"Key": "slipway:execution", "Value": EXECUTION_ID},
            {"Key": "slipway:commit", "Value": COMMIT_ID},
        ],
    }


def test_the_longest_split_fits_into_a_jobs_environment(settings: Settings) -> None:
    split = TimeSplit(by="time", column="c" * 128, holdout_days=3660, validation_days=3660)
    data = settings.data.model_copy(update={"split": split})

    request = prepare_data.preparation_request(settings.model_copy(update={"data": data}), INPUTS)

    assert len(request.body["Environment"]["SLIPWAY_SPLIT"]) <= 256  # CreateProcessingJob, ProcessingEnvironmentValue


@pytest.mark.usefixtures("_raw_data")
def test_the_data_set_and_its_version_are_exported(
    aws: Aws, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    exports = prepare_data.run(aws, settings, INPUTS)

    assert exports == {"DATASET_URI": f"s3://{BUCKET}/datasets/{EXECUTION_ID}/", "DATA_VERSION": "ab" * 32}
    assert "rows: train 80, validation 7, holdout 14" in capsys.readouterr().out


@pytest.mark.parametrize("keys", [[], ["raw/"], ["other/flights.csv"]], ids=["nothing", "an empty folder", "elsewhere"])
def test_missing_data_is_told_before_a_job_is_started(
    aws: Aws, bucket: str, settings: Settings, keys: list[str]
) -> None:
    for key in keys:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=b"")

    with pytest.raises(DataError) as failure:
        prepare_data.run(aws, settings, INPUTS)

    assert str(failure.value) == (
        f"there is no data under s3://{BUCKET}/raw/: "
        f"put it there with `aws s3 cp DIRECTORY s3://{BUCKET}/raw/ --recursive`"
    )
    assert aws.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"train": 1, "validation": 1, "holdout": 0}, r"no rows in holdout \(train 1, validation 1, holdout 0\)"),
        (
            {"train": 0, "validation": 0, "holdout": 9},
            r"no rows in train and validation \(train 0, validation 0, holdout 9\)",
        ),
    ],
)
def test_an_empty_split_is_named(rows: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        prepare_data.check_splits(DatasetManifest(data_version="ab" * 32, rows=SplitRows(**rows)))


def test_one_row_in_each_split_is_enough() -> None:
    manifest = DatasetManifest(data_version="ab" * 32, rows=SplitRows(train=1, validation=1, holdout=1))

    prepare_data.check_splits(manifest)


@pytest.mark.usefixtures("_raw_data")
def test_the_containers_reason_is_the_steps(aws: Aws, settings: Settings) -> None:
    answer = {"ProcessingJobStatus": "Failed", "ExitMessage": "raw/flights.csv has no column dest"}
    script(aws.sagemaker, "DescribeProcessingJob", [answer])

    with pytest.raises(JobError, match=r"flight-delays-prepare-0f9e8d7c Failed: raw/flights.csv has no column dest"):
        prepare_data.run(aws, settings, INPUTS)


@pytest.mark.usefixtures("_raw_data")
def test_a_manifest_that_cannot_be_read_is_named(aws: Aws, settings: Settings) -> None:
    put_json(aws, f"datasets/{EXECUTION_ID}/manifest.json", {"rows": {}})

    with pytest.raises(DocumentError, match=r"manifest.json is no DatasetManifest: data_version .*rows.train"):
        prepare_data.run(aws, settings, INPUTS)


def test_what_the_container_writes_is_read_whole(tmp_path: Path) -> None:
    """The two share no code, so that this is the one place where they meet."""
    for name, table in (("flights", synthetic_flights()), ("weather", synthetic_weather())):
        (tmp_path / "processing/input/raw" / name).mkdir(parents=True)
        table.write_parquet(tmp_path / "processing/input/raw" / name / "2013-01.parquet")
    prepare.run(Paths(tmp_path), read_split(SPLIT))
    text = (tmp_path / "processing/output/dataset/manifest.json").read_text()

    manifest = DatasetManifest.parse(text, "manifest.json")

    written = json.loads(text)
    assert manifest.model_dump(mode="json", exclude_none=True) == written | {"summary": ANY}
    assert manifest.summary["train"]["carrier"].top == written["summary"]["train"]["carrier"]["top"]
    assert manifest.summary["holdout"]["distance"].mean == written["summary"]["holdout"]["distance"]["mean"]
    assert set(manifest.columns) == {*model.COLUMNS, "flight", model.LABEL}


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"columns": {"a\nb": "Int64"}}, "columns"),
        ({"columns": {f"x{n}": "Int64" for n in range(1001)}}, "columns .* at most 1000 items"),
        ({"files": {"a": "no digest"}}, "files.a"),
        ({"summary": {"test": {}}}, "summary.test"),
        ({"summary": {"train": {"x": {"missing": 1.5}}}}, "summary.train.x.missing"),
        ({"windows": {"train": ["2013"]}}, "windows.train"),
    ],
    ids=["two lines", "too many", "digest", "another split", "no share", "half a window"],
)
def test_a_manifest_that_no_report_could_show_is_refused(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(DocumentError, match=fault):
        DatasetManifest.parse(json.dumps({**MANIFEST, **more}), "manifest.json")


def test_an_older_manifest_is_read() -> None:
    manifest = DatasetManifest.parse(json.dumps({name: MANIFEST[name] for name in ("data_version", "rows")}), "m")

    assert (manifest.columns, manifest.summary, manifest.windows, manifest.file_count) == ({}, {}, None, None)


@pytest.mark.usefixtures("_raw_data")
def test_nothing_goes_on_without_a_holdout(aws: Aws, settings: Settings) -> None:
    rows = {"train": 80, "validation": 7, "holdout": 0}
    put_json(aws, f"datasets/{EXECUTION_ID}/manifest.json", {**MANIFEST, "rows": rows})

    with pytest.raises(DataError, match="no rows in holdout"):
        prepare_data.run(aws, settings, INPUTS)
