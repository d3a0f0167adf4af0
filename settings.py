"""Reads slipway.yaml, the one file that a team edits, and reports every fault in it at once.

`load(path, overlay)` gives frozen `Settings` or raises one `SettingsError`. `python -m settings schema` prints the JSON
schema that gives editors completion and checks while typing.
"""

import difflib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

LOCAL_OVERLAY = "local"

Location = tuple[str | int, ...]


class SettingsError(Exception):
    """The settings file cannot be used.

    Attributes:
        faults: one line for each fault, in the form `slipway.yaml: PLACE must be ..., got ...`.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


# --- What may stand in the file -------------------------------------------------------------------------------------

# What a pattern asks for, in words: the faults and the JSON schema say these instead of a regular expression.
_PATTERNS = {
    "name": r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    "branch": r"^[A-Za-z0-9._][A-Za-z0-9._/-]*$",
    "prefix": r"^([A-Za-z0-9_=.-]*[A-Za-z0-9_=-][A-Za-z0-9_=.-]*/)+$",
    "image": r"^[a-z0-9][A-Za-z0-9._:/@-]*$",
    "instance_type": r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$",
    "metric": r"^[A-Za-z][A-Za-z0-9_.@-]*$",
    "column": r"^\S(.*\S)?$",
    "slice": r"^[^\s:]([^:]*[^\s:])?$",
    # no braces: CloudFormation would put the secret that `{{resolve:...}}` names into the address
    "email": r"^[A-Za-z0-9.!#$%&'*+/=?^_`|~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
    "tag": r"^[A-Za-z0-9 _.:/=+@-]*$",
    "finding": r"^[A-Za-z][A-Za-z0-9._:/-]*$",
    "reason": r"\S",
    "subnet": r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    "security_group": r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$",
    "policy": r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$",
}
_PATTERN_WORDS = {
    _PATTERNS["name"]: "lower-case letters, digits and single hyphens, beginning with a letter",
    _PATTERNS["branch"]: "the name of a git branch",
    _PATTERNS[
        "prefix"
    ]: "an S3 prefix such as raw/: letters, digits and _ = . - between slashes, with a slash at the end",
    _PATTERNS["image"]: "a container image such as public.ecr.aws/docker/library/python:3.11-slim-bookworm",
    _PATTERNS["instance_type"]: "a SageMaker instance type such as ml.m5.large",
    _PATTERNS["metric"]: "the name of a metric such as roc_auc",
    _PATTERNS["column"]: "the name of a column, without spaces around it",
    _PATTERNS["slice"]: "the name of a column, without spaces around it and without a colon",
    _PATTERNS["email"]: "an e-mail address",
    _PATTERNS["tag"]: "letters, digits, spaces and _ . : / = + @ -",
    _PATTERNS["finding"]: "the id of a finding such as CVE-2026-12345",
    _PATTERNS["reason"]: "a reason in words",
    _PATTERNS["subnet"]: "the id of a subnet such as subnet-0123456789abcdef0",
    _PATTERNS["security_group"]: "the id of a security group such as sg-0123456789abcdef0",
    _PATTERNS["policy"]: "the ARN of a managed policy such as arn:aws:iam::111122223333:policy/boundary",
}
_LOCAL_STORAGE_FAMILIES = re.compile(r"[a-z]+[0-9]+[a-z]*d[a-z]*|g[5-7]e?|p[56][a-z0-9-]*|trn[0-9]+n?")
# The step that waits for a job is a CodeBuild build: at most 36 hours, the start of the job's instances included.
_LONGEST_JOB_MINUTES = 2100
_OWN_PREFIXES = ("datasets/", "models/", "evaluations/")  # what the pipeline itself writes into the data bucket


def _refuse(*faults: tuple[Location, str]) -> PydanticCustomError:
    """One error that carries faults of several places, each relative to the section that is being checked."""
    return PydanticCustomError("slipway", "; ".join(text for _, text in faults), {"faults": list(faults)})


def _teams_own_tag(key: str) -> str:
    if key.lower().startswith(("aws:", "slipway:")):
        raise _refuse(((), "must not begin with aws: or slipway:, which are reserved"))
    return key


def _hyperparameter(value: object) -> object:
    if isinstance(value, str) and len(value) > 2500:
        raise PydanticCustomError("string_too_long", "", {"max_length": 2500})
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "")
    if not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("hyperparameter", "")
    return value


@dataclass(frozen=True)
class Margin:
    """How much a metric may or must differ.

    Attributes:
        amount: 0 or more; in units of the metric, or, when relative, as a share of the champion's value.
    """

    amount: float
    relative: bool = False

    def __str__(self) -> str:
        return f"{self.amount * 100:g} %" if self.relative else f"{self.amount:g}"


def _margin(value: object) -> Margin:
    """A number, or a text such as `2%`."""
    relative = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)? ?%", value) is not None
    amount: Any = float(str(value).rstrip("% ")) / 100 if relative else value
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise PydanticCustomError("margin", "")
    if not math.isfinite(amount):
        raise PydanticCustomError("finite_number", "")
    if amount < 0:
        raise PydanticCustomError("greater_than_equal", "", {"ge": 0})
    return Margin(float(amount), relative)


def _day(value: object) -> date:
    """A day, as YAML reads it or in quotes; a time of the day has no meaning here."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise PydanticCustomError("day", "") from error
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PydanticCustomError("day", "")
    return value


