"""Resource patterns of policies against the formats of AWS's ARNs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from audit.faults import AuditError

# What Ref and Fn::GetAtt give (CloudFormation template reference, "Return values" of each type); Ref of another type is
# an id or a name.
_ARNS = {
    ("AWS::CodeBuild::Project", "Arn"): "arn:aws:codebuild:region:account:project/NAME",
    ("AWS::CodeCommit::Repository", "Arn"): "arn:aws:codecommit:region:account:NAME",
    ("AWS::EC2::SecurityGroup", "GroupId"): "NAME",
    ("AWS::ECR::Repository", "Arn"): "arn:aws:ecr:region:account:repository/NAME",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::account:role/NAME",
    ("AWS::KMS::Key", "Arn"): "arn:aws:kms:region:account:key/NAME",
    ("AWS::Logs::LogGroup", "Arn"): "arn:aws:logs:region:account:log-group:NAME:*",
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::NAME",
    ("AWS::SNS::Topic", ""): "arn:aws:sns:region:account:NAME",
}
_PSEUDO_PARAMETERS = {"AWS::Partition": "aws", "AWS::Region": "region", "AWS::AccountId": "account"}
_REFERENCE = re.compile(r"<([\w:]+)(?:\.(\w+))?>")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WILDCARD = re.compile(r"[*?]")

# Characters that a variable of an ARN format does not hold; others hold no colon.
_EXCLUDED = {"BucketName": ":/", "ObjectName": ""}


def arn(resource: str, types: Mapping[str, str]) -> str:
    """A resource pattern with a made-up but possible ARN or name for each reference.

    Args:
        resource: as `Assembly.text` writes it.
        types: CloudFormation's types by name.
    """

    def stand_in(reference: re.Match[str]) -> str:
        name, attribute = reference[1], reference[2] or ""
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        found = _ARNS.get((types[name], attribute), None if attribute else "NAME")
        if found is None:
            raise AuditError(f"{attribute} of {types[name]} ({name}) is not known: add its ARN to audit/arns.py")
        return found.replace("NAME", name.lower())

    return _REFERENCE.sub(stand_in, resource)


def can_match(pattern: str, arn_format: str) -> bool:
    """Whether a pattern of a policy matches any ARN of a format such as `arn:${Partition}:s3:::${BucketName}`."""
    left, right = tuple(_pattern_steps(pattern)), tuple(_format_steps(arn_format))

    @cache
    def meet(i: int, j: int) -> bool:
        if i == len(left) and j == len(right):
            return True
        if i < len(left) and left[i].repeated and meet(i + 1, j):
            return True
        if j < len(right) and right[j].repeated and meet(i, j + 1):
            return True
        if i == len(left) or j == len(right) or not left[i].meets(right[j]):
            return False
        # Two repetitions that meet would stand still; one of them has been skipped above.
        stands_still = left[i].repeated and right[j].repeated
        return not stands_still and meet(i + (not left[i].repeated), j + (not right[j].repeated))

    return meet(0, 0)


def open_part(pattern: str, arn_formats: Iterable[str]) -> str:
    """What of an ARN a pattern leaves wholly open: `everything`, `region`, `account`, `name`; empty if nothing.

    A name is open if the pattern does not even give its beginning.

    Args:
        pattern: with `arn` applied.
        arn_formats: of the resources that it can match.
    """
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        return "everything"
    for part, value in (("region", parts[3]), ("account", parts[4])):
        if _WILDCARD.search(value):
            return part
    kinds = [_VARIABLE.split(arn_format.split(":", 5)[5], maxsplit=1)[0] for arn_format in arn_formats]
    kind = max((kind for kind in kinds if parts[5].startswith(kind)), key=len, default="")
    return "name" if _WILDCARD.match(parts[5].removeprefix(kind)) else ""


class _Step(NamedTuple):
    """A character of a pattern, or any but some, once or as often as one likes."""

    literal: str | None
    excluded: str
    repeated: bool

    def meets(self, other: "_Step") -> bool:
        """Whether both can be the same character."""
        if self.literal is not None and other.literal is not None:
            return self.literal == other.literal
        return (self.literal or "\0") not in other.excluded and (other.literal or "\0") not in self.excluded


def _pattern_steps(pattern: str) -> Iterator[_Step]:
    for character in pattern:
        yield _Step(None if character in "*?" else character, "", character == "*")


def _format_steps(arn_format: str) -> Iterator[_Step]:
    for position, part in enumerate(_VARIABLE.split(arn_format)):
        if position % 2:
            excluded = _EXCLUDED.get(part, ":")
            yield from (_Step(None, excluded, repeated) for repeated in (False, True))
        else:
            yield from (_Step(character, "", False) for character in part)
