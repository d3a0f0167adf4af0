"""What the sections of slipway.yaml are made of: kinds of values, and how a section refuses what makes no sense."""

import json
import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

Location = tuple[str | int, ...]

# What a pattern asks for, in words: the faults and the JSON schema say these instead of a regular expression.
PATTERNS = {
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
PATTERN_WORDS = {
    PATTERNS["name"]: "lower-case letters, digits and single hyphens, beginning with a letter",
    PATTERNS["branch"]: "the name of a git branch",
    PATTERNS[
        "prefix"
    ]: "an S3 prefix such as raw/: letters, digits and _ = . - between slashes, with a slash at the end",
    PATTERNS["image"]: "a container image such as public.ecr.aws/docker/library/python:3.11-slim-bookworm",
    PATTERNS["instance_type"]: "a SageMaker instance type such as ml.m5.large",
    PATTERNS["metric"]: "the name of a metric such as roc_auc",
    PATTERNS["column"]: "the name of a column, without spaces around it",
    PATTERNS["slice"]: "the name of a column, without spaces around it and without a colon",
    PATTERNS["email"]: "an e-mail address",
    PATTERNS["tag"]: "letters, digits, spaces and _ . : / = + @ -",
    PATTERNS["finding"]: "the id of a finding such as CVE-2026-12345",
    PATTERNS["reason"]: "a reason in words",
    PATTERNS["subnet"]: "the id of a subnet such as subnet-0123456789abcdef0",
    PATTERNS["security_group"]: "the id of a security group such as sg-0123456789abcdef0",
    PATTERNS["policy"]: "the ARN of a managed policy such as arn:aws:iam::111122223333:policy/boundary",
}


def refuse(*faults: tuple[Location, str]) -> PydanticCustomError:
    """One error that carries faults of several places, each relative to the section that is being checked."""
    return PydanticCustomError("slipway", "; ".join(text for _, text in faults), {"faults": list(faults)})


def shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _teams_own_tag(key: str) -> str:
    if key.lower().startswith(("aws:", "slipway:")):
        raise refuse(((), "must not begin with aws: or slipway:, which are reserved"))
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


def without_repetition(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = [((index,), f"repeats {shown(value)}") for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise refuse(*repeated)
    return values


InstanceType = Annotated[str, Field(pattern=PATTERNS["instance_type"], description="instance type, e.g. ml.m5.large")]
MetricName = Annotated[str, Field(pattern=PATTERNS["metric"], max_length=64)]
ColumnName = Annotated[str, Field(pattern=PATTERNS["column"], max_length=128)]
EmailAddress = Annotated[str, Field(pattern=PATTERNS["email"], max_length=254)]
SubnetId = Annotated[str, Field(pattern=PATTERNS["subnet"])]
SecurityGroupId = Annotated[str, Field(pattern=PATTERNS["security_group"])]
PolicyArn = Annotated[str, Field(pattern=PATTERNS["policy"], max_length=2048)]
TagKey = Annotated[str, Field(pattern=PATTERNS["tag"], min_length=1, max_length=128), AfterValidator(_teams_own_tag)]
TagValue = Annotated[str, Field(pattern=PATTERNS["tag"], max_length=256)]
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


class Section(BaseModel):
    """A mapping of the file, read strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
