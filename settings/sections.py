"""All that may stand in slipway.yaml; endpoints and release have a file of their own."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from settings.endpoints import Endpoints, ServerlessEndpoint
from settings.release import Release
from settings.rules import (
    PATTERNS,
    ColumnName,
    Day,
    EmailAddress,
    Hyperparameter,
    InstanceType,
    Location,
    Margin,
    MarginValue,
    MetricName,
    PolicyArn,
    Section,
    SecurityGroupId,
    SubnetId,
    TagKey,
    TagValue,
    refuse,
    shown,
    without_repetition,
)

_LOCAL_STORAGE_FAMILIES = re.compile(r"[a-z]+[0-9]+[a-z]*d[a-z]*|g[5-7]e?|p[56][a-z0-9-]*|trn[0-9]+n?")
# The step that waits for a job is a CodeBuild build: at most 36 hours, the start of the job's instances included.
_LONGEST_JOB_MINUTES = 2100
_OWN_PREFIXES = (
    "datasets/",
    "models/",
    "evaluations/",
    "captures/",
)  # what the pipeline itself writes into the data bucket


class Source(Section):
    """Where commits come from."""

    branch: str = Field(
        default="main",
        pattern=PATTERNS["branch"],
        max_length=256,
        description="a push to this branch starts the pipeline",
    )


class TimeSplit(Section):
    """The newest rows are the holdout: right for data that drifts."""

    by: Literal["time"] = Field(description="time: the newest window is the holdout")
    column: ColumnName = Field(description="the column that holds each row's time")
    holdout_days: int = Field(ge=1, le=3660, description="length of the newest window, the holdout")
    validation_days: int = Field(ge=1, le=3660, description="length of the window before the holdout")


class HashSplit(Section):
    """A stable hash of a column decides: rows that belong together stay together."""

    by: Literal["hash"] = Field(description="hash: a stable hash of a column decides")
    column: ColumnName = Field(description="the column that says which rows belong together")
    holdout_percent: int = Field(ge=1, le=98, description="share of the groups in the holdout")
    validation_percent: int = Field(ge=1, le=98, description="share of the groups in the validation set")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        total = self.holdout_percent + self.validation_percent
        if total >= 100:
            raise refuse(
                ((), f"must leave rows to train on: holdout_percent + validation_percent is {total}, not below 100")
            )
        return self


class Data(Section):
    """The team's data and how it is split."""

    prefix: str = Field(
        default="raw/", pattern=PATTERNS["prefix"], max_length=512, description="place in the data bucket"
    )
    split: TimeSplit | HashSplit = Field(discriminator="by", description="how the holdout is kept apart")

    @field_validator("prefix")
    @classmethod
    def _is_the_teams_own(cls, prefix: str) -> str:
        if prefix.startswith(_OWN_PREFIXES):
            raise refuse(
                ((), f"must not lie under {', '.join(_OWN_PREFIXES)}, which Slipway writes, got {shown(prefix)}")
            )
        return prefix


class AcceptedFinding(Section):
    """A finding that a team knows and lives with for a while."""

    id: str = Field(
        pattern=PATTERNS["finding"], max_length=128, description="the finding's id as the scan names it, e.g. a CVE"
    )
    reason: str = Field(pattern=PATTERNS["reason"], max_length=500, description="why it is accepted, in words")
    until: Day = Field(description="the last day, in UTC, on which it is accepted, e.g. 2027-01-31")


class Scan(Section):
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
            raise refuse(*repeated)
        return accepted


class Container(Section):
    """The image that the model's container is built on, and what a scan of the result may find."""

    base_image: str = Field(pattern=PATTERNS["image"], max_length=512, description="base image of the container")
    scan: Scan = Field(default=Scan(), description="what ECR's scan of the image may find")


class Processing(Section):
    """Where the data is prepared and models are evaluated."""

    instance_type: InstanceType
    volume_gib: int = Field(ge=1, le=16384, description="size of the volume in GiB")
    max_runtime_minutes: int = Field(ge=1, le=_LONGEST_JOB_MINUTES, description="a job that runs longer is stopped")


class Training(Section):
    """Where and how the model is trained."""

    instance_type: InstanceType
    instance_count: int = Field(ge=1, description="number of instances")
    volume_gib: int = Field(ge=1, le=16384, description="size of the volume in GiB")
    max_runtime_minutes: int = Field(ge=1, le=_LONGEST_JOB_MINUTES, description="a job that runs longer is stopped")
    hyperparameters: Mapping[Annotated[str, Field(min_length=1, max_length=256)], Hyperparameter] = Field(
        default={}, max_length=100, description="handed to the training code"
    )


class PrimaryMetric(Section):
    """The metric by which challenger and champion are compared."""

    metric: MetricName = Field(description="name of the metric in evaluation.json")
    goal: Literal["maximize", "minimize"] = Field(description="which direction is better")


