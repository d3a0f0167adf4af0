"""The documents that steps hand on, each a frozen model that is written as `<name>.json`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from pipeline_steps.errors import DocumentError

Verdict = Literal["Accepted", "Rejected"]
Task = Literal["binary", "multiclass", "regression"]
Goal = Literal["maximize", "minimize"]
SliceVerdict = Literal["passed", "failed", "not judged"]


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
FileName = Annotated[str, Field(pattern=r"^\PC+$", max_length=1024)]  # as long as a key in S3
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


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


class ColumnSummary(Document):
    """A column of one split, in a few numbers.

    Attributes:
        missing: share of the records without a value.
        mean: None, as is the deviation, of what is no number, and where there is none.
        top: the most frequent text, top_share: its share of the values.
    """

    missing: float = Field(ge=0, le=1)
    mean: MetricValue = None
    deviation: MetricValue = None
    top: str | None = Field(default=None, max_length=1000)
    top_share: float | None = Field(default=None, ge=0, le=1)


SplitName = Literal["train", "validation", "holdout"]


class DatasetManifest(Document):
    """What the container's `prepare` says about the data set it made (manifest.json).

    Attributes:
        columns: of a record, with their types.
        mean_label: of each split; for classes the mean of their numbers.
        windows: first and last value of the column by whose time was split.
        shares: of the records, where a hash split them.
        files: SHA-256 of the raw files by name, of the first 1,000 of them.
        file_count: number of all raw files.
        summary: each column of the train split and of the holdout.
    """

    data_version: str = Field(pattern=r"^[0-9a-f]{12,64}$")
    rows: SplitRows
    columns: Mapping[MeasuredName, MeasuredName] = Field(default={}, max_length=1000)
    label: MeasuredName | None = None
    mean_label: Mapping[SplitName, MetricValue] = {}
    windows: Mapping[SplitName, tuple[MeasuredName, MeasuredName]] | None = None
    shares: Mapping[SplitName, float] | None = None
    files: Mapping[FileName, Digest] = Field(default={}, max_length=1000)
    file_count: int | None = Field(default=None, ge=0)
    summary: Mapping[SplitName, Annotated[Mapping[MeasuredName, ColumnSummary], Field(max_length=1000)]] = {}


class SlicedColumn(Document):
    """A column by which the holdout was sliced; predictions.npz says to which of the names each record belongs."""

    column: MeasuredName
    names: tuple[MeasuredName, ...] = Field(max_length=1000)


class Behaviour(Document):
    """A behaviour that the team declared, checked on records of the holdout.

    Attributes:
        violations: number of the records that did not keep to it.
        allowed_share: of the records that may do so.
        example: one of them in words; None when there is none.
    """

    name: MeasuredName
    kind: Literal["invariance", "direction"]
    records: int = Field(ge=0)
    violations: int = Field(ge=0)
    allowed_share: float = Field(ge=0, le=1)
    example: str | None = Field(default=None, max_length=1000)


class Importance(Document):
    """By how much a metric gets worse when a column's values are shuffled."""

    metric: MeasuredName
    columns: Mapping[MeasuredName, MetricValue] = Field(max_length=1000)


class Scores(Document):
    """What the container's `evaluate` measured on a holdout (evaluation.json).

    It is the word of the code of the commit under test: who may change that code may write any number here. What is
    checked is that it cannot harm the step that reads it, and that it speaks of the model that is to be judged.

    Attributes:
        metrics: by name; None stands for a NaN or an infinity.
        rows: number of holdout rows that were scored.
        task: what is predicted; None from a container that does not say so.
        classes: their names, in the order of their numbers; None when there are none.
        own_losses: the team's own metrics that are means of a value for each record, which predictions.npz holds.
        model_sha256: digest of the model's files; None from a container that does not know of digests.
    """

    metrics: Mapping[MeasuredName, MetricValue] = Field(max_length=1000)
    rows: int = Field(ge=0)
    task: Task | None = None
    classes: Annotated[tuple[MeasuredName, ...], Field(max_length=1000)] | None = None
    own_losses: tuple[MeasuredName, ...] = Field(default=(), max_length=100)
    slices: tuple[SlicedColumn, ...] = Field(default=(), max_length=100)
    behaviours: tuple[Behaviour, ...] = Field(default=(), max_length=100)
    importance: Importance | None = None
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


class Estimate(Document):
    """A number that was measured on the holdout, and the interval in which it lies with the policy's confidence.

    Attributes:
        value: None for a NaN or an infinity.
        low: None, as is high, where no interval is known.
    """

    value: MetricValue
    low: MetricValue = None
    high: MetricValue = None


class MetricComparison(Document):
    """One metric of both models on the same holdout.

    Attributes:
        goal: which direction is better; None where nobody said so.
        champion: None, as is the difference, when there is no champion or it does not have the metric.
        difference: the challenger's minus the champion's, record by record.
        primary: whether it is the metric that decides.
    """

    name: MeasuredName
    goal: Goal | None
    challenger: Estimate
    champion: Estimate | None = None
    difference: Estimate | None = None
    primary: bool = False


class SliceComparison(Document):
    """The primary metric of both models on one slice of the holdout.

    Attributes:
        column: the slice's column, name: its value or band.
        reason: one sentence for the verdict.
    """

    column: MeasuredName
    name: MeasuredName
    records: int
    challenger: Estimate
    champion: Estimate | None = None
    difference: Estimate | None = None
    verdict: SliceVerdict
    reason: str


Point = tuple[float, float]


