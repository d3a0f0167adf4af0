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
    return [
        {column: _finite_or_none(value) for column, value in record.items()} if isinstance(record, dict) else record
        for record in records
    ]


MetricValue = Annotated[float | None, BeforeValidator(_finite_or_none)]


class Document(BaseModel):
    """A frozen document; keys that a newer or older version of its writer adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

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

    Attributes:
        metrics: by name; None stands for a NaN or an infinity.
        rows: number of holdout rows that were scored.
    """

    metrics: Mapping[str, MetricValue]
    rows: int = Field(ge=0)


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