class Limit(Section):
    """An absolute limit that every model must keep."""

    metric: MetricName = Field(description="name of the metric in evaluation.json")
    at_least: float | None = Field(default=None, description="the smallest value that passes")
    at_most: float | None = Field(default=None, description="the largest value that passes")

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise refuse(((), "must have at_least, at_most or both"))
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise refuse(((), f"cannot be kept: at_least {self.at_least:g} is more than at_most {self.at_most:g}"))
        return self


class ChampionPolicy(Section):
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
            raise refuse(((), "must have either not_worse_by or better_by"))
        return self


class SliceColumn(Section):
    """A column whose values, or bands of values, are the slices."""

    column: str = Field(pattern=PATTERNS["slice"], max_length=128, description="a column of the records")
    bands: Annotated[tuple[float, ...], Field(strict=False, max_length=10)] = Field(
        default=(), description="for numbers: the edges between the bands, in ascending order"
    )

    @field_validator("bands")
    @classmethod
    def _ascend(cls, bands: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [index for index in range(1, len(bands)) if bands[index] <= bands[index - 1]]
        if wrong:
            raise refuse(
                *(((index,), f"must be more than {bands[index - 1]:g}, the edge before it") for index in wrong)
            )
        return bands


class Slices(Section):
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
            raise refuse(*repeated)
        return by


class Evaluation(Section):
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
            raise refuse(*faults)
        return self


class Approval(Section):
    """Who hears of a model that waits for approval."""

    notify: Annotated[tuple[EmailAddress, ...], Field(strict=False), AfterValidator(without_repetition)] = Field(
        default=(), description="e-mail addresses"
    )


class Network(Section):
    """What the instances of jobs and endpoints are connected to; their containers can call nobody in either mode."""

    mode: Literal["isolated", "vpc"] = Field(
        default="isolated",
        description="isolated: the containers can call nobody; vpc: and their instances live in private subnets",
    )
    # SageMaker's own limits (API reference, VpcConfig).
    subnet_ids: Annotated[
        tuple[SubnetId, ...], Field(strict=False, max_length=16), AfterValidator(without_repetition)
    ] = Field(default=(), description="vpc only: private subnets of a VPC that exists; none: Slipway makes a VPC")
    security_group_ids: Annotated[
        tuple[SecurityGroupId, ...], Field(strict=False, max_length=5), AfterValidator(without_repetition)
    ] = Field(default=(), description="vpc only: security groups in the VPC of subnet_ids")

    @property
    def makes_vpc(self) -> bool:
        """Whether the VPC is Slipway's own."""
        return self.mode == "vpc" and not self.subnet_ids

    @model_validator(mode="after")
    def _names_a_vpc_or_leaves_it_to_slipway(self) -> Self:
        given = [key for key in ("subnet_ids", "security_group_ids") if getattr(self, key)]
        if given and self.mode != "vpc":
            raise refuse(*(((key,), f"must be empty unless mode is vpc, got mode {self.mode}") for key in given))
        if len(given) == 1:
            missing = "security_group_ids" if given == ["subnet_ids"] else "subnet_ids"
            raise refuse(((missing,), f"must not be empty where {given[0]} is given"))
        if len(self.subnet_ids) == 1:
            raise refuse((("subnet_ids",), "must be two or more, in different zones: SageMaker asks so for endpoints"))
        return self


class Settings(Section):
    """All of slipway.yaml; attributes mirror its keys."""

    name: str = Field(
        pattern=PATTERNS["name"],
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
    release: Release = Field(default=Release(), description="how a model that has passed staging gets into production")
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

    @model_validator(mode="after")
    def _can_be_released(self) -> Self:
        unreleasable = self.release.faults(self.release.strategy, self.endpoints.production)
        faults: list[tuple[Location, str]] = [(("release", *location), text) for location, text in unreleasable]
        serverless = [
            name for name, one in self.endpoints.of_environments().items() if isinstance(one, ServerlessEndpoint)
        ]
        if serverless and self.network.mode == "vpc":
            told = "must be isolated where an endpoint is serverless, for SageMaker connects those to no VPC"
            faults.append((("network", "mode"), f"{told}: endpoints.{', endpoints.'.join(serverless)}"))
        if faults:
            raise refuse(*faults)
        return self


def has_local_storage(instance_type: str) -> bool:
    """Whether instances of a type have local NVMe storage.

    They encrypt it in hardware, and SageMaker refuses a KMS key for their volumes (SageMaker API reference,
    ResourceConfig and CreateEndpointConfig). They are the families with a d after their number (r5d, g4dn, p4d) and the
    newer accelerated ones.
    """
    return _LOCAL_STORAGE_FAMILIES.fullmatch(instance_type.split(".")[1]) is not None