def _without_repetition(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = [((index,), f"repeats {_shown(value)}") for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise _refuse(*repeated)
    return values


InstanceType = Annotated[str, Field(pattern=_PATTERNS["instance_type"], description="instance type, e.g. ml.m5.large")]
MetricName = Annotated[str, Field(pattern=_PATTERNS["metric"], max_length=64)]
ColumnName = Annotated[str, Field(pattern=_PATTERNS["column"], max_length=128)]
EmailAddress = Annotated[str, Field(pattern=_PATTERNS["email"], max_length=254)]
SubnetId = Annotated[str, Field(pattern=_PATTERNS["subnet"])]
SecurityGroupId = Annotated[str, Field(pattern=_PATTERNS["security_group"])]
PolicyArn = Annotated[str, Field(pattern=_PATTERNS["policy"], max_length=2048)]
TagKey = Annotated[str, Field(pattern=_PATTERNS["tag"], min_length=1, max_length=128), AfterValidator(_teams_own_tag)]
TagValue = Annotated[str, Field(pattern=_PATTERNS["tag"], max_length=256)]
# One validator instead of a union's four, so that a wrong value is one fault.
Hyperparameter = Annotated[
    str | int | float | bool, PlainValidator(_hyperparameter, json_schema_input_type=str | int | float | bool)
]
MarginValue = Annotated[
    Margin,
    PlainValidator(_margin, json_schema_input_type=float | str),
    PlainSerializer(lambda margin: str(margin) if margin.relative else margin.amount),
]
Day = Annotated[date, PlainValidator(_day, json_schema_input_type=date)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(_Section):
    """Where commits come from."""

    branch: str = Field(
        default="main",
        pattern=_PATTERNS["branch"],
        max_length=256,
        description="a push to this branch starts the pipeline",
    )


class TimeSplit(_Section):
    """The newest rows are the holdout: right for data that drifts."""

    by: Literal["time"] = Field(description="time: the newest window is the holdout")
    column: ColumnName = Field(description="the column that holds each row's time")
    holdout_days: int = Field(ge=1, le=3660, description="length of the newest window, the holdout")
    validation_days: int = Field(ge=1, le=3660, description="length of the window before the holdout")


class HashSplit(_Section):
    """A stable hash of a column decides: rows that belong together stay together."""

    by: Literal["hash"] = Field(description="hash: a stable hash of a column decides")
    column: ColumnName = Field(description="the column that says which rows belong together")
    holdout_percent: int = Field(ge=1, le=98, description="share of the groups in the holdout")
    validation_percent: int = Field(ge=1, le=98, description="share of the groups in the validation set")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        total = self.holdout_percent + self.validation_percent
        if total >= 100:
            raise _refuse(
                ((), f"must leave rows to train on: holdout_percent + validation_percent is {total}, not below 100")
            )
        return self


class Data(_Section):
    """The team's data and how it is split."""

    prefix: str = Field(
        default="raw/", pattern=_PATTERNS["prefix"], max_length=512, description="place in the data bucket"
    )
    split: TimeSplit | HashSplit = Field(discriminator="by", description="how the holdout is kept apart")

    @field_validator("prefix")
    @classmethod
    def _is_the_teams_own(cls, prefix: str) -> str:
        if prefix.startswith(_OWN_PREFIXES):
            raise _refuse(
                ((), f"must not lie under {', '.join(_OWN_PREFIXES)}, which the pipeline writes, got {_shown(prefix)}")
            )
        return prefix


class AcceptedFinding(_Section):
    """A finding that a team knows and lives with for a while."""

    id: str = Field(
        pattern=_PATTERNS["finding"], max_length=128, description="the finding's id as the scan names it, e.g. a CVE"
    )
    reason: str = Field(pattern=_PATTERNS["reason"], max_length=500, description="why it is accepted, in words")
    until: Day = Field(description="the last day, in UTC, on which it is accepted, e.g. 2027-01-31")


class Scan(_Section):
    """What ECR's scan of the container's image may find."""

    fail_on: Literal["critical", "high", "medium", "low", "none"] = Field(
        default="high", description="the severity from which findings fail the build; none: no wait for the scan"
    )
    unsupported: Literal["fail", "allow"] = Field(
        default="fail", description="what becomes of an image that the scanner cannot read"
    )
    accepted: Annotated[tuple[AcceptedFinding, ...], Field(strict=False)] = Field(
        default=(), description="findings that do not fail the build until a date"
    )

    @field_validator("accepted")
    @classmethod
    def _has_no_repetition(cls, accepted: tuple[AcceptedFinding, ...]) -> tuple[AcceptedFinding, ...]:
        ids = [finding.id for finding in accepted]
        repeated = [((index,), f"must not name {one} again") for index, one in enumerate(ids) if one in ids[:index]]
        if repeated:
            raise _refuse(*repeated)
        return accepted


class Container(_Section):
    """The image that the model's container is built on, and what a scan of the result may find."""

    base_image: str = Field(pattern=_PATTERNS["image"], max_length=512, description="base image of the container")
    scan: Scan = Field(default=Scan(), description="what ECR's scan of the image may find")


class Processing(_Section):
    """Where the data is prepared and models are evaluated."""

    instance_type: InstanceType
    volume_gib: int = Field(ge=1, le=16384, description="size of the volume in GiB")
    max_runtime_minutes: int = Field(ge=1, le=_LONGEST_JOB_MINUTES, description="a job that runs longer is stopped")


class Training(_Section):
    """Where and how the model is trained."""

    instance_type: InstanceType
    instance_count: int = Field(ge=1, description="number of instances")
    volume_gib: int = Field(ge=1, le=16384, description="size of the volume in GiB")
    max_runtime_minutes: int = Field(ge=1, le=_LONGEST_JOB_MINUTES, description="a job that runs longer is stopped")
    hyperparameters: Mapping[Annotated[str, Field(min_length=1, max_length=256)], Hyperparameter] = Field(
        default={}, max_length=100, description="handed to the training code"
    )


class PrimaryMetric(_Section):
    """The metric by which challenger and champion are compared."""

    metric: MetricName = Field(description="name of the metric in evaluation.json")
    goal: Literal["maximize", "minimize"] = Field(description="which direction is better")


class Limit(_Section):
    """An absolute limit that every model must keep."""

    metric: MetricName = Field(description="name of the metric in evaluation.json")
    at_least: float | None = Field(default=None, description="the smallest value that passes")
    at_most: float | None = Field(default=None, description="the largest value that passes")

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise _refuse(((), "must have at_least, at_most or both"))
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise _refuse(((), f"cannot be kept: at_least {self.at_least:g} is more than at_most {self.at_most:g}"))
        return self


class ChampionPolicy(_Section):
    """How the challenger has to compare with the model that serves, beyond the doubt that the holdout leaves."""

    not_worse_by: MarginValue | None = Field(
        default=None,
        description="allowed loss against the champion: in units of the primary metric, or, as 2%, of its value",
    )
    better_by: MarginValue | None = Field(
        default=None, description="gain over the champion that must be exceeded, in the same units"
    )

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        if (self.not_worse_by is None) == (self.better_by is None):
            raise _refuse(((), "must have either not_worse_by or better_by"))
        return self


class SliceColumn(_Section):
    """A column whose values, or bands of values, are the slices."""

    column: str = Field(pattern=_PATTERNS["slice"], max_length=128, description="a column of the records")
    bands: Annotated[tuple[float, ...], Field(strict=False, max_length=10)] = Field(
        default=(), description="for numbers: the edges between the bands, in ascending order"
    )

    @field_validator("bands")
    @classmethod
    def _ascend(cls, bands: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [index for index in range(1, len(bands)) if bands[index] <= bands[index - 1]]
        if wrong:
            raise _refuse(
                *(((index,), f"must be more than {bands[index - 1]:g}, the edge before it") for index in wrong)
            )
        return bands


class Slices(_Section):
    """Parts of the holdout on which the challenger must not be clearly worse than the champion."""

    by: Annotated[tuple[SliceColumn, ...], Field(strict=False, max_length=20)] = Field(
        default=(), description="the columns that make the slices"
    )
    minimum_records: int = Field(
        default=300, ge=2, description="a slice with fewer records is shown, but not judged", le=1_000_000_000
    )
    not_worse_by: MarginValue = Field(
        default=Margin(0.05), description="a slice fails when the challenger is surely worse on it by more than this"
    )
    may_fail: int = Field(default=0, ge=0, le=1000, description="number of slices that may fail")

    @field_validator("by")
    @classmethod
    def _has_no_repetition(cls, by: tuple[SliceColumn, ...]) -> tuple[SliceColumn, ...]:
        columns = [one.column for one in by]
        repeated = [
            ((index, "column"), f"must not name {column} again")
            for index, column in enumerate(columns)
            if column in columns[:index]
        ]
        if repeated:
            raise _refuse(*repeated)
        return by


class Evaluation(_Section):
    """The gate that a challenger has to pass."""

    primary: PrimaryMetric = Field(description="metric that compares challenger and champion")
    limits: Annotated[tuple[Limit, ...], Field(strict=False, min_length=1)] = Field(
        description="absolute limits; the first model has no champion and is judged by them alone"
    )
    champion: ChampionPolicy = Field(description="comparison with the model that serves")
    confidence: float = Field(
        default=0.95, ge=0.5, le=0.999, description="of the intervals on which the comparison is decided"
    )
    minimum_records: int = Field(
        default=1000, ge=1, le=1_000_000_000, description="a holdout with fewer records decides nothing: Rejected"
    )
    slices: Slices = Field(default=Slices(), description="parts of the holdout that are judged for themselves")

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        faults: list[tuple[Location, str]] = []
        needed = "at_least" if self.primary.goal == "maximize" else "at_most"
        metrics = [limit.metric for limit in self.limits]
        for index, limit in enumerate(self.limits):
            if limit.metric in metrics[:index]:
                faults.append((("limits", index), f"must not name {limit.metric} again: give its limits in one entry"))
            elif limit.metric == self.primary.metric and getattr(limit, needed) is None:
                goal = self.primary.goal
                faults.append(
                    (("limits", index), f"must have {needed}: evaluation.primary says to {goal} {limit.metric}")
                )
        if faults:
            raise _refuse(*faults)
        return self


class Endpoint(_Section):
    """The instances behind one endpoint."""

    instance_type: InstanceType
    instance_count: int = Field(ge=1, description="number of instances")


class Endpoints(_Section):
    """One endpoint for each environment."""

    staging: Endpoint = Field(description="the endpoint on which a model is proven")
    production: Endpoint = Field(description="the endpoint that clients call")


class Approval(_Section):
    """Who hears of a model that waits for approval."""

    notify: Annotated[tuple[EmailAddress, ...], Field(strict=False), AfterValidator(_without_repetition)] = Field(
        default=(), description="e-mail addresses"
    )


class Network(_Section):
    """What the instances of jobs and endpoints are connected to; their containers can call nobody in either mode."""

    mode: Literal["isolated", "vpc"] = Field(
        default="isolated",
        description="isolated: the containers can call nobody; vpc: and their instances live in private subnets",
    )
    # SageMaker's own limits (API reference, VpcConfig).
    subnet_ids: Annotated[
        tuple[SubnetId, ...], Field(strict=False, max_length=16), AfterValidator(_without_repetition)
    ] = Field(default=(), description="vpc only: private subnets of a VPC that exists; none: Slipway makes a VPC")
    security_group_ids: Annotated[
        tuple[SecurityGroupId, ...], Field(strict=False, max_length=5), AfterValidator(_without_repetition)
    ] = Field(default=(), description="vpc only: security groups in the VPC of subnet_ids")

    @property
    def makes_vpc(self) -> bool:
        """Whether the VPC is Slipway's own."""
        return self.mode == "vpc" and not self.subnet_ids

    @model_validator(mode="after")
    def _names_a_vpc_or_leaves_it_to_slipway(self) -> Self:
        given = [key for key in ("subnet_ids", "security_group_ids") if getattr(self, key)]
        if given and self.mode != "vpc":
            raise _refuse(*(((key,), f"must be empty unless mode is vpc, got mode {self.mode}") for key in given))
        if len(given) == 1:
            missing = "security_group_ids" if given == ["subnet_ids"] else "subnet_ids"
            raise _refuse(((missing,), f"must not be empty where {given[0]} is given"))
        if len(self.subnet_ids) == 1:
            raise _refuse((("subnet_ids",), "must be two or more, in different zones: SageMaker asks so for endpoints"))
        return self


class Settings(_Section):
    """All of slipway.yaml; attributes mirror its keys."""

    name: str = Field(
        pattern=_PATTERNS["name"],
        min_length=3,
        max_length=24,
        description="prefix of every name in AWS, e.g. flight-delays",
    )
    source: Source = Field(default=Source(), description="where commits come from")
    data: Data = Field(description="the team's data and how it is split")
    container: Container = Field(description="the image of the container: its base, and what a scan may find")
    processing: Processing = Field(description="where data is prepared and models are evaluated")
    training: Training = Field(description="where and how the model is trained")
    evaluation: Evaluation = Field(description="the gate that a challenger has to pass")
    endpoints: Endpoints = Field(description="the instances behind staging and production")
    pull_requests: Literal["none", "tests", "sample"] = Field(
        default="none",
        description="what is done for a pull request: nothing, its tests, or a training on a sample as well",
    )
    approval: Approval = Field(default=Approval(), description="who hears of a model that waits for approval")
    network: Network = Field(default=Network(), description="what the instances of jobs and endpoints are connected to")
    permissions_boundary: PolicyArn | None = Field(
        default=None, description="ARN of the managed policy that bounds every role; null for none"
    )
    removal_policy: Literal["retain", "destroy"] = Field(
        default="retain", description="what becomes of buckets, keys and repositories when their stack is deleted"
    )
    tags: Mapping[TagKey, TagValue] = Field(default={}, max_length=40, description="tags on every resource")


def has_local_storage(instance_type: str) -> bool:
    """Whether instances of a type have local NVMe storage.

    They encrypt it in hardware, and SageMaker refuses a KMS key for their volumes (SageMaker API reference,
    ResourceConfig and CreateEndpointConfig). They are the families with a d after their number (r5d, g4dn, p4d) and the
    newer accelerated ones.
    """
    return _LOCAL_STORAGE_FAMILIES.fullmatch(instance_type.split(".")[1]) is not None


# --- Reading --------------------------------------------------------------------------------------------------------


def load(path: Path, overlay: str | None = None) -> Settings:
    """Read the settings file and, on request, lay its overlay's values over it.

    Args:
        path: the file, usually slipway.yaml.
        overlay: `local` for the values under the file's key `local`; None or empty for the file as it stands.

    Raises:
        SettingsError: the file or its overlay has faults; all of them are named, whichever overlay is asked for.
    """
    if overlay not in (None, "", LOCAL_OVERLAY):
        raise SettingsError([f"{path.name}: the overlay must be {LOCAL_OVERLAY} or empty, got {_shown(overlay)}"])
    document = _read(path)
    values = document.pop(LOCAL_OVERLAY, {})
    settings, faults = _validate(document)
    merged, overlay_faults = _validate_overlay(document, values, [location for location, _ in faults])
    faults += [((LOCAL_OVERLAY, *location), text) for location, text in overlay_faults]
    if faults:
        raise SettingsError(f"{path.name}: {_place(location)} {text}" for location, text in dict.fromkeys(faults))
    # Without a fault both are there.
    return cast(Settings, merged if overlay == LOCAL_OVERLAY else settings)


Fault = tuple[Location, str]


def _validate(document: Mapping[str, Any]) -> tuple[Settings | None, list[Fault]]:
    try:
        return Settings.model_validate(document), []
    except ValidationError as error:
        return None, [fault for details in error.errors() for fault in _faults(details)]


def _validate_overlay(
    document: Mapping[str, Any], values: Any, faulty: list[Location]
) -> tuple[Settings | None, list[Fault]]:
    """Validate the file with the overlay's values; the faults are those that the file alone does not have."""
    if not isinstance(values, dict):
        return None, [((), f"must be a mapping of keys to values, got {_shown(values)}")]
    settings, faults = _validate(_merged(document, values))
    inherited = [fault for fault in faults if not _given(values, fault[0]) and _lies_in(fault[0], faulty)]
    return settings, [*(fault for fault in faults if fault not in inherited), *_new_keys(document, values)]


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in values.items():
        below = base.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _new_keys(document: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Fault]:
    """Keys that the overlay adds where the schema allows any key: an overlay changes values only."""
    for location in (("training", "hyperparameters"), ("tags",)):
        below, above = _at(document, location), _at(values, location)
        if isinstance(above, dict):
            known = list(below) if isinstance(below, dict) else []
            yield from (((*location, key), _unknown(key, known)) for key in above if key not in known)


def _at(value: Any, location: Location) -> Any:
    for key in location:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _given(values: Any, location: Location) -> bool:
    """Whether the overlay itself gives the value at this location (a list is given as a whole)."""
    for key in location:
        if isinstance(values, list):
            return True
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _lies_in(location: Location, others: list[Location]) -> bool:
    return any(location[: len(other)] == other for other in others)


def _read(path: Path) -> dict[str, Any]:
    """The file as a mapping; refuses what YAML itself would accept silently, such as a key given twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{path.name}: cannot be read: {error.strerror} ({path})"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path.name}: is not UTF-8 text (byte {error.start + 1})"]) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        faults = list(_repetitions(node, ()))
        if faults:
            raise SettingsError(f"{path.name}: {fault}" for fault in faults)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError([f"{path.name}: {_syntax_fault(error)}"]) from error
    except ValueError as error:  # what looks like a date and is none
        raise SettingsError([f"{path.name}: is not YAML: {error}"]) from error
    if document is None:
        required = [name for name, field in Settings.model_fields.items() if field.is_required()]
        raise SettingsError([f"{path.name}: is empty; it must have the keys {', '.join(required)}"])
    if not isinstance(document, dict):
        raise SettingsError([f"{path.name}: must be a mapping of keys to values, got {_shown(document)}"])
    return document


def _repetitions(node: yaml.Node | None, above: tuple[yaml.Node, ...]) -> Iterator[str]:
    if any(node is one for one in above):
        line = cast(yaml.Node, node).start_mark.line + 1
        yield f"line {line}: an alias must not stand inside the value that it repeats"
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                yield f"line {line}: the key {key.value} must be given once, it is on line {lines[key.value]} already"
            elif isinstance(key, yaml.ScalarNode):
                lines[key.value] = line
            yield from _repetitions(value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repetitions(value, (*above, node))


def _syntax_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"is not YAML: {' '.join(str(error).split())}"
    problem = " ".join(text for text in (getattr(error, "context", None), getattr(error, "problem", None)) if text)
    return f"line {mark.line + 1}, column {mark.column + 1}: is not YAML: {problem}"


# --- Faults in the words of the file --------------------------------------------------------------------------------


def _faults(details: ErrorDetails) -> Iterator[Fault]:
    """Translate one of pydantic's errors into faults of the file."""
    location, section = _resolve(details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    if kind == "slipway":
        yield from (((*location, *within), text) for within, text in context["faults"])
    elif kind == "extra_forbidden":
        known = [*section.model_fields, *((LOCAL_OVERLAY,) if section is Settings else ())]
        yield location, _unknown(location[-1], known)
    elif kind == "missing":
        yield location, f"is missing: {section.model_fields[str(location[-1])].description}"
    elif kind == "union_tag_not_found":
        yield (*location, "by"), f"is missing: {_alternatives(_SPLITS)}"
    elif kind == "union_tag_invalid":
        yield (*location, "by"), f"must be {_alternatives(_SPLITS)}, got {_shown(details['input']['by'])}"
    else:
        subject = "as a key must" if kind == "invalid_key" or details["loc"][-1] == "[key]" else "must"
        yield location, f"{subject} be {_requirement(kind, context)}, got {_shown(details['input'])}"


def _resolve(path: Location) -> tuple[Location, type[BaseModel]]:
    """The location in the file, and the section that its last key belongs to.

    Pydantic's path also names the member of a union and marks the keys of a mapping; the file has neither.
    """
    location: list[str | int] = []
    section: type[BaseModel] = Settings
    kind: Any = Settings
    for key in path:
        if key == "[key]":
            continue
        if kind == TimeSplit | HashSplit:
            kind = _SPLITS[str(key)]
            continue
        location.append(key)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            section = kind
            field = section.model_fields.get(str(key))
            kind = field.annotation if field else None
        elif get_origin(kind) is tuple:
            kind = get_args(kind)[0]
    return tuple(location), section


def _requirement(kind: str, context: Mapping[str, Any]) -> str:
    """What is allowed, in words, for pydantic's error type."""
    match kind:
        case "greater_than_equal":
            return f"{context['ge']:g} or more"
        case "less_than_equal":
            return f"{context['le']:g} or less"
        case "string_pattern_mismatch":
            return _PATTERN_WORDS[context["pattern"]]
        case "string_too_short":
            return f"at least {context['min_length']} characters long"
        case "string_too_long":
            return f"at most {context['max_length']} characters long"
        case "too_short":
            return f"a list of at least {context['min_length']}"
        case "too_long":
            return f"at most {context['max_length']} entries"
        case "literal_error":
            return str(context["expected"]).replace("'", "")
    return _KINDS[kind]


_KINDS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "day": "a day such as 2027-01-31",
    "margin": 'a number, or a percentage such as "2%"',
    "hyperparameter": "text, a number, true or false",
    **dict.fromkeys(("string_type", "invalid_key"), "text (in quotes where YAML takes it for something else)"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping of keys to values"
    ),
}
_SPLITS: dict[str, type[BaseModel]] = {"time": TimeSplit, "hash": HashSplit}


def _unknown(key: str | int, known: Iterable[str]) -> str:
    allowed = [name for name in known if name != key]
    nearest = difflib.get_close_matches(str(key), allowed, n=1)
    text = f"is not a known key; allowed: {', '.join(allowed) or 'none'}"
    return f"{text}; did you mean {nearest[0]}?" if nearest else text


def _place(location: Location) -> str:
    """The location as it is written in prose: `evaluation.limits[0].metric`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location)
    return text.removeprefix(".") or "the file"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _alternatives(names: Iterable[str]) -> str:
    return " or ".join(names)


# --- The schema for editors -----------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """The JSON schema of slipway.yaml, the overlay included, whose sections may leave out every key."""
    document = Settings.model_json_schema()
    definitions = document["$defs"]
    overlay = _optional({"properties": document["properties"]})
    definitions |= {f"Local{name}": _optional(definition) for name, definition in definitions.items()}
    document["properties"] = {
        **document["properties"],
        LOCAL_OVERLAY: {
            "description": "values that replace those above where Slipway runs on one machine",
            "type": "object",
            "additionalProperties": False,
            **overlay,
        },
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": "slipway.yaml"}


def _optional(schema_part: Any) -> Any:
    """A copy in which no key is required and every section is the overlay's own variant of it."""
    if isinstance(schema_part, list):
        return [_optional(item) for item in schema_part]
    if not isinstance(schema_part, dict):
        return schema_part
    result: dict[str, Any] = {}
    for key, value in schema_part.items():
        if key == "$ref":
            result[key] = value.replace("#/$defs/", "#/$defs/Local")
        elif key == "oneOf":  # without its required keys a value may fit two members of a union
            result["anyOf"] = _optional(value)
        elif key not in ("required", "default", "discriminator"):
            result[key] = _optional(value)
    return result


def main(arguments: list[str]) -> int:
    """Print the JSON schema; any other request is answered with how to ask."""
    if arguments != ["schema"]:
        print("usage: python -m settings schema", file=sys.stderr)
        return 2
    print(json.dumps(schema(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
