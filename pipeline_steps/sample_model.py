"""Trains the code of a pull request on a sample, and scores the model, all of it in a folder laid out as /opt/ml."""

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline_steps.aws import Aws
from pipeline_steps.branch_code import run_module
from pipeline_steps.comparison.compare import ScoredModel, disagreements
from pipeline_steps.comparison.predictions import read_predictions
from pipeline_steps.documents import Scores
from pipeline_steps.errors import DocumentError
from pipeline_steps.progress import say
from pipeline_steps.scoring import slice_argument
from pipeline_steps.steps.train_model import as_hyperparameter
from settings import Settings

SAMPLE_RECORDS = 20_000
"""At most so many records are trained on, and at most so many validate."""

_RECORDS_FILE = "records.parquet"
_ROW = "__row__"


@dataclass(frozen=True)
class SampleModel:
    """A model that was trained on a sample and scored on the whole holdout.

    Attributes:
        trained_on: number of records of the sample, of `records` in the train split.
    """

    scored: ScoredModel
    trained_on: int
    records: int


def train_and_score(
    aws: Aws, settings: Settings, dataset_uri: str, folder: Path, *, sample_records: int = SAMPLE_RECORDS
) -> SampleModel:
    """Train with the hyperparameters of the settings, and score.

    Args:
        dataset_uri: the prepared data set.
        folder: an empty one.
        sample_records: the most that are trained on.

    Raises:
        NotFoundError: the data set is not there any more.
        BranchCodeError: the training or the evaluation failed.
        DocumentError: what came out cannot be read, or contradicts itself.
    """
    rows, sizes = {}, {}
    for split in ("train", "validation"):
        whole, channel = folder / f"{split}.parquet", folder / "input/data" / split / _RECORDS_FILE
        _download(aws, f"{dataset_uri}{split}/{_RECORDS_FILE}", whole)
        sizes[split], rows[split] = take_sample(whole, channel, sample_records)
        whole.unlink()
    _download(aws, f"{dataset_uri}holdout/{_RECORDS_FILE}", folder / "processing/input/holdout" / _RECORDS_FILE)
    hyperparameters = {key: as_hyperparameter(value) for key, value in settings.training.hyperparameters.items()}
    (folder / "input/config").mkdir(parents=True)
    (folder / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
    say(f"training on {rows['train']:,} of {sizes['train']:,} records")
    base = {"SAGEMAKER_BASE_DIR": str(folder)}
    run_module("model_code", "train", doing="the training", variables=base)
    _pack(folder / "model", folder / "processing/input/model/model.tar.gz")
    slices = [slice_argument(column) for column in settings.evaluation.slices.by]
    run_module("model_code", "evaluate", *slices, doing="the evaluation", variables=base)
    scored = read_scored(folder / "processing/output/evaluation")
    return SampleModel(scored, trained_on=rows["train"], records=sizes["train"])


def take_sample(whole: Path, sample: Path, most: int) -> tuple[int, int]:
    """Write at most so many records of a file into another, evenly spaced, always the same ones.

    Returns:
        The number of records of both.

    Raises:
        DocumentError: the file cannot be read.
    """
    sample.parent.mkdir(parents=True)
    try:
        records = pl.scan_parquet(whole)
        size = int(records.select(pl.len()).collect().item())
        taken = min(size, most)
        place = pl.col(_ROW).cast(pl.Int64)
        evenly = records.with_row_index(_ROW).filter(place * taken % max(size, 1) < taken).drop(_ROW)
        evenly.collect().write_parquet(sample)
    except pl.exceptions.PolarsError as error:
        raise DocumentError(f"the split {whole.stem} cannot be read: {error}") from error
    return size, taken


def read_scored(folder: Path) -> ScoredModel:
    """What an evaluation wrote into a folder.

    Raises:
        DocumentError: it cannot be read, or contradicts itself.
    """
    source = folder / "predictions.npz"
    scores = Scores.read(folder, "evaluation")
    if not source.is_file():
        raise DocumentError(f"the evaluation wrote no {source.name}")
    scored = ScoredModel(scores, read_predictions(source.read_bytes(), scores, source.name))
    contradictions = disagreements(scored)
    if contradictions:
        raise DocumentError(f"evaluation.json contradicts {source.name}: it says {'; '.join(contradictions)}")
    return scored


def _download(aws: Aws, uri: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with aws.opened(uri) as answer, file.open("wb") as local:
        shutil.copyfileobj(answer["Body"], local)


def _pack(model: Path, archive: Path) -> None:
    """Pack a model as SageMaker does."""
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as packed:
        for entry in sorted(model.iterdir()):
            packed.add(entry, arcname=entry.name)