class Curves(Document):
    """How one model errs, as a report draws it; what does not fit the task is None.

    Attributes:
        roc: points of false and true positive rate.
        calibration: mean prediction, observed rate and number of records, a bin each.
        confusion: number of records by true class (row) and predicted class (column).
        residuals: lower and upper edge of prediction minus label, and number of records, a bin each.
    """

    roc: tuple[Point, ...] | None = None
    calibration: tuple[tuple[float, float, int], ...] | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    residuals: tuple[tuple[float, float, int], ...] | None = None


class CurvesOfBoth(Document):
    """Those of the challenger, and of the champion when there is one."""

    challenger: Curves
    champion: Curves | None = None


class Comparison(Document):
    """Challenger and champion, compared record by record on one holdout (comparison.json): numbers alone.

    Attributes:
        records: of the holdout.
        confidence: of all intervals; those of slices are widened so that it holds for all slices together.
        resamples: of the bootstrap from which the intervals come.
        seed: of its random numbers.
    """

    task: Task
    records: int
    confidence: float
    resamples: int
    seed: int
    metrics: tuple[MetricComparison, ...]
    slices: tuple[SliceComparison, ...] = ()
    curves: CurvesOfBoth

    @property
    def primary(self) -> MetricComparison | None:
        """The metric that decides; None when it was not measured."""
        return next((metric for metric in self.metrics if metric.primary), None)


class PromotionDecision(Document):
    """The gate's answer (decision.json).

    Attributes:
        reasons: why, one sentence each: for a Rejected all that failed, for an Accepted all that was checked.
        notes: what an approver should know although it decided nothing.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


class ApiInfo(Document):
    """The head of an OpenAPI description."""

    version: MeasuredName


class ApiDescription(Document):
    """The OpenAPI description of the model's endpoint, as far as a step reads it (openapi.json)."""

    info: ApiInfo
    components: Mapping[str, JsonValue]


class ReportFacts(Document):
    """What the report tells beside the gate's own documents (report_facts.json), so that it can be made again.

    Attributes:
        project: name of the settings.
        manifest: of the data set of the challenger; None when it could not be read.
        champion_manifest: of the data set that the champion was trained on; None when it is not known.
        training_seconds: duration of the training job; None, as billable_seconds, when it is not known.
        reproduce: the command, of one line or more, that makes this model again.
        links: where to read on, an https URL by what it leads to.
    """

    project: str
    commit_id: str
    execution_id: str
    manifest: DatasetManifest | None = None
    champion_manifest: DatasetManifest | None = None
    image_uri: str = ""
    model_data_uri: str = ""
    training_job_name: str = ""
    hyperparameters: Mapping[str, str] = {}
    training_seconds: float | None = None
    billable_seconds: float | None = None
    reproduce: str = ""
    links: Mapping[str, str] = {}


class AgreementFindings(Document):
    """The endpoint answered what the model answered offline.

    Attributes:
        answers: number of the answers that were compared.
    """

    records: int
    answers: int
    tolerance: float


class HostileFindings(Document):
    """What no client should send was refused, or answered where the contract allows it.

    Attributes:
        fixed, generated: number of requests.
        seed: of the generated ones.
    """

    fixed: int
    generated: int
    seed: int
    refused: int
    answered: int


class LoadFindings(Document):
    """What clients saw who arrived at a set rate, without those of the ramp.

    Attributes:
        seconds: of load at the full rate.
        answered_per_second: good answers.
        allowed_p99_ms: as allowed_error_percent, the objective that it was held to.
        p50_ms: as all latencies, counted from the moment at which a call was due.
    """

    requests_per_second: int
    seconds: int
    requests: int
    answered_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    error_percent: float
    allowed_p99_ms: int
    allowed_error_percent: float


class LatencyFindings(Document):
    """How long answers to single calls took, one after the other."""

    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


FitVerdict = Literal["fits", "does not fit", "not judged"]


class FitFindings(Document):
    """Whether the model's container fits into the endpoint's instances.

    Attributes:
        instance_type: or `serverless`.
        memory_mib: what an instance has; None when it is not known.
        needed_mib: what the container takes there under load; None when it was not measured.
        start_seconds: until it was ready, in the evaluation.
        recovery_seconds: until the next good answer after one of its processes was killed.
        reason: one sentence for the verdict.
    """

    instance_type: str
    memory_mib: int | None
    needed_mib: float | None
    start_seconds: float | None
    recovery_seconds: float | None
    verdict: FitVerdict
    reason: str


class Verification(Document):
    """What the verification of an endpoint found, as far as it came (verification.json).

    Attributes:
        contract: version of the description that the answers were held to; None when the model came without one.
        cold_start_ms: how long the first call took, where a call may have to wait for a container; None elsewhere.
        failure: what was not as it must be; None when all was.
    """

    environment: str
    endpoint_name: str
    model_package_arn: str
    contract: str | None = None
    cold_start_ms: float | None = None
    agreement: AgreementFindings | None = None
    hostile: HostileFindings | None = None
    load: LoadFindings | None = None
    latency: LatencyFindings | None = None
    fit: FitFindings | None = None
    failure: str | None = None


Prediction = float | tuple[float, ...]


class Samples(Document):
    """Holdout records with the predictions that the model made offline (samples.json).

    Attributes:
        columns: the order of a record's values in text/csv.
        predictions: one for each record: a number, or a probability for each class.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    records: Annotated[tuple[dict[str, JsonValue], ...], BeforeValidator(_finite_or_none_within)] = Field(min_length=1)
    predictions: tuple[Prediction, ...]

    @model_validator(mode="after")
    def _has_a_prediction_for_each_record(self) -> Self:
        if len(self.records) != len(self.predictions):
            raise ValueError(f"has {len(self.records)} records but {len(self.predictions)} predictions")
        return self
