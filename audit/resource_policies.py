"""Policies of resources (keys, buckets, topics, VPC endpoints): whom they let in beside the roles' own policies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audit import reference
from audit.faults import Fault
from audit.policies import is_wild
from audit.templates import Assembly, as_list, plain

_IDENTITY_POLICIES = ("AWS::IAM::Role", "AWS::IAM::Policy")

# Whoever the account's IAM allows: the statement without which nobody could administer a key (KMS developer guide,
# "Default key policy"). It gives nobody anything by itself.
_IAM_DECIDES = "AWS arn:<AWS::Partition>:iam::<AWS::AccountId>:root"


@dataclass(frozen=True, order=True)
class Admission:
    """A statement of a resource's policy that allows something.

    Attributes:
        resource: that has the policy, as `TYPE NAME`.
        principal: who is let in.
        condition: in words, or empty.
    """

    resource: str
    principal: str
    actions: tuple[str, ...]
    condition: str


def read(assemblies: Iterable[Assembly]) -> list[Admission]:
    """Every admission once, whichever assemblies have it."""
    return sorted({admission for assembly in assemblies for admission in _admissions(assembly)})


def _admissions(assembly: Assembly) -> Iterator[Admission]:
    for template in assembly.templates:
        for logical_id, resource in template.resources.items():
            if resource["Type"] not in _IDENTITY_POLICIES:
                for statement in _statements(resource.get("Properties", {})):
                    yield from _admitted(assembly, f"{resource['Type']} {plain(logical_id)}", statement)


def _statements(properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for document in properties.values():
        if isinstance(document, dict) and "Statement" in document:
            yield from as_list(document["Statement"])


def _admitted(assembly: Assembly, resource: str, statement: Mapping[str, Any]) -> Iterator[Admission]:
    if statement["Effect"] != "Allow":
        return
    principals = statement["Principal"]
    by_kind = {"AWS": principals} if isinstance(principals, str) else principals
    condition = assembly.condition(statement)
    for kind, named in by_kind.items():
        for principal in as_list(named):
            actions = tuple(as_list(statement["Action"]))
            yield Admission(resource, f"{kind} {assembly.text(principal)}", actions, condition)


def faults(admissions: Iterable[Admission]) -> Iterator[Fault]:
    """Admissions of everybody, of wildcards, and of actions that AWS does not have."""
    for admission in admissions:
        if admission.principal == "AWS *" and not admission.condition:
            yield Fault(admission.resource, "lets everybody in", "name the principals, or add a condition")
        for action in admission.actions:
            if is_wild(action):
                if admission.principal != _IAM_DECIDES:
                    yield Fault(admission.resource, f"{action} is a wildcard", "list the actions that are used")
            elif reference.action(action) is None:
                yield Fault(admission.resource, f"AWS has no action {action}", "correct its spelling, or remove it")
