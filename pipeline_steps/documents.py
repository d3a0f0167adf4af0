"""The documents that steps hand on, each a frozen model that is written as `<name>.json`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from pipeline_steps.errors import DocumentError

Verdict = Literal["Accepted", "Rejected"]


def _finite_or_none(value: Any) -> Any:
    """A value, with None for a NaN or an infinity, which JSON cannot carry."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _finite_or_none_within(records: Any) -> Any:
    if not isinstance(records, list | tuple):
        return records
    return tuple(
        {column: _finite_or_none(value) for column, value in record.items()} if isinstance(record, dict) else record
        for record in records
    )


MetricValue = Annotated[float | None, BeforeValidator(_finite_or_none)]
MeasuredName = Annotated[str, Field(pattern=r"^\PC{1,100}$")]  # it is shown: no line ends, no control characters


class Document(BaseModel):
    """A frozen document, read strictly; keys that a newer or older version of its writer adds are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", protected_namespaces=())

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """Read a document.

        Args:
            text: JSON.
            source: where the text is from, for the error.

        Raises:
            DocumentError: the text is not such a document; all faults are named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(key) for key in fault['loc'])} {fault['msg']}".strip() for fault in error.errors()
            )
            raise DocumentError(f"{source} is no {cls.__name__}: {faults}") from error

    @classmethod
    def read(cls, directory: Path, name: str) -> Self:
        """Read `<name>.json` of a directory.

        Raises:
            DocumentError: the file is missing or is not such a document.
        """
        path = directory / f"{name}.json"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DocumentError(f"cannot read the document {path}: {error}") from error
        return cls.parse(text, str(path))

    def write(self, directory: Path, name: str) -> None:
        """Write `<name>.json` into a directory, which is made when it is not there."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.json").write_text(f"{self.model_dump_json(indent=2)}\n", encoding="utf-8")


class SplitRows(Document):
    """Number of rows in each split of a data set."""

    train: int
    validation: int
    holdout: int


class DatasetManifest(Document):
    """What the container's `prepare` says about the data set it made (manifest.json)."""

    data_version: str = Field(pattern=r"^[0-9a-f]{12,64}$")
    rows: SplitRows


class Scores(Document):
    """What the container's `evaluate` measured on a holdout (evaluation.json).

    It is the word of the code of the commit under test: who may change that code may write any number here. What is
    checked is that it cannot harm the step that reads it, and that it speaks of the model that is to be judged.

    Attributes:
        metrics: by name; None stands for a NaN or an infinity.
        rows: number of holdout rows that were scored.
        model_sha256: digest of the model's files; None from a container that does not know of digests.
    """

    metrics: Mapping[MeasuredName, MetricValue] = Field(max_length=1000)
    rows: int = Field(ge=0)
    model_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class EvaluationReport(Scores):
    """The challenger or the champion, scored (challenger.json, champion.json).

    Attributes:
        image_uri: image whose code did the scoring, by digest; None when it could not be found out.
        model_data_uri: the model artifact; None when it could not be found out.
        model_package_arn: None for a challenger, which is not registered yet.
        evaluation_uri: evaluation.json in S3; None when the model could not be scored.
        failure: why the model could not be scored; None when it was.
    """

    image_uri: str | None = None
    model_data_uri: str | None = None
    model_package_arn: str | None = None
    evaluation_uri: str | None = None
    failure: str | None = None


class PromotionDecision(Document):
    """The gate's answer (decision.json).

    Attributes:
        reasons: why, one sentence each: for a Rejected all that failed, for an Accepted all that was checked.
        notes: what an approver should know although it decided nothing.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Samples(Document):
    """Holdout records with the predictions that the model made offline (samples.json).

    Attributes:
        columns: the order of a record's values in text/csv.
        predictions: one for each record.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    records: Annotated[tuple[dict[str, JsonValue], ...], BeforeValidator(_finite_or_none_within)] = Field(min_length=1)
    predictions: tuple[float, ...]

    @model_validator(mode="after")
    def _has_a_prediction_for_each_record(self) -> Self:
        if len(self.records) != len(self.predictions):
            raise ValueError(f"has {len(self.records)} records but {len(self.predictions)} predictions")
        return self
