"""Roles and what they are granted, read from templates.

A grant is one action on one resource pattern of one statement. `infra.permissions` writes into the metadata of a role
why a grant has a wildcard, and why one is there that no run uses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from audit.faults import AuditError
from audit.templates import Assembly, Template, as_list, condition_keys, plain

METADATA = "Slipway"
_READABLE = {"Effect", "Action", "Resource", "Condition"}
_UNREADABLE_TYPES = {
    f"AWS::IAM::{kind}" for kind in ("Group", "GroupPolicy", "ManagedPolicy", "RolePolicy", "User", "UserPolicy")
}
_OURS = re.compile(r"^arn:<AWS::Partition>:([\w-]+):(?:<AWS::Region>)?:(?:<AWS::AccountId>)?:")


class RoleId(NamedTuple):
    """A role by its stack's name and its logical id."""

    stack: str
    logical_id: str

    def __str__(self) -> str:
        return plain(self.logical_id)


class Place(NamedTuple):
    """Where a grant stands: the statement's index in the policy, the pattern's in the statement's resources."""

    role: RoleId
    policy: str
    statement: int
    action: str
    pattern: int


class Trust(NamedTuple):
    """Who may assume a role: a service, or another principal as `KIND NAME`."""

    principal: str
    condition: str = ""
    condition_keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.principal} if {self.condition}" if self.condition else self.principal


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource pattern under one condition, whichever statement it stands in.

    Attributes:
        role: that has it.
        action: such as `s3:GetObject`.
        resource: pattern as `Assembly.text` writes it.
        condition: the statement's as `Assembly.condition` writes it, or empty.
        condition_keys: in it.
    """

    role: RoleId
    action: str
    resource: str
    condition: str = ""
    condition_keys: tuple[str, ...] = ()

    @property
    def request(self) -> tuple[str, str]:
        """What it allows, whatever the condition."""
        return self.action, self.resource

    def __str__(self) -> str:
        condition = f" if {self.condition}" if self.condition else ""
        return f"{self.action} on {short(self.resource)}{condition}"


@dataclass(frozen=True)
class Note:
    """What the template says about grants: why there is a wildcard, and why actions are never used."""

    actions: frozenset[str]
    resources: frozenset[str]
    wildcard: str | None
    unused: Mapping[str, str]

    def concerns(self, grant: Grant) -> bool:
        return grant.action in self.actions and grant.resource in self.resources


@dataclass(frozen=True)
class Role:
    """A role as one assembly has it.

    Attributes:
        grants: by their places.
    """

    id: RoleId
    trusted: frozenset[Trust]
    grants: Mapping[Place, Grant]
    notes: tuple[Note, ...]


def short(resource: str) -> str:
    """A resource of our own account and region as `SERVICE:NAME`, another as it is."""
    return _OURS.sub(r"\1:", resource)


def read_roles(assembly: Assembly) -> list[Role]:
    """All roles of an assembly.

    Raises:
        AuditError: something grants that is no inline policy of a role, or not by allowing actions on resources.
    """
    return [role for template in assembly.templates for role in _roles(assembly, template)]


def _roles(assembly: Assembly, template: Template) -> Iterator[Role]:
    for logical_id, resource in template.resources.items():
        if resource["Type"] in _UNREADABLE_TYPES:
            raise AuditError(f"{logical_id} is a {resource['Type']}: the audit knows roles with inline policies only")
        if resource["Type"] == "AWS::IAM::Role":
            role_id = RoleId(template.stack_name, logical_id)
            properties = resource["Properties"]
            if properties.get("ManagedPolicyArns"):
                raise AuditError(f"{role_id} has managed policies: list their grants in an inline policy")
            policies = [*properties.get("Policies", []), *_attached(template, logical_id)]
            yield Role(
                role_id,
                frozenset(_trusted(assembly, properties["AssumeRolePolicyDocument"])),
                {place: grant for policy in policies for place, grant in _grants(assembly, role_id, policy)},
                tuple(_notes(assembly, resource.get("Metadata", {}).get(METADATA, {}))),
            )


def _attached(template: Template, logical_id: str) -> Iterator[Mapping[str, Any]]:
    for resource in template.resources.values():
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": logical_id} in resource["Properties"].get("Roles", []):
            yield resource["Properties"]


def _trusted(assembly: Assembly, document: Mapping[str, Any]) -> Iterator[Trust]:
    for statement in as_list(document["Statement"]):
        condition, keys = assembly.condition(statement), condition_keys(statement)
        for kind, principals in statement["Principal"].items():
            for principal in as_list(principals):
                prefix = "" if kind == "Service" else f"{kind} "
                yield Trust(f"{prefix}{assembly.text(principal)}", condition, keys)


def _grants(assembly: Assembly, role: RoleId, policy: Mapping[str, Any]) -> Iterator[tuple[Place, Grant]]:
    for index, statement in enumerate(as_list(policy["PolicyDocument"]["Statement"])):
        if statement["Effect"] != "Allow" or not _READABLE.issuperset(statement):
            raise AuditError(
                f"{role}, statement {index}: only Allow with Action, Resource and Condition can be audited"
            )
        condition, keys = assembly.condition(statement), condition_keys(statement)
        for action in as_list(statement["Action"]):
            for pattern, resource in enumerate(as_list(statement["Resource"])):
                place = Place(role, policy["PolicyName"], index, action, pattern)
                yield place, Grant(role, action, assembly.text(resource), condition, keys)


def _notes(assembly: Assembly, metadata: Mapping[str, Any]) -> Iterator[Note]:
    for note in metadata.get("Grants", []):
        yield Note(
            frozenset(note["Action"]),
            frozenset(assembly.text(resource) for resource in note["Resource"]),
            note.get("Wildcard"),
            note.get("Unused", {}),
        )


@dataclass(frozen=True)
class AuditedRole:
    """A role as all audited templates have it together.

    Attributes:
        grants: with the kinds of network in which they are there.
    """

    id: RoleId
    trusted: frozenset[Trust]
    grants: Mapping[Grant, frozenset[str]]
    notes: tuple[Note, ...]

    def unused_reason(self, grant: Grant) -> str | None:
        """Why a grant is there that no run uses; None if the code does not say."""
        reasons = (note.unused.get(grant.action) for note in self.notes if note.concerns(grant))
        return next(filter(None, reasons), None)

    def wildcard_reason(self, grant: Grant) -> str | None:
        """Why a grant's resource has a wildcard; None if the code does not say."""
        reasons = (note.wildcard for note in self.notes if note.concerns(grant))
        return next(filter(None, reasons), None)


def together(synthesized: Iterable[tuple[str, Iterable[Role]]]) -> list[AuditedRole]:
    """The roles of several assemblies, each once.

    Args:
        synthesized: kinds of network, each with the roles of an assembly.
    """
    found: dict[RoleId, list[tuple[str, Role]]] = {}
    for network, roles in synthesized:
        for role in roles:
            found.setdefault(role.id, []).append((network, role))
    return [_together(role_id, versions) for role_id, versions in found.items()]


def _together(role_id: RoleId, versions: list[tuple[str, Role]]) -> AuditedRole:
    grants: dict[Grant, frozenset[str]] = {}
    for network, role in versions:
        for grant in role.grants.values():
            grants[grant] = grants.get(grant, frozenset()) | {network}
    trusted = frozenset[Trust]().union(*(role.trusted for _, role in versions))
    return AuditedRole(role_id, trusted, grants, tuple(note for _, role in versions for note in role.notes))
